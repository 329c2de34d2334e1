# SPDX-License-Identifier: Apache-2.0
"""A check that accepts any JSON and never raises: every fault of a value, each with its path.

The parts of a value that fit its shape are returned, so that callers need no checks of their own.
Unknown fields, which the API server drops silently unless asked to be strict, are faults. A null
counts as absent, as for the API server.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lokeys.core.schema.language import (
    CelRule,
    Fields,
    Flag,
    Integer,
    ListOf,
    MapOf,
    Shape,
    Text,
)
from lokeys.core.text.words import SHOWN, found

MAX_FAULTS = 100
"""Limit for each kind of fault in one document; more would not help anybody."""
LONGEST_TEXT = 16_384
"""In characters: `accepts` is never called with a longer text."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WRONG_TYPE = "wrong type"


class FaultKind(StrEnum):
    """What can be wrong with one value."""

    BAD = "bad"
    MISSING = "missing"
    UNKNOWN_FIELD = "unknown field"
    NOT_ACTED_ON = "not acted on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: where, what, what was found, what is expected, and what to do. For people."""

    path: str
    problem: str
    kind: FaultKind = FaultKind.BAD
    found: str = ""
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: {self.problem}" if self.path else self.problem
        seen = f" (found {self.found})" if self.found else ""
        wanted = f"; expected {self.expected}" if self.expected else ""
        return where + seen + wanted + (f" — {self.hint}" if self.hint else "")


@dataclass(slots=True, kw_only=True)
class Checker:
    """Collects the faults of one document.

    `describe` says what a found value is: `text.words.form` if it may be a secret,
    `text.words.found` if a piece of it may be shown.
    """

    describe: Callable[[object], str]
    most_unknown: int = MAX_FAULTS
    """How many unknown fields of one object are named before the rest is only counted."""
    faults: list[Fault] = field(default_factory=list)
    _count: Counter[FaultKind] = field(default_factory=Counter)

    def checked(self, value: Any, shape: Shape, path: str) -> Any:
        """Return the parts of `value` that fit `shape`; None if nothing does."""
        if not shape.acted_on:
            self.note(path, FaultKind.NOT_ACTED_ON)
        if not shape.rules:
            return self._fitting(value, shape, path)
        before = self._count.total()
        fitting = self._fitting(value, shape, path)
        if before == self._count.total():
            self.judge(value, shape.rules, path)
        return fitting

    def identify(self, manifest: Mapping[Any, Any], api_version: str, kind: str) -> None:
        """Note a manifest of another kind or version."""
        for name, expected in (("apiVersion", api_version), ("kind", kind)):
            if manifest.get(name) != expected:
                self.bad(name, manifest.get(name), "not this kind", f"`{expected}`")

    def judge(self, value: Any, rules: Iterable[CelRule], path: str) -> None:
        """Note the rules that a value of valid form breaks."""
        for rule in rules:
            if rule.holds(value):
                continue
            if isinstance(value, str):
                self.bad(path, value, rule.message, hint=lambda: _invisible(value))
                return  # each rule of a text assumes the previous ones
            self.note(path, problem=rule.message)

    def bad(
        self,
        path: str,
        value: object,
        problem: str,
        expected: str = "",
        hint: Callable[[], str] = str,
    ) -> None:
        """Note a value that its field cannot hold."""
        self.note(path, problem=problem, found=self.describe(value), expected=expected, hint=hint)

    def note(
        self,
        path: str,
        kind: FaultKind = FaultKind.BAD,
        hint: Callable[[], str] = str,
        **words: str,
    ) -> None:
        """Note a fault, unless there are many of its kind; `hint` is called if it is noted."""
        self._count[kind] += 1
        if self._count[kind] <= MAX_FAULTS:
            words = {"problem": kind.value, **words}
            self.faults.append(Fault(path=path, kind=kind, hint=hint(), **words))

    def _fitting(self, value: Any, shape: Shape, path: str) -> Any:
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
                return self._integer(value, shape, path)
            case Flag() if not isinstance(value, bool):
                self._wrong_type(path, value, "true or false", _unquote(value))
                return None
        return value

    def _object(self, value: Any, shape: Fields, path: str) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            self._wrong_type(path, value, "an object")
            return None
        kept: dict[str, Any] = {}
        strangers = 0
        for name, item in _by_name(value):
            if item is None:
                continue
            below = shape.fields.get(name)
            if below is not None:
                fitting = self.checked(item, below, _below(path, name))
                if fitting is not None:
                    kept[name] = fitting
            elif not shape.open:
                strangers += 1
                if strangers <= self.most_unknown:
                    self._unknown(path, name, shape)
        for name in shape.required:
            if value.get(name) is None:
                expected = _first_sentence(shape.fields[name].description)
                self.note(_below(path, name), FaultKind.MISSING, expected=expected)
        if strangers > self.most_unknown:
            problem = f"{strangers - self.most_unknown} more unknown fields"
            expected = _one_of(shape.fields)
            self.note(path, FaultKind.UNKNOWN_FIELD, problem=problem, expected=expected)
        return kept

    def _unknown(self, path: str, name: object, shape: Fields) -> None:
        self.note(
            _below(path, name),
            FaultKind.UNKNOWN_FIELD,
            expected=_one_of(shape.fields),
            hint=lambda: _meant(str(name), tuple(shape.fields)),
        )

    def _map(self, value: Any, shape: MapOf, path: str) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            self._wrong_type(path, value, "an object")
            return None
        if self._too_many(value, shape, path):
            return None
        each = (
            (name, self.checked(item, shape.item, _below(path, name)))
            for name, item in _by_name(value)
        )
        return {name: item for name, item in each if item is not None}

    def _list(self, value: Any, shape: ListOf, path: str) -> list[Any] | None:
        if not isinstance(value, list | tuple):
            self._wrong_type(path, value, "a list")
            return None
        if self._too_many(value, shape, path):
            return None
        kept = []
        seen: set[tuple[str, ...]] = set()
        for place, item in enumerate(value):
            fitting = self.checked(item, shape.item, f"{path}[{place}]")
            if fitting is not None:
                kept.append(fitting)
            if shape.keys and isinstance(item, Mapping):
                identity = tuple(repr(item.get(key)) for key in shape.keys)
                if identity in seen:
                    problem = f"the same {' and '.join(shape.keys)} twice"
                    self.note(f"{path}[{place}]", problem=problem)
                seen.add(identity)
        return kept

    def _too_many(self, value: Sequence[Any] | Mapping[Any, Any], shape: Any, path: str) -> bool:
        if shape.at_most is None or len(value) <= shape.at_most:
            return False
        expected = f"at most {shape.at_most}"
        self.note(path, problem="too many", found=f"{len(value)}", expected=expected)
        return True

    def _text(self, value: Any, shape: Text, path: str) -> str | None:
        if not isinstance(value, str):
            expected = _one_of(shape.choices) if shape.choices else shape.says
            quote = isinstance(value, bool | int | float)
            self._wrong_type(path, value, expected, "put it in quotes" if quote else "")
            return None
        if shape.choices and value not in shape.choices:
            problem, expected = "not one of its values", _one_of(shape.choices)
            self.bad(path, value, problem, expected, lambda: _meant(value, shape.choices))
        elif shape.at_least is not None and len(value) < shape.at_least:
            self.bad(path, value, "too short", f"{shape.at_least} characters or more")
        elif shape.at_most is not None and len(value) > shape.at_most:
            self.bad(path, value, "too long", f"{shape.at_most} characters or fewer")
        elif shape.pattern is not None and not re.fullmatch(shape.pattern, value):
            expected = f"text that matches {shape.pattern}"
            self.bad(path, value, "malformed", expected, lambda: _invisible(value))
        elif shape.accepts and len(value) > LONGEST_TEXT:
            self.bad(path, value, "too long", f"at most {LONGEST_TEXT} characters")
        elif shape.accepts and not shape.accepts(value):
            self.bad(path, value, "malformed", shape.says, lambda: _invisible(value))
        else:
            return value
        return None

    def _integer(self, value: Any, shape: Integer, path: str) -> int | None:
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong_type(path, value, _range(shape), _unquote(value))
            return None
        least, most = _bounds(shape)
        if least <= value <= most:
            return value
        self.bad(path, value, "out of range", _range(shape))
        return None

    def _wrong_type(self, path: str, value: object, expected: str, hint: str = "") -> None:
        """Note a value of another type; says if it is quoted text: `3` looks like a number."""
        told = self.describe(value)
        told = f"the text {told}" if told.startswith("`") else told
        self.note(path, problem=_WRONG_TYPE, found=told, expected=expected, hint=lambda: hint)


