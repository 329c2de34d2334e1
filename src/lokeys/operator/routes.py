# SPDX-License-Identifier: Apache-2.0
"""The routes that the operator looks after: one `Route` for each StorageCredential."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lokeys.core.model import OnePasswordVault, Ref, RookSource, RouteSpec
from lokeys.core.snapshot import Memory
from lokeys.engine.look import Lookout
from lokeys.kube.lease import Lease
from lokeys.operator.cache import RouteObjects
from lokeys.operator.workers import Key


@dataclass(slots=True)
class Route:
    """One route between two reconciles."""

    uid: str
    spec: RouteSpec
    generation: int
    lookout: Lookout
    objects: RouteObjects
    lease: Lease
    """Kept from heal to heal: only who has watched a dead holder knows how long it is silent."""
    memory: Memory
    status: Mapping[str, Any]
    """The resource's status as we last wrote it, or found it."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something that the route reads has changed; wakes a healing that waits."""
    told: tuple[str, str] = ("", "")
    """The Ready condition's status and reason that the last event was about."""
    pause_s: float = 0.0
    """Until the next look, as long as the state stays what it is."""
    incident: dict[str, Any] | None = None
    """What was done since the route was last Ready, as the history will show it."""

    async def sleep(self, seconds: float) -> None:
        """Wait for news, at most so long."""
        self.news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.news.wait()
        except TimeoutError:
            return


def claims(spec: RouteSpec) -> Iterator[tuple[str, ...]]:
    """Yield what only one route may claim: its target, its vault item, its Rook user."""
    yield ("secret", spec.namespace, spec.secret.name)
    if isinstance(spec.vault, OnePasswordVault):
        yield ("item", spec.vault.url, spec.vault.vault, spec.vault.item)
    if isinstance(spec.source, RookSource):
        yield ("user", spec.source.namespace, spec.source.user)


class Claims:
    """Who claims what, so that of two routes on one thing the younger stands still."""

    def __init__(self) -> None:
        self._by_key: dict[Key, tuple[tuple[str, ...], ...]] = {}
        self._ages: dict[Key, tuple[str, Key]] = {}
        self._by_claim: dict[tuple[str, ...], set[Key]] = {}

    def put(self, key: Key, spec: RouteSpec, manifest: Mapping[str, Any]) -> set[Key]:
        """Note a route's claims; return whoever shares one now or did before."""
        neighbours = self.drop(key)
        mine = tuple(claims(spec))
        self._by_key[key] = mine
        self._ages[key] = (manifest["metadata"].get("creationTimestamp", ""), key)
        for claim in mine:
            self._by_claim.setdefault(claim, set()).add(key)
        return neighbours | self._sharing(key)

    def drop(self, key: Key) -> set[Key]:
        """Forget a route's claims; return whoever shared one."""
        neighbours = self._sharing(key)
        for claim in self._by_key.pop(key, ()):
            self._by_claim[claim].discard(key)
            if not self._by_claim[claim]:
                del self._by_claim[claim]
        self._ages.pop(key, None)
        return neighbours

    def rivals(self, key: Key) -> tuple[Ref, ...]:
        """Return the older routes that claim the same, oldest first."""
        older = (other for other in self._sharing(key) if self._ages[other] < self._ages[key])
        return _refs(sorted(older, key=lambda other: self._ages[other]))

    def _sharing(self, key: Key) -> set[Key]:
        shared: set[Key] = set()
        for claim in self._by_key.get(key, ()):
            shared |= self._by_claim[claim]
        return shared - {key}


def _refs(keys: Iterable[Key]) -> tuple[Ref, ...]:
    return tuple(Ref("StorageCredential", name, namespace) for namespace, name in keys)
