# SPDX-License-Identifier: Apache-2.0
"""The words in which the schema is written: each makes one node of structural OpenAPI v3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lokeys.core.route.resource.rules import Rule

Schema = dict[str, Any]


def text(  # noqa: PLR0913 - a text has many bounds, all named at the call
    description: str,
    *,
    pattern: str | None = None,
    at_least: int = 1,
    at_most: int = 253,
    default: str | None = None,
    rules: Sequence[Rule] = (),
) -> Schema:
    """Return a string of bounded length; length bounds are what keeps CEL rules cheap."""
    node = _node("string", description, default=default, rules=rules)
    node |= {"minLength": at_least, "maxLength": at_most}
    return node | ({"pattern": pattern} if pattern else {})


def choice(description: str, values: Sequence[str], *, default: str | None = None) -> Schema:
    """Return a string out of a list."""
    return _node("string", description, default=default) | {"enum": list(values)}


def moment(description: str) -> Schema:
    """Return a time as RFC 3339 writes it."""
    return _node("string", description) | {"format": "date-time", "maxLength": 40}


def flag(description: str, *, default: bool | None = None) -> Schema:
    """Return a boolean."""
    return _node("boolean", description, default=default)


def number(
    description: str, *, at_least: int, at_most: int | None = None, default: int | None = None
) -> Schema:
    """Return a whole number."""
    node = _node("integer", description, default=default) | {"format": "int64", "minimum": at_least}
    return node | ({} if at_most is None else {"maximum": at_most})


def record(
    description: str,
    properties: Mapping[str, Schema],
    *,
    required: Sequence[str] = (),
    default: Mapping[str, Any] | None = None,
    rules: Sequence[Rule] = (),
) -> Schema:
    """Return an object of known fields."""
    node = _node("object", description, default=default, rules=rules)
    node |= {"properties": dict(properties)}
    return node | ({"required": list(required)} if required else {})


def table(description: str, values: Schema, *, at_most: int) -> Schema:
    """Return an object whose field names are data."""
    node = _node("object", description)
    return node | {"additionalProperties": values, "maxProperties": at_most}


def listing(description: str, items: Schema, *, at_most: int, keys: Sequence[str] = ()) -> Schema:
    """Return a list; with `keys`, one in which no two items agree on all of them."""
    node = _node("array", description) | {"items": items, "maxItems": at_most}
    if not keys:
        return node | {"x-kubernetes-list-type": "atomic"}
    return node | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def _node(
    type_name: str, description: str, *, default: object = None, rules: Sequence[Rule] = ()
) -> Schema:
    node: Schema = {"type": type_name, "description": description}
    if default is not None:
        node["default"] = default
    if rules:
        node["x-kubernetes-validations"] = [
            {"rule": rule.cel, "message": rule.message} for rule in rules
        ]
    return node
