# SPDX-License-Identifier: Apache-2.0
"""What `-config.expand-env` makes of a configuration's text, before it is parsed as YAML.

    ${NAME}                           the variable; empty if it is not set
    ${NAME:-text} ${NAME:=text} …     the text if it is empty or not set; `:?` and `:+` likewise
    ${NAME=text}                      likewise
    $${NAME}                          ${NAME} literally
    ${NAME:1} ${NAME^} ${NAME/a/b} …  functions: their value is not computed here
    ${NAME-text} ${MY-NAME} ${}       not valid: Loki exits before it starts

Everything is expanded, comments too. The rules are those of github.com/drone/envsubst v1.0.3, which
Loki has used since 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lokeys.core.kubernetes.loki.environment import ContainerEnvironment
from lokeys.core.kubernetes.loki.marks import Marks, Occurrence, unmarked

MAX_EXPRESSIONS = 10_000
_MAX_DEPTH = 8
_SPECIAL = re.compile(r"\$\$|\$\{|\\[/\\]")
_NAME = re.compile(r"\w+")
_SHOWN = re.compile(r"\$\{#?\w{0,100}[-.+?! ]?")
_PARAMETER = re.compile(r"[^$}]+|\$(?!\{)")


class NotExpandable(Exception):
    """An expression that Loki cannot parse: it exits with this error before it starts."""

    def __init__(self, expression: str, line: int) -> None:
        super().__init__(expression)
        self.expression = expression
        self.line = line


class _TooMuch(Exception):
    """More than is followed."""


def expanded(text: str, environment: ContainerEnvironment, marks: Marks) -> str | None:
    """Return the text with a mark for each variable; None if it is too much to follow.

    Raises NotExpandable.
    """
    plain = unmarked(text)
    try:
        return _Expansion(plain, environment, marks).all()
    except _TooMuch:
        return None


@dataclass(slots=True)
class _Expansion:
    """One reading of a text, from its start to its end."""

    text: str
    environment: ContainerEnvironment
    marks: Marks
    at: int = 0
    seen: int = 0

    def all(self) -> str:
        parts: list[str] = []
        while match := _SPECIAL.search(self.text, self.at):
            parts.append(self.text[self.at : match.start()])
            self.at = match.end()
            # An escaped character loses the character that escapes it.
            parts.append(self._expression() if match[0] == "${" else match[0][1])
        return "".join((*parts, self.text[self.at :]))

    def _expression(self, depth: int = 0) -> str:
        """Return what an expression stands for; moves `at` from after `${` to after its `}`."""
        begin = self.at - 2
        self.seen += 1
        if self.seen > MAX_EXPRESSIONS or depth > _MAX_DEPTH:
            raise _TooMuch
        if self._next() == "#":
            self.at += 1
            return self._of_function(self._name(begin), begin, depth)
        name = self._name(begin)
        match self._next():
            case "}":
                self.at += 1
                return self._marked(name)
            case ":" if self.text[self.at + 1 : self.at + 2] in ("=", "-", "?", "+"):
                self.at += 2
                return self._or_default(name, begin, depth)
            case "=":
                self.at += 1
                return self._or_default(name, begin, depth)
            case ":" | "," | "^" | "/" | "#" | "%":
                return self._of_function(name, begin, depth)
        raise self._unreadable(begin)

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _name(self, begin: int) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise self._unreadable(begin)
        self.at = match.end()
        return match[0]

    def _marked(self, name: str, *, known: bool = True) -> str:
        setting = self.environment.setting(name)
        return self.marks.mark(Occurrence(name=name, setting=setting, known=known))

    def _or_default(self, name: str, begin: int, depth: int) -> str:
        default = self._parameters(begin, depth)
        setting = self.environment.setting(name)
        if setting is not None and setting.value is None:
            return self._marked(name, known=False)
        return self._marked(name) if setting is not None and setting.value else default

    def _of_function(self, name: str, begin: int, depth: int) -> str:
        self._parameters(begin, depth)
        return self._marked(name, known=False)

    def _parameters(self, begin: int, depth: int) -> str:
        """Return the text up to the closing brace, with nested expressions expanded."""
        parts: list[str] = []
        while (char := self._next()) != "}":
            if char == "":
                raise self._unreadable(begin)
            match: Callable[[str, int], re.Match[str] | None] = _PARAMETER.match
            if found := match(self.text, self.at):
                parts.append(found[0])
                self.at = found.end()
            else:
                self.at += 2
                parts.append(self._expression(depth + 1))
        self.at += 1
        return "".join(parts)

    def _unreadable(self, begin: int) -> NotExpandable:
        """Return the error, with the expression up to the name's end: a default may be a key."""
        match = _SHOWN.match(self.text, begin)
        shown = f"{match[0]}…" if match else ""
        return NotExpandable(shown, self.text.count("\n", 0, begin) + 1)
