# SPDX-License-Identifier: Apache-2.0
"""A manifest as YAML, with a comment above each field that something is to be said about."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(:[A-Za-z0-9/][A-Za-z0-9_./:-]*)?")
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def commented_yaml(manifest: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """Return the manifest; `notes` are comments by the path of the field that they stand above.

    Made for Kubernetes: a list holds either scalars or mappings that are not empty.
    """
    notes = notes or {}
    return "".join(f"{line}\n" for line in _mapping(manifest, notes, "", 0))


def _mapping(
    value: Mapping[str, Any], notes: Mapping[str, str], path: str, depth: int
) -> Iterator[str]:
    indent = "  " * depth
    for name, item in value.items():
        key, here = _scalar(name), f"{path}.{name}" if path else name
        if here in notes:
            room = WIDTH - len(indent) - 2
            yield from (f"{indent}# {line}" for line in textwrap.wrap(notes[here], room))
        if isinstance(item, Mapping) and item:
            yield f"{indent}{key}:"
            yield from _mapping(item, notes, here, depth + 1)
        elif isinstance(item, list) and item:
            if any(isinstance(each, Mapping) for each in item):
                yield f"{indent}{key}:"
                yield from _items(item, notes, here, depth)
            else:
                yield f"{indent}{key}: [{', '.join(map(_scalar, item))}]"
        elif _is_block(item):
            yield f"{indent}{key}: |{'' if item.endswith(chr(10)) else '-'}"
            yield from (f"{indent}  {line}" for line in item.removesuffix("\n").split("\n"))
        else:
            yield f"{indent}{key}: {_scalar(item)}"


def _items(
    value: list[Mapping[str, Any]], notes: Mapping[str, str], path: str, depth: int
) -> Iterator[str]:
    indent = "  " * depth
    for item in value:
        first, *rest = _mapping(item, notes, path, depth + 1)
        yield f"{indent}- {first.lstrip()}"
        yield from rest


def _scalar(value: Any) -> str:
    """Return a value as YAML that reads back as itself; in quotes where there is a doubt."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"


def _is_block(value: object) -> bool:
    """Tell whether this is text of several plain lines, which reads best as it stands."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n"):
        return False
    lines = value.removesuffix("\n").split("\n")
    return all(line and line == line.strip() and line.isprintable() for line in lines)
