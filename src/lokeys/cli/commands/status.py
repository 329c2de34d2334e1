# SPDX-License-Identifier: Apache-2.0
"""`lokeys status`: all routes, one line each, as the operator last saw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from lokeys.cli.options import LokeysCommand, options_of
from lokeys.cli.output import Line, Span
from lokeys.cli.routes import KIND
from lokeys.cli.session import Session, run_session
from lokeys.core.findings.finding import time_to_json
from lokeys.core.findings.report import report
from lokeys.core.kubernetes.json_fields import at, mappings_at, moment_at, text_at
from lokeys.core.route.standing import owes_an_end
from lokeys.core.text.shell import command as shell_command
from lokeys.errors import BadInput
from lokeys.exit_codes import ExitCode
from lokeys.kube.replies import NoSuchKind

CONDITIONS = ("Ready", "InSync", "Verified", "Stalled", "Rotating", "Bridged")


@click.command("status", cls=LokeysCommand)
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces.")
@click.pass_context
def command(ctx: click.Context, all_namespaces: bool) -> int:
    """List all routes, one line each, as the operator last saw them."""
    options = options_of(ctx)
    everywhere = all_namespaces or options.namespace is None
    return run_session(options, lambda session: listing(session, everywhere=everywhere))


async def listing(session: Session, *, everywhere: bool) -> int:
    """Report the state of all routes; return the exit code."""
    try:
        namespace = None if everywhere else session.namespace
        found = await session.objects.list(KIND, namespace=namespace)
    except NoSuchKind as exc:
        raise BadInput(
            "this cluster does not know StorageCredentials",
            hint="lokeys doctor looks at a Loki without any",
        ) from exc
    rows = [_row(item, session.clock()) for item in sorted(found, key=_name)]
    if session.options.output == "json":
        session.printer.json(report("RouteList", routes=rows))
        return ExitCode.NOTHING_TO_REPORT
    session.printer.lines(_lines(rows))
    if not rows:
        session.printer.talk(("no StorageCredential; lokeys discover prints one", ""))
    return ExitCode.NOTHING_TO_REPORT


def _name(item: Mapping[str, Any]) -> tuple[str, str]:
    return text_at(item, "metadata", "namespace"), text_at(item, "metadata", "name")


def _row(item: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    conditions = {text_at(c, "type"): c for c in mappings_at(item, "status", "conditions")}
    ready, stalled = conditions.get("Ready", {}), conditions.get("Stalled", {})
    return {
        "owner": {
            "kind": KIND,
            "namespace": text_at(item, "metadata", "namespace"),
            "name": text_at(item, "metadata", "name"),
        },
        "mode": text_at(item, "spec", "mode") or "Observe",
        "conditions": {
            name: text_at(conditions.get(name, {}), "status") or None for name in CONDITIONS
        },
        "reason": text_at(stalled, "reason")
        if text_at(stalled, "status") == "True"
        else text_at(ready, "reason"),
        "since": text_at(ready, "lastTransitionTime") or None,
        "nextStep": text_at(item, "status", "nextStep"),
        "lastVerified": at(item, "status", "lastVerified", "time"),
        "bridge": _bridge(item, now),
    }


def _bridge(item: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """Return until when a replaced key is valid again, and whether that time has passed.

    It is shown whether or not an operator runs: the source's owner was promised its end. If the
    status has lost its end, only a heal of the route can find it: then it counts as overdue.
    """
    if not owes_an_end(item):
        return None
    until = moment_at(item, "status", "memory", "bridge", "until")
    return {"until": time_to_json(until), "overdue": until is None or now >= until}


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    names = [f"{row['owner']['namespace']}/{row['owner']['name']}" for row in rows]
    room = max(map(len, names), default=0)
    return [_line(f"{name:<{room}}", row) for name, row in zip(names, rows, strict=True)]


def _line(name: str, row: Mapping[str, Any]) -> Line:
    ready = row["conditions"]["Ready"]
    if ready is None:
        said, style = "never looked at: no operator runs, or it is new", "faint"
    elif ready == "True":
        said, style = "ready", "good"
    elif row["conditions"]["Stalled"] == "True":
        said, style = "needs a person", "error"
    else:
        said, style = ("not ready", "error") if ready == "False" else ("unknown", "warning")
    reason = f"  {row['reason']}" if row["reason"] else ""
    step = f"  next: {row['nextStep']}" if row["nextStep"] else ""
    return (
        (name, "strong"),
        (f"  {row['mode']:<7}", "faint"),
        (f"  {said}", style),
        _bridge_words(row),
        (reason, ""),
        (step, "faint"),
    )


def _bridge_words(row: Mapping[str, Any]) -> Span:
    bridge = row["bridge"]
    if bridge is None:
        return ("", "")
    if not bridge["overdue"]:
        return (f"  bridged until {bridge['until']}", "warning")
    heal = shell_command("lokeys heal -n", row["owner"]["namespace"], row["owner"]["name"])
    since = f" since {bridge['until']}" if bridge["until"] else ": its end was lost"
    return (f"  bridge overdue{since}: {heal}", "error")
