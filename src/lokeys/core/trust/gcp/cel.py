# SPDX-License-Identifier: Apache-2.0
"""Google's attribute conditions, evaluated as far as they use a token's own claims.

Comparisons of texts, `in` a list, startsWith, endsWith and contains, joined by &&, || and !. What
is not known, or uses more of the language, gives `None`: neither true nor false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKENS = re.compile(
    r"\s*(?:(?P<text>'[^'\\]*'|\"[^\"\\]*\")|(?P<sign>&&|\|\||==|!=|[()\[\],!.])"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*))"
)
MAX_LENGTH = 4096
_MAX_DEPTH = 32
Value = str | bool | tuple[str, ...] | None


class _Unread(Exception):
    """It uses more of the language than is supported here."""


def holds(condition: str, claims: Mapping[str, str | tuple[str, ...]]) -> bool | None:
    """Tell whether a condition is true for claims, such as `assertion.sub`, `google.subject`."""
    try:
        reader = _Reader(tokens=_tokens(condition), claims=claims)
        found = reader.any_of()
        reader.end()
    except _Unread:
        return None
    return found if isinstance(found, bool) else None


def _tokens(text: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise _Unread
    found: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        token = _TOKENS.match(text, at)
        if token is None:
            raise _Unread
        found.append(token[0].strip())
        at = token.end()
    return found


@dataclass(slots=True, kw_only=True)
class _Reader:
    tokens: list[str]
    claims: Mapping[str, str | tuple[str, ...]]
    at: int = 0
    depth: int = 0

    def any_of(self) -> Value:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _Unread
        found = [self._all_of()]
        while self._take("||"):
            found.append(self._all_of())
        self.depth -= 1
        if len(found) == 1:
            return found[0]
        return True if True in found else None if None in found else False

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise _Unread

    def _all_of(self) -> Value:
        found = [self._one()]
        while self._take("&&"):
            found.append(self._one())
        if len(found) == 1:
            return found[0]
        return False if False in found else None if None in found else True

    def _one(self) -> Value:
        if self._take("!"):
            inner = self._one()
            return not inner if isinstance(inner, bool) else None
        left = self._operand()
        if self._take("=="):
            return _equal(left, self._operand())
        if self._take("!="):
            same = _equal(left, self._operand())
            return None if same is None else not same
        if self._take("in"):
            return _inside(left, self._operand())
        return left

    def _operand(self) -> Value:
        if self._take("("):
            inner = self.any_of()
            self._must(")")
            return inner
        if self._take("["):
            return self._list()
        token = self._next()
        if token[0] in "'\"":
            return token[1:-1]
        if token in ("true", "false"):
            return token == "true"
        return self._path(token)

    def _list(self) -> tuple[str, ...]:
        found: list[str] = []
        while not self._take("]"):
            token = self._next()
            if token[0] not in "'\"":
                raise _Unread
            found.append(token[1:-1])
            if not self._take(","):
                self._must("]")
                break
        return tuple(found)

    def _path(self, name: str) -> Value:
        if not name.isidentifier():
            raise _Unread
        while True:
            if self._take("["):
                token = self._next()
                self._must("]")
                name += f".{token.strip(chr(39) + chr(34))}"
            elif self._take("."):
                word = self._next()
                if self._take("("):
                    argument = self._next()
                    self._must(")")
                    return _called(self.claims.get(name), word, argument)
                name += f".{word}"
            else:
                return self.claims.get(name)

    def _next(self) -> str:
        if self.at >= len(self.tokens):
            raise _Unread
        self.at += 1
        return self.tokens[self.at - 1]

    def _take(self, token: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == token:
            self.at += 1
            return True
        return False

    def _must(self, token: str) -> None:
        if not self._take(token):
            raise _Unread


def _equal(one: Value, other: Value) -> bool | None:
    return None if one is None or other is None else one == other


def _inside(one: Value, many: Value) -> bool | None:
    if not isinstance(one, str) or not isinstance(many, tuple):
        return None
    return one in many


def _called(value: Value, name: str, argument: str) -> bool | None:
    if not isinstance(value, str) or argument[0] not in "'\"":
        return None
    text = argument[1:-1]
    known = {
        "startsWith": value.startswith(text),
        "endsWith": value.endswith(text),
        "contains": text in value,
    }
    return known.get(name)
