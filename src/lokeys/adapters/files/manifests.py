# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects from files: YAML or JSON, one document or many, each with its place.

Input is untrusted: its size, its depth and the expansion of its aliases are limited. A key that is
given twice is refused, not overwritten, and so are tags that would make anything other than data.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import yaml

from lokeys.bounded_yaml import TooMuch, weigh
from lokeys.core.text.words import object_name
from lokeys.errors import BadInput

if TYPE_CHECKING:  # a file has neither, and is read sooner without them
    from lokeys.core.stack.validation.unbuilt import Unbuilt
    from lokeys.core.validation.passed_over import PassedOver

MAX_BYTES = 10 * 1024 * 1024
MAX_NODES = 1_000_000
"""Limit for a whole file, with each alias expanded."""

STDIN = "-"
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(slots=True)
class ManifestText:
    """A file's text, read again if the line of a field is needed."""

    content: str = field(repr=False)
    _nodes: list[yaml.Node] | None = field(default=None, repr=False)

    def position_of(self, trail: Sequence[int], path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of the deepest node on the path `path`."""
        if self._nodes is None:
            composed = yaml.compose_all(self.content, Loader=_Loader)
            self._nodes = [node for node in composed if not _is_nothing(node)]
        document, *items = trail
        mark_at = node = self._nodes[document]
        for item in items:
            mark_at = node = _items_of(node)[item]
        for token in path:
            found = _found(node, token)
            if found is None:
                break
            mark_at, node = found
        return mark_at.start_mark.line + 1, mark_at.start_mark.column + 1


def _is_nothing(node: yaml.Node | None) -> bool:
    return node is None or node.tag == "tag:yaml.org,2002:null"


def _items_of(node: yaml.Node) -> list[yaml.Node]:
    found = _found(node, "items")
    return list(found[1].value) if found else []


def _found(node: yaml.Node, token: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the node that marks an entry, and the entry's own."""
    if isinstance(node, yaml.SequenceNode):
        inside = isinstance(token, int) and token < len(node.value)
        return (node.value[token], node.value[token]) if inside else None
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if key.value == token and key.tag != _MERGE:
            return key, value
    merged = (
        part
        for key, value in node.value
        if key.tag == _MERGE
        for part in (value.value if isinstance(value, yaml.SequenceNode) else [value])
    )
    return next((found for part in merged if (found := _found(part, token))), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """One object and where it is; lines count from 1."""

    object: Mapping[str, Any]
    file: str
    line: int
    text: ManifestText | None = field(default=None, repr=False, compare=False)
    trail: tuple[int, ...] = ()
    """Which document of the file, and which item of its lists."""
    unbuilt: Unbuilt | None = None
    """What a tool makes of it, if it is not applied as it is."""

    def position_of(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of the value at `path`, or of its nearest parent."""
        if self.text is None:
            return self.line, 1
        return self.text.position_of(self.trail, path)

    @property
    def place(self) -> str:
        """Return `file:line`."""
        return f"{self.file}:{self.line}"

    @property
    def title(self) -> str:
        """Return `Kind namespace/name`, as far as the object says."""
        metadata = self.object.get("metadata")
        known = metadata if isinstance(metadata, Mapping) else {}
        names = (known.get("namespace"), known.get("name") or "(no name)")
        kind = object_name(str(self.object.get("kind")))
        return f"{kind} {'/'.join(object_name(str(name)) for name in names if name)}"


def read(path: str, *, stdin: BinaryIO | None = None) -> tuple[Located, ...]:
    """Return all objects of a file, of a folder's files (except hidden ones), or of `-`.

    Lists are flattened. In a folder, documents that are not Kubernetes objects are passed over; in
    a file they are an error. Raises BadInput with file, line and what to do.
    """
    return hand_in(path, stdin=stdin).objects


def hand_in(path: str, *, stdin: BinaryIO | None = None) -> HandedIn:
    """Return what `read` returns, with what was passed over in a folder. Raises BadInput."""
    if not path:
        raise BadInput("the file's name is empty", hint="is a variable of the shell unset?")
    with _nothing_is_garbage():
        if path == STDIN:
            return HandedIn(objects=tuple(objects_in(_of_stdin(stdin), file="stdin", strict=True)))
        if Path(path).is_dir():
            # Only here: files are read sooner without it.
            from lokeys.adapters.files.folders import read_folder  # noqa: PLC0415

            return read_folder(path)
        return HandedIn(objects=tuple(objects_in(content_of(Path(path)), file=path, strict=True)))


@dataclass(frozen=True, slots=True)
class HandedIn:
    """The objects of a path, and what in it is not one, or not a complete one."""

    objects: tuple[Located, ...]
    passed_over: tuple[PassedOver, ...] = ()


def name_of(located: Located) -> object:
    """Return an object's name; None if it has none."""
    metadata = located.object.get("metadata")
    return metadata.get("name") if isinstance(metadata, Mapping) else None


@contextlib.contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Pause garbage collection, which would scan ever larger trees that are all kept."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _of_stdin(stdin: BinaryIO | None) -> bytes:
    if stdin is None and sys.stdin is None:
        raise BadInput("it is closed", place="stdin", hint="pipe the manifest in")
    try:
        return _bounded(stdin or sys.stdin.buffer, "stdin")
    except OSError as error:
        raise BadInput(f"cannot read it: {error.strerror}", place="stdin") from error


def content_of(path: Path) -> bytes:
    """Return a file's content. Raises BadInput if it cannot be read, or is too large."""
    try:
        with path.open("rb") as file:
            return _bounded(file, str(path))
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise BadInput(f"cannot read it: {reason}", place=str(path)) from error


def _bounded(source: BinaryIO, place: str) -> bytes:
    content = source.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        limit = f"{MAX_BYTES // 1024 // 1024} MiB"
        raise BadInput(
            f"larger than {limit}", place=place, hint="give only the objects it is about"
        )
    return content


def objects_in(content: bytes, *, file: str, strict: bool) -> Iterator[Located]:
    """Yield the objects of a file's content; unless strict, other documents are left out."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput("not UTF-8 text", place=f"{file}:{line}", hint="save it as UTF-8") from None
    count = 0
    source = ManifestText(text)
    for document, line in _documents(text, file=file, strict=strict):
        whole = Located(object=document, file=file, line=line, text=source, trail=(count,))
        count += 1
        yield from _flattened(whole, strict=strict)
    if not count and strict:
        raise BadInput("empty", place=file, hint="a manifest begins with apiVersion and kind")


def _documents(text: str, *, file: str, strict: bool) -> Iterator[tuple[Any, int]]:
    """Yield the content of documents; empty ones, as between two `---`, are passed over."""
    try:
        weigh(text, max_values=MAX_NODES)
        loader = _Loader(text)
        loader.lenient = not strict
        try:
            while loader.check_node():
                node = loader.get_node()
                value = loader.construct_document(node) if node else None
                if node and value is not None:
                    yield value, node.start_mark.line + 1
        finally:
            loader.dispose()
    except TooMuch as error:
        raise BadInput(str(error), place=f"{file}:{error.line}", hint=error.hint) from None
    except yaml.YAMLError as error:
        raise _unreadable(error, text=text, file=file) from None
    except ValueError:  # a number that Python does not parse, such as one of 5,000 digits
        raise BadInput("a value makes no sense", place=file, hint="put it in quotes") from None


def _flattened(whole: Located, *, strict: bool) -> Iterator[Located]:
    document: Any = whole.object
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        if strict:
            raise BadInput(
                "not a Kubernetes object",
                place=whole.place,
                hint="a manifest begins with apiVersion and kind",
            )
        return
    items = document.get("items")
    if document["kind"].endswith("List") and isinstance(items, list):
        for number, item in enumerate(items):
            part = replace(whole, object=item, trail=(*whole.trail, number))
            yield from _flattened(part, strict=strict)
    else:
        yield whole


def _unreadable(error: yaml.YAMLError, *, text: str, file: str) -> BadInput:
    """Return what is wrong with the text, and where; never the text itself."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if mark is None:
        return BadInput("cannot be read as YAML", place=file, hint="is it a text file?")
    lines = text.splitlines()
    indent = lines[mark.line] if mark.line < len(lines) else ""
    tab = "\t" in indent[: len(indent) - len(indent.lstrip())]
    problem = str(getattr(error, "problem", None) or "cannot be read")
    hint = "indent with spaces: YAML knows no tabs" if tab else None
    return BadInput(f"no YAML: {problem}", place=f"{file}:{mark.line + 1}", hint=hint)


class _Loader(yaml.CSafeLoader):
    """The safe loader, stricter: keys are text and unique; times stay text, as in JSON.

    A lenient one accepts numbers and words as keys, as Kubernetes does.
    """

    lenient = False

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                continue
            if key.tag != _TEXT and self.lenient and isinstance(key, yaml.ScalarNode):
                key.tag = _TEXT
            if key.tag != _TEXT:
                raise _refusal("a key is not text: put it in quotes", key)
            if key.value in seen:
                raise _refusal(
                    f"`{key.value[:63]}` is already given in line {seen[key.value]}", key
                )
            seen[key.value] = line
        return super().construct_mapping(node, deep=deep)


def _refusal(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if not tag.endswith(":timestamp")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