def _by_name(value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """Return the entries in a fixed order, so that the document's order does not matter."""
    return sorted(value.items(), key=lambda entry: str(entry[0]))


def _bounds(shape: Integer) -> tuple[int, int]:
    end = 2 ** (shape.bits - 1)
    least = -end if shape.least is None else shape.least
    return least, end - 1 if shape.most is None else shape.most


def _range(shape: Integer) -> str:
    least, most = _bounds(shape)
    if shape.most is not None:
        return f"a whole number from {least} to {most}"
    return "a whole number" if shape.least is None else f"a whole number of at least {least}"


def _one_of(words: Iterable[str]) -> str:
    return f"one of {', '.join(words)}"


def _first_sentence(description: str) -> str:
    what = description.partition(". ")[0].rstrip(".")
    return what[:1].lower() + what[1:]


def _unquote(value: object) -> str:
    return "take the quotes away" if isinstance(value, str) else ""


def _invisible(value: str) -> str:
    return "remove the white space around it" if value != value.strip() else ""


def _meant(word: str, known: Iterable[str]) -> str:
    """Return a hint to the known word that was probably meant: other case, snake_case, a typo."""
    from difflib import get_close_matches  # noqa: PLC0415 - only if a word is unknown

    plain = {_plain(name): name for name in known}
    close = get_close_matches(_plain(word[:SHOWN]), plain, n=1, cutoff=0.7)
    return f"did you mean `{plain[close[0]]}`?" if close else ""


def _plain(word: str) -> str:
    return re.sub("[^a-z0-9]", "", word.lower())


def _below(path: str, name: object) -> str:
    if isinstance(name, str) and _PLAIN_KEY.fullmatch(name):
        return f"{path}.{name}" if path else name
    return f"{path}[{found(name).strip('`')}]"
