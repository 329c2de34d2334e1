# SPDX-License-Identifier: Apache-2.0
"""What is printed for a cloud: commands with their reasons, documents, and what lacks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lokeys.core.text.shell import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedStep:
    """One command, why it is there, and the shell variable that keeps what it prints."""

    why: str
    command: Command
    sets: str = ""

    @property
    def line(self) -> str:
        """Return the command as it is typed."""
        text = self.command.lines
        return f"{self.sets}=$({text})" if self.sets else text


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
class MissingValue:
    """A value that is not known: its name in the documents, the option that gives it, and how.

    `command` prints it, where there is one.
    """

    name: str
    option: str
    what: str
    command: Command | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """All that a cloud must know before a stack's tokens are worth anything there."""

    cloud: str
    documents: tuple[Document, ...]
    steps: tuple[Document | PrintedStep, ...]
    """What is done, in order: documents are written where a command reads them from a file."""
    terraform: str
    missing: tuple[MissingValue, ...] = ()

    @property
    def commands(self) -> tuple[PrintedStep, ...]:
        """Return the commands alone."""
        return tuple(step for step in self.steps if isinstance(step, PrintedStep))
