# SPDX-License-Identifier: Apache-2.0
"""Who claims what: of two routes that claim the same thing, the younger one does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lokeys.core.place import Hop
from lokeys.core.route.model import Mode, OnePasswordVault, RookSource, RouteSpec
from lokeys.core.route.plan.vault import PASSING
from lokeys.core.route.snapshot import Snapshot, Why

Key = tuple[str, str]
"""A route's namespace and name."""
Claim = tuple[str, ...]


def claims(spec: RouteSpec) -> Iterator[Claim]:
    """Yield what only one route may have: its target, its vault item, its Rook user.

    A route in mode observe writes nothing, and claims nothing.
    """
    if spec.mode is Mode.OBSERVE:
        return
    yield ("secret", spec.namespace, spec.secret.name)
    if isinstance(spec.vault, OnePasswordVault):
        yield ("item", spec.vault.url, spec.vault.vault, spec.vault.item)
    if isinstance(spec.source, RookSource):
        yield ("user", spec.source.namespace, spec.source.user)


def _holds(claim: Claim, snapshot: Snapshot) -> bool | None:
    """Tell whether the snapshot shows that the claim is the route's; None: not visible now.

    An editor of a resource can name anything in it. What counts is that the source's owner lets the
    route read it and, for an item, that the route's token opens it.
    """
    if snapshot.source is None:
        return _passing(snapshot, Hop.SOURCE)
    if claim[0] != "item":
        return True
    if snapshot.vault is None:
        return _passing(snapshot, Hop.VAULT)
    if snapshot.vault.pair is not None:
        return True
    return None if snapshot.vault.fault in PASSING else False


def _passing(snapshot: Snapshot, hop: Hop) -> bool | None:
    """Return None if there was no answer, False if access was refused."""
    gap = snapshot.missing(hop)
    return None if gap is not None and gap.why is Why.UNREACHABLE else False


@dataclass(slots=True)
class _Claimant:
    """What one route would claim, and the part of it that a snapshot has shown to be its own."""

    wishes: frozenset[Claim]
    age: tuple[str, Key]
    held: frozenset[Claim] = frozenset()
    settled: bool = False


class RouteClaims:
    """Who claims what; of two routes that claim the same thing, the younger one does nothing."""

    def __init__(self) -> None:
        self._known: dict[Key, _Claimant] = {}
        self._by_wish: dict[Claim, set[Key]] = {}

    def put(self, key: Key, spec: RouteSpec, manifest: Mapping[str, Any]) -> set[Key]:
        """Note what a route would claim; return the routes that share it now or did before."""
        neighbours = self.drop(key)
        age = (manifest["metadata"].get("creationTimestamp", ""), key)
        self._known[key] = _Claimant(wishes=frozenset(claims(spec)), age=age)
        for wish in self._known[key].wishes:
            self._by_wish.setdefault(wish, set()).add(key)
        return neighbours | self._sharing(key)

    def settle(self, key: Key, snapshot: Snapshot) -> set[Key]:
        """Apply what a snapshot has shown; return the routes that this affects."""
        mine = self._known[key]
        shown = {wish: _holds(wish, snapshot) for wish in mine.wishes}
        held = {w for w, holds in shown.items() if holds or (holds is None and w in mine.held)}
        return self._now(key, frozenset(held))

    def stand_still(self, key: Key) -> set[Key]:
        """Make a route that an older one stops claim nothing itself."""
        return self._now(key, frozenset())

    def drop(self, key: Key) -> set[Key]:
        """Forget a route's claims; return the routes that shared one."""
        neighbours = self._sharing(key)
        gone = self._known.pop(key, None)
        for wish in gone.wishes if gone else ():
            self._by_wish[wish].discard(key)
            if not self._by_wish[wish]:
                del self._by_wish[wish]
        return neighbours

    def elders(self, key: Key) -> list[Key]:
        """Return the older routes that would claim the same, oldest first."""
        mine = self._known[key]
        older = (other for other in self._sharing(key) if self._known[other].age < mine.age)
        return sorted(older, key=lambda other: self._known[other].age)

    def awaits(self, key: Key) -> bool:
        """Tell whether an older one has not been read yet: it may be a rival."""
        return any(not self._known[elder].settled for elder in self.elders(key))

    def has_rival(self, key: Key) -> bool:
        """Tell whether an older route holds what this one would claim."""
        wishes = self._known[key].wishes
        return any(self._known[elder].held & wishes for elder in self.elders(key))

    def _now(self, key: Key, held: frozenset[Claim]) -> set[Key]:
        mine = self._known[key]
        same = mine.settled and mine.held == held
        mine.held, mine.settled = held, True
        return set() if same else self._sharing(key)

    def _sharing(self, key: Key) -> set[Key]:
        known = self._known.get(key)
        shared: set[Key] = set()
        for wish in known.wishes if known else ():
            shared |= self._by_wish[wish]
        return shared - {key}
