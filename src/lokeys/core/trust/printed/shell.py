# SPDX-License-Identifier: Apache-2.0
"""What is printed for a cloud: commands with their reasons, documents, and missing values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lokeys.core.text.shell import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedStep:
    """One command, its reason, and the shell variable that keeps its output."""

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
        """Return the document as it is in its file."""
        if self.compact:
            return json.dumps(self.content, separators=(",", ":"))
        return json.dumps(self.content, indent=2)

    @property
    def line(self) -> str:
        """Return the command that writes the file."""
        return f"cat > {self.name} <<'EOF'\n{self.text}\nEOF"


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingValue:
    """A value that is not known: its name in the documents, the option for it, and how to find it.

    `command` prints it, if there is one.
    """

    name: str
    option: str
    what: str
    command: Command | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """Everything that a cloud needs to accept a stack's tokens."""

    cloud: str
    documents: tuple[Document, ...]
    steps: tuple[Document | PrintedStep, ...]
    """The steps in order: a document is written before a command reads it from a file."""
    terraform: str
    missing: tuple[MissingValue, ...] = ()

    @property
    def commands(self) -> tuple[PrintedStep, ...]:
        """Return only the commands."""
        return tuple(step for step in self.steps if isinstance(step, PrintedStep))
