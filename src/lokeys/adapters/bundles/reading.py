# SPDX-License-Identifier: Apache-2.0
"""Reads an untrusted folder or archive: nothing is unpacked, no link is followed.

What is too large, not a file or outside is left out with a note; an error is raised if nothing can
be read.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lokeys.core.text.words import quoted
from lokeys.errors import BadInput

MAX_FILE_BYTES = 16 << 20
MAX_KEPT_BYTES = 256 << 20
MAX_UNPACKED_BYTES = 2 << 30
MAX_FILES = 50_000
MAX_NOTES = 20
_WANTED = (".json", ".yaml", ".yml", ".log", ".gz", ".txt")
_BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, OSError)


@dataclass(slots=True)
class Tree:
    """The wanted files by their paths, and what was left out."""

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    notes: list[str] = field(default_factory=list)
    _kept: int = 0
    _more: int = 0

    def note(self, text: str) -> None:
        """Keep a note for a person; only the first of very many."""
        if len(self.notes) < MAX_NOTES:
            self.notes.append(text)
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        """Return all notes."""
        more = (f"{self._more} more files were left out",) if self._more else ()
        return (*self.notes, *more)

    def add(self, name: str, source: BinaryIO) -> None:
        """Keep a file, up to its size limit."""
        if self._kept >= MAX_KEPT_BYTES or len(self.files) >= MAX_FILES:
            self.note(f"{quoted(name)}: left out, the bundle holds too much")
            return
        try:
            content = source.read(MAX_FILE_BYTES + 1)
            if name.endswith(".gz"):
                with gzip.open(io.BytesIO(content)) as packed:
                    content = packed.read(MAX_FILE_BYTES + 1)
                    name = name.removesuffix(".gz")
        except _BROKEN:
            self.note(f"{quoted(name)}: cannot be read to its end")
            return
        if len(content) > MAX_FILE_BYTES:
            self.note(f"{quoted(name)}: left out, larger than {MAX_FILE_BYTES >> 20} MiB")
            return
        self._kept += len(content)
        self.files[name] = content


def tree_of(path: str) -> Tree:
    """Return the files of a folder or of a tar archive. Raises BadInput."""
    place = Path(path)
    tree = Tree()
    try:
        if place.is_dir():
            _read_folder(place, tree)
        else:
            _read_archive(place, tree)
    except OSError as error:
        raise BadInput(f"cannot read it: {error.strerror}", place=path) from None
    if not tree.files:
        why = f": {tree.notes[0]}" if tree.notes else ""
        raise BadInput(
            f"no bundle: it holds no manifest, no object and no log{why}",
            place=path,
            hint="lokeys collect writes one",
        )
    return _without_top(tree)


def _read_folder(top: Path, tree: Tree) -> None:
    for folder, below, names in os.walk(top):
        for each in sorted(below):
            if (Path(folder) / each).is_symlink():
                tree.note(f"{quoted(each)}: a link, which is not followed")
        below.sort()
        for name in sorted(names):
            place = Path(folder) / name
            told = place.relative_to(top).as_posix()
            if not stat.S_ISREG(place.lstat().st_mode):
                tree.note(f"{quoted(told)}: a link or no file, which is not followed")
            elif _is_wanted(told):
                with place.open("rb") as file:
                    tree.add(told, file)


def _read_archive(place: Path, tree: Tree) -> None:
    if not stat.S_ISREG(place.stat().st_mode):
        raise BadInput("neither a folder nor a file", place=str(place))
    unpacked = 0
    try:
        with tarfile.open(place, mode="r|*") as tar:
            for entry in tar:
                unpacked += entry.size
                if unpacked > MAX_UNPACKED_BYTES or len(tree.files) >= MAX_FILES:
                    tree.note("the archive unfolds to more than is read; its end was left out")
                    return
                _read_entry(tar, entry, tree)
    except _BROKEN:
        if not tree.files:
            hint = "unpack it, and hand in the folder"
            raise BadInput(
                "no tar archive, or one that is cut off", place=str(place), hint=hint
            ) from None
        tree.note("the archive is cut off: its end could not be read")


def _read_entry(tar: tarfile.TarFile, entry: tarfile.TarInfo, tree: Tree) -> None:
    parts = PurePosixPath(entry.name).parts
    if entry.isdir():
        return
    if not entry.isreg():
        tree.note(f"{quoted(entry.name)}: a link or no file, which is not followed")
    elif entry.name.startswith("/") or ".." in parts:
        tree.note(f"{quoted(entry.name)}: leads outside the archive, and is left out")
    elif _is_wanted(entry.name):
        file = tar.extractfile(entry)
        if file is not None:
            tree.add("/".join(parts), file)  # type: ignore[arg-type]


def _is_wanted(name: str) -> bool:
    return name.endswith(_WANTED) or "/logs/rotated/" in name


def _without_top(tree: Tree) -> Tree:
    """Return the tree below a folder that contains all files, as archives often have one."""
    while len(tops := {name.partition("/")[0] for name in tree.files}) == 1:
        top = f"{tops.pop()}/"
        if not all(name.startswith(top) for name in tree.files) or top in _KNOWN_TOPS:
            break
        tree.files = {name.removeprefix(top): each for name, each in tree.files.items()}
    return tree


_KNOWN_TOPS = frozenset({"namespaces/", "cluster-resources/", "objects/", "pod-logs/"})
