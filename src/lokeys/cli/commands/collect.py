# SPDX-License-Identifier: Apache-2.0
"""`lokeys collect`: what the doctor reads, in files without secrets that can be shared."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from lokeys.adapters.bundles.recording import Recorder
from lokeys.adapters.bundles.writing import CollectedRun, files_of, write
from lokeys.cli.examining import examined
from lokeys.cli.options import PROBES, LokeysCommand, Options, options_of
from lokeys.cli.session import Session, opened
from lokeys.core.text.shell import command as command_line
from lokeys.exit_codes import ExitCode


class CollectCommand(LokeysCommand):
    """A command whose data is a bundle: its `-o` says where to write it."""

    formats = ("people",)

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        self.params = [each for each in self.params if each.name != "output"]


@click.command("collect", cls=CollectCommand)
@click.option("-A", "--all-namespaces", is_flag=True, help="Collect from all namespaces.")
@click.option(
    "-o",
    "--out",
    metavar="DIR|TAR",
    help="A new folder, or a new .tar.gz. [default: lokeys-bundle-TIME.tar.gz]",
)
@click.option(
    "--probe",
    type=click.Choice(PROBES[:2]),
    default="read",
    show_default=True,
    help="Whether keys are tried at the store by a list.",
)
@click.pass_context
def command(ctx: click.Context, all_namespaces: bool, out: str | None, probe: str) -> int:
    """Collect what the doctor reads, for `lokeys doctor --bundle`, without any secret value.

    Reads only. `lokeys rbac collect` prints the rights that it takes.
    """
    options = options_of(ctx)
    return asyncio.run(_collect(options, everywhere=all_namespaces, out=out, probe=probe))


async def _collect(options: Options, *, everywhere: bool, out: str | None, probe: str) -> int:
    recorder = Recorder()
    async with opened(options, recorder=recorder) as session:
        place = Path(out or f"lokeys-bundle-{session.clock():%Y%m%d-%H%M%S}.tar.gz")
        return await collect(session, recorder, everywhere=everywhere, place=place, probe=probe)


async def collect(
    session: Session, recorder: Recorder, *, everywhere: bool, place: Path, probe: str
) -> int:
    """Read what the doctor reads, and write it; return the exit code."""
    seen = await examined(session, everywhere=everywhere, probe=probe)
    run = CollectedRun(
        at=session.clock(),
        namespace=None if everywhere else session.namespace,
        probe=probe,
        kept=session.kept,
        key_name=session.fingerprint_key,
        not_read=tuple(seen.report(())["notRead"]),
    )
    files = files_of(recorder, run)
    write(files, place)
    size = sum(map(len, files.values()))
    say = session.printer.talk
    say((f"{len(files)} files, {size / 1024:,.0f} KiB: ", ""), (str(place), "strong"))
    say((f"look at it: {command_line('lokeys doctor --bundle', str(place))}", ""))
    for gap in run.not_read:
        say((f"not read: {gap}", "warning"))
    return ExitCode.INCOMPLETE if run.not_read else ExitCode.NOTHING_TO_REPORT
