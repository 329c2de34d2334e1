# SPDX-License-Identifier: Apache-2.0
"""Looking at a route: ask every hop, no more often than agreed, and let the core judge.

Requests for a route at rest (design): Kubernetes by watch, the store one signed list a minute, the
vault one item read in five minutes, Loki's metrics every thirty seconds, and no write. Recent
answers are remembered here; a change of any hop, or a new 403, asks again at once.

A key that died right after a list must be reported within the minute, and only the next list can
see it. So the minute is counted from the list to the report of the next one: 59 s, and the rest for
the look and for the status (docs/adr/0008).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Generic, TypeVar

from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict
from lokeys.core.route.diagnosis import Diagnosis, diagnose
from lokeys.core.route.key_state import REFUSED_KEY_CAUSES, Seen, seen, storage_works
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.plan import Plan, Policy, plan
from lokeys.core.route.remembering import remember
from lokeys.core.route.rotation.gates import grace_over_at
from lokeys.core.route.rotation.holders import Holders
from lokeys.core.route.rotation.model import Phase, under_way
from lokeys.core.route.snapshot import (
    DeliveryState,
    KeptPair,
    LogLine,
    LokiMetrics,
    MakerState,
    PodState,
    SecretState,
    Snapshot,
    SourceState,
    Unreadable,
    VaultState,
    WorkloadState,
    may_sign_without_blanks,
    signs_without_blanks,
)
from lokeys.core.route.standing import bridged_key
from lokeys.core.route.trying import may_be_tried
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.engine.route.holding import (
    declared_in,
    held_pair,
    naming_present,
    naming_wanted,
    of_rotation,
    vault_may_hold,
    worth_asking,
)
from lokeys.ports import Clock, Fleet, Reading, RoutePorts

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPace:
    """How old an answer may be before it is asked for again."""

    store: timedelta = timedelta(seconds=59)
    store_after_403: timedelta = timedelta(seconds=5)
    store_after_change: timedelta = timedelta(seconds=1)
    store_silent: timedelta = timedelta(seconds=15)
    vault: timedelta = timedelta(minutes=5)
    vault_in_trouble: timedelta = timedelta(seconds=4)
    vault_eager: timedelta = timedelta(seconds=15)
    loki: timedelta = timedelta(seconds=30)
    loki_unproved: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions:
    """What this look must include. `eager`: somebody is waiting for the route to change."""

    probe: bool = True
    logs: bool = False
    eager: bool = False
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look: what was seen, what it means, what to do, what to remember."""

    snapshot: Seen
    diagnosis: Diagnosis
    plan: Plan

    @property
    def memory(self) -> Memory:
        """Return the memory after this look."""
        return self.snapshot.memory


