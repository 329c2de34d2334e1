# SPDX-License-Identifier: Apache-2.0
"""Looking at routes from the command line, as deep as was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lokeys.cli.routes import Route
from lokeys.cli.session import Session
from lokeys.core.model import RouteSpec
from lokeys.core.report import RouteView
from lokeys.engine.look import Look, Lookout, Wishes

AT_A_TIME = 8
PROBES = ("off", "read", "write")
"""Not at all; one signed list a key; put, get, list and delete of one object a key."""


async def look_at(session: Session, route: Route, *, probe: str = "read") -> Look:
    """Return a look at one route; a guessed source that proves wrong is left out of it."""
    look = await _look(session, route.spec, route, probe)
    if route.fallback is not None and probe != "off" and not _source_fits(look):
        return await _look(session, route.fallback, route, probe)
    return look


async def look_at_all(session: Session, routes: Sequence[Route], *, probe: str) -> list[Look]:
    """Return a look at each route, a few at a time."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(route: Route) -> Look:
        async with turn:
            return await look_at(session, route, probe=probe)

    return await asyncio.gather(*map(one, routes))


def view_of(route: Route, look: Look) -> RouteView:
    """Return what reports show of a look."""
    return RouteView(owner=route.owner, diagnosis=look.diagnosis)


async def _look(session: Session, spec: RouteSpec, route: Route, probe: str) -> Look:
    ports = session.wire(spec)
    lookout = Lookout(spec=spec, ports=ports, clock=session.clock)
    wishes = Wishes(probe=probe != "off", logs=True)
    look = await lookout.look(route.memory, wishes=wishes, rivals=route.rivals)
    if probe != "write" or not lookout.pairs:
        return look
    for fingerprint, pair in list(lookout.pairs.items()):
        lookout.learn(fingerprint, await ports.store.try_fully(pair))
    return await lookout.look(look.memory, wishes=wishes, rivals=route.rivals)


def _source_fits(look: Look) -> bool:
    """Tell whether the source's key may use the bucket: else it is probably another user's."""
    source = look.snapshot.source
    verdict = look.snapshot.verdict(source.pair if source else None)
    return verdict is not None and verdict.accepted
