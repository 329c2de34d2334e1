# SPDX-License-Identifier: Apache-2.0
"""JSON values as YAML text, fast, in the order given; whatever the text, it reads back as itself.

Text that a reader could take for something else is quoted; text of several lines is a block. The
writer is ours because the usual ones take five times as long, and quote what needs none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*(?:[:@][\w./-]+)*", re.ASCII)
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Block(str):
    """Text that is always written as a block, so that what is put into it later needs no quotes."""

    __slots__ = ()


def to_yaml(value: Mapping[str, Any]) -> str:
    """Return one object as a YAML document, ending in a newline."""
    lines = [] if value else ["{}"]
    _mapping(value, "", lines)
    lines.append("")
    return "\n".join(lines)


def documents(values: Iterable[Mapping[str, Any]]) -> str:
    """Return objects as YAML documents."""
    return "".join(f"---\n{to_yaml(value)}" for value in values)


def _mapping(value: Mapping[str, Any], indent: str, lines: list[str]) -> None:
    # Exact types first: they are nearly all there is, and asking for a Mapping takes longer than
    # writing one.
    for key, item in value.items():
        head = f"{indent}{_text(key)}:"
        kind = type(item)
        if kind is str and "\n" not in item:
            lines.append(f"{head} {_text(item)}")
        elif kind is dict and item:
            lines.append(head)
            _mapping(item, indent + "  ", lines)
        elif kind is list and item:
            lines.append(head)
            _sequence(item, indent, lines)
        elif kind is int:
            lines.append(f"{head} {item}")
        else:
            _entry(head, item, indent, lines)


def _entry(head: str, item: Any, indent: str, lines: list[str]) -> None:
    """Write what stands behind `head`, which is a key with its colon, or a dash."""
    if type(item) is bool:
        lines.append(f"{head} {_other(item)}")
    elif isinstance(item, str):
        lines.append(f"{head} {_written(item, indent)}")
    elif isinstance(item, Mapping) and item:
        lines.append(head)
        _mapping(item, indent + "  ", lines)
    elif isinstance(item, Sequence) and item:
        lines.append(head)
        _sequence(item, indent, lines)
    else:
        lines.append(f"{head} {_other(item)}")


def _sequence(value: Sequence[Any], indent: str, lines: list[str]) -> None:
    below = indent + "  "
    for item in value:
        kind = type(item)
        if kind is str and "\n" not in item:
            lines.append(f"{indent}- {_text(item)}")
            continue
        if not item or (kind is not dict and not _has_entries(item)):
            _entry(f"{indent}-", item, indent, lines)
            continue
        first = len(lines)
        if kind is dict or isinstance(item, Mapping):
            _mapping(item, below, lines)
        else:
            _sequence(item, below, lines)
        lines[first] = f"{indent}- {lines[first][len(below) :]}"


def _has_entries(item: Any) -> bool:
    return isinstance(item, Mapping | Sequence) and not isinstance(item, str)


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
            # Without its point YAML takes 1e-06 for text.
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


@lru_cache(maxsize=16384)
def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"
