# SPDX-License-Identifier: Apache-2.0
"""The only place that prints: data to stdout, talk to stderr.

A line is a tuple of spans, a text and what it means; colour says the same again, on a terminal
only. rich is imported when there is one. What is longer than a terminal is wide goes on below,
broken at blanks; in a pipe a line stays one.
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
"""The column where the rest of a line goes on."""


def _harmless(line: Line) -> Line:
    """Return the line without what a terminal obeys: names and messages are anybody's."""
    return tuple((_harmless_text(text), style) for text, style in line)


def _harmless_text(text: str) -> str:
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def escaped_json(text: str) -> str:
    """Return the same JSON without a character that a terminal obeys; lines stay lines."""
    lines = text.split("\n")
    return "\n".join(e if e.isprintable() else "".join(map(_escaped, e)) for e in lines)


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def flowing(line: Line, *, width: int) -> Iterator[Line]:
    """Yield a line on as many as it needs, broken at blanks: a name stays whole, and a command."""
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
                # The indent stands in the blanks' place.
                row, used, word = [(" " * GOES_ON, "")], GOES_ON, word.lstrip()  # noqa: PLW2901
            row.append((word, style))
            used += len(word)
    yield tuple(row)


class ReaderLeft(Exception):
    """Whoever read the output has seen enough, as `head` does. click would call it a failure."""


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
        """Return how wide text may be: the terminal's width within reason."""
        return min(self._out.columns, WIDE) if self._out.interactive else NARROW

    @property
    def interactive(self) -> bool:
        """Tell whether a person reads the data."""
        return self._out.interactive

    @property
    def terminal(self) -> TextIO:
        """Return the stream of the data, for what may only be shown to a person."""
        return self._out.stream

    def lines(self, lines: Iterable[Line]) -> None:
        """Print data for people."""
        for line in lines:
            self._out.flow(_harmless(line))

    def text(self, text: str) -> None:
        """Print data as it is, in as many lines as it has."""
        self._out.line(_harmless(((text, ""),)))

    def json(self, document: Mapping[str, Any]) -> None:
        """Print data for programs."""
        import json  # noqa: PLC0415 - not needed to say --help

        self.text(escaped_json(json.dumps(document, indent=2, ensure_ascii=False)))

    def talk(self, *spans: Span) -> None:
        """Say something that is not data, in one line: a name that holds two forges none."""
        self._err.flow(tuple((printable(text), style) for text, style in spans))

    def progress(self) -> Progress:
        """Return what tells the person how far it is."""
        return Progress(self._err)

    def error(self, message: str, hint: str | None = None) -> None:
        """Say what went wrong, which may be several things, a line each, and what to do."""
        first, *others = message.split("\n")
        self.talk(("error:", "error"), (f" {first}", ""))
        for other in others:
            self.talk((other, ""))
        if hint:
            self.talk(("hint:", "strong"), (f" {hint}", ""))


class Progress:
    """What happens while a person waits, on stderr: finished lines, and one that changes."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._status: Status | None = None
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._hide()

    def now(self, text: str, *, brief: bool = False) -> None:
        """Say what is going on; on a terminal it stays until the next line.

        `brief`: it will soon be over and have a line of its own, so that a log can do without.
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
        """Say what is done."""
        self._hide()
        self._stream.flow(_harmless(spans))

    def _hide(self) -> None:
        if self._status is not None:
            self._status.stop()
        self._status, self._said = None, ""


class _Stream:
    """One stream; a rich console stands behind it where colour is welcome."""

    def __init__(self, stream: TextIO, *, plain: bool) -> None:
        self.stream = stream
        self.interactive = stream.isatty()
        self.colourful = self.interactive and not plain
        self._console: Console | None = None

    @property
    def columns(self) -> int:
        """Return how wide the terminal is."""
        import shutil  # noqa: PLC0415 - loads four compressors, and a pipe is not asked

        return max(shutil.get_terminal_size((NARROW, 24)).columns, NARROWEST)

    def flow(self, line: Line) -> None:
        """Print what is said: on a terminal what is longer than it is wide goes on below."""
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
