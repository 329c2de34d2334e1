# SPDX-License-Identifier: Apache-2.0
"""`lokeys takeover`: take a LokiStack over from the Loki Operator, component by component."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import click

from lokeys.adapters.kubernetes import fingerprints
from lokeys.cli import screens
from lokeys.cli.handover import Handover
from lokeys.cli.operator_environment import cloud_environment, environment_options
from lokeys.cli.options import LokeysCommand, Options, options_of
from lokeys.cli.output import Line, Printer, Progress
from lokeys.cli.session import CALL_S, cluster_config, opened
from lokeys.core.findings.report import heeded, ignore_of
from lokeys.core.kubernetes.json_fields import at
from lokeys.core.operate.changes import Change, ObjectChange
from lokeys.core.operate.losses import WHAT
from lokeys.core.operate.rollout import ORDER
from lokeys.core.operate.status import told_before
from lokeys.core.operate.takeover import TakeoverPlan, takeover_plan, takeover_report
from lokeys.core.route.resource.rules import duration
from lokeys.core.stack.resource.operated import (
    FORMER_STATE,
    MANAGED_LABEL,
    UNMANAGED,
    YES,
    is_taken_over,
)
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.text.shell import command as shell_command
from lokeys.exit_codes import ExitCode
from lokeys.kube.calls import CallLimits
from lokeys.kube.client import Api

POLL_S = 1.0
DEGRADED_S = 30.0
"""How long a stack may be Degraded while it is taken over: a fault may be temporary."""
READY, DEGRADED = "Ready", "Degraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the person wants."""

    only_plan: bool
    back: bool
    accepted: frozenset[str]
    timeout: timedelta


@click.command("takeover", cls=LokeysCommand)
@click.argument("name")
@click.option("--plan", "only_plan", is_flag=True, help="Print what would change; change nothing.")
@click.option("--back", is_flag=True, help="Give the stack back to the Loki Operator.")
@click.option(
    "--accept-loss",
    "accepted",
    multiple=True,
    type=click.Choice(sorted(WHAT)),
    help="Take the stack though it loses this. Repeatable.",
)
@click.option("--timeout", default="15m", show_default=True, help="How long to wait for Ready.")
@environment_options
@click.pass_context
def command(  # noqa: PLR0913 - click passes one argument per option
    ctx: click.Context,
    name: str,
    *,
    only_plan: bool,
    back: bool,
    accepted: tuple[str, ...],
    timeout: str,
    openshift: bool,
    token_cco: bool,
    operator_env: str | None,
) -> int:
    """Take a LokiStack over from the Loki Operator, which goes on with all others.

    The stack becomes Unmanaged, so that its current operator leaves it, and is marked as taken
    over. lokeys' operator then replaces its pods one component after the other. Refused where
    something would be lost that was not accepted by its name.
    """
    if back and (only_plan or accepted):
        raise click.UsageError("--back goes alone: giving a stack back loses nothing", ctx)
    try:
        limit = duration(timeout)
    except ValueError:
        raise click.UsageError(f"--timeout `{timeout}` is not a time such as 15m", ctx) from None
    wanted = Wanted(only_plan=only_plan, back=back, accepted=frozenset(accepted), timeout=limit)
    environment = cloud_environment(
        openshift=openshift, token_cco=token_cco, operator_env=operator_env
    )
    return _run(options_of(ctx), name, environment, lambda handover: _takeover(handover, wanted))


def _run(
    options: Options,
    name: str,
    environment: CloudEnvironment,
    body: Callable[[Handover], Awaitable[int]],
) -> int:
    async def main() -> int:
        limits = CallLimits(call_s=CALL_S)
        async with opened(options) as session, Api(cluster_config(options), limits=limits) as api:
            handover = Handover(
                session=session,
                api=api,
                name=name,
                fingerprinter=await fingerprints.load(api),
                environment=environment,
            )
            return await body(handover)

    return asyncio.run(main())


async def _takeover(handover: Handover, wanted: Wanted) -> int:
    if wanted.back:
        return await _give_back(handover)
    snapshot, live = await handover.look()
    found = takeover_plan(snapshot, live, accepted=wanted.accepted)
    _show(handover, found)
    if found.refused:
        return ExitCode.FINDINGS
    if found.not_read:
        return ExitCode.INCOMPLETE
    return ExitCode.NOTHING_TO_REPORT if wanted.only_plan else await _take(handover, found, wanted)


async def _take(handover: Handover, found: TakeoverPlan, wanted: Wanted) -> int:
    """Hand the stack over, and follow it until lokeys operates all of it."""
    manifest = await handover.manifest()
    with handover.session.printer.progress() as progress:
        if not is_taken_over(manifest):
            if manifest["spec"].get("managementState") != UNMANAGED:
                await handover.release(manifest)
                progress.line(("  ✓ Unmanaged: the Loki Operator leaves it", ""))
            await handover.take()
            progress.line(("  ✓ marked as taken over: lokeys goes on with it", ""))
        ended = await _followed(handover, found, wanted, progress)
    if ended is ExitCode.NOTHING_TO_REPORT:
        done = f"{found.stack.namespace}/{found.stack.name} is taken over"
        handover.session.printer.talk((done, "good"))
        return ended
    back = shell_command("lokeys takeover -n", handover.session.namespace, handover.name, "--back")
    handover.session.printer.error("the stack is not Ready", f"to give it back: {back}")
    return ended


