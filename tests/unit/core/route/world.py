# SPDX-License-Identifier: Apache-2.0
"""A world small enough to play a thousand heals a second: a store, the hops, a few pods, faults.

Each thing behaves as was measured of the real one. `do` carries a step out as the engine would, and
first checks, against what is really so, that the step keeps the promises.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from builders import (
    LOKI,
    NOW,
    SECRET,
    A,
    B,
    C,
    a_delivery,
    a_gap,
    a_kept_pair,
    a_pair,
    a_route,
    a_secret,
    a_source,
    a_vault,
    a_workload,
    by_pair,
)
from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict
from lokeys.core.kubernetes.consent import Consent, Trying
from lokeys.core.place import Hop, Ref
from lokeys.core.route import key_state as currency
from lokeys.core.route.checks.pods import behind
from lokeys.core.route.memory import Bridge, Memory
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.plan import Action, Plan, Policy, Step, plan
from lokeys.core.route.remembering import bridge_begun, bridge_ended, remember
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import (
    Budget,
    DeliveryState,
    KeptPair,
    LokiMetrics,
    PodState,
    SecretState,
    Snapshot,
    Why,
)
from lokeys.core.route.standing import source_name
from lokeys.core.sensitive import Fingerprint, PairFacts

READY_AFTER = timedelta(seconds=15)
STOPS_WITHIN = timedelta(seconds=3)
OWN_GRACE = timedelta(seconds=300)
LETTERS = (A, B, C)
POD_STEPS = frozenset({Action.REPLACE_POD, Action.DELETE_POD})
SPREADING = frozenset(
    {
        Action.WRITE_VAULT,
        Action.WRITE_SECRET,
        Action.FORCE_SYNC,
        Action.SPOIL_DATA_HASH,
        Action.RECREATE_SECRET,
        Action.REPLACE_POD,
        Action.DELETE_POD,
    }
)


@dataclass(kw_only=True)
class WorldPod:
    """One Loki: it reads the Secret when it starts and never again."""

    name: str
    number: int = 0
    holds: PairFacts | None = None
    born: datetime = NOW
    started: datetime | None = None
    deleting: datetime | None = None
    grace: timedelta = OWN_GRACE
    accepted: int = 0
    refused: int = 0
    restarts: int = 0
    wal: bool | None = True

    def start(self, pair: PairFacts, now: datetime) -> None:
        """Begin a run with what the Secret holds now."""
        self.holds, self.started, self.accepted, self.refused = pair, now, 0, 0


@dataclass(kw_only=True, repr=False)
class World:
    """What is really so; lokeys sees only `look()`."""

    spec: RouteSpec = field(default_factory=a_route)
    live: set[PairFacts]
    source: PairFacts
    vault: PairFacts
    secret: PairFacts | None
    pods: list[WorldPod]
    delivery: DeliveryState = field(default_factory=a_delivery)
    budget: Budget | None = None
    now: datetime = NOW
    written: datetime = NOW - timedelta(minutes=30)
    memory: Memory = field(default_factory=Memory)
    tested: set[Fingerprint] = field(default_factory=set)
    policy: Policy = field(default_factory=Policy)
    traffic: bool = True
    bad_deliveries: list[str] = field(default_factory=list)  # `torn` or `lost`, used up in turn
    due: datetime | None = None  # when a forced sync arrives
    log: list[str] = field(default_factory=list)
    made: int = 0
    bridge: timedelta | None = None  # for how long the source's owner lets a key be valid again
    kept: KeptPair | None = None  # the staging Secret
    bridged: dict[Fingerprint, datetime] = field(default_factory=dict)  # and until when
    was_live: set[Fingerprint] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wanted = {pod.name: pod.wal for pod in self.pods}

    def __repr__(self) -> str:
        pods = ", ".join(f"{p.name}:{word(p.holds)} wal={p.wal}" for p in self.pods)
        return (
            f"live {sorted(map(word, self.live))} source {word(self.source)} vault "
            f"{word(self.vault)} secret {word(self.secret)} pods [{pods}] "
            f"{self.delivery.refresh_policy} {self.delivery.refresh_interval_text} {self.log}"
        )

    # --- what lokeys sees -----------------------------------------------------------------------

    def look(self) -> Snapshot:
        """Return what the engine would gather now, remembered."""
        gone = a_gap(Hop.SECRET, SECRET, Why.NOT_FOUND)
        seen = Snapshot(
            spec=self.spec,
            at=self.now,
            source=a_source(self.source, slots=self._slots(), consent=Consent(bridge=self.bridge)),
            issues=self.bridge is not None,
            kept=self.kept,
            vault=a_vault(self.vault) if self.spec.vault else None,
            delivery=self.delivery if self.spec.external_secret else None,
            secret=self._secret(),
            workloads=(a_workload(wanted=len(self.wanted), force=True),),
            pods=tuple(self._pod(pod) for pod in self.pods),
            verdicts=by_pair(
                {
                    pair: self.verdict(pair)
                    for pair in (self.source, self.vault, self.secret, self._kept_pair)
                    if pair is not None and not pair.blank
                }
            ),
            unreadable=() if self.secret else (gone,),
            memory=self.memory,
            trying=Trying.CALLER,
        )
        return replace(seen, memory=remember(seen))

    def verdict(self, pair: PairFacts) -> StoreVerdict:
        """Return what the store says of a pair; the full test is remembered while it works."""
        answer = Answer.ACCEPTED
        if pair not in self.live:
            known = any(pair.key_id == other.key_id for other in self.live)
            answer = Answer.WRONG_SECRET if known else Answer.UNKNOWN_KEY
            self.tested.discard(pair.pair)
        depth = Depth.FULL if pair.pair in self.tested else Depth.LIST
        return StoreVerdict(answer=answer, depth=depth, at=self.now)

    @property
    def _kept_pair(self) -> PairFacts | None:
        return self.kept.pair if self.kept else None

    def _slots(self) -> tuple[Slot, ...] | None:
        """Return the store's own list, where lokeys may change it."""
        if self.bridge is None:
            return None
        keys = sorted(self.live, key=lambda pair: pair.key_id)
        return tuple(
            Slot(
                key_id=pair.key_id,
                facts=pair,
                hint="KEY",
                order=order,
                offered=pair == self.source,
            )
            for order, pair in enumerate(keys)
        )

    def _secret(self) -> SecretState | None:
        if self.secret is None:
            return None
        whole_seconds = self.written.replace(microsecond=0)
        return a_secret(self.secret, written_at=whole_seconds, immutable=self.delivery.immutable)

    def _pod(self, pod: WorldPod) -> PodState:
        runs = pod.started is not None and pod.deleting is None
        return PodState(
            ref=Ref("Pod", pod.name, "monitoring"),
            uid=f"u-{pod.name}-{pod.number}",
            workload=LOKI,
            ready=self._ready(pod),
            created_at=pod.born.replace(microsecond=0),
            started_at=pod.started.replace(microsecond=0) if pod.started else None,
            deleting_since=pod.deleting,
            grace=pod.grace,
            own_grace=OWN_GRACE,
            restarts=pod.restarts,
            wal_persistent=pod.wal,
            budget=self.budget,
            metrics=LokiMetrics(at=self.now, accepted=pod.accepted, refused=pod.refused)
            if runs
            else None,
        )

    def _ready(self, pod: WorldPod) -> bool:
        return (
            pod.started is not None
            and pod.deleting is None
            and self.now - pod.started >= READY_AFTER
        )

    # --- what happens by itself -----------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let time pass: syncs arrive, pods stop, start and ask the store."""
        self.now += timedelta(seconds=seconds)
        if self.due is not None and self.now >= self.due:
            self.due = None
            self._deliver()
        if self.secret is None and self.spec.external_secret and self.due is None:
            self.due = self.now + timedelta(seconds=0.1)  # a target that is gone is read afresh
        for pod in list(self.pods):
            self._move(pod)
        for name in self.wanted.keys() - {pod.name for pod in self.pods}:
            self.made += 1
            wal = self.wanted[name]
            self.pods.append(WorldPod(name=name, number=self.made, born=self.now, wal=wal))

    def _move(self, pod: WorldPod) -> None:
        if pod.deleting is not None:
            hangs = pod.wal is not None and pod.holds is not None and pod.holds not in self.live
            takes = pod.grace if hangs else min(pod.grace, STOPS_WITHIN)
            if self.now - pod.deleting >= takes:
                self.pods.remove(pod)
        elif pod.started is None:
            if self.secret is not None and not self.secret.blank:
                pod.start(self.secret, self.now)
        elif self.traffic and pod.holds in self.live:
            pod.accepted += 1
        elif self.traffic:
            pod.refused += 1

    def _deliver(self) -> None:
        fault = self.bad_deliveries.pop(0) if self.bad_deliveries else ""
        if fault == "lost" or self.vault.blank:
            return
        arrived = self.vault
        if fault == "torn" and self.secret is not None:
            arrived = torn(self.vault, self.secret)
        self.put(arrived)

    def put(self, pair: PairFacts | None) -> None:
        """Write the Secret, whoever does."""
        if pair != self.secret:
            self.written = self.now
        self.secret = pair

    def change_key(self, pair: PairFacts) -> None:
        """Replace the key at the store; the source's Secret follows, the old key is dead."""
        self.was_live |= {old.pair for old in self.live}
        self.live, self.source = {pair}, pair

    def crash(self, name: str) -> None:
        """Restart a container in place."""
        for pod in self.pods:
            if pod.name == name and pod.deleting is None and pod.started and self.secret:
                pod.restarts += 1
                pod.start(self.secret, self.now)

    def delete(self, name: str) -> None:
        """Tell a pod to stop, as a person does."""
        for pod in self.pods:
            if pod.name == name and pod.deleting is None:
                pod.deleting = self.now

    # --- what lokeys does -----------------------------------------------------------------------

    def plan(self) -> tuple[Snapshot, Plan]:
        """Look and plan, as at the start of every pass."""
        seen = self.look()
        self.memory = seen.memory
        return seen, plan(seen, self.policy)

    def do(self, step: Step, seen: Snapshot, *, crash: bool = False) -> None:
        """Carry a step out; `crash` loses what the engine would have remembered of it."""
        self.check(step, seen)
        self.log.append(step.id)
        before = self.memory
        self._act(step, seen)
        if crash:
            self.memory = before

    def _act(self, step: Step, seen: Snapshot) -> None:  # noqa: C901 - one line an action
        memory = self.memory
        match step.action:
            case Action.TEST_KEY:
                if self.source in self.live:
                    self.tested.add(self.source.pair)
            case Action.WRITE_VAULT:
                self.vault = self.source
            case Action.WRITE_SECRET:
                self.put(self.source)
            case Action.FORCE_SYNC:
                if self.delivery.force_sync_works:
                    self.due = self.now + timedelta(seconds=0.1)
                self._count_forced(step)
            case Action.SPOIL_DATA_HASH:
                self.due = self.now + timedelta(seconds=0.1)
                self._count_forced(step)
            case Action.RECREATE_SECRET:
                self.put(None)
            case Action.REPLACE_POD | Action.DELETE_POD:
                self._remove(step, seen)
            case Action.KEEP_PAIR | Action.ADD_KEY | Action.RETIRE_KEY | Action.DROP_PAIR:
                self._bridge(step)
            case Action.FLUSH:
                pod = self._of(step)
                pod.accepted += pod.holds in self.live
                pod.refused += pod.holds not in self.live
                self.memory = replace(memory, flushed={**memory.flushed, pod.name: self.now})
            case _:
                raise AssertionError(f"nobody in this world can {step.action}")

    def _bridge(self, step: Step) -> None:
        """Begin or end a bridge, as the engine does."""
        memory, old = self.memory, next((p for p in LETTERS if p.pair == step.pair), None)
        match step.action:
            case Action.KEEP_PAIR:
                assert old in {self.secret, self._kept_pair}, "it keeps what nobody has"
                assert old is not None
                self.kept = a_kept_pair(
                    old, source=source_name(self.spec), since=self.now, until=step.until
                )
                if step.until is not None:
                    bridge = Bridge(
                        pair=old.pair,
                        key_id=old.key_id,
                        source=self.kept.source,
                        since=self.now,
                        until=step.until,
                    )
                    self.memory = bridge_begun(memory, bridge)
            case Action.ADD_KEY:
                assert old is not None
                assert memory.bridge is not None
                self.live.add(old)
                self.bridged[old.pair] = memory.bridge.until
                self.memory = replace(memory, bridge=replace(memory.bridge, added_at=self.now))
            case Action.RETIRE_KEY:
                self.live = {pair for pair in self.live if pair.key_id != step.key_id}
            case _:
                self.kept = None
                self.memory = bridge_ended(memory)

    def _count_forced(self, step: Step) -> None:
        same = self.memory.forced_for == step.pair
        self.memory = replace(
            self.memory,
            forced_for=step.pair,
            forced_count=self.memory.forced_count + 1 if same else 1,
            forced_at=self.now,
        )

    def _remove(self, step: Step, seen: Snapshot) -> None:
        pod, memory = self._of(step), self.memory
        blocked = self.budget is not None and self.budget.disruptions_allowed == 0
        if blocked and step.action is Action.REPLACE_POD:
            since = memory.blocked_since.get(pod.name, self.now)
            blocks = {**memory.blocked_since, pod.name: since}
            self.memory = replace(memory, blocked_since=blocks)
            return
        pod.deleting, pod.grace = self.now, step.grace or pod.grace
        assert seen.secret is not None
        done = {**memory.replaced, pod.name: seen.secret.pair.pair}
        self.memory = replace(memory, replaced=done)

    def _of(self, step: Step) -> WorldPod:
        return next(pod for pod in self.pods if pod.name == step.target.name)

    # --- the promises ---------------------------------------------------------------------------

    def check(self, step: Step, seen: Snapshot) -> None:
        """Fail if the step breaks a promise, judged by what is really so."""
        said = f"{step.id} after {self.log}"
        if step.action in SPREADING:
            assert self.source in self.live, f"R2: spreads a dead key: {said}"
            assert self.source.pair in self.tested, f"R2: spreads an untested key: {said}"
            assert not self.source.flaws, f"R8: spreads a malformed key: {said}"
        if step.action is Action.WRITE_VAULT and self.vault in self.live:
            held = self.vault.pair in seen.memory.source_held
            assert held or self.policy.overwrite_foreign, f"R8: over a working key: {said}"
        if step.action is Action.WRITE_SECRET and self.secret in self.live:
            assert self.secret is not None
            held = self.secret.pair in seen.memory.source_held
            assert held or self.policy.overwrite_foreign, f"R8: over a working key: {said}"
        if step.action is Action.RECREATE_SECRET:
            assert self.secret not in self.live, f"deletes a working Secret: {said}"
        if step.action in POD_STEPS:
            self._check_pod(step, seen, said)
        if step.action is Action.ADD_KEY:
            self._check_bridge(step, said)
        if step.action is Action.RETIRE_KEY:
            assert step.pair != self.source.pair, f"retires the present key: {said}"

    def _check_bridge(self, step: Step, said: str) -> None:
        bridge = self.memory.bridge
        assert bridge is not None, f"its end is not recorded: {said}"
        assert bridge.until - self.now <= (self.bridge or timedelta(0)), f"too long: {said}"
        assert bridge.until > self.now, f"its time is over: {said}"
        before = self.bridged.get(bridge.pair, bridge.until)
        assert bridge.until == before, f"twice for one key: {said}"
        assert step.pair in self.was_live, f"never the source's: {said}"

    def _check_pod(self, step: Step, seen: Snapshot, said: str) -> None:
        pod = self._of(step)
        works = pod.holds in self.live
        assert self.secret == self.source, f"R1, R3: starts a pod on another key: {said}"
        assert not any(p.deleting for p in self.pods), f"two at once: {said}"
        late = {p.ref.name for p in behind(currency.seen(seen))}
        young = {
            p.name
            for p in self.pods
            if not self._ready(p) and p.holds == self.source and p.restarts <= 3
        }
        assert not young - late, f"one is starting: {said}"
        if pod.wal is False and not works:
            assert self.policy.accept_loss, f"loses lines: {said}"

    def true(self) -> bool:
        """Tell whether what a settled plan claims is so: one living key, everywhere."""
        hops = [self.secret, *(pod.holds for pod in self.pods)]
        hops += [self.vault] if self.spec.vault else []
        return self.source in self.live and all(pair == self.source for pair in hops)


def word(pair: PairFacts | None) -> str:
    """Return the word that a pair was made from."""
    return next((w for w in _WORDS if pair is not None and a_pair(w) == pair), "?")


def torn(one: PairFacts, other: PairFacts) -> PairFacts:
    """Return the pair with the id of one key and the secret of another."""
    halves = (word(one).rstrip("!").split("/")[0], word(other).rstrip("!").split("/")[-1])
    return a_pair("/".join(halves))


_WORDS = [*"ABC-", *(f"{x}/{y}" for x in "ABC-" for y in "ABC-"), "A!", "B!", "C!"]
