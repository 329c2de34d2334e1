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
    return "\n".join(_mapping(manifest, notes, "", 0))


def _mapping(
    value: Mapping[str, Any], notes: Mapping[str, str], path: str, depth: int
) -> Iterator[str]:
    indent = "  " * depth
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        if here in notes:
            room = WIDTH - len(indent) - 2
            yield from (f"{indent}# {line}" for line in textwrap.wrap(notes[here], room))
        if isinstance(item, Mapping) and item:
            yield f"{indent}{name}:"
            yield from _mapping(item, notes, here, depth + 1)
        elif isinstance(item, list) and item:
            if any(isinstance(each, Mapping) for each in item):
                yield f"{indent}{name}:"
                yield from _items(item, notes, here, depth)
            else:
                yield f"{indent}{name}: [{', '.join(map(_scalar, item))}]"
        elif isinstance(item, str) and item.rstrip("\n").count("\n"):
            yield f"{indent}{name}: |{'' if item.endswith(chr(10)) else '-'}"
            yield from (f"{indent}  {line}" for line in item.rstrip("\n").split("\n"))
        else:
            yield f"{indent}{name}: {_scalar(item)}"


def _items(
    value: list[Mapping[str, Any]], notes: Mapping[str, str], path: str, depth: int
) -> Iterator[str]:
    indent = "  " * depth
    for item in value:
        first, *rest = _mapping(item, notes, path, depth + 1)
        yield f"{indent}- {first.lstrip()}"
        yield from rest


def _scalar(value: Any) -> str:
    """Return a value as YAML that reads back as itself; JSON's quotes where there is a doubt."""
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
