# SPDX-License-Identifier: Apache-2.0
"""What a JSON value must look like, and a checker that takes any JSON and never raises.

`checked` returns what of a value fits its shape, so that whoever builds on it needs no checks of
its own; all that does not fit becomes a fault with its path. A null counts as absent, as it does
for the API server.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lokeys.core.text.words import found

INT32 = (-(2**31), 2**31 - 1)
MAX_FAULTS = 100
"""Of each kind in one document; what is said of more of them helps nobody."""
LONGEST_TEXT = 16_384
"""In characters: what `accepts` a text is given no longer one."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class FaultKind(StrEnum):
    """What can be wrong with one value."""

    BAD = "bad"
    MISSING = "missing"
    UNKNOWN_FIELD = "unknown field"
    NOT_ACTED_ON = "not acted on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One value that does not fit. `found` and `expected` are for people."""

    kind: FaultKind
    path: str
    found: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text; one of `choices`, or of the form that `accepts` knows, where they are given."""

    choices: tuple[str, ...] = ()
    accepts: Callable[[str], object] | None = None
    says: str = "text"
    acted_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """A whole number within bounds."""

    least: int = INT32[0]
    most: int = INT32[1]
    acted_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or false."""

    acted_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of like values."""

    item: Shape
    acted_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """A mapping from any names to like values."""

    item: Shape
    acted_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A mapping with known names; `open` ones may hold others, which are passed over."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    open: bool = False
    acted_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Whatever it is, it is not looked at."""

    acted_on: bool = True


Shape = Text | Integer | Flag | ListOf | MapOf | Fields | Anything


@dataclass(slots=True)
class Checker:
    """Collects the faults of one document."""

    faults: list[Fault] = field(default_factory=list)
    _count: Counter[FaultKind] = field(default_factory=Counter)

    def checked(self, value: Any, shape: Shape, path: str) -> Any:
        """Return what of `value` fits `shape`; None where nothing does."""
        if not shape.acted_on:
            self._fault(FaultKind.NOT_ACTED_ON, path)
        match shape:
            case Fields():
                return self._object(value, shape, path)
            case MapOf():
                return self._map(value, shape, path)
            case ListOf():
                return self._list(value, shape, path)
            case Text():
                return self._text(value, shape, path)
            case Integer():
                whole = isinstance(value, int) and not isinstance(value, bool)
                if whole and shape.least <= value <= shape.most:
                    return value
                return self._bad(path, value, _range(shape))
            case Flag():
                return value if isinstance(value, bool) else self._bad(path, value, "true or false")
        return value

    def _text(self, value: Any, shape: Text, path: str) -> str | None:
        if shape.accepts and isinstance(value, str) and len(value) > LONGEST_TEXT:
            expected = f"at most {LONGEST_TEXT} characters"
            self._fault(FaultKind.BAD, path, found=found(value), expected=expected)
            return None
        if isinstance(value, str):
            if shape.choices and value in shape.choices:
                return value
            if not shape.choices and (shape.accepts is None or shape.accepts(value)):
                return value
        expected = f"one of {', '.join(shape.choices)}" if shape.choices else shape.says
        self._fault(FaultKind.BAD, path, found=found(value), expected=expected)
        return None

    def _object(self, value: Any, shape: Fields, path: str) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            self._bad(path, value, "an object")
            return None
        kept: dict[str, Any] = {}
        for name, item in _by_name(value):
            if item is None:
                continue
            below = shape.fields.get(name)
            if below is not None:
                fitting = self.checked(item, below, _below(path, name))
                if fitting is not None:
                    kept[name] = fitting
            elif not shape.open:
                self._fault(FaultKind.UNKNOWN_FIELD, _below(path, name))
        for name in shape.required:
            if value.get(name) is None:
                self._fault(FaultKind.MISSING, _below(path, name))
        return kept

    def _map(self, value: Any, shape: MapOf, path: str) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            self._bad(path, value, "an object")
            return None
        return dict(self._pairs(value, shape, path))

    def _pairs(
        self, value: Mapping[str, Any], shape: MapOf, path: str
    ) -> Iterator[tuple[str, Any]]:
        for name, item in _by_name(value):
            fitting = self.checked(item, shape.item, _below(path, name))
            if fitting is not None:
                yield name, fitting

    def _list(self, value: Any, shape: ListOf, path: str) -> list[Any] | None:
        if not isinstance(value, list | tuple):
            self._bad(path, value, "a list")
            return None
        each = (
            self.checked(item, shape.item, f"{path}[{place}]") for place, item in enumerate(value)
        )
        return [item for item in each if item is not None]

    def _bad(self, path: str, value: Any, expected: str) -> None:
        """Note a value of another type; a text is told as one, as `3` looks like a number."""
        kind = "the text " if isinstance(value, str) else ""
        self._fault(FaultKind.BAD, path, found=f"{kind}{found(value)}", expected=expected)

    def _fault(self, kind: FaultKind, path: str, **words: str) -> None:
        self._count[kind] += 1
        if self._count[kind] <= MAX_FAULTS:
            self.faults.append(Fault(kind=kind, path=path, **words))


def _by_name(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the entries in an order that is not the document's, so that its order is no matter."""
    return sorted(value.items(), key=lambda entry: str(entry[0]))


def _range(shape: Integer) -> str:
    if (shape.least, shape.most) == INT32:
        return "a whole number"
    if shape.most == INT32[1]:
        return f"a whole number of at least {shape.least}"
    return f"a whole number from {shape.least} to {shape.most}"


def _below(path: str, name: object) -> str:
    if isinstance(name, str) and _PLAIN_KEY.fullmatch(name):
        return f"{path}.{name}" if path else name
    return f"{path}[{found(name).strip('`')}]"
