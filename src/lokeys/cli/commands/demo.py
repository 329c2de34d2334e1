# SPDX-License-Identifier: Apache-2.0
"""`lokeys demo`: the whole story on one machine, with nothing installed."""

from __future__ import annotations

import asyncio

import click

from lokeys.cli.options import Command, options_of
from lokeys.cli.output import Printer
from lokeys.demo import story


@click.command("demo", cls=Command)
@click.pass_context
def command(ctx: click.Context) -> int:
    """Play the whole story on this machine: a key changes, Loki loses its logs, lokeys mends it."""
    options = options_of(ctx)
    printer = Printer(no_color=options.no_color)
    return asyncio.run(story.run(printer, as_json=options.output == "json"))
