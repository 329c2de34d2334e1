# SPDX-License-Identifier: Apache-2.0
"""What one field manager owns of an object, according to the API server's own records.

`managedFields` names, for each manager, the fields that its last apply set and that nobody has
taken over since. Extracted from the live object, they are the applied intent as it still exists:
equal to what was applied until somebody changes or removes one of its fields, whatever others add.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lokeys.kube.client import Object

_DECODE = functools.lru_cache(maxsize=4096)(msgspec.json.Decoder().decode)
"""Keys of list items are JSON in a name; the same few dozen are in every object."""


def managers(obj: Object) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of `managedFields` for the object itself, not for a subresource."""
    for entry in obj.get("metadata", {}).get("managedFields") or ():
        if not entry.get("subresource"):
            yield entry


def owned_by(obj: Object, manager: str) -> Object | None:
    """Return the part of `obj` that `manager` has applied and still owns; None if it never did."""
    for entry in managers(obj):
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            fields = entry.get("fieldsV1")
            part = _part(obj, fields) if fields else {}
            return part if isinstance(part, dict) else {}
    return None


def _part(value: Any, fields: Mapping[str, Any]) -> Any:
    """Return the part of `value` that a set of fields names; for a name without more, all of it."""
    names = [name for name in fields if name != "."] if fields else ()
    if not names:
        return _bare(value)
    if isinstance(value, dict):
        return {
            name[2:]: _part(value[name[2:]], fields[name])
            for name in names
            if name.startswith("f:") and name[2:] in value
        }
    if isinstance(value, list):
        found = ((name, _item(value, name)) for name in names)
        places = [(place, name) for name, place in found if place is not None]
        return [_part(value[place], fields[name]) for place, name in sorted(places)]
    return value


def _item(items: list[Any], name: str) -> int | None:
    """Return the index of the item that `k:{…}` (by its keys) or `v:…` (by value) names."""
    kind, _, text = name.partition(":")
    wanted = _DECODE(text)
    for place, item in enumerate(items):
        if kind == "v":
            if item == wanted:
                return place
        elif isinstance(item, dict) and wanted.items() <= item.items():
            return place
    return None


def _bare(value: Any) -> Any:
    """Return a whole value without what the API server adds to the templates in it."""
    if isinstance(value, dict):
        return {name: _bare(each) for name, each in value.items() if name != "status"}
    return [_bare(each) for each in value] if isinstance(value, list) else value
