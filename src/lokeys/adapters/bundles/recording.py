# SPDX-License-Identifier: Apache-2.0
"""Keeps what a look reads, while it reads it: each object, list, event and log once.

    recorder = Recorder()
    recorder.objects(live)           an `Objects` that asks `live` once for each thing
    recorder.fingerprinter(known)    a `Fingerprinter` that keeps which pairs it named
    recorder.ports(spec, ports)      the ports of a route, with what others answer kept

Values are kept as they are, in memory alone. `writing` makes a bundle of them, without secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lokeys.core.findings.verdict import StoreVerdict
from lokeys.core.place import Ref
from lokeys.core.route.model import OnePasswordVault, RgwSource, RookSource, RouteSpec
from lokeys.core.route.snapshot import (
    LogLine,
    LokiMetrics,
    PodState,
    SourceState,
    Unreadable,
    VaultState,
)
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, PairFacts
from lokeys.errors import LokeysError
from lokeys.ports import (
    LokiPort,
    Objects,
    PodPorts,
    Reading,
    RoutePorts,
    SourcePort,
    StorePort,
    VaultPort,
)

Json = Mapping[str, Any]
ListCall = tuple[str, str | None, str | None]
"""Kind, namespace and labels."""
_Answered = TypeVar("_Answered")


@dataclass(slots=True)
class Recorder:
    """Everything that one run has read."""

    gets: dict[Ref, Json | LokeysError] = field(default_factory=dict)
    lists: dict[ListCall, list[Json] | LokeysError] = field(default_factory=dict)
    events: dict[tuple[Ref, str], Sequence[Json] | LokeysError] = field(default_factory=dict)
    logs: dict[tuple[Ref, str], str | LokeysError] = field(default_factory=dict)
    pairs: dict[Fingerprint, tuple[KeyPair, PairFacts]] = field(default_factory=dict)
    stores: dict[tuple[str, str, Fingerprint], StoreVerdict] = field(default_factory=dict)
    vaults: dict[Ref, Reading[VaultState]] = field(default_factory=dict)
    sources: dict[str, Reading[SourceState]] = field(default_factory=dict)
    metrics: dict[str, LokiMetrics | Unreadable] = field(default_factory=dict)

    def forget(self) -> None:
        """Ask for everything again from now on."""
        for kept in (self.gets, self.lists, self.events, self.logs):
            kept.clear()

    def objects(self, live: Objects) -> Objects:
        """Return an `Objects` that keeps the answers of `live`."""
        return _Objects(live, self)

    def fingerprinter(self, known: Fingerprinter) -> Fingerprinter:
        """Return a fingerprinter with the same names that keeps which pair has which."""
        return _Fingerprinter(known.key, known.kept, self.pairs)

    def ports(self, spec: RouteSpec, ports: RoutePorts) -> RoutePorts:
        """Return the ports of a route that keep the answers of store, vault, source and Loki."""
        source = spec.source
        asks_rgw = isinstance(source, RgwSource) or (
            isinstance(source, RookSource) and source.admin is not None
        )
        return replace(
            ports,
            store=_Store(ports.store, spec, self),
            vault=_Vault(ports.vault, item_of(spec.vault), self)
            if ports.vault and isinstance(spec.vault, OnePasswordVault)
            else ports.vault,
            source=_Source(ports.source, spec.route, self) if asks_rgw else ports.source,
            loki=_Loki(ports.loki, self),
        )

    def pods(self, ports: PodPorts) -> PodPorts:
        """Return the ports to pods without a route that keep their Loki's answers."""
        return replace(ports, loki=_Loki(ports.loki, self))


def item_of(vault: OnePasswordVault) -> Ref:
    """Return the name of an item in a vault."""
    return Ref("OnePasswordItem", vault.item, vault.vault)


