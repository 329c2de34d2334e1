# SPDX-License-Identifier: Apache-2.0
"""`lokeys probe`: test a route's key, link by link."""

from __future__ import annotations

from collections.abc import Iterator

import click

from lokeys.cli import looking, screens
from lokeys.cli.options import Command, options_of, route_arguments
from lokeys.cli.routes import route
from lokeys.cli.session import Session, run_session
from lokeys.core.model import Hop
from lokeys.core.plan.source import CAUSE_OF_ANSWER
from lokeys.core.report import Link, probe_report
from lokeys.core.route import HopView
from lokeys.core.sensitive import PairFacts
from lokeys.core.snapshot import Answer, Snapshot
from lokeys.engine.look import Look

FINDINGS, INCOMPLETE = 3, 5
CALLS = ("put", "get", "list", "delete")
_CAUSES = CAUSE_OF_ANSWER | {
    Answer.UNKNOWN_KEY: "access_key_unknown",
    Answer.NOT_VALID: "access_key_unknown",
    Answer.WRONG_SECRET: "secret_key_mismatch",
    Answer.SUSPENDED: "user_suspended",
}


@click.group("probe")
def command() -> None:
    """Test a key, link by link."""


@command.command("credential", cls=Command)
@route_arguments
@click.pass_context
def credential(ctx: click.Context, name: str | None, file: str | None) -> int:
    """Test a route's keys: each hop is read, each key is tried at the store.

    A try is one object of a fixed name, put, got, listed and deleted.
    """
    return run_session(options_of(ctx), lambda session: probe(session, name, file))


async def probe(session: Session, name: str | None, file: str | None) -> int:
    """Report each link of a route; return the exit code."""
    chosen = await route(session, name, file)
    look = (await looking.look_at(session, chosen, probe="write")).look
    links = list(links_of(look))
    if session.options.output == "json":
        session.printer.json(probe_report(chosen.spec.route, links))
    else:
        session.printer.lines([((chosen.spec.route, "strong"),)])
        session.printer.lines(screens.link_lines(links, width=session.printer.width))
    if any(link.ok is False for link in links):
        return FINDINGS
    return 0 if look.diagnosis.complete else INCOMPLETE


def links_of(look: Look) -> Iterator[Link]:
    """Yield the links of a route: its hops, then the calls with each key that it holds."""
    snapshot = look.snapshot
    for view in look.diagnosis.hops:
        if view.hop is not Hop.STORE:
            yield _hop_link(view, look)
    tried: set[str] = set()
    for holder, pair in _holders(snapshot):
        if pair is not None and pair.pair not in tried:
            tried.add(pair.pair)
            yield from _calls(f"store, {holder}'s key", pair, snapshot)


def _holders(snapshot: Snapshot) -> Iterator[tuple[str, PairFacts | None]]:
    yield "Secret", snapshot.secret.pair if snapshot.secret else None
    yield "source", snapshot.source.pair if snapshot.source else None
    yield "vault", snapshot.vault.pair if snapshot.vault else None


def _hop_link(view: HopView, look: Look) -> Link:
    name = view.hop.value if view.hop is not Hop.PODS else view.ref.name
    gap = look.snapshot.missing(view.hop)
    finding = next((f for f in look.diagnosis.findings if f.hop is view.hop and f.is_error), None)
    ok = None if gap else (view.agrees is not False and finding is None)
    detail = view.detail or str(view.ref)
    return Link(name=name, ok=ok, detail=detail, cause=finding.cause if finding else None)


def _calls(label: str, pair: PairFacts, snapshot: Snapshot) -> Iterator[Link]:
    verdict = snapshot.verdict(pair)
    reached = verdict is not None and not verdict.accepted and verdict.action in CALLS
    failed_at = CALLS.index(verdict.action) if verdict is not None and reached else len(CALLS)
    for number, call in enumerate(CALLS):
        name = f"{label}: {call}"
        if verdict is None or number > failed_at:
            yield Link(name=name, ok=None, detail="not tried")
        elif number < failed_at:
            yield Link(name=name, ok=True)
        else:
            silent = verdict.answer is Answer.UNREACHABLE
            detail = verdict.detail or str(verdict.answer)
            cause = _CAUSES.get(verdict.answer)
            yield Link(name=name, ok=None if silent else False, detail=detail, cause=cause)
