# SPDX-License-Identifier: Apache-2.0
"""`lokeys heal`: repair one route, one step at a time, and prove that its key works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import click

from lokeys.cli import screens
from lokeys.cli.acting import INTERRUPTED, Acting, insist_on_readable, insist_on_store
from lokeys.cli.bridging import Asking, insist_on_record, leave_for
from lokeys.cli.looking import addressed
from lokeys.cli.options import LokeysCommand, options_of, route_arguments
from lokeys.cli.output import Progress
from lokeys.cli.routes import NamedRoute, route
from lokeys.cli.session import Session, run_session
from lokeys.core.findings.finding import Finding
from lokeys.core.route.bridging import Leave
from lokeys.core.route.key_state import Proof
from lokeys.core.route.plan import Plan, Policy, Step
from lokeys.core.route.plan.steps import plan_to_json
from lokeys.core.route.receipts.model import Actor, Door
from lokeys.core.route.report import StepView, heal_report, plan_report
from lokeys.core.route.resource.rules import duration
from lokeys.core.text.shell import Joint
from lokeys.core.text.shell import command as shell_command
from lokeys.engine.route.act import Executor
from lokeys.engine.route.heal import Done, Ending, Healing, Patience
from lokeys.engine.route.look import Look, LookOptions, Lookout, judge
from lokeys.engine.route.receipts import ReceiptBook
from lokeys.errors import BadInput, LokeysError
from lokeys.exit_codes import ExitCode

_EXIT_CODES = {
    Ending.PROVED: ExitCode.NOTHING_TO_REPORT,
    Ending.ONE_STEP: ExitCode.NOTHING_TO_REPORT,
    Ending.STALLED: ExitCode.FINDINGS,
    Ending.TIMED_OUT: ExitCode.TIMED_OUT,
}
_PROOFS = {
    Proof.BY_LOKI: "proved by Loki's own storage requests",
    Proof.BY_STORE_TEST: "proved by testing the key at the store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person wants from the heal."""

    policy: Policy
    timeout: timedelta
    dry_run: bool = False
    one_step: bool = False
    bridge: bool = False
    yes: bool = False


@click.command("heal", cls=LokeysCommand)
@route_arguments
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing: 0 none, 3 some.")
@click.option("--no-wait", is_flag=True, help="Return after the next step.")
@click.option("--accept-loss", is_flag=True, help="Restart pods whose WAL is on no volume.")
@click.option("--overwrite-foreign", is_flag=True, help="Replace a working key in the vault, too.")
@click.option("--bridge", is_flag=True, help="Let the store accept the pods' old key for a while.")
@click.option("--yes", is_flag=True, help="With --bridge: a key that nothing is recorded of, too.")
@click.option("--timeout", default="15m", show_default=True, help="How long to wait for proof.")
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - one argument per option
    ctx: click.Context,
    name: str | None,
    file: str | None,
    dry_run: bool,
    no_wait: bool,
    accept_loss: bool,
    overwrite_foreign: bool,
    bridge: bool,
    yes: bool,
    timeout: str,
) -> int:
    """Repair one route, one step at a time, and prove that its key works.

    Every step tests before it trusts. Interrupted at any moment it leaves everything consistent;
    run again it goes on from what is there.
    """
    try:
        limit = duration(timeout)
    except ValueError:
        raise click.UsageError(
            f"--timeout `{timeout}` is not a time such as 15m or 1h30m", ctx
        ) from None
    wish = Wish(
        policy=Policy(accept_loss=accept_loss, overwrite_foreign=overwrite_foreign),
        timeout=limit,
        dry_run=dry_run,
        one_step=no_wait,
        bridge=bridge,
        yes=yes,
    )
    return run_session(options_of(ctx), lambda session: heal_route(session, name, file, wish=wish))


