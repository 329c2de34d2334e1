# SPDX-License-Identifier: Apache-2.0
"""The keys of a source's user, each a slot, and which of them is the route's current one.

A store lets one user have several keys at a time, and a rotation needs two. So a key is not current
just because it exists. The source's own choice counts first (Rook's generated Secret, or the first
of `spec.keys` if lokeys wrote the list). Without one, the current key is the one on the route: what
the vault holds, otherwise what the Secret holds. If no hop holds any of several keys, none is
chosen: it could be the one that somebody is about to remove.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lokeys.core.findings.finding import time_to_json
from lokeys.core.sensitive import Fingerprint, PairFacts, short


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One key of the source's user.

    `facts` None: its secret half cannot be seen (IAM never shows it). `hint`: the id's first four
    characters, enough to find it and too little to use. `order`: its place by id, smallest first:
    Rook keeps the smallest. `since` None: not known. `offered`: the source's own Secret offers it.
    `declared_by`: the Secret through which `spec.keys` names it. `listed`: whether the store's own
    list has it; None if the store was not asked. `active`: it is not disabled there.
    """

    key_id: Fingerprint
    facts: PairFacts | None = None
    hint: str
    order: int
    since: datetime | None = None
    offered: bool = False
    declared_by: str | None = None
    listed: bool | None = True
    active: bool = True

    @property
    def pair(self) -> Fingerprint | None:
        """Return the fingerprint of the whole pair, if both halves can be seen."""
        return self.facts.pair if self.facts is not None else None


def present(slots: Sequence[Slot], carried: Iterable[PairFacts | None]) -> PairFacts | None:
    """Return the route's current pair; None if it is not known.

    `carried`: what the hops after the source hold, the nearest first. A hop that holds a key's id
    with another secret also identifies that key; its secret is then taken from the source.
    """
    usable = [slot for slot in slots if slot.active and slot.listed is not False]
    offered = [slot for slot in usable if slot.offered]
    if offered or len(usable) == 1:
        chosen = (offered or usable)[0]
        return chosen.facts or _held_as(chosen, carried)
    for held in carried:
        for slot in usable:
            if held is not None and held.key_id == slot.key_id:
                return slot.facts or held
    return None


def merged(declared: Sequence[Slot], listed: Sequence[Slot]) -> tuple[Slot, ...]:
    """Return the slots of both lists: the declared ones, and those that the store itself lists."""
    at_store = {slot.pair: slot for slot in listed}
    declared_pairs = {slot.pair for slot in declared}
    return (
        *(replace(slot, listed=slot.pair in at_store) for slot in declared),
        *(slot for slot in listed if slot.pair not in declared_pairs),
    )


def slot_to_json(slot: Slot, *, present: PairFacts | None) -> dict[str, Any]:
    """Return the contract's form of a slot; `present`: the route's current pair."""
    return {
        "keyId": short(slot.key_id),
        "hint": slot.hint,
        "fingerprint": short(slot.pair) if slot.pair else None,
        "present": present is not None and slot.key_id == present.key_id,
        "offered": slot.offered,
        "declaredBy": slot.declared_by,
        "listed": slot.listed,
        "active": slot.active,
        "since": time_to_json(slot.since),
    }


def _held_as(slot: Slot, carried: Iterable[PairFacts | None]) -> PairFacts | None:
    """Return the pair of a slot whose secret half only a hop of the route can show."""
    return next((held for held in carried if held and held.key_id == slot.key_id), None)