class _Objects:
    def __init__(self, live: Objects, kept: Recorder) -> None:
        self._live = live
        self._kept = kept

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        """Return the object as it was when first requested."""
        if ref not in self._kept.gets:
            try:
                self._kept.gets[ref] = await self._live.get(ref)
            except LokeysError as error:
                self._kept.gets[ref] = error
        return _or_raise(self._kept.gets[ref])

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the objects as they were when first requested."""
        call = (kind, namespace, labels)
        if call not in self._kept.lists:
            try:
                found = await self._live.list(kind, namespace=namespace, labels=labels)
                self._kept.lists[call] = found
            except LokeysError as error:
                self._kept.lists[call] = error
        return _or_raise(self._kept.lists[call])

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return the events as they were when first requested."""
        call = (about, reason)
        if call not in self._kept.events:
            try:
                self._kept.events[call] = await self._live.events(about, reason=reason)
            except LokeysError as error:
                self._kept.events[call] = error
        return _or_raise(self._kept.events[call])

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return the log's end as it was when first requested."""
        call = (pod, container)
        if call not in self._kept.logs:
            try:
                self._kept.logs[call] = await self._live.log(
                    pod, container=container, lines=lines, max_bytes=max_bytes
                )
            except LokeysError as error:
                self._kept.logs[call] = error
        return _or_raise(self._kept.logs[call])


def _or_raise(answer: _Answered | LokeysError) -> _Answered:
    if isinstance(answer, LokeysError):
        raise answer
    return answer


@dataclass(frozen=True, slots=True)
class _Fingerprinter(Fingerprinter):
    seen: dict[Fingerprint, tuple[KeyPair, PairFacts]] = field(default_factory=dict, repr=False)

    def describe(self, pair: KeyPair) -> PairFacts:
        """Return what may be known of `pair`, and keep it."""
        facts = Fingerprinter(self.key, self.kept).describe(pair)
        self.seen[facts.pair] = (pair, facts)
        return facts


class _Store:
    def __init__(self, live: StorePort, spec: RouteSpec, kept: Recorder) -> None:
        self._live = live
        self._bucket = spec.bucket
        self._kept = kept

    async def try_list(self, pair: KeyPair) -> StoreVerdict:
        return self._keep(pair, await self._live.try_list(pair))

    async def try_fully(self, pair: KeyPair) -> StoreVerdict:
        return self._keep(pair, await self._live.try_fully(pair))

    async def try_everywhere(self, pair: KeyPair) -> Mapping[str, StoreVerdict]:
        return await self._live.try_everywhere(pair)

    async def bucket_exists(self, pair: KeyPair) -> bool:
        return await self._live.bucket_exists(pair)

    async def create_bucket(self, pair: KeyPair) -> None:
        await self._live.create_bucket(pair)

    def _keep(self, pair: KeyPair, verdict: StoreVerdict) -> StoreVerdict:
        for name, (known, _) in [*self._kept.pairs.items()]:
            if known == pair:
                self._kept.stores[self._bucket.endpoint, self._bucket.name, name] = verdict
        return verdict


class _Vault:
    def __init__(self, live: VaultPort, item: Ref, kept: Recorder) -> None:
        self._live = live
        self._item = item
        self._kept = kept

    async def read(self, *, afresh: bool = False) -> Reading[VaultState]:
        reading = await self._live.read(afresh=afresh)
        self._kept.vaults[self._item] = reading
        return reading

    async def write(self, pair: KeyPair, *, over: Fingerprint) -> VaultState:
        return await self._live.write(pair, over=over)


class _Source:
    def __init__(self, live: SourcePort, route: str, kept: Recorder) -> None:
        self._live = live
        self._route = route
        self._kept = kept

    async def read(self) -> Reading[SourceState]:
        reading = await self._live.read()
        self._kept.sources[self._route] = reading
        return reading

    async def refresh(self) -> None:
        await self._live.refresh()

    async def ensure_user(self) -> bool:
        return await self._live.ensure_user()


class _Loki:
    def __init__(self, live: LokiPort, kept: Recorder) -> None:
        self._live = live
        self._kept = kept

    async def metrics(self, pod: PodState) -> LokiMetrics | Unreadable:
        counted = await self._live.metrics(pod)
        self._kept.metrics[pod.uid] = counted
        return counted

    async def log(self, pod: PodState) -> tuple[LogLine, ...] | Unreadable:
        return await self._live.log(pod)

    async def flush(self, pod: PodState) -> None:
        await self._live.flush(pod)
