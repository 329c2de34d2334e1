# SPDX-License-Identifier: Apache-2.0
"""`lokeys history`: the receipts of a route's heals, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from lokeys.adapters.kubernetes.history import history_of
from lokeys.cli.options import LokeysCommand, options_of
from lokeys.cli.output import Line
from lokeys.cli.routes import KIND, ref_of, what_exists
from lokeys.cli.screens import BLANK
from lokeys.cli.session import Session, run_session
from lokeys.core.kubernetes.json_fields import mappings_at
from lokeys.core.route.receipts.kept import Kept, history_ref, history_report
from lokeys.errors import BadInput, LokeysError, NotFound
from lokeys.exit_codes import ExitCode
from lokeys.kube.replies import NoSuchKind


@click.command("history", cls=LokeysCommand)
@click.argument("name")
@click.pass_context
def command(ctx: click.Context, name: str) -> int:
    """Print the receipts of one route's heals, newest first.

    Each says when, why and by whom something was done, every step, which key was replaced by
    which (fingerprints), what the store answered, and what was read of each pod that proves it.
    Example: lokeys history loki -n monitoring
    """
    return run_session(options_of(ctx), lambda session: show(session, name))


async def show(session: Session, name: str) -> int:
    """Print the receipts; return the exit code."""
    ref = ref_of(name, session.namespace)
    if ref.kind != KIND:
        raise BadInput(f"{ref} has no receipts", hint="name a StorageCredential")
    try:
        resource = await session.objects.get(ref)
    except NoSuchKind as exc:
        raise BadInput(f"there is no {ref}: this cluster does not know the kind") from exc
    except NotFound as exc:
        raise BadInput(f"there is no {ref}", hint=await what_exists(session, ref)) from exc
    kept, not_read = await _kept(session, resource)
    route = f"{ref.namespace}/{ref.name}"
    if session.options.output == "json":
        session.printer.json(history_report(route, kept.receipts, not_read=not_read))
    else:
        for receipt in kept.receipts:
            session.printer.lines([*_lines(receipt), BLANK])
        for gap in not_read:
            session.printer.talk((f"not read: {gap}", "warning"))
        if not kept.receipts and not not_read:
            session.printer.talk((f"nothing was done on {route} yet", ""))
    return ExitCode.INCOMPLETE if not_read else ExitCode.NOTHING_TO_REPORT


async def _kept(session: Session, resource: Mapping[str, Any]) -> tuple[Kept, tuple[str, ...]]:
    """Return the receipts, and which of them could not be read."""
    metadata = resource["metadata"]
    place = history_ref(ref_of(metadata["name"], metadata["namespace"]))
    told = len(mappings_at(resource, "status", "history"))
    try:
        kept = await history_of(session.objects, resource)
    except NotFound:
        missing = (
            f"{place} does not exist, though the status tells of {told} heals: "
            "`lokeys rbac` prints the right to keep receipts"
        )
        return Kept(), (missing,) if told else ()
    except LokeysError as exc:
        return Kept(), (str(exc),)
    return kept, tuple(f"{place}: {gap}" for gap in kept.unread)


def _lines(receipt: Mapping[str, Any]) -> Iterator[Line]:
    by = receipt["by"]
    who = by.get("name") or ("" if by["door"] == "operator" else "whose name could not be read")
    yield (
        (receipt["startedAt"], "strong"),
        (f"  {receipt['kind'].lower()} by the {by['door']}{f' ({who})' if who else ''}", ""),
        *_ending(receipt),
    )
    if receipt.get("why") or receipt.get("cause"):
        cause = f" ({receipt['cause']})" if receipt.get("cause") else ""
        yield from _row("why", f"{receipt.get('why', '')}{cause}".strip())
    if receipt.get("before") != receipt.get("after"):
        yield from _row("key", f"{receipt.get('before', '?')} → {receipt.get('after', '?')}")
    yield from _list("step", (_step(each) for each in receipt["steps"]), receipt, "stepsLeftOut")
    yield from _list("store", (_answer(each) for each in receipt.get("store", ())), receipt, "")
    yield from _list(
        "pod", (_pod(each) for each in receipt.get("pods", ())), receipt, "podsLeftOut"
    )


def _ending(receipt: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not receipt.get("ending"):
        yield "  not over when this was written", "warning"
        return
    proof = f", {receipt['proof']}" if receipt.get("proof") else ""
    style = "good" if receipt["ending"] == "proved" else "warning"
    yield f"  {receipt['ending']}{proof} at {_clock(receipt.get('endedAt', ''))}", style


def _list(
    label: str, rows: Iterator[str], receipt: Mapping[str, Any], left_out: str
) -> Iterator[Line]:
    for row in rows:
        yield from _row(label, row)
        label = ""
    if receipt.get(left_out):
        yield from _row("", f"and {receipt[left_out]} earlier ones that are not kept")


def _row(label: str, text: str) -> Iterator[Line]:
    yield ((f"  {label:<6}", "faint"), (text, ""))


def _step(step: Mapping[str, Any]) -> str:
    took = f"  {step.get('tookMilliseconds', 0) / 1000:.1f} s"
    note = f"  again: {step['note']}" if step.get("note") else ""
    return f"{_clock(step['at'])}  {step['step']}{took}{note}"


def _answer(answer: Mapping[str, Any]) -> str:
    return f"{_clock(answer['at'])}  {answer['pair']}: {answer['answer']}"


def _pod(pod: Mapping[str, Any]) -> str:
    answered = (
        f"an answered request was read by {_clock(pod['answeredBy'])}"
        if pod.get("answeredBy")
        else "no answered request was read"
    )
    first, last = pod.get("failedFlushesFirst", "?"), pod.get("failedFlushes", "?")
    return (
        f"{pod['name']} started {_clock(pod['startedAt'])}: {answered}, {pod.get('refused', '?')} "
        f"refused, failed flushes {first} → {last} (read until {_clock(pod['readAt'])})"
    )


def _clock(moment: str) -> str:
    """Return the time of day; the receipt's first line has the day."""
    return moment.partition("T")[2].rstrip("Z").partition(".")[0] or moment
