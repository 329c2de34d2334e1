# SPDX-License-Identifier: Apache-2.0
"""Looks at routes from the command line, as thoroughly as requested."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lokeys.cli.routes import NamedRoute
from lokeys.cli.session import Session
from lokeys.core.findings.finding import Finding, Remedy
from lokeys.core.kubernetes.consent import Trying
from lokeys.core.place import Hop
from lokeys.core.route.diagnosis import Diagnosis
from lokeys.core.route.model import UnknownSource
from lokeys.core.route.report import RouteView
from lokeys.core.text.shell import Command, Joint, command
from lokeys.engine.route.look import Look, LookOptions, Lookout

AT_A_TIME = 8
"""Not at all; one signed list a key; put, get, list and delete of one object a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRoute:
    """A look at one route, and what reports show of it."""

    view: RouteView
    look: Look


async def look_at(session: Session, route: NamedRoute, *, probe: str = "read") -> SeenRoute:
    """Return a look at one route."""
    look = await _look(session, route, probe)
    diagnosis = _doubted(_timed(look), route)
    said = tuple(addressed(finding, route) for finding in diagnosis.findings)
    view = RouteView(owner=route.owner, diagnosis=replace(diagnosis, findings=said))
    return SeenRoute(view=view, look=look)


async def look_at_all(
    session: Session, routes: Sequence[NamedRoute], *, probe: str
) -> list[SeenRoute]:
    """Return a look at each route, a few at a time."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(route: NamedRoute) -> SeenRoute:
        async with turn:
            return await look_at(session, route, probe=probe)

    return await asyncio.gather(*map(one, routes))


def addressed(finding: Finding, route: NamedRoute) -> Finding:
    """Return the finding with commands that name the route as it can be named here."""
    return replace(finding, remedy=tuple(_addressed(remedy, route) for remedy in finding.remedy))


def _addressed(remedy: Remedy, route: NamedRoute) -> Remedy:
    said = remedy.command
    if said is None or said.argv[0] != "lokeys":
        return remedy
    plain = ("-n", route.spec.namespace, route.spec.name)
    at = next((n for n in range(len(said.argv)) if said.argv[n : n + len(plain)] == plain), None)
    if at is None:
        return remedy
    argv = (*said.argv[:at], *route.address, *said.argv[at + len(plain) :])
    if route.written_down:
        return remedy.showing(lambda: Command(argv, said.rest))
    workload = f"{route.owner.kind.lower()}/{route.owner.name}"
    describe = command("lokeys discover -n", route.spec.namespace, workload)
    described = describe.followed(Joint.INTO, route.address[-1])
    if isinstance(route.spec.source, UnknownSource):
        steps = "write the route down and fill in what it marks CHANGE-ME"
        lost = replace(remedy, text=f"{steps}; then {remedy.text}: {said.argv[1]} it with -f")
        return lost.showing(lambda: described)
    # If something is not known, `discover` exits 5 and the second command does not run.
    written = described.followed(Joint.AND, *argv)
    then = replace(remedy, text=f"write the route down; then {remedy.text}")
    return then.showing(lambda: Command(written.argv, (*written.rest, *said.rest)))


def _timed(look: Look) -> Diagnosis:
    """Return the diagnosis without the look's own time: it adds nothing to "by now"."""
    hops = (
        replace(hop, since=None) if hop.hop is Hop.SECRET and hop.since == look.snapshot.at else hop
        for hop in look.diagnosis.hops
    )
    return replace(look.diagnosis, hops=tuple(hops))


def _doubted(diagnosis: Diagnosis, route: NamedRoute) -> Diagnosis:
    """Return the diagnosis with what is not known about the route itself."""
    if not route.doubt:
        return diagnosis
    said = f"{route.owner}: {route.doubt}"
    return replace(diagnosis, complete=False, not_read=(*diagnosis.not_read, said))


async def _look(session: Session, route: NamedRoute, probe: str) -> Look:
    ports = session.wire(route.spec)
    if not route.written_down:
        # Only Loki's own configuration has named this address.
        ports = replace(ports, trying=Trying.LOKI)
    lookout = Lookout(spec=route.spec, ports=ports, clock=session.clock)
    wishes = LookOptions(probe=probe != "off", logs=True)
    look = await lookout.look(route.memory, wishes=wishes, rivals=route.rivals)
    if probe != "write" or not lookout.triable:
        return look
    for fingerprint, pair in list(lookout.triable.items()):
        lookout.learn(fingerprint, await ports.store.try_fully(pair))
    return await lookout.look(look.memory, wishes=wishes, rivals=route.rivals)
