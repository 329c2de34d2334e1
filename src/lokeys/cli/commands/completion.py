# SPDX-License-Identifier: Apache-2.0
"""`lokeys completion`: the script with which a shell completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lokeys.cli.options import LokeysCommand, options_of
from lokeys.cli.output import Printer
from lokeys.errors import LokeysError
from lokeys.exit_codes import ExitCode

PROGRAM, VARIABLE = "lokeys", "_LOKEYS_COMPLETE"


class _CompletionCommand(LokeysCommand):
    """A script has one form."""

    formats = ("people",)


@click.command("completion", cls=_CompletionCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script with which a shell completes commands and options of lokeys.

    Put `source <(lokeys completion bash)` into ~/.bashrc, the same with zsh into ~/.zshrc, or
    `lokeys completion fish | source` into ~/.config/fish/config.fish.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise LokeysError(f"no completion for {shell}")
    script = kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source()
    Printer(no_color=options_of(ctx).no_color).text(script)
    return ExitCode.NOTHING_TO_REPORT