async def heal_route(session: Session, name: str | None, file: str | None, *, wish: Wish) -> int:
    """Plan, or do and prove, what the route needs; return the exit code."""
    chosen = await route(session, name, file)
    if not chosen.written_down:
        discover = shell_command("lokeys discover -n", chosen.spec.namespace, name or "")
        hint = f"{discover.followed(Joint.INTO, 'loki.yaml')}, read it, then -f it"
        raise BadInput(f"no StorageCredential describes {chosen.owner}", hint=hint)
    if wish.bridge:
        insist_on_record(session, chosen)
    began = session.clock()
    lookout = Lookout(spec=chosen.spec, ports=session.wire(chosen.spec), clock=session.clock)
    wish = replace(wish, policy=_policy(wish, chosen))
    look = await _first_look(lookout, chosen, wish)
    if wish.bridge:
        asking = Asking(session=session, chosen=chosen, yes=wish.yes, ask=not wish.dry_run)
        wish = replace(wish, policy=replace(wish.policy, bridge=leave_for(asking, look, lookout)))
        look = judge(look.snapshot, wish.policy)
    if wish.dry_run:
        return _show_plan(session, chosen, look)
    if look.plan.caution:
        session.printer.talk((look.plan.caution, "warning"))
    healing = Healing(memory=look.memory, look=look)
    if look.plan.settled:
        healing.ending = Ending.PROVED
    elif look.plan.stalled is not None and not look.plan.steps:
        healing.ending = Ending.STALLED
    else:
        insist_on_store(look)
        insist_on_readable(look)
        hand = Executor(lookout, lambda: 0.0)
        await hand.insist_on_rights(look)
        await _carry_out(session, chosen, hand, healing, wish)
    return _show_outcome(session, chosen, healing, took=session.clock() - began)


def _policy(wish: Wish, chosen: NamedRoute) -> Policy:
    """Return the person's policy: a pair is kept, and a bridge built, if its end is recorded."""
    leave = Leave(asked=wish.bridge, keeps=chosen.remembers)
    return replace(wish.policy, bridge=leave, keep=chosen.remembers)


async def _first_look(lookout: Lookout, chosen: NamedRoute, wish: Wish) -> Look:
    wishes = LookOptions(eager=not wish.dry_run, logs=wish.dry_run, policy=wish.policy)
    return await lookout.look(chosen.memory, wishes=wishes, rivals=chosen.rivals)


async def _carry_out(
    session: Session, chosen: NamedRoute, hand: Executor, healing: Healing, wish: Wish
) -> None:
    """Heal under the route's Lease; however it ends, report how far it came."""
    with session.printer.progress() as progress:
        book = ReceiptBook(by=Actor(door=Door.COMMAND_LINE), clock=session.clock)
        watcher = _Watcher(progress, book)

        try:
            progress.now("waiting for the route's Lease", brief=True)
            await Acting(session, chosen, hand, book).heal(
                healing,
                watcher,
                wishes=LookOptions(eager=True, policy=wish.policy),
                patience=Patience(
                    timeout=wish.timeout, sleep=session.sleep, one_step=wish.one_step
                ),
            )
        except (asyncio.CancelledError, LokeysError):
            _say_where_it_stopped(progress, healing, watcher.under_way)
            if session.options.output == "json":
                _print_report(session, chosen, healing, ending=INTERRUPTED)
            raise


class _Watcher:
    """Reports the progress of a heal to a person, and records it."""

    def __init__(self, progress: Progress, book: ReceiptBook) -> None:
        self._progress = progress
        self._book = book
        self.under_way: Step | None = None

    def on_look(self, look: Look) -> None:
        self._book.saw(look)
        insist_on_readable(look)
        step = look.plan.next_step
        if step is not None and step.passive:
            self._progress.now(f"waiting for {step.target.path}: {step.why}")

    def on_step(self, step: Step) -> None:
        self.under_way = step
        self._progress.now(screens.step_words(step), brief=True)

    def on_done(self, done: Done) -> None:
        self.under_way = None
        self._book.did(done)
        self._progress.line(*_done_spans(done))


def _done_spans(done: Done) -> tuple[tuple[str, str], ...]:
    took = f"{done.took.total_seconds():5.1f}s"
    words = screens.step_words(done.step)
    if done.note:
        return (("  ↻ ", "warning"), (words, ""), (f"  {took}  {done.note}", "faint"))
    return (("  ✓ ", "good"), (words, ""), (f"  {took}", "faint"))


