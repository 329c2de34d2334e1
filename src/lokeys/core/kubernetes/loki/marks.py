# SPDX-License-Identifier: Apache-2.0
"""Texts in which each variable is a mark, so that only values that are not secret are read.

A configuration is expanded before it is parsed as YAML. So a mark replaces the value, and keeps the
blanks at the value's ends around it: YAML treats them as it does in Loki. A reader of a field sees
which variable it came from, and fills it in where that is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lokeys.core.kubernetes.loki.environment import LONGEST, Setting

_OPEN, _SHUT = "\ue000", "\ue001"  # Unicode private use: no configuration has them
_MARK = re.compile(f"{_OPEN}([0-9]{{1,7}}){_SHUT}")
_STRANGERS = str.maketrans({_OPEN: "\ufffd", _SHUT: "\ufffd"})
_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """What a mark stands for. `setting` None: the variable is not set, and its value is empty.

    `known` is False if the value goes through a function that is not followed.
    """

    name: str
    setting: Setting | None = None
    known: bool = True


@dataclass(slots=True)
class Marks:
    """The marks of one container's texts."""

    placed: list[Occurrence] = field(default_factory=list)

    def mark(self, placed: Occurrence) -> str:
        """Return the mark for a variable."""
        value = (placed.setting.value if placed.setting else None) or ""
        bare = value.strip(_BLANKS)
        before = value[: len(value) - len(value.lstrip(_BLANKS))] if bare else ""
        after = value[len(value.rstrip(_BLANKS)) :] if bare else ""
        self.placed.append(placed)
        return f"{before[:LONGEST]}{_OPEN}{len(self.placed) - 1}{_SHUT}{after[:LONGEST]}"

    def within(self, text: str) -> tuple[Occurrence, ...]:
        """Return the variables in a text."""
        return tuple(self.placed[int(match[1])] for match in _MARK.finditer(text))

    def alone(self, text: str) -> Occurrence | None:
        """Return the variable that is the whole text, except for blanks."""
        match = _MARK.fullmatch(text.strip(_BLANKS))
        return self.placed[int(match[1])] if match else None

    def filled(self, text: str) -> str | None:
        """Return a text with its variables filled in; None if one cannot be read."""
        parts: list[str] = []
        end = 0
        for match in _MARK.finditer(text):
            placed = self.placed[int(match[1])]
            value = placed.setting.value if placed.setting else ""
            if value is None or len(value) > LONGEST or not placed.known:
                return None
            parts += (text[end : match.start()], value.strip(_BLANKS))
            end = match.end()
        return "".join((*parts, text[end:]))

    def without(self, text: str) -> str:
        """Return the literal part of a text."""
        return _MARK.sub("", text)


def unmarked(text: str) -> str:
    """Return an untrusted text in which nothing looks like a mark."""
    return text.translate(_STRANGERS)
