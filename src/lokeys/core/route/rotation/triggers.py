# SPDX-License-Identifier: Apache-2.0
"""When the operator starts a rotation by itself, and why it does not yet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from lokeys.core.route.model import Mode, RouteSpec
from lokeys.core.route.rotation.cron import is_open
from lokeys.core.route.rotation.model import Rotation, RotationWish

AT_ONCE = 2
"""Simultaneous rotations at one store, by one operator."""
_SPREAD = 10
"""Starts are spread over this part of `every`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a trigger is judged by.

    `asked`: the value of `lokeys.dev/rotate`, "" if there is none; `handled`: the last one that was
    handled. `since`: since when the resource exists. `uid`: the resource's. `key_since`: since when
    the key in use is known to exist, None if nobody has looked. `zone`: the window's time zone,
    None if this machine does not know it.
    """

    now: datetime
    since: datetime
    uid: str
    asked: str = ""
    handled: str = ""
    key_since: datetime | None = None
    zone: tzinfo | None = None


def wish_of(spec: RouteSpec, last: Rotation | None, occasion: Occasion) -> RotationWish | None:
    """Return the wish for a rotation that is due now, if one is."""
    if spec.mode is not Mode.ROTATE or (last is not None and last.active):
        return None
    known = last.asked if last is not None else ""
    if occasion.asked and occasion.asked not in (occasion.handled, known):
        return RotationWish(
            why="asked for by the annotation lokeys.dev/rotate",
            at=occasion.now,
            asked=occasion.asked,
        )
    if spec.rotation is None or occasion.now < due_at(spec, last, occasion):
        return None
    window = spec.rotation.window
    if window is not None:
        zone = occasion.zone
        if zone is None or not is_open(window.schedule, window.duration, zone, occasion.now):
            return None
    return RotationWish(why=f"the key is older than {spec.rotation.every}", at=occasion.now)


def due_at(spec: RouteSpec, last: Rotation | None, occasion: Occasion) -> datetime:
    """Return when the key is old enough, each route at its own time.

    A rotation that went back counts as an attempt: the next one comes no sooner. For a key that was
    too old when the resource was created, it is in the tenth of `every` after that.
    """
    every = spec.rotation.every if spec.rotation is not None else timedelta.max
    tried = last.ended_at if last is not None else None
    young = max(filter(None, (occasion.key_since or occasion.since, tried)))
    return max(young + every, occasion.since) + _spread(occasion.uid, every)


def _spread(uid: str, every: timedelta) -> timedelta:
    """Return this route's share of the tenth of `every` over which starts are spread."""
    share = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big") / 2**64
    return every / _SPREAD * share


def newest(mine: Rotation | None, theirs: Rotation | None) -> Rotation | None:
    """Return which of two records of a route's rotation is the later one.

    Whoever acts holds the route's Lease and writes before each call, so the two never fork: what
    started later, has ended, goes back, or is further along, is later.
    """
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    return theirs if _order(theirs) > _order(mine) else mine


def _order(rotation: Rotation) -> tuple[object, ...]:
    return (
        rotation.begun_at,
        rotation.ended_at is not None,
        rotation.back,
        rotation.phase_since,
        rotation.let_go,
        rotation.new is not None,
        rotation.passed,
    )
