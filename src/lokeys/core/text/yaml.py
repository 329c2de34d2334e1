# SPDX-License-Identifier: Apache-2.0
"""JSON values as YAML text, fast, in the given order; any text reads back unchanged.

Text that could be read as another type is quoted; text of several lines is a block. We have our own
writer because the usual ones take five times as long and quote too much. It writes what Python's
readers and Kubernetes' (sigs.k8s.io/yaml) parse alike: outside ASCII they differ in what ends a
line and a comment, so unprintable characters are always escaped.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from lokeys.core.text.words import escaped, one_line

WIDTH = 100
MAX_SIMPLE_KEY = 1000
"""Readers accept longer keys (1024, with quotes) only after a question mark."""
_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*(?:[:@][\w./-]+)*", re.ASCII)
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


class Block(str):
    """Text that is always written as a block, so that later additions to it need no quotes."""

    __slots__ = ()


def to_yaml(value: Mapping[str, Any]) -> str:
    """Return one object as a YAML document, ending in a newline."""
    return _document(value, None)


def documents(values: Iterable[Mapping[str, Any]]) -> str:
    """Return objects as YAML documents."""
    return "".join(f"---\n{to_yaml(value)}" for value in values)


def commented(value: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """Return one object as people write it: a list of scalars on one line, comments above fields.

    `notes` are comments by the path of the field below them, such as `spec.secret.name`; the
    entries of a list share the path of the list.
    """
    return _document(value, notes or {})


def _document(value: Mapping[str, Any], notes: Mapping[str, str] | None) -> str:
    writer = _Writer(notes)
    writer.mapping(value, "", "")
    return "".join(f"{line}\n" for line in writer.lines or ["{}"])


class _Writer:
    """Collects the lines of a text; `notes` is None if only programs read it."""

    __slots__ = ("lines", "notes")

    def __init__(self, notes: Mapping[str, str] | None) -> None:
        self.lines: list[str] = []
        self.notes = notes

    def mapping(self, value: Mapping[str, Any], indent: str, path: str) -> None:
        # Exact types first: they are nearly all there is, and asking for a Mapping takes longer
        # than writing one.
        lines, below = self.lines, path
        for key, item in value.items():
            if self.notes is not None:
                below = f"{path}.{key}" if path else key
                self._comment(below, indent)
            head = f"{indent}{_key(key, indent)}:"
            kind = type(item)
            if kind is str and "\n" not in item:
                lines.append(f"{head} {_text(item)}")
            elif kind is dict and item:
                lines.append(head)
                self.mapping(item, indent + "  ", below)
            elif kind is int:
                lines.append(f"{head} {item}")
            else:
                self._entry(head, item, indent, below)

    def _entry(self, head: str, item: Any, indent: str, path: str) -> None:
        """Write the value after `head`, which is a key with its colon, or a dash."""
        if isinstance(item, str):
            self.lines.append(f"{head} {_written(item, indent)}")
        elif isinstance(item, Mapping) and item:
            self.lines.append(head)
            self.mapping(item, indent + "  ", path)
        elif isinstance(item, Sequence) and item:
            self._list(head, item, indent, path)
        else:
            self.lines.append(f"{head} {_other(item)}")

    def _list(self, head: str, value: Sequence[Any], indent: str, path: str) -> None:
        if self.notes is not None and not any(map(_has_entries, value)):
            self.lines.append(f"{head} [{', '.join(map(_scalar, value))}]")
            return
        self.lines.append(head)
        self._sequence(value, indent, path)

    def _sequence(self, value: Sequence[Any], indent: str, path: str) -> None:
        lines, below = self.lines, indent + "  "
        for item in value:
            kind = type(item)
            if kind is str and "\n" not in item:
                lines.append(f"{indent}- {_text(item)}")
                continue
            if not item or (kind is not dict and not _has_entries(item)):
                self._entry(f"{indent}-", item, indent, path)
                continue
            first = len(lines)
            if kind is dict or isinstance(item, Mapping):
                self.mapping(item, below, path)
            else:
                self._sequence(item, below, path)
            lines[first] = f"{indent}- {lines[first][len(below) :]}"

    def _comment(self, path: str, indent: str) -> None:
        if self.notes and path in self.notes:
            note, room = one_line(self.notes[path]), WIDTH - len(indent) - 2
            self.lines.extend(f"{indent}# {line}" for line in textwrap.wrap(note, room))


def _has_entries(item: Any) -> bool:
    return isinstance(item, Mapping | Sequence) and not isinstance(item, str)


def _scalar(item: Any) -> str:
    return _text(str(item)) if isinstance(item, str) else _other(item)


def _other(item: Any) -> str:
    if item is True or item is False:
        return "true" if item else "false"
    match item:
        case None:
            return "null"
        case Mapping():
            return "{}"
        case int():
            return str(item)
        case float():
            # Without the point YAML reads 1e-06 as text.
            shown = repr(item)
            return shown if "." in shown else shown.replace("e", ".0e")
    return "[]"


def _written(text: str, indent: str) -> str:
    if "\n" not in text and not isinstance(text, Block):
        return _text(str(text))
    lines = text.removesuffix("\n").split("\n")
    if not all(line.isprintable() for line in lines) or not lines[0] or lines[0][0] == " ":
        return _quoted(text)
    if text.endswith("\n\n") or not lines[-1]:
        return _quoted(text)
    mark = "|" if text.endswith("\n") else "|-"
    return "\n".join((mark, *(f"{indent}  {line}" if line else "" for line in lines)))


def _key(text: str, indent: str) -> str:
    written = _text(text)
    return written if len(written) <= MAX_SIMPLE_KEY else f"? {written}\n{indent}"


@lru_cache(maxsize=16384)
def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    return f'"{escaped(text)}"'
