# SPDX-License-Identifier: Apache-2.0
"""The command line's entry point. Has the commands by name; loads only the one that is called.

Every error ends here, as `error:` and `hint:` on stderr and the contract's exit code.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lokeys import __version__
from lokeys.cli.options import common_options, options_of
from lokeys.cli.output import Printer, ReaderLeft
from lokeys.cli.streams import have_streams, silence, unwritten
from lokeys.errors import BadInput, Forbidden, LokeysError, NotFound, Unreachable
from lokeys.exit_codes import ExitCode

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "validate": "find every fault of the storage credentials in manifests; asks no cluster",
    "render": "print the Kubernetes objects of a LokiStack; asks no cluster",
    "doctor": "find out why Loki cannot reach its storage",
    "collect": "keep what the doctor reads in files, without any secret value",
    "discover": "follow a running Loki's key back, and print the resource for it",
    "trace": "show one route from the source to the pods, one line per hop",
    "heal": "repair one route step by step, and prove that its key works",
    "rotate": "replace a route's key while Loki writes, phase by phase, and follow the run",
    "history": "print the receipts of a route: what was done, when, by whom, and what proves it",
    "bucket": "make sure that user and bucket exist; show where and who",
    "probe": "test a route's key, link by link",
    "iam": "print what a cloud must know before a stack's tokens are worth anything there",
    "rbac": "print the Roles that the operator needs for one route or stack",
    "status": "all routes, one line each",
    "explain": "what a finding means, why it matters and how to fix it",
    "completion": "print the script with which a shell completes commands and options",
    "takeover": "take a LokiStack over from the Loki Operator, and give it back",
    "operator": "run the controller",
    "demo": "play the whole story on this machine, with nothing installed",
}


class Lokeys(click.Group):
    """The commands; each module is loaded when its command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # What a module creates while it is loaded stays: garbage collection then takes a tenth of a
        # short command's time.
        gc.disable()
        try:
            module = importlib.import_module(f"lokeys.cli.commands.{cmd_name}")
        finally:
            gc.freeze()
            gc.enable()
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that start with a word, without loading any of them."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - a shell asks for it

        commands = [
            CompletionItem(name, help=what)
            for name, what in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Lokeys,
    params=common_options(hidden=False),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(__version__, message="lokeys %(version)s")
@click.pass_context
def lokeys(ctx: click.Context) -> int:
    """Keep the credentials with which Grafana Loki reaches its storage right.

    Data goes to stdout, talk to stderr. Exit codes: 0 nothing to report, 1 lokeys failed, 2 bad
    usage or input, 3 findings, 5 incomplete, 124 timed out, 130 interrupted.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    return ExitCode.NOTHING_TO_REPORT


def run(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    have_streams()
    code = _guarded(sys.argv[1:] if argv is None else list(argv))
    _leave(code)


def _guarded(argv: list[str]) -> int:
    """Return the exit code; every error is reported as a sentence."""
    traceback = argv.count("-v") + 2 * argv.count("-vv") >= 2
    try:
        _take_signals()
        result = lokeys.main(argv, prog_name=_prog_name(sys.argv[0]), standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except ReaderLeft:
        silence(sys.stdout)
        return ExitCode.NOTHING_TO_REPORT
    except click.ClickException as exc:
        _say(_lowered(exc.format_message()), _usage_hint(exc))
        return ExitCode.BAD_INPUT
    except Exception as exc:  # the top level: a traceback is only shown on request
        if traceback:
            raise
        return _told(exc)
    return result if isinstance(result, int) else ExitCode.NOTHING_TO_REPORT


def _take_signals() -> None:
    """Handle a stopped job and a closed terminal like Ctrl-C: the lease is released."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:  # as under nohup
            signal.signal(ending, _as_ctrl_c)


def _as_ctrl_c(*_: object) -> None:
    # A shell's background job ignores SIGINT from its start, and can still be asked to stop.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


def _told(exc: BaseException) -> int:
    """Report what went wrong; return its exit code."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, OSError) and (said := unwritten()):
        _say(said, None)
        return ExitCode.TOOL_FAILED
    if not isinstance(exc, LokeysError):
        _say(f"lokeys itself failed: {type(exc).__name__}", "run it again with -vv, and report it")
        return ExitCode.TOOL_FAILED
    _say(str(exc), exc.hint if isinstance(exc, BadInput) else None)
    return code_of(exc)


def code_of(error: LokeysError) -> ExitCode:
    """Return the exit code of an error: what cannot be read makes a report incomplete."""
    match error:
        case BadInput() | NotFound():
            return ExitCode.BAD_INPUT
        case Unreachable() | Forbidden():
            return ExitCode.INCOMPLETE
    return ExitCode.TOOL_FAILED


def _say(message: str, hint: str | None) -> None:
    try:
        Printer(no_color="--no-color" in sys.argv).error(message, hint)
    except (ReaderLeft, OSError):  # nobody reads it; the exit code is enough
        silence(sys.stderr)


def _lowered(message: str) -> str:
    message = message.rstrip(".").strip()
    return message[:1].lower() + message[1:]


def _usage_hint(exc: click.ClickException) -> str | None:
    ctx = getattr(exc, "ctx", None)
    return f"{ctx.command_path} --help" if ctx else None


def _prog_name(program: str) -> str:
    return "kubectl lokeys" if Path(program).name.startswith("kubectl-") else "lokeys"


def _leave(code: int) -> None:
    _end_at_once_on_ctrl_c()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError:
        _say(str(unwritten()), None)
        code = ExitCode.TOOL_FAILED
    sys.exit(code)


def _end_at_once_on_ctrl_c() -> None:
    # The interpreter's own shutdown takes time; there is nothing left to clean up.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(ExitCode.INTERRUPTED))


__all__ = ["code_of", "lokeys", "options_of", "run"]
