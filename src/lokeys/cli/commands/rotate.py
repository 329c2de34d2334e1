# SPDX-License-Identifier: Apache-2.0
"""`lokeys rotate`: replace a key that works, phase by phase, and follow the run to its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import click

from lokeys.cli import rotating, screens
from lokeys.cli.acting import Acting, insist_on_readable, insist_on_store
from lokeys.cli.options import LokeysCommand, options_of
from lokeys.cli.output import Progress
from lokeys.cli.routes import NamedRoute, route
from lokeys.cli.session import Session, run_session
from lokeys.core.route.plan import Plan, Policy, Step, plan
from lokeys.core.route.plan.rotation import hindrance
from lokeys.core.route.receipts.model import Actor, Door
from lokeys.core.route.report import plan_report
from lokeys.core.route.resource.rules import duration
from lokeys.core.route.rotation.model import RotationWish, under_way
from lokeys.engine.route.act import Executor
from lokeys.engine.route.heal import Done, Ending, Healing, Patience
from lokeys.engine.route.look import Look, LookOptions, Lookout
from lokeys.engine.route.receipts import ReceiptBook
from lokeys.errors import BadInput, LokeysError
from lokeys.exit_codes import ExitCode

LOOK_EVERY_S = 2.0
_EXIT_CODES = {
    Ending.PROVED: ExitCode.NOTHING_TO_REPORT,
    Ending.STALLED: ExitCode.FINDINGS,
    Ending.TIMED_OUT: ExitCode.TIMED_OUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateOptions:
    """What the person wants from the rotation."""

    timeout: timedelta
    dry_run: bool = False
    abort: bool = False
    retire: bool = False
    status: bool = False


@click.command("rotate", cls=LokeysCommand)
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing: exit 3 if any.")
@click.option("--abort", is_flag=True, help="Go back to the old key; not after Retire has begun.")
@click.option("--retire", is_flag=True, help="Say that nobody needs the old key any more.")
@click.option("--status", is_flag=True, help="Only follow it: 0 done, 3 stuck, 5 not readable.")
@click.option("--timeout", default="2h", show_default=True, help="How long to follow it.")
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - one argument per option
    ctx: click.Context,
    name: str,
    dry_run: bool,
    abort: bool,
    retire: bool,
    status: bool,
    timeout: str,
) -> int:
    """Replace a route's key while Loki writes, and follow the run to its end.

    A second key is made, tried, published and proved in every pod before the old one goes. The
    state is in the StorageCredential's status: interrupted at any moment, the operator or the next
    call goes on. Example: lokeys rotate loki -n monitoring
    """
    if sum((dry_run, abort, retire, status)) > 1:
        raise click.UsageError("--dry-run, --abort, --retire and --status exclude each other", ctx)
    try:
        limit = duration(timeout)
    except ValueError:
        raise click.UsageError(
            f"--timeout `{timeout}` is not a time such as 15m or 1h30m", ctx
        ) from None
    asked = RotateOptions(timeout=limit, dry_run=dry_run, abort=abort, retire=retire, status=status)
    return run_session(options_of(ctx), lambda session: rotate(session, name, asked))


async def rotate(session: Session, name: str, asked: RotateOptions) -> int:
    """Rotate, go back, retire the old key, or only follow; return the exit code."""
    chosen = await route(session, name, None)
    if not chosen.remembers:
        raise BadInput(
            f"{chosen.owner} cannot be rotated from here: its status is the memory of a rotation",
            hint="name a StorageCredential of the cluster, as somebody who may read the Secret "
            "lokeys-fingerprint",
        )
    if asked.status:
        return await _follow(session, name, asked)
    lookout = Lookout(spec=chosen.spec, ports=session.wire(chosen.spec), clock=session.clock)
    wish = RotationWish(why="asked for by `lokeys rotate`", at=session.clock())
    active = under_way(chosen.memory.rotation) is not None
    if not active and (asked.abort or asked.retire):
        raise BadInput(f"no rotation of {chosen.spec.route} is under way")
    policy = Policy(rotate=wish, go_back=asked.abort, let_go=asked.retire)
    wishes = LookOptions(eager=not asked.dry_run, policy=policy)
    look = await lookout.look(chosen.memory, wishes=wishes, rivals=chosen.rivals)
    if asked.dry_run:
        return _show_plan(session, chosen, look)
    insist_on_store(look)
    insist_on_readable(look)
    hindered = "" if active else hindrance(look.snapshot, plan(look.snapshot, Policy()))
    if hindered:
        session.printer.error(f"no rotation of {chosen.spec.route} begins: {hindered}", None)
        return ExitCode.FINDINGS
    hand = Executor(lookout, lambda: 0.0)
    await hand.insist_on_rights(look)
    healing = Healing(memory=look.memory, look=look)
    await _carry_out(session, chosen, hand, healing, wishes, asked)
    return _show_outcome(session, chosen, healing)


async def _carry_out(  # noqa: PLR0913, PLR0917 - the parts of one run
    session: Session,
    chosen: NamedRoute,
    hand: Executor,
    healing: Healing,
    wishes: LookOptions,
    asked: RotateOptions,
) -> None:
    """Go through the phases under the route's Lease; however it ends, report how far it came."""
    book = ReceiptBook(by=Actor(door=Door.COMMAND_LINE), clock=session.clock)
    with session.printer.progress() as progress:
        teller = _Teller(session, chosen, progress, book)
        try:
            progress.now("waiting for the route's Lease", brief=True)
            await Acting(session, chosen, hand, book).heal(
                healing,
                teller,
                wishes=wishes,
                patience=Patience(timeout=asked.timeout, sleep=session.sleep),
            )
        except (asyncio.CancelledError, LokeysError):
            again = "the state is recorded: the operator goes on, or the same command"
            progress.line((again, "faint"))
            raise


