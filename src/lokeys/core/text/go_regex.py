# SPDX-License-Identifier: Apache-2.0
"""Regular expressions as Go reads them (RE2), judged without being run.

    alternatives ─▶ pieces ─▶ atom and how often ─▶ can all of it match nothing?

The rules are those of Go's regexp/syntax in its Perl mode. The question is whether Go compiles an
expression, and whether it matches the empty text. Names of Unicode classes are not checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_REPEAT = 1000
MAX_DEPTH = 250
"""Go accepts 1,000; no selector nests groups this deep."""
_COUNT = re.compile(r"\{(\d{1,9})(,?)(\d{0,9})\}")
_GROUP = re.compile(r"\?P?<(\w{1,250})>", re.ASCII)
_FLAGS = re.compile(r"\?([imsU]{0,8})(-[imsU]{1,8})?([:)])")
_POSIX = re.compile(r"\[:(\^?)(\w{1,16}):\]", re.ASCII)
_UNICODE = re.compile(r"[pP](?:[A-Za-z]|\{\^?[\w ]{1,64}\})", re.ASCII)
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_HEX = re.compile(r"x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]{1,8}\})")
_LETTERS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_CLASSES = frozenset(
    {
        *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print"),
        *("punct", "space", "upper", "word", "xdigit"),
    }
)
_WIDEST = 0x10FFFF


class NotCompiled(Exception):
    """Go does not compile the expression."""


@dataclass(slots=True)
class _Group:
    """The text between two parentheses, as far as it is read."""

    any_empty: bool = False
    """Whether one of the previous alternatives matches the empty text."""
    empty: bool = True
    """Whether the current alternative does, so far."""
    times: int = 1
    """How often the most repeated piece may occur in it."""
    repeatable: bool = False
    atom_empty: bool = True
    atom_times: int = 1

    def take(self, *, empty: bool, times: int = 1) -> None:
        """Add one more atom, which may be repeated; the previous one is final."""
        self.settle()
        self.atom_empty, self.atom_times, self.repeatable = empty, times, True

    def settle(self) -> None:
        """Add the last atom to the previous ones."""
        self.empty = self.empty and self.atom_empty
        self.times = max(self.times, self.atom_times)
        self.atom_empty, self.atom_times, self.repeatable = True, 1, False

    def next_alternative(self) -> None:
        """Start another alternative."""
        self.settle()
        self.any_empty = self.any_empty or self.empty
        self.empty = True

    @property
    def matches_empty(self) -> bool:
        """Tell whether the whole group matches the empty text."""
        return self.any_empty or self.empty


@dataclass(slots=True)
class _Reading:
    """One expression, read from its start to its end."""

    text: str
    at: int = 0
    groups: list[_Group] = field(default_factory=lambda: [_Group()])

    def all(self) -> bool:
        """Return whether the expression matches the empty text. Raises NotCompiled."""
        while self.at < len(self.text):
            self._piece(self.text[self.at])
        if len(self.groups) > 1:
            raise NotCompiled
        self.groups[0].settle()
        return self.groups[0].matches_empty

    def _piece(self, sign: str) -> None:
        group = self.groups[-1]
        self.at += 1
        match sign:
            case "(":
                self._open()
            case ")":
                self._close()
            case "|":
                group.next_alternative()
            case "^" | "$":
                group.take(empty=True)
            case "[":
                self._char_class()
                group.take(empty=False)
            case "*" | "?" | "+":
                self._repeat(least=sign == "+", most=1)
            case "{" if counted := _COUNT.match(self.text, self.at - 1):
                self.at = counted.end()
                least = int(counted[1])
                most = int(counted[3]) if counted[3] else least
                if max(least, most) > MAX_REPEAT or most < least:
                    raise NotCompiled
                self._repeat(least=least > 0, most=max(most, 1))
            case "\\":
                self._escape()
            case _:
                group.take(empty=False)

    def _repeat(self, *, least: bool, most: int) -> None:
        """Repeat the last atom; only a lazy mark may follow, not a second repetition."""
        group = self.groups[-1]
        if not group.repeatable:
            raise NotCompiled
        group.atom_empty = group.atom_empty or not least
        group.atom_times *= most
        if group.atom_times > MAX_REPEAT:
            raise NotCompiled
        if self.text.startswith("?", self.at):
            self.at += 1
        after = self.text[self.at : self.at + 1]
        if (after and after in "*+?") or _COUNT.match(self.text, self.at):
            raise NotCompiled

    def _open(self) -> None:
        if self.text.startswith("?", self.at):
            named = _GROUP.match(self.text, self.at)
            flags = _FLAGS.match(self.text, self.at)
            found = named or flags
            if found is None:
                raise NotCompiled
            self.at = found.end()
            if flags and flags[3] == ")":
                return  # applies to what follows, and does not match anything
        self.groups.append(_Group())
        if len(self.groups) > MAX_DEPTH:
            raise NotCompiled

    def _close(self) -> None:
        if len(self.groups) == 1:
            raise NotCompiled
        group = self.groups.pop()
        group.settle()
        self.groups[-1].take(empty=group.matches_empty, times=group.times)

    def _escape(self) -> None:
        """Read what follows a backslash outside of a class."""
        group, sign = self.groups[-1], self.text[self.at : self.at + 1]
        if sign and sign in "AzB":
            self.at += 1
            group.take(empty=True)
        elif sign == "b":
            self.at += 1
            group.take(empty=False)
        elif sign == "Q":
            end = self.text.find("\\E", self.at)
            quoted = self.text[self.at + 1 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.text)
            for _ in quoted:
                group.take(empty=False)
        else:
            if not self._class_escape():
                self._code()
            group.take(empty=False)

    def _class_escape(self) -> bool:
        """Read `d`, `pL` and similar after a backslash, if present."""
        sign = self.text[self.at : self.at + 1]
        found = _UNICODE.match(self.text, self.at)
        if found or (sign and sign in "dDsSwW"):
            self.at = found.end() if found else self.at + 1
            return True
        return False

    def _code(self) -> int:
        """Read one escaped character; return its code."""
        sign = self.text[self.at : self.at + 1]
        number = _OCTAL.match(self.text, self.at) or _HEX.match(self.text, self.at)
        if number:
            self.at = number.end()
            word = number[0]
            code = int(word.strip("x{}"), 16) if word[0] == "x" else int(word, 8)
            if code > _WIDEST:
                raise NotCompiled
            return code
        self.at += 1
        if sign in _LETTERS:
            return _LETTERS[sign]
        if not sign or not sign.isascii() or sign.isalnum():
            raise NotCompiled
        return ord(sign)

    def _char_class(self) -> None:
        """Read a class up to its closing bracket."""
        if self.text.startswith("^", self.at):
            self.at += 1
        first = True
        while first or not self.text.startswith("]", self.at):
            first = False
            named = _POSIX.match(self.text, self.at)
            if named:
                if named[2] not in _CLASSES:
                    raise NotCompiled
                self.at = named.end()
            elif not self._class_in_class():
                self._range()
        self.at += 1

    def _class_in_class(self) -> bool:
        if not self.text.startswith("\\", self.at):
            return False
        self.at += 1
        if self._class_escape():
            return True
        self.at -= 1
        return False

    def _range(self) -> None:
        low = high = self._one()
        follows = self.text[self.at : self.at + 2]
        if follows.startswith("-") and follows != "-]" and len(follows) == len("-]"):
            self.at += 1
            high = self._one()
        if high < low:
            raise NotCompiled

    def _one(self) -> int:
        """Read one character of a class; return its code."""
        if self.at >= len(self.text):
            raise NotCompiled
        sign = self.text[self.at]
        self.at += 1
        return self._code() if sign == "\\" else ord(sign)


def matches_empty(expression: str) -> bool:
    """Tell whether an expression matches the empty text. Raises NotCompiled if Go rejects it."""
    return _Reading(expression).all()