def _say_where_it_stopped(progress: Progress, healing: Healing, under_way: Step | None) -> None:
    done = [each for each in healing.done if not each.note]
    said = ", ".join(screens.step_words(each.step) for each in done) or "none"
    progress.line((f"stopped after {_count(len(done))}: {said}", "warning"))
    if under_way is not None:
        words = screens.step_words(under_way)
        progress.line((f"under way was {words}: it has happened wholly or not at all", "warning"))
    progress.line(("the Lease is given back; run it again, and it goes on from there", "faint"))


def _count(number: int) -> str:
    return f"{number} step{'' if number == 1 else 's'}"


# --- reports ------------------------------------------------------------------------------------


def _show_plan(session: Session, chosen: NamedRoute, look: Look) -> int:
    findings = _findings(session, chosen, look)
    plan = look.plan
    if session.options.output == "json":
        session.printer.json(plan_report(chosen.spec.route, plan, findings))
    else:
        width = session.printer.width
        session.printer.lines(screens.plan_lines(chosen.spec.route, plan, width=width))
        for finding in findings:
            session.printer.talk(*screens.headline(finding))
        for gap in look.diagnosis.not_read:
            session.printer.talk((f"not read: {gap}", "warning"))
    blind = not plan.acts and plan.stalled is None and not look.diagnosis.complete
    if blind or plan.hopeless is not None:
        return ExitCode.INCOMPLETE
    return ExitCode.NOTHING_TO_REPORT if plan.settled else ExitCode.FINDINGS


def _show_outcome(
    session: Session, chosen: NamedRoute, healing: Healing, *, took: timedelta
) -> int:
    look, ending = healing.look, healing.ending
    if look is None or ending is None:
        return ExitCode.FINDINGS
    if session.options.output == "json":
        _print_report(session, chosen, healing, ending=ending.value)
    else:
        findings = _findings(session, chosen, look)
        printer, width = session.printer, session.printer.width
        printer.lines([_headline(chosen, healing, took=took)])
        if ending is not Ending.PROVED:
            printer.lines(screens.findings_lines(findings, width=width))
    return _EXIT_CODES[ending]


def _findings(session: Session, chosen: NamedRoute, look: Look) -> tuple[Finding, ...]:
    named = tuple(addressed(finding, chosen) for finding in look.diagnosis.findings)
    return session.heeded(named)


def _print_report(session: Session, chosen: NamedRoute, healing: Healing, *, ending: str) -> None:
    look = healing.look
    document = heal_report(
        chosen.spec.route,
        _steps(healing.done, look.plan if look else Plan()),
        ending=ending,
        proof=healing.proof.value if healing.proof else None,
        findings=_findings(session, chosen, look) if look else (),
    )
    session.printer.json(document)


def _headline(
    chosen: NamedRoute, healing: Healing, *, took: timedelta
) -> tuple[tuple[str, str], ...]:
    name, look = chosen.spec.route, healing.look
    done = [each for each in healing.done if not each.note]
    proof = _PROOFS[healing.proof] if healing.proof else "not proved yet"
    step = look.plan.next_step if look else None
    next_words = f"next: {screens.step_words(step)}, {step.why}" if step else ""
    match healing.ending:
        case Ending.PROVED if not done:
            return ((f"{name}: nothing to do, {proof}", "good"),)
        case Ending.PROVED:
            spent = screens.span_of(took)
            return ((f"{name} is healed: {_count(len(done))} in {spent}, {proof}", "good"),)
        case Ending.ONE_STEP:
            return ((f"{name}: {_count(len(done))} done, {proof}; {next_words}", "strong"),)
        case Ending.TIMED_OUT:
            return ((f"{name}: time is up after {_count(len(done))}; {next_words}", "error"),)
    reason = look.plan.reason if look else ""
    cause = look.plan.stalled if look else ""
    words = f"{name} needs a person after {_count(len(done))}: {reason or cause} ({cause})"
    return ((words, "error"),)


def _steps(done: Sequence[Done], plan: Plan) -> list[StepView]:
    """Return the steps that were done, then those that were not."""
    steps = tuple(each.step for each in done)
    rows = plan_to_json(Plan(steps=steps))["steps"]
    finished = [
        StepView(step=row, done=not each.note, took_s=each.took.total_seconds(), note=each.note)
        for row, each in zip(rows, done, strict=True)
    ]
    return finished + [StepView(step=row, done=False) for row in plan_to_json(plan)["steps"]]
