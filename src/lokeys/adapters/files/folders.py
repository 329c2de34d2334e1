# SPDX-License-Identifier: Apache-2.0
"""A folder of a GitOps repository: its objects, and a hint for files that are not complete ones.

    templates of a chart        are passed over; `helm template` prints their objects
    patches of a kustomization  are passed over; `kubectl kustomize` prints what they make
    values, data, other YAML    are passed over without a hint

It is untrusted: linked folders are not followed; files, bytes and entries are limited; what is too
large, binary or not YAML is reported and passed over, and nothing of it is shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from lokeys.adapters.files.manifests import MAX_BYTES, HandedIn, Located, content_of, objects_in
from lokeys.bounded_yaml import built
from lokeys.core.text.words import printable
from lokeys.core.validation.passed_over import PassedOver, build_command
from lokeys.errors import BadInput

MAX_FILES = 5000
MAX_ENTRIES = 200_000
"""Files and folders of any name."""

MAX_ALL_BYTES = 200 * 1024 * 1024
MAX_TOLD = 20
"""Files that are passed over and named."""

SUFFIXES = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART = "Chart.yaml"
_OBJECT = b"apiVersion:"
_TEMPLATE = (b"{{", b"{%")


def read_folder(folder: str) -> HandedIn:
    """Return the objects of a folder's files, except hidden ones. Raises BadInput."""
    return _Folder(folder).read()


class _Folder:
    """One folder, while it is read."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._passed_over: list[PassedOver] = []
        self._bytes = 0
        self._files = self._walked()

    def read(self) -> HandedIn:
        charts = tuple(file.parent for file in self._files if file.name == CHART)
        templates = {file for file in self._files if charts and _chart_of(file, charts)}
        found: dict[str, list[Located]] = {}
        kustomizations: dict[str, Mapping[str, Any]] = {}
        for file in self._files:
            if file.name in KUSTOMIZATIONS and file not in templates:
                content = built((self._content(file) or b"").decode(errors="replace"))
                if isinstance(content, Mapping):
                    kustomizations[os.path.normpath(file.parent)] = content
            elif file not in templates and file.name != CHART:
                found[os.path.normpath(file)] = self._objects(file)
        for chart in charts:
            self._chart(chart, [file for file in templates if _chart_of(file, (chart,))])
        if not kustomizations:
            objects = [each for items in found.values() for each in items]
            return HandedIn(tuple(objects), tuple(self._passed_over))
        # Only here: most folders have none.
        from lokeys.adapters.files.kustomizations import Kustomizations  # noqa: PLC0415

        taken = Kustomizations(kustomizations, found)
        passed_over = (*self._passed_over, *taken.passed_over())
        return HandedIn(tuple(taken.objects()), passed_over)

    def _walked(self) -> list[Path]:
        """Return the manifests below the folder, in order."""
        found: list[Path] = []
        count = 0
        waiting = [_inside(self._folder)]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
                continue
            count += 1
            if count > MAX_ENTRIES:
                raise self._too_much(f"more than {MAX_ENTRIES} files")
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(_inside(entry.path))
            elif _may_hold_objects(entry.name) and entry.is_file():
                found.append(Path(entry.path))
            if len(found) > MAX_FILES:
                raise self._too_much(f"more than {MAX_FILES} manifests")
        if not found:
            hint = "*.yaml, *.yml or *.json"
            raise BadInput("no manifest in this folder", place=self._folder, hint=hint)
        return found

    def _too_much(self, problem: str) -> BadInput:
        return BadInput(problem, place=self._folder, hint="name a subfolder")

    def _objects(self, file: Path) -> list[Located]:
        """Return the objects of a file; a file that is not a manifest is passed over."""
        content = self._content(file)
        if content is None or b"kind" not in content:
            return []
        try:
            return list(objects_in(content, file=str(file), strict=False))
        except BadInput as problem:
            if any(sign in content for sign in _TEMPLATE):
                return self._pass_over(file, "a template; hand in what is made of it")
            if any(line.startswith(_OBJECT) for line in content.splitlines()):
                raise
            return self._pass_over(
                file, f"no manifest: {str(problem).removeprefix(f'{problem.place}: ')}"
            )

    def _content(self, file: Path) -> bytes | None:
        """Return a file's content, up to a limit; None if it is larger."""
        if file.stat().st_size > MAX_BYTES:
            self._pass_over(file, f"larger than {MAX_BYTES // 1024 // 1024} MiB")
            return None
        content = content_of(file)
        self._bytes += len(content)
        if self._bytes > MAX_ALL_BYTES:
            raise self._too_much(f"more than {MAX_ALL_BYTES // 1024 // 1024} MiB of manifests")
        return content

    def _pass_over(self, file: Path, why: str) -> list[Located]:
        told = len(self._passed_over)
        if told < MAX_TOLD:
            self._passed_over.append(PassedOver(what="a file", why=why, file=printable(str(file))))
        elif told == MAX_TOLD:
            more = PassedOver(
                what="more files", why="not manifests either", file=printable(str(file))
            )
            self._passed_over.append(more)
        return []

    def _chart(self, chart: Path, templates: list[Path]) -> None:
        if templates:
            what = f"{len(templates)} template{'s' if len(templates) > 1 else ''} of a chart"
            why = "they become objects with its values"
            printing = build_command("helm template", str(chart))
            file = printable(str(min(templates)))
            self._passed_over.append(PassedOver(what=what, why=why, file=file, command=printing))


def _inside(folder: str) -> Iterator[os.DirEntry[str]]:
    """Return a folder's entries, by name; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return iter(sorted(islice(entries, MAX_ENTRIES + 1), key=lambda entry: entry.name))
    except OSError:
        return iter(())


def _may_hold_objects(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) or name in KUSTOMIZATIONS


def _chart_of(file: Path, charts: tuple[Path, ...]) -> bool:
    """Tell whether a file is among the templates of a chart."""
    return any(chart / "templates" in file.parents for chart in charts)