@dataclass(slots=True)
class _Asked(Generic[Told]):
    """An answer, when it was given, and to which question."""

    at: datetime
    answer: Told
    about: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Neighbours:
    """The state around the vault: when it changes, the vault is read again at once."""

    source: frozenset[Fingerprint]
    """The pair that the source offers; if it does not say which, all its keys."""
    secret: Fingerprint | None
    failing: bool
    """Whether External Secrets reports that it cannot refresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FirstReadings:
    """What every look reads; empty for parts that the route does not have."""

    source: Reading[SourceState]
    secret: Reading[SecretState]
    delivery: Reading[DeliveryState]
    maker: Reading[MakerState]
    values: Reading[SecretState]
    workloads: Reading[Fleet]

    @property
    def fleet(self) -> Fleet:
        """Return the workloads and their pods, none if they could not be read."""
        return self.workloads.state or Fleet()

    @property
    def gaps(self) -> tuple[Unreadable, ...]:
        """Return what could not be read of the hops that hold no pair."""
        return (*self.delivery.gaps, *self.maker.gaps, *self.workloads.gaps)


@dataclass(slots=True)
class Lookout:
    """Looks at one route repeatedly; only this object holds the pairs of its last look."""

    spec: RouteSpec
    ports: RoutePorts
    clock: Clock
    pace: LookPace = LookPace()
    pairs: dict[Fingerprint, KeyPair] = field(default_factory=dict)
    triable: dict[Fingerprint, KeyPair] = field(default_factory=dict)
    """Pairs whose owner allows them to go to the store."""
    verdicts: dict[Fingerprint, StoreVerdict] = field(default_factory=dict)
    _vault: _Asked[Reading[VaultState]] | None = None
    _metrics: dict[str, _Asked[LokiMetrics | Unreadable]] = field(default_factory=dict)
    _logs: dict[str, _Asked[tuple[LogLine, ...] | Unreadable]] = field(default_factory=dict)
    _refused: int = 0
    _refused_since: dict[Fingerprint, datetime] = field(default_factory=dict)
    _held: frozenset[Fingerprint] = frozenset()

    async def look(
        self, memory: Memory, *, wishes: LookOptions = LookOptions(), rivals: bool = False
    ) -> Look:
        """Return the route's current state. Never raises for what a report can contain."""
        first = await self._read_hops()
        held = await self._as_signed_with(first.secret, first.fleet.workloads, memory)
        pods, pod_gaps = await self._ask_pods(first.fleet.pods, wishes)
        new_403 = self._new_403(pods)
        kept = await self._ask_kept(first.source.state, memory, wishes)
        bridged = bridged_key(memory, kept.state)
        told = first.delivery.state
        about = _Neighbours(
            source=vault_may_hold(first.source, bridged),
            secret=held_pair(held),
            failing=told is not None and told.ready is False,
        )
        vault = await self._ask_vault(about, wishes, again=new_403)
        minted = naming_present(first.source, vault.state, held.state, bridged=bridged)
        minted = naming_wanted(minted, kept, under_way(memory.rotation))
        holding = (minted, vault, held, first.values)
        said = (*(gap for r in holding for gap in r.gaps), *first.gaps, *pod_gaps)
        seen = Snapshot(
            spec=self.spec,
            at=self.clock(),
            source=minted.state,
            vault=vault.state,
            delivery=told,
            maker=first.maker.state,
            values=first.values.state,
            secret=held.state,
            workloads=first.fleet.workloads,
            pods=pods,
            unreadable=said,
            memory=memory,
            trying=self.ports.trying,
            rivals=rivals,
            going=wishes.policy.ends,
            issues=self.ports.issuer is not None,
            kept=kept.state,
            kept_gap=next(iter(kept.gaps), None),
        )
        self.pairs = worth_asking((*holding, kept))
        self.pairs |= of_rotation(minted, under_way(memory.rotation))
        seen = replace(seen, showable=frozenset(self.pairs))
        self.triable = {n: pair for n, pair in self.pairs.items() if may_be_tried(seen, n)}
        if wishes.probe:
            await self._ask_store(self.triable, again=new_403, offered=held_pair(minted))
        snapshot = replace(seen, at=self.clock(), verdicts=self._verdicts_of(self.triable))
        snapshot = replace(snapshot, holders=await self._ask_holders(snapshot))
        after = remember(snapshot)
        # If this look has opened a gate, the next phase already chooses the pair.
        named = naming_wanted(minted, kept, under_way(after.rotation)).state
        return judge(replace(snapshot, memory=after, source=named), wishes.policy)

    async def _read_hops(self) -> _FirstReadings:
        """Return what is always read of a route, all at once."""
        ports = self.ports
        async with asyncio.TaskGroup() as group:
            source = group.create_task(ports.source.read())
            secret = group.create_task(ports.secret.read())
            delivery = group.create_task(ports.delivery.read()) if ports.delivery else None
            maker = group.create_task(ports.maker.read()) if ports.maker else None
            values = group.create_task(ports.values.read()) if ports.values else None
            fleet = group.create_task(ports.workloads.read())
        return _FirstReadings(
            source=source.result(),
            secret=secret.result(),
            delivery=delivery.result() if delivery else Reading(),
            maker=maker.result() if maker else Reading(),
            values=values.result() if values else Reading(),
            workloads=fleet.result(),
        )

    async def _as_signed_with(
        self, held: Reading[SecretState], workloads: tuple[WorkloadState, ...], memory: Memory
    ) -> Reading[SecretState]:
        """Return what the Secret holds as Loki signs with it, as far as that is known."""
        surely = signs_without_blanks(workloads, held.state)
        if not surely and not may_sign_without_blanks(workloads, held.state):
            return held
        bare = await self.ports.secret.read(bare=True)
        before = memory.content.pair if memory.content else None
        return bare if surely or held_pair(bare) == before else held

    def learn(self, pair: Fingerprint, verdict: StoreVerdict) -> None:
        """Keep the store's answer for a pair from outside a look."""
        self.verdicts[pair] = verdict

    def store_due_in(self) -> timedelta:
        """Return when the oldest of the store's answers expires; a whole interval if none."""
        asked = min((verdict.at for verdict in self.verdicts.values()), default=None)
        return self.pace.store - (self.clock() - asked if asked else timedelta(0))

    def forget(self) -> None:
        """Ask everything at the next look, regardless of the last time."""
        self.forget_vault()
        self._metrics.clear()
        self._logs.clear()
        self._held = frozenset()

    def forget_vault(self) -> None:
        """Ask the vault at the next look, regardless of the last time."""
        self._vault = None

    def _new_403(self, pods: Iterable[PodState]) -> bool:
        refused = sum(pod.metrics.refused for pod in pods if pod.metrics)
        more, self._refused = refused > self._refused, refused
        return more

    async def _ask_vault(
        self, about: _Neighbours, wishes: LookOptions, *, again: bool
    ) -> Reading[VaultState]:
        """Return the vault's answer; looks up the title again, except for routine reads at rest."""
        if self.ports.vault is None:
            return Reading()
        known, now = self._vault, self.clock()
        routine = False
        if known is not None and known.about == about and not again:
            held = known.answer.state.pair if known.answer.state else None
            agrees = held is not None and not about.source.isdisjoint({held.pair, held.key_id})
            routine = agrees and not about.failing
            limit = self.pace.vault if agrees else self.pace.vault_in_trouble
            limit = min(limit, self.pace.vault_eager) if wishes.eager else limit
            if _is_fresh(known.at, now, limit):
                return known.answer
        answer = await self.ports.vault.read(afresh=not routine)
        # The time of the answer: a request that took ten seconds to fail is not repeated at once.
        self._vault = _Asked(at=self.clock(), answer=answer, about=about)
        return answer

    async def _ask_kept(
        self, source: SourceState | None, memory: Memory, wishes: LookOptions
    ) -> Reading[KeptPair]:
        """Return what is kept for a bridge; asked only if there may be one.

        Otherwise lokeys has no permission to look.
        """
        allowed = source is not None and source.consent.bridge is not None
        expected = allowed or memory.bridge is not None or wishes.policy.keep or wishes.policy.owes
        expected = expected or wishes.policy.rotate is not None
        expected = expected or under_way(memory.rotation) is not None
        if self.ports.staging is None or not expected:
            return Reading()
        return await self.ports.staging.read()

    async def _ask_holders(self, snapshot: Snapshot) -> Holders | None:
        """Return who else holds the key to be removed next; asked when everything else is done."""
        rotation, port = under_way(snapshot.memory.rotation), self.ports.holders
        if rotation is None or port is None:
            return None
        doomed = rotation.new if rotation.back else rotation.old
        due = rotation.phase is Phase.GRACE and snapshot.at >= grace_over_at(snapshot, rotation)
        if doomed is None or not (rotation.back or due):
            return None
        pair, content = self.pairs.get(doomed), snapshot.memory.content
        if pair is None:
            return Holders(unread=("the key itself cannot be read any more, to look for it",))
        changed_at = content.since if content else None
        return await port.find(pair, changed_at=changed_at, own=declared_in(snapshot.source))

    async def _ask_store(
        self,
        pairs: Mapping[Fingerprint, KeyPair],
        *,
        again: bool,
        offered: Fingerprint | None,
    ) -> None:
        """Ask about every pair whose last answer is too old.

        What the source offers and the store refuses may be a key that is being replaced: Rook
        removes the old one first. That is asked again after 1, 2, 4 … s, and soon as often as all
        others.
        """
        limit = self.pace.store_after_403 if again else self.pace.store
        if pairs.keys() != self._held:
            limit = timedelta(0)  # a key that was valid a second ago may just have been replaced
        self._held = frozenset(pairs)
        now = self.clock()
        due = [
            (name, pair)
            for name, pair in pairs.items()
            if (known := self.verdicts.get(name)) is None
            or not _is_fresh(known.at, now, min(limit, self._counts_for(name, known, offered)))
        ]
        answers = await asyncio.gather(*(self.ports.store.try_list(pair) for _, pair in due))
        for (name, _), verdict in zip(due, answers, strict=True):
            known = self.verdicts.get(name)
            trusted = known is not None and known.trusted and verdict.accepted
            self.verdicts[name] = replace(verdict, depth=Depth.FULL) if trusted else verdict
            if verdict.refused:
                self._refused_since.setdefault(name, verdict.at)
            else:
                self._refused_since.pop(name, None)

    def _counts_for(
        self, name: Fingerprint, known: StoreVerdict, offered: Fingerprint | None
    ) -> timedelta:
        """Return how long an answer counts: a refusal of the source's pair as long as it lasts.

        A missing answer counts for less: perhaps the store was never asked.
        """
        if known.answer is Answer.UNREACHABLE:
            return self.pace.store_silent
        since = self._refused_since.get(name)
        if name != offered or since is None:
            return self.pace.store
        return max(known.at - since, self.pace.store_after_change)

    def _verdicts_of(
        self, pairs: Mapping[Fingerprint, KeyPair]
    ) -> Mapping[Fingerprint, StoreVerdict]:
        """Return the verdicts on pairs that some hop still holds, and drop the others."""
        self.verdicts = {name: verdict for name, verdict in self.verdicts.items() if name in pairs}
        self._refused_since = {n: at for n, at in self._refused_since.items() if n in pairs}
        return MappingProxyType(dict(self.verdicts))

    async def _ask_pods(
        self, pods: tuple[PodState, ...], wishes: LookOptions
    ) -> tuple[tuple[PodState, ...], list[Unreadable]]:
        uids = {pod.uid for pod in pods}
        self._metrics = {uid: asked for uid, asked in self._metrics.items() if uid in uids}
        self._logs = {uid: asked for uid, asked in self._logs.items() if uid in uids}
        told = await asyncio.gather(*(self._ask_pod(pod, wishes) for pod in pods))
        gaps = [gap for _, found in told for gap in found]
        return tuple(pod for pod, _ in told), gaps

    async def _ask_pod(
        self, pod: PodState, wishes: LookOptions
    ) -> tuple[PodState, list[Unreadable]]:
        if pod.started_at is None:
            return await self._ask_ended(pod, wishes), []
        metrics = await self._ask_metrics(pod, wishes)
        gaps = [metrics] if isinstance(metrics, Unreadable) else []
        pod = replace(pod, metrics=None if isinstance(metrics, Unreadable) else metrics)
        unhealthy = pod.metrics is not None and bool(
            pod.metrics.refused or pod.metrics.flush_failures
        )
        if wishes.logs or unhealthy:
            log = await self._ask_log(pod)
            if isinstance(log, Unreadable):
                gaps.append(log)
            else:
                pod = replace(pod, log=log)
        return pod, gaps

    async def _ask_ended(self, pod: PodState, wishes: LookOptions) -> PodState:
        """Return a pod whose container has ended with its last log lines.

        It restarts with the current Secret: what they say about its key no longer counts.
        """
        log = await self._ask_log(pod) if wishes.logs else ()
        words = () if isinstance(log, Unreadable) else log
        return replace(pod, last_words=tuple(w for w in words if w.cause not in REFUSED_KEY_CAUSES))

    async def _ask_metrics(self, pod: PodState, wishes: LookOptions) -> LokiMetrics | Unreadable:
        known, now = self._metrics.get(pod.uid), self.clock()
        if known is not None and known.about == pod.started_at:
            # Together with the store's list if half as old: two looks a minute then do both.
            lists_now = self.store_due_in() <= timedelta(0)
            limit = self.pace.loki / 2 if lists_now else self.pace.loki
            answer = known.answer
            settled = (
                not isinstance(answer, Unreadable)
                and storage_works(replace(pod, metrics=answer)) is True
                and pod.deleting_since is None
            )
            if wishes.eager and not settled:
                limit = self.pace.loki_unproved
            if _is_fresh(known.at, now, limit):
                return answer
        answer = await self.ports.loki.metrics(pod)
        self._metrics[pod.uid] = _Asked(at=self.clock(), answer=answer, about=pod.started_at)
        return answer

    async def _ask_log(self, pod: PodState) -> tuple[LogLine, ...] | Unreadable:
        known, now = self._logs.get(pod.uid), self.clock()
        fresh = known is not None and known.about == pod.started_at
        if known is not None and fresh and _is_fresh(known.at, now, self.pace.loki):
            return known.answer
        answer = await self.ports.loki.log(pod)
        self._logs[pod.uid] = _Asked(at=self.clock(), answer=answer, about=pod.started_at)
        return answer


def _is_fresh(at: datetime, now: datetime, limit: timedelta) -> bool:
    """Tell whether an answer is recent enough; one from the future shows a wrong clock."""
    return timedelta(0) <= now - at < limit


def standing_still(spec: RouteSpec, memory: Memory, *, at: datetime) -> Look:
    """Return the look at a route that an older one stops: nothing is read for it."""
    return judge(Snapshot(spec=spec, at=at, memory=memory, rivals=True), Policy())


def judge(snapshot: Snapshot, policy: Policy) -> Look:
    """Return the look that results from a snapshot."""
    look = seen(snapshot)
    return Look(snapshot=look, diagnosis=diagnose(look), plan=plan(look, policy))
