# SPDX-License-Identifier: Apache-2.0
"""The language in which the fields of a custom resource are defined.

The purpose, default, bounds and rules of a field are in one place. The definition for the API
server, the check of manifests without a cluster, the defaults and the reference pages are made from
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CelRule:
    """What types and bounds cannot express: as CEL for the API server, and the same in Python.

    Both judge a value of valid form with its defaults filled in.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Shape:
    """What every value has; the description is empty for values that are not fields.

    `published` is for fields of a definition that somebody else has published: what that one says
    instead of the bounds that are checked here, as OpenAPI.
    """

    description: str
    _: KW_ONLY
    default: Any = None
    rules: tuple[CelRule, ...] = ()
    acted_on: bool = True
    published: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Text(Shape):
    """Text: one of `choices`, of a pattern, or of a form that `accepts` checks and `says` names."""

    _: KW_ONLY
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    accepts: Callable[[str], object] | None = None
    says: str = "text"
    at_least: int | None = None
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Integer(Shape):
    """An integer of this many bits, within bounds."""

    _: KW_ONLY
    bits: int = 32
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Flag(Shape):
    """True or false."""


@dataclass(frozen=True, slots=True)
class ListOf(Shape):
    """A list of items of one shape. `keys` are the fields that identify items; none: one value."""

    item: Shape
    _: KW_ONLY
    at_most: int | None = None
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class MapOf(Shape):
    """A mapping from any names to values of one shape."""

    item: Shape
    _: KW_ONLY
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Fields(Shape):
    """A mapping with known names; `open` ones may hold others, which are ignored."""

    fields: Mapping[str, Shape]
    _: KW_ONLY
    required: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Anything(Shape):
    """Any value; it is not checked."""


def with_defaults(value: Any, shape: Shape) -> Any:
    """Return `value` as the API server stores it: nulls dropped, defaults filled in, copied."""
    match shape:
        case Fields() if isinstance(value, Mapping):
            usual = {name: below.default for name, below in shape.fields.items()}
            given = {name: item for name, item in value.items() if item is not None}
            return {
                name: with_defaults(item, shape.fields[name]) if name in usual else item
                for name, item in (usual | given).items()
                if item is not None
            }
        case ListOf() if isinstance(value, list):
            return [with_defaults(item, shape.item) for item in value]
    return value
