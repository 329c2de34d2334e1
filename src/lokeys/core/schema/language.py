# SPDX-License-Identifier: Apache-2.0
"""The language in which the fields of a custom resource are written.

What a field is for, its default, its bounds and its rules stand with the field. The definition for
the API server, the check of manifests without a cluster, the defaults and the reference pages are
made from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CelRule:
    """What types and bounds cannot say: as CEL for the API server, and the same in Python.

    Both judge a value whose form is sound and whose defaults are filled in.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Shape:
    """What holds for every value; an empty description is for values that are no fields.

    `published` is for the fields of a definition that somebody else has published: what that one
    says in place of the bounds that are checked here, in words of OpenAPI.
    """

    description: str
    _: KW_ONLY
    default: Any = None
    rules: tuple[CelRule, ...] = ()
    acted_on: bool = True
    published: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Text(Shape):
    """Text: one of `choices`, of a pattern, or of a form that `accepts` knows and `says` names."""

    _: KW_ONLY
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    accepts: Callable[[str], object] | None = None
    says: str = "text"
    at_least: int | None = None
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Integer(Shape):
    """A whole number of so many bits, within bounds."""

    _: KW_ONLY
    bits: int = 32
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Flag(Shape):
    """True or false."""


@dataclass(frozen=True, slots=True)
class ListOf(Shape):
    """A list of like items. `keys` are the fields that tell items apart; none: it is one value."""

    item: Shape
    _: KW_ONLY
    at_most: int | None = None
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class MapOf(Shape):
    """A mapping from any names to like values."""

    item: Shape
    _: KW_ONLY
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Fields(Shape):
    """A mapping with known names; `open` ones may hold others, which are passed over."""

    fields: Mapping[str, Shape]
    _: KW_ONLY
    required: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Anything(Shape):
    """Whatever it is, it is not looked at."""


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