class _Teller:
    """Reports a rotation to a person: the whole tree at each new phase, steps between."""

    def __init__(
        self, session: Session, chosen: NamedRoute, progress: Progress, book: ReceiptBook
    ) -> None:
        self._session = session
        self._chosen = chosen
        self._progress = progress
        self._book = book
        self._told = ""

    def on_look(self, look: Look) -> None:
        self._book.saw(look)
        insist_on_readable(look)
        rotation = under_way(look.memory.rotation)
        told = f"{rotation.phase}{rotation.back}" if rotation is not None else ""
        if rotation is not None and told != self._told:
            for line in rotating.lines(look, self._chosen):
                self._progress.line(*line)
        self._told = told
        step = look.plan.next_step
        if step is not None and step.passive:
            self._progress.now(f"waiting: {step.why}")

    def on_step(self, step: Step) -> None:
        self._progress.now(screens.step_words(step), brief=True)

    def on_done(self, done: Done) -> None:
        self._book.did(done)
        again = f"  again: {done.note}" if done.note else ""
        mark = ("  ↻ ", "warning") if done.note else ("  ✓ ", "good")
        words = screens.step_words(done.step)
        self._progress.line(mark, (f"{words}  {done.took.total_seconds():.1f}s{again}", ""))


async def _follow(session: Session, name: str, asked: RotateOptions) -> int:
    """Show the run until it ends, is stuck, or times out; change nothing."""
    until = session.clock() + asked.timeout
    told = ""
    while True:
        chosen = await route(session, name, None)
        lookout = Lookout(spec=chosen.spec, ports=session.wire(chosen.spec), clock=session.clock)
        look = await lookout.look(chosen.memory, rivals=chosen.rivals)
        recorded = chosen.memory.rotation
        if session.options.output == "json":
            return _report(session, chosen, look)
        if under_way(recorded) is None:
            session.printer.lines([rotating.last_line(chosen, look)])
            return ExitCode.NOTHING_TO_REPORT
        shown = list(rotating.lines(look, chosen))
        if str(shown) != told:
            session.printer.lines(shown)
        told = str(shown)
        if look.plan.hopeless is not None or look.snapshot.source is None:
            return ExitCode.INCOMPLETE
        if look.plan.stalled is not None:
            return ExitCode.FINDINGS
        if session.clock() >= until:
            return ExitCode.TIMED_OUT
        await session.sleep(LOOK_EVERY_S)


def _report(session: Session, chosen: NamedRoute, look: Look) -> int:
    session.printer.json(rotating.rotation_report(chosen.spec.route, look))
    if under_way(look.memory.rotation) is None:
        return ExitCode.NOTHING_TO_REPORT
    if look.plan.hopeless is not None or look.snapshot.source is None:
        return ExitCode.INCOMPLETE
    return ExitCode.FINDINGS if look.plan.stalled is not None else ExitCode.TIMED_OUT


def _show_plan(session: Session, chosen: NamedRoute, look: Look) -> int:
    shown = look.plan
    hindered = ""
    if under_way(look.memory.rotation) is None:
        hindered = hindrance(look.snapshot, plan(look.snapshot, Policy()))
    if hindered:
        shown = replace(shown, stalled="rotation_not_now", reason=hindered)
    if session.options.output == "json":
        session.printer.json(plan_report(chosen.spec.route, shown, look.diagnosis.findings))
    else:
        width = session.printer.width
        session.printer.lines(screens.plan_lines(chosen.spec.route, shown, width=width))
    if look.plan.hopeless is not None:
        return ExitCode.INCOMPLETE
    return ExitCode.FINDINGS if shown.steps or hindered else ExitCode.NOTHING_TO_REPORT


def _show_outcome(session: Session, chosen: NamedRoute, healing: Healing) -> int:
    look, ending = healing.look, healing.ending
    if look is None or ending is None:
        return ExitCode.FINDINGS
    if session.options.output == "json":
        session.printer.json(rotating.rotation_report(chosen.spec.route, look))
    elif ending is Ending.PROVED:
        session.printer.lines([rotating.last_line(chosen, look)])
    else:
        session.printer.lines(rotating.lines(look, chosen))
        session.printer.lines([rotating.stuck_line(look.plan or Plan())])
    return _EXIT_CODES[ending]
