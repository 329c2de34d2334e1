# SPDX-License-Identifier: Apache-2.0
"""A rotation as it is recorded before each external call; whoever continues needs nothing else.

phase     at the store   vault   Secret   gate to the next Create    A, B           A       A
B passes the four calls three times, at each address Publish   A, B           B       A        the
vault is read back with both halves of B Switch    A, B           B       B        the delivered
Secret holds B as one pair Roll      A, B           B       B        each pod has started with B,
and is proved Grace     A, B           B       B        time, and nobody holds A any more Retire
B              B       B        A is refused, B is accepted
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from lokeys.core.sensitive import Fingerprint, short

PASSES = 3
"""How often in a row the new pair passes all four calls before it is delivered."""


class Phase(StrEnum):
    """The phase of a rotation."""

    CREATE = "Create"
    PUBLISH = "Publish"
    SWITCH = "Switch"
    ROLL = "Roll"
    GRACE = "Grace"
    RETIRE = "Retire"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationWish:
    """A wish for a rotation: why, since when, and the annotation's value if it came from there.

    One wish is one rotation: if one has started since, the wish is fulfilled.
    """

    why: str
    at: datetime
    asked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The current rotation, or the last one (`ended_at`).

    `source`: whose keys these are, as in `standing.source_name`. `new` None: no new pair has been
    kept yet. `known`: the ids of the user's keys before. `back`: it goes back to the old pair.
    `let_go`: a person has said that the old key may be retired. `old_since`: since when the old key
    is known to exist.
    """

    source: str
    why: str
    begun_at: datetime
    old: Fingerprint
    old_id: Fingerprint
    old_since: datetime | None = None
    phase: Phase = Phase.CREATE
    phase_since: datetime
    new: Fingerprint | None = None
    new_id: Fingerprint | None = None
    known: tuple[Fingerprint, ...] = ()
    asked: str = ""
    passed: int = 0
    back: bool = False
    let_go: bool = False
    ended_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Tell whether it is under way."""
        return self.ended_at is None

    @property
    def wanted(self) -> Fingerprint | None:
        """Return the pair that all hops must hold in this phase."""
        return self.old if self.back or self.phase is Phase.CREATE else self.new

    def owns(self, pair: Fingerprint | None) -> bool:
        """Tell whether this is one of its two pairs."""
        return pair is not None and pair in (self.old, self.new)

    def at_phase(self, phase: Phase, now: datetime) -> Rotation:
        """Return the rotation in a phase that starts now."""
        return replace(self, phase=phase, phase_since=now)


def under_way(rotation: Rotation | None) -> Rotation | None:
    """Return a rotation that has not ended."""
    return rotation if rotation is not None and rotation.active else None


def rotation_said(rotation: Rotation | None) -> tuple[str, str]:
    """Return reason and message of the event for a rotation's current state."""
    if rotation is None:
        return "NotRotated", "its key was never rotated by lokeys"
    keys = f"of {short(rotation.old)}, begun {rotation.begun_at:%Y-%m-%dT%H:%M:%SZ}"
    if not rotation.active and rotation.back:
        return "RotationUndone", f"the rotation {keys}, went back to it"
    if not rotation.active:
        new = short(rotation.new) if rotation.new else ""
        return "Rotated", f"the rotation {keys}, has ended with {new}; the old key is gone"
    if rotation.back:
        return "RotationGoesBack", f"the rotation {keys}, goes back to it"
    return f"Rotation{rotation.phase}", f"the rotation {keys}, is in phase {rotation.phase}"


def tested(rotation: Rotation | None, pair: Fingerprint, *, passed: bool) -> Rotation | None:
    """Return the rotation after its new pair was tested: only consecutive passes count."""
    if rotation is None or not rotation.active or pair != rotation.new:
        return rotation
    return replace(rotation, passed=rotation.passed + 1 if passed else 0)
