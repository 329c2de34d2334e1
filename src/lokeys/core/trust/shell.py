# SPDX-License-Identifier: Apache-2.0
"""Command lines as they are printed: words quoted for the shell, one flag a line where long."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_WIDE = 96


@dataclass(frozen=True, slots=True)
class Var:
    """A word that an earlier command found out: `before` and then the variable's value."""

    name: str
    before: str = ""


Word = str | Var


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command, why it is there, and the shell variable that keeps what it prints."""

    why: str
    argv: tuple[Word, ...]
    sets: str = ""
    then: tuple[str, ...] = ()
    """The command that its output is piped into."""

    @property
    def line(self) -> str:
        """Return the command as it is typed."""
        text = self.in_one_line
        if len(text) > _WIDE:
            text = " \\\n  ".join(self._groups())
        return f"{self.sets}=$({text})" if self.sets else text

    @property
    def in_one_line(self) -> str:
        """Return the command without a break, as findings hold it."""
        return " ".join(self._groups())

    def _groups(self) -> Iterator[str]:
        yield from _groups(self.argv)
        if self.then:
            yield "| " + shlex.join(self.then)


def _groups(argv: tuple[Word, ...]) -> Iterator[str]:
    """Yield the words before the first flag, then each flag with its value."""
    group: list[str] = []
    for word in argv:
        text = _quoted(word)
        if text.startswith("--") and group:
            yield " ".join(group)
            group = []
        group.append(text)
    yield " ".join(group)


def _quoted(word: Word) -> str:
    if isinstance(word, Var):
        before = shlex.quote(word.before) if word.before else ""
        return f'{before}"${word.name}"'
    return shlex.quote(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A JSON document that a command reads from a file. `compact`: without any blanks."""

    name: str
    why: str
    content: Any
    compact: bool = False

    @property
    def text(self) -> str:
        """Return the document as it stands in its file."""
        if self.compact:
            return json.dumps(self.content, separators=(",", ":"))
        return json.dumps(self.content, indent=2)

    @property
    def line(self) -> str:
        """Return the command that writes the file."""
        return f"cat > {self.name} <<'EOF'\n{self.text}\nEOF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A value that is not known: its name in the documents, the option that gives it, and how.

    `command` prints it, where there is one.
    """

    name: str
    option: str
    what: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """All that a cloud must know before a stack's tokens are worth anything there."""

    cloud: str
    documents: tuple[Document, ...]
    steps: tuple[Document | Command, ...]
    """What is done, in order: documents are written where a command reads them from a file."""
    terraform: str
    missing: tuple[Missing, ...] = ()

    @property
    def commands(self) -> tuple[Command, ...]:
        """Return the commands alone."""
        return tuple(step for step in self.steps if isinstance(step, Command))