async def _followed(
    handover: Handover, found: TakeoverPlan, wanted: Wanted, progress: Progress
) -> ExitCode:
    """Wait until every workload is rolled and the stack Ready; report each."""
    session, began = handover.session, handover.session.clock()
    rolled: set[str] = set()
    restarted = {each.component.value for each in found.restarts}
    degraded_at = None
    while session.clock() - began < wanted.timeout:
        manifest = await handover.manifest()
        told = told_before(manifest.get("status") or {})
        for component in await _rolled(handover, found):
            if component not in rolled:
                rolled.add(component)
                words = (
                    "rolled and ready" if component in restarted else "lokeys', no pod restarted"
                )
                progress.line((f"  ✓ {component} is {words}", ""))
        if told is not None and told.type == DEGRADED:
            degraded_at = degraded_at or session.clock()
            if session.clock() - degraded_at > timedelta(seconds=DEGRADED_S):
                session.printer.error(told.message)
                return ExitCode.FINDINGS
        else:
            degraded_at = None
        wanted_components = {each.component.value for each in found.workloads}
        if told is not None and told.type == READY and rolled >= wanted_components:
            return ExitCode.NOTHING_TO_REPORT
        if told is not None:
            progress.now(f"{told.type}: {told.message}")
        await session.sleep(POLL_S)
    return ExitCode.TIMED_OUT


async def _rolled(handover: Handover, found: TakeoverPlan) -> list[str]:
    """Return the components that are lokeys' and have all pods replaced, in order."""
    live = await handover.workloads(each.ref for each in found.workloads)
    done = {
        each.component
        for each in found.workloads
        if (there := live.get(each.ref)) is not None
        if there.content is not None and there.workload and there.workload.rollout.settled
    }
    return [component.value for component in ORDER if component in done]


async def _give_back(handover: Handover) -> int:
    """Remove the marks, so that the Loki Operator continues. What lokeys has made stays."""
    manifest, printer = await handover.manifest(), handover.session.printer
    with printer.progress() as progress:
        taken = is_taken_over(manifest)
        if taken or at(manifest, "metadata", "labels", MANAGED_LABEL) == YES:
            await handover.leave()
            progress.line(("  ✓ not taken over any more: lokeys leaves it", ""))
        if taken or at(manifest, "metadata", "annotations", FORMER_STATE) is not None:
            await handover.restore(manifest)
            progress.line(("  ✓ managed as before: the Loki Operator goes on with it", ""))
    return ExitCode.NOTHING_TO_REPORT


# --- telling -------------------------------------------------------------------------------------


def _show(handover: Handover, found: TakeoverPlan) -> None:
    session = handover.session
    if session.options.output == "json":
        session.printer.json(takeover_report(found))
        return
    session.printer.lines(_lines(found, session.printer, session.options))


def _grouped(objects: Iterable[ObjectChange]) -> dict[tuple[str, str, tuple[str, ...]], list[str]]:
    """Return the names of objects by what happens to them; pods are listed if they restart."""
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for each in objects:
        fields = tuple(path for path in each.fields if not path.startswith("spec.template"))
        if each.change is Change.MADE or fields:
            found.setdefault((each.change.value, each.ref.kind, fields), []).append(each.ref.name)
    return found


def _lines(found: TakeoverPlan, printer: Printer, options: Options) -> Iterator[Line]:
    yield ((f"LokiStack {found.stack.namespace}/{found.stack.name}", "strong"),)
    for (change, kind, fields), names in _grouped(found.objects).items():
        yield ((f"  {change:9}{kind} {', '.join(names)}", ""),)
        if fields:
            yield ((f"           {', '.join(fields)}", "faint"),)
    stays = sum(each.change is Change.STAYS for each in found.objects)
    yield ((f"  stays    {stays} objects", ""),)
    for restart in found.restarts:
        pods = f"{restart.pods} pod{'s' * (restart.pods != 1)}"
        yield ((f"  restarts {restart.component.value}, {pods}: {'; '.join(restart.why)}", ""),)
    if found.objects and not found.restarts:
        yield (("  no pod restarts", "good"),)
    for volume in found.volumes:
        yield ((f"  keeps    {volume}", ""),)
    for loss in found.losses:
        if loss.name in found.accepted:
            yield ((f"  loses    {loss.name}, as accepted: {loss.what}", "warning"),)
    for unread in found.not_read:
        yield ((f"  not read {unread}", "warning"),)
    ignored = [ignore_of(word) for word in options.ignore]
    yield from screens.findings_lines(heeded(found.findings, ignored), width=printer.width)
    if found.lossless:
        yield (("nothing is lost", "good"),)
