# SPDX-License-Identifier: Apache-2.0
"""The only place that prints: data to stdout, messages to stderr.

A line is a tuple of spans, each a text and its meaning; colour only repeats the meaning, and only
on a terminal. rich is imported only then. A line that is wider than the terminal is wrapped at
blanks; in a pipe it is not.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TextIO

from lokeys.core.text.words import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

Span = tuple[str, str]
Line = tuple[Span, ...]

STYLES = {
    "": "",
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold blue",
    "good": "green",
    "bad": "red",
    "faint": "dim",
    "strong": "bold",
    "command": "cyan",
    "comment": "dim",
}
_TO_PASTE = frozenset({"command", "comment"})
NARROWEST, NARROW, WIDE = 20, 80, 120
GOES_ON = 4
"""The column where wrapped lines continue."""


def _harmless(line: Line) -> Line:
    """Return the line without terminal control characters: names and messages are untrusted."""
    return tuple((_harmless_text(text), style) for text, style in line)


def _harmless_text(text: str) -> str:
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def escaped_json(text: str) -> str:
    """Return the same JSON without terminal control characters; lines stay lines."""
    lines = text.split("\n")
    return "\n".join(e if e.isprintable() else "".join(map(_escaped, e)) for e in lines)


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def flowing(line: Line, *, width: int) -> Iterator[Line]:
    """Yield a line, wrapped at blanks: names and commands stay whole."""
    long = sum(len(text) for text, _ in line) > width
    if not long or any(style in _TO_PASTE or "\n" in text for text, style in line):
        yield line
        return
    row: list[Span] = []
    used = 0
    for text, style in line:
        for word in re.findall(r" *[^ ]+| +$", text):
            if row and used + len(word.rstrip()) > width:
                yield tuple(row)
                # The indent replaces the blanks.
                row, used, word = [(" " * GOES_ON, "")], GOES_ON, word.lstrip()  # noqa: PLW2901
            row.append((word, style))
            used += len(word)
    yield tuple(row)


class ReaderLeft(Exception):
    """The reader of the output has stopped, as `head` does. click would call it a failure."""


class Printer:
    """Prints for a person or for a pipe."""

    def __init__(
        self,
        *,
        no_color: bool = False,
        environ: Mapping[str, str] | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        variables = os.environ if environ is None else environ
        plain = no_color or bool(variables.get("NO_COLOR")) or variables.get("TERM") == "dumb"
        self._out = _Stream(out or sys.stdout, plain=plain)
        self._err = _Stream(err or sys.stderr, plain=plain)

    @property
    def width(self) -> int:
        """Return the width for text: the terminal's, within limits."""
        return min(self._out.columns, WIDE) if self._out.interactive else NARROW

    @property
    def interactive(self) -> bool:
        """Tell whether a person reads the data."""
        return self._out.interactive

    @property
    def terminal(self) -> TextIO:
        """Return the stream of the data, for what only a person may see."""
        return self._out.stream

    def lines(self, lines: Iterable[Line]) -> None:
        """Print data for people."""
        for line in lines:
            self._out.flow(_harmless(line))

    def text(self, text: str) -> None:
        """Print data unchanged, with all its lines."""
        self._out.line(_harmless(((text, ""),)))

    def json(self, document: Mapping[str, Any]) -> None:
        """Print data for programs."""
        import json  # noqa: PLC0415 - not needed to say --help

        self.text(escaped_json(json.dumps(document, indent=2, ensure_ascii=False)))

    def talk(self, *spans: Span) -> None:
        """Print a message on one line: a name with a line break cannot forge a second one."""
        self._err.flow(tuple((printable(text), style) for text, style in spans))

    def progress(self) -> Progress:
        """Return what shows a person the progress."""
        return Progress(self._err)

    def error(self, message: str, hint: str | None = None) -> None:
        """Print what went wrong, which may be several things, one per line, and what to do."""
        first, *others = message.split("\n")
        self.talk(("error:", "error"), (f" {first}", ""))
        for other in others:
            self.talk((other, ""))
        if hint:
            self.talk(("hint:", "strong"), (f" {hint}", ""))


class Progress:
    """Progress on stderr: finished lines, and one that changes."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._status: Status | None = None
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._hide()

    def now(self, text: str, *, brief: bool = False) -> None:
        """Show the current activity; on a terminal it stays until the next line.

        `brief`: it will soon end and get its own line, so that a log can omit it.
        """
        text = printable(text)
        if text == self._said or (brief and not self._stream.colourful):
            return
        self._said = text
        if not self._stream.colourful:
            self._stream.flow(((f"  … {text}", ""),))
        elif self._status is None:
            self._status = self._stream.rich().status(text)
            self._status.start()
        else:
            self._status.update(text)

    def line(self, *spans: Span) -> None:
        """Show what is done."""
        self._hide()
        self._stream.flow(_harmless(spans))

    def _hide(self) -> None:
        if self._status is not None:
            self._status.stop()
        self._status, self._said = None, ""


class _Stream:
    """One stream; with a rich console if it supports colour."""

    def __init__(self, stream: TextIO, *, plain: bool) -> None:
        self.stream = stream
        self.interactive = stream.isatty()
        self.colourful = self.interactive and not plain
        self._console: Console | None = None

    @property
    def columns(self) -> int:
        """Return the terminal's width."""
        import shutil  # noqa: PLC0415 - loads four compressors, and a pipe is not asked

        return max(shutil.get_terminal_size((NARROW, 24)).columns, NARROWEST)

    def flow(self, line: Line) -> None:
        """Print a line, wrapped on a terminal."""
        for row in flowing(line, width=self.columns) if self.interactive else (line,):
            self.line(row)

    def line(self, line: Line) -> None:
        """Print one line as it is."""
        try:
            self._print(line)
        except BrokenPipeError as exc:
            raise ReaderLeft from exc

    def _print(self, line: Line) -> None:
        if not self.colourful:
            text = "".join(text for text, _ in line).rstrip()
            encoding = self.stream.encoding or "utf-8"
            self.stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            self.stream.flush()
            return
        from rich.text import Text  # noqa: PLC0415 - only where a person looks

        spans = [(text, STYLES[style]) for text, style in line]
        self.rich().print(Text.assemble(*spans), soft_wrap=True)

    def rich(self) -> Console:
        """Return the console of a colourful stream."""
        if self._console is None:
            from rich.console import Console  # noqa: PLC0415 - only where a person looks

            self._console = Console(file=self.stream, highlight=False)
        return self._console
