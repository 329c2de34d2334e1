# SPDX-License-Identifier: Apache-2.0
"""`lokeys demo`: the whole story on one machine, with nothing installed."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from lokeys.cli import live_doctor
from lokeys.cli.commands import trace
from lokeys.cli.options import LokeysCommand, Options, options_of
from lokeys.cli.output import Printer
from lokeys.cli.screens import BLANK
from lokeys.cli.session import Session, opened
from lokeys.demo import story
from lokeys.demo.manifests import MONITORING
from lokeys.exit_codes import ExitCode

PAUSE_S = 2.0
_MARK, _NAME = 6, 14


@click.command("demo", cls=LokeysCommand)
@click.option("--fast", is_flag=True, help="Without pauses for reading.")
@click.option(
    "--long",
    "behind_rook",
    is_flag=True,
    help="With a key changed behind Rook's back, too: up to a minute more.",
)
@click.pass_context
def command(ctx: click.Context, fast: bool, behind_rook: bool) -> int:
    """Play the whole story on this machine: a key changes, Loki loses its storage, lokeys fixes it.

    Exits with 0 only if Loki really writes again with the new key. Nothing is installed, and
    nothing stays.
    """
    options = options_of(ctx)
    as_json = options.output == "json"
    stage = Silence() if as_json else Terminal(no_color=options.no_color, fast=fast)
    printer = Printer(no_color=options.no_color)
    try:
        with _no_proxies():
            ending = asyncio.run(story.play(stage, behind_rook=behind_rook))
    except KeyboardInterrupt:
        printer.talk()
        printer.talk(("interrupted: everything is stopped, and nothing stays", ""))
        return ExitCode.INTERRUPTED
    if as_json:
        printer.json(ending.document)
    for missing in ending.missing:
        printer.error(f"the demo did not end well: {missing}")
    return ending.code


class Terminal:
    """Shows the story to a person: a `Stage`."""

    def __init__(self, *, no_color: bool, fast: bool) -> None:
        self._copy = _Copy(sys.stdout)
        self._printer = Printer(no_color=no_color, out=self._copy)
        self._pause_s = PAUSE_S if self._printer.interactive and not fast else 0.0

    @property
    def said(self) -> str:
        """Return everything that was shown."""
        return self._copy.getvalue()

    def say(self, text: str) -> None:
        """Show a few sentences."""
        for part in text.split("\n"):
            for line in textwrap.wrap(part, self._printer.width) or [""]:
                self._printer.lines([((line, ""),)])

    def act(self, number: int, title: str) -> None:
        """Start an act."""
        self._printer.lines([BLANK, ((f"{number}  {title}", "strong"),)])

    def command(self, command: str) -> None:
        """Show a command as if somebody had typed it."""
        self._printer.lines([((f"$ {command}", "command"),)])

    def row(self, mark: str, name: str, text: str, tone: str) -> None:
        """Show what happened, and when or how it went."""
        room = max(self._printer.width - _MARK - _NAME - 3, 30)
        for part in textwrap.wrap(text, room) or [""]:
            began = (f"{mark:>{_MARK}}  ", tone or "faint")
            self._printer.lines([(began, (f"{name:<{_NAME}} ", "strong"), (part, tone))])
            mark = name = ""

    async def trace(self, kubeconfig: Path, name: str) -> None:
        """Run `lokeys trace` for the audience."""
        self.command(f"lokeys trace {name}")
        await self._run(kubeconfig, lambda session: trace.walk(session, name, None))

    async def doctor(self, kubeconfig: Path) -> None:
        """Run `lokeys doctor` for the audience."""
        self.command(f"lokeys doctor -n {MONITORING}")
        await self._run(kubeconfig, _examine)

    async def pause(self) -> None:
        """Let a person read."""
        await asyncio.sleep(self._pause_s)

    async def _run(self, kubeconfig: Path, body: Callable[[Session], Awaitable[int]]) -> None:
        options = Options(kubeconfig=str(kubeconfig), namespace=MONITORING)
        async with opened(options, self._printer) as session:
            await body(session)


class Silence:
    """Shows nothing and keeps the reports of the commands: a `Stage`."""

    said = ""

    def say(self, text: str) -> None:
        """Show nothing."""

    def act(self, number: int, title: str) -> None:
        """Show nothing."""

    def command(self, command: str) -> None:
        """Show nothing."""

    def row(self, mark: str, name: str, text: str, tone: str) -> None:
        """Show nothing."""

    async def trace(self, kubeconfig: Path, name: str) -> dict[str, Any]:
        """Return what `lokeys trace -o json` says."""
        return await _report(kubeconfig, lambda session: trace.walk(session, name, None))

    async def doctor(self, kubeconfig: Path) -> dict[str, Any]:
        """Return what `lokeys doctor -o json` says."""
        return await _report(kubeconfig, _examine)

    async def pause(self) -> None:
        """Do not wait: nobody reads."""


async def _examine(session: Session) -> int:
    return await live_doctor.examine(session, live_doctor.Asked())


async def _report(kubeconfig: Path, body: Callable[[Session], Awaitable[int]]) -> dict[str, Any]:
    """Return the report that a command prints."""
    options = Options(kubeconfig=str(kubeconfig), namespace=MONITORING, output="json")
    out = io.StringIO()
    async with opened(options, Printer(out=out)) as session:
        await body(session)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


class _Copy(io.StringIO):
    """Passes on what it is given and keeps it, so that it can be searched for secrets."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override] # typeshed takes it for writable
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def write(self, text: str) -> int:
        self._stream.write(text)
        return super().write(text)

    def flush(self) -> None:
        self._stream.flush()


@contextmanager
def _no_proxies() -> Iterator[None]:
    """Remove the proxies from our environment for a while: everything is on this machine."""
    taken = {
        name: os.environ.pop(name) for name in list(os.environ) if name.lower().endswith("_proxy")
    }
    try:
        yield
    finally:
        os.environ.update(taken)
