# SPDX-License-Identifier: Apache-2.0
"""Commands as lists of words. They are quoted for a shell only here, when they are printed.

A word stays one word whatever it holds: the shell neither runs nor expands it. A word that cannot
be shown exactly makes no command: what is pasted must be what was seen.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString

MAX_WORD = 4096
_WIDE = 96


class NoCommand(ValueError):
    """A word that is not allowed in a command; says why, without the word."""


@dataclass(frozen=True, slots=True)
class Var:
    """A text and the value of a shell variable, as one word."""

    name: LiteralString
    before: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A text and the output of a command, as one word."""

    command: LiteralString
    before: str = ""


@dataclass(frozen=True, slots=True)
class Json:
    """A word that is a JSON document; in a template its texts hold names to fill in."""

    document: str
    before: str = ""

    @classmethod
    def of(cls, content: Any, before: str = "") -> Json:
        """Return the word, in ASCII, so that no text in it can be mistaken for anything else."""
        return cls(json.dumps(content, separators=(",", ":")), before)

    @property
    def text(self) -> str:
        """Return the whole word."""
        return f"{self.before}{self.document}"


Word = str | Var | Output | Json


class Joint(StrEnum):
    """What is between two commands, or before the file that the output is written to."""

    PIPE = "|"
    AND = "&&"
    THEN = ";"
    INTO = ">"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as words, and what follows it. Raises NoCommand.

    In a catalogue it is a template: `{name}` stands for a value, as a word or within one.
    """

    argv: tuple[Word, ...]
    rest: tuple[tuple[Joint, tuple[Word, ...]], ...] = ()

    def __post_init__(self) -> None:
        for word in self.words:
            _check(word)

    def __str__(self) -> str:
        """Return the command as it is typed, on one line."""
        return _typed(self.argv) + "".join(
            f"{'' if joint is Joint.THEN else ' '}{joint} {_typed(argv)}"
            for joint, argv in self.rest
        )

    @property
    def lines(self) -> str:
        """Return the command as it is typed; a long one has one flag per line."""
        text = str(self)
        if len(text) <= _WIDE:
            return text
        behind = (f"{joint} {_typed(argv)}" for joint, argv in self.rest)
        return " \\\n  ".join((*_groups(self.argv), *behind))

    @property
    def words(self) -> Iterator[Word]:
        """Yield every word."""
        yield from self.argv
        for _, argv in self.rest:
            yield from argv

    def option(self, word: LiteralString) -> Command:
        """Return the command with one more word."""
        return Command((*self.argv, word), self.rest)

    def followed(self, joint: Joint, *argv: Word) -> Command:
        """Return the command with another one after it."""
        return Command(self.argv, (*self.rest, (joint, argv)))

    def pipe(self, text: LiteralString, *more: Word) -> Command:
        """Return the command with its output piped to another one."""
        return self.followed(Joint.PIPE, *text.split(), *more)

    def filled(self, known: Mapping[str, object]) -> Command:
        """Return the template filled with values. Raises NoCommand."""
        rest = ((joint, _filled(argv, known)) for joint, argv in self.rest)
        return Command(_filled(self.argv, known), tuple(rest))


def command(text: LiteralString, *more: Word) -> Command:
    """Return the command, or the template, whose words are separated by blanks in `text`."""
    return Command((*text.split(), *more))


def _check(word: Word) -> None:
    text = word.text if isinstance(word, Json) else word if isinstance(word, str) else word.before
    if not text.isprintable():
        raise NoCommand("it would hold a character that cannot be printed")
    if len(text) > MAX_WORD:
        raise NoCommand("it would be too long")


def _filled(argv: tuple[Word, ...], known: Mapping[str, object]) -> tuple[Word, ...]:
    return tuple(_word(word, known) for word in argv)


def _word(word: Word, known: Mapping[str, object]) -> Word:
    match word:
        case str():
            text = word.format_map(known)
            if text.startswith("-") and not word.startswith("-"):
                raise NoCommand("a value begins with a dash, as options do")
            return text
        case Json():
            return Json.of(_json(json.loads(word.document), known), word.before)
    return word


def _json(content: Any, known: Mapping[str, object]) -> Any:
    match content:
        case str():
            return content.format_map(known)
        case Mapping():
            return {key.format_map(known): _json(each, known) for key, each in content.items()}
        case list():
            return [_json(each, known) for each in content]
    return content


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


def _typed(argv: tuple[Word, ...]) -> str:
    return " ".join(map(_quoted, argv))


def _quoted(word: Word) -> str:
    match word:
        case str():
            return shlex.quote(word)
        case Json():
            return shlex.quote(word.text)
    before = shlex.quote(word.before) if word.before else ""
    value = f"${word.name}" if isinstance(word, Var) else f"$({word.command})"
    return f'{before}"{value}"'
