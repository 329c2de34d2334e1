# SPDX-License-Identifier: Apache-2.0
"""Which parts of a status the cluster's definition accepts; it may be older than this lokeys.

The API server drops fields that it does not know, and refuses the whole status for one value that
is not in its list. So such a value is left out: with its whole entry of a list if it is required
there, otherwise alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.place import Hop
from lokeys.core.route.resource.schema import VERSION

_REFUSED = object()


def status_schema_of(definition: Json | None) -> Json:
    """Return the schema of the status that a definition serves; empty if it has none."""
    versions = mappings_at(definition, "spec", "versions")
    ours = next((each for each in versions if text_at(each, "name") == VERSION), None)
    found = at(ours, "schema", "openAPIV3Schema", "properties", "status")
    return found if isinstance(found, Mapping) else {}


def words_unknown(schema: Json) -> tuple[str, ...]:
    """Return the names of hops that a served schema does not accept."""
    known = at(schema, "properties", "hops", "items", "properties", "name", "enum")
    return tuple(hop.value for hop in Hop if known is not None and hop.value not in known)


def keeps_bridges(schema: Json) -> bool:
    """Tell whether a served schema keeps a bridge's end; an older one drops it silently."""
    known = at(schema, "properties", "memory", "properties")
    return not isinstance(known, Mapping) or "bridge" in known


def keeps_rotations(schema: Json) -> bool:
    """Tell whether a served schema keeps a rotation's state; without it none may start."""
    known = at(schema, "properties", "memory", "properties")
    return not isinstance(known, Mapping) or "rotation" in known


def taken(status: Mapping[str, Any], schema: Json) -> dict[str, Any]:
    """Return a status without the values that a served schema refuses."""
    kept = _taken(status, schema)
    return kept if isinstance(kept, dict) else {}


def _taken(value: Any, schema: Json) -> Any:
    match value:
        case Mapping():
            return _object(value, schema)
        case list():
            items = at(schema, "items")
            kept = [_taken(item, items if isinstance(items, Mapping) else {}) for item in value]
            return [item for item in kept if item is not _REFUSED]
    choices = at(schema, "enum")
    return _REFUSED if isinstance(choices, list) and value not in choices else value


def _object(value: Mapping[str, Any], schema: Json) -> Any:
    kept = dict(_fields(value, schema))
    required = at(schema, "required")
    needed = required if isinstance(required, list) else []
    lost = [name for name in needed if name in value and name not in kept]
    return _REFUSED if lost else kept


def _fields(value: Mapping[str, Any], schema: Json) -> Iterator[tuple[str, Any]]:
    known = at(schema, "properties")
    for name, item in value.items():
        inner = at(known, name)
        found = _taken(item, inner if isinstance(inner, Mapping) else {})
        if found is not _REFUSED:
            yield name, found
