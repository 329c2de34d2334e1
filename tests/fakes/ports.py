# SPDX-License-Identifier: Apache-2.0
"""A small world in memory, with the rules of the real one, behind every port of a route.

    world = World(); world.rotate_source(); ports = world.ports(spec)

The store takes a pair only while its user has it; External Secrets copies the item when forced; a
pod reads the Secret when it starts and asks the store with what it read then. Time stands still
until somebody sleeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict
from lokeys.core.kubernetes.consent import Consent, Trying, origins
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import (
    Bucket,
    OnePasswordVault,
    RouteSpec,
    source_ref,
    staging_name,
)
from lokeys.core.route.rotation.holders import Holders
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import (
    DeliveryState,
    KeptPair,
    LogLine,
    LokiMetrics,
    MakerState,
    PodState,
    RookUser,
    SecretState,
    SourceState,
    Unreadable,
    VaultFault,
    VaultState,
    WorkloadState,
)
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, Sensitive
from lokeys.errors import BadInput, Conflict, NeedsHuman, NotFound, Unreachable
from lokeys.kube.replies import NoSuchKind
from lokeys.ports import Fleet, KeptFor, KeyIntent, Reading, RoutePorts

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def pair(name: str) -> KeyPair:
    """Return the pair of this name; its secret can be looked for in outputs."""
    return KeyPair(
        access_key_id=Sensitive(f"AK{name.upper():0<18}"),
        secret_access_key=Sensitive(f"canary-{name}-{'x' * 30}"),
    )


@dataclass(slots=True)
class Pod:
    """One running Loki: the pair that it read at its start, and what came of it."""

    name: str
    uid: str
    started_at: datetime
    holds: KeyPair
    wal_persistent: bool = True
    requests: int = 5
    asks: bool = True
    """Whether it asks the store for anything now: one that does not meets no 403."""
    ready: bool = True
    pending: bool = False
    """Whether its container is yet to start."""


@dataclass(slots=True)
class World:
    """Everything outside of lokeys. Each write is kept in `writes`, in order."""

    now: datetime = NOON
    fingerprinter: Fingerprinter = field(
        default_factory=lambda: Fingerprinter(key=Sensitive(b"k" * 32), kept=True)
    )
    alive: list[KeyPair] = field(default_factory=lambda: [pair("one")])
    source: KeyPair = field(default_factory=lambda: pair("one"))
    item: KeyPair = field(default_factory=lambda: pair("one"))
    item_version: int = 3
    second_item: bool = False
    """Whether another item has the title of the route's own."""
    item_id_unknown: bool = True
    secret: KeyPair | None = field(default_factory=lambda: pair("one"))
    secret_written_at: datetime = NOON - timedelta(days=12)
    secret_version: int = 1
    bucket_exists: bool = True
    user_exists: bool = True
    store_reachable: bool = True
    eso_works: bool = True
    eso_fails_with: str = ""
    """External Secrets' own words of its last refresh, if that failed."""
    pods: list[Pod] = field(default_factory=list)
    starts_slowly: bool = False
    """Whether a new pod is pending until somebody says otherwise."""
    writes: list[str] = field(default_factory=list)
    gaps: tuple[Unreadable, ...] = ()
    may_evict: bool | None = True
    trying: Trying = Trying.CALLER
    shows_keys: bool = False
    """Whether the source shows the store's own list of its user's keys."""
    names_none: bool = False
    """Whether it does not say which of them is present, as RGW's own users do not."""
    consents: bool = True
    """Whether the source's owner names the store's address."""
    holders: list[str] | None = field(default_factory=list)
    """Secrets of somebody else's that hold the key that is to go; None: nobody can look."""
    bridge: timedelta | None = None
    """For how long the source's owner lets a replaced key be valid again."""
    kept: tuple[KeyPair, KeptFor] | None = None
    late_addresses: dict[str, int] = field(default_factory=dict)
    """Addresses of the store that take a new key only after so many tries."""
    held: bool = False
    """Whether the finalizer keeps the resource."""
    """What is in the staging Secret."""

    def __post_init__(self) -> None:
        """Start one pod that is as old as the Secret."""
        if not self.pods:
            started = self.secret_written_at + timedelta(hours=1)
            self.pods = [Pod("loki-0", "uid-loki-0", started, self.secret or pair("one"))]

    def clock(self) -> datetime:
        """Return the moment of this world."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def rotate_source(self) -> None:
        """Replace the user's key at the store; only the source's Secret follows."""
        self.alive, self.source = [pair("two")], pair("two")

    def unread(self, hop: Hop) -> tuple[Unreadable, ...]:
        """Return what of a hop cannot be read."""
        return tuple(gap for gap in self.gaps if gap.hop is hop)

    def knows(self, held: KeyPair) -> bool:
        """Tell whether the store takes this pair."""
        return held in self.alive

    def slots(self) -> tuple[Slot, ...]:
        """Return the keys that the user has at the store, the smallest id first."""
        by_id = sorted(self.alive, key=lambda held: held.access_key_id.reveal())
        described = [self.fingerprinter.describe(held) for held in by_id]
        return tuple(
            Slot(
                key_id=facts.key_id,
                facts=facts,
                hint=held.access_key_id.reveal_text()[:4],
                order=order,
                offered=held == self.source and not self.names_none,
            )
            for order, (held, facts) in enumerate(zip(by_id, described, strict=True))
        )

    def start(self, pod: Pod) -> None:
        """Replace a pod: the new one reads the Secret as it is now."""
        self.pods.remove(pod)
        uid = f"{pod.uid}+"
        holds = self.secret or pair("none")
        made = Pod(pod.name, uid, self.now, holds, pod.wal_persistent)
        self.pods.append(replace(made, pending=self.starts_slowly))

    def ports(self, spec: RouteSpec) -> RoutePorts:
        """Return every port of a route into this world."""
        return RoutePorts(
            source=_Source(self, spec),
            issuer=_Issuer(self),
            staging=_Staging(self, spec),
            holders=_Holders(self) if self.holders is not None else None,
            vault=_Vault(self, spec) if spec.vault else None,
            delivery=_Delivery(self, spec) if spec.external_secret else None,
            maker=_Maker(self, spec.made_by) if spec.made_by else None,
            secret=_Secret(self, spec),
            workloads=_Workloads(self, spec),
            store=_Store(self, spec.bucket),
            loki=_Loki(self),
            bucket=spec.bucket,
            trying=self.trying,
        )


@dataclass(slots=True)
class _Source:
    world: World
    spec: RouteSpec

    async def read(self) -> Reading[SourceState]:
        ref = source_ref(self.spec)
        mine = self.world.unread(Hop.SOURCE)
        if mine or not self.world.user_exists:
            return Reading(gaps=mine)
        held = self.world.source
        state = SourceState(
            ref=Ref("Secret", f"rook-ceph-object-user-storage-{ref.name}", ref.namespace),
            owner=ref,
            consent=Consent(
                named=origins([self.spec.bucket.endpoint] * self.world.consents),
                bridge=self.world.bridge,
            ),
            pair=self.world.fingerprinter.describe(held),
            rook=RookUser(phase="Ready", generation=1, observed_generation=1, store="storage"),
            slots=self.world.slots() if self.world.shows_keys else None,
        )
        if self.world.names_none:
            pairs = {
                self.world.fingerprinter.describe(each).pair: each for each in self.world.alive
            }
            state = replace(state, pair=None, rook=None, slots=self.world.slots())
            return Reading(state=state, pairs=pairs)
        return Reading(state=state, pair=held)

    async def refresh(self) -> None:
        self.world.writes.append("refresh source")
        self.world.source = self.world.alive[0]

    async def ensure_user(self) -> bool:
        made = not self.world.user_exists
        if made:
            self.world.writes.append("create user")
        self.world.user_exists = True
        return made


@dataclass(slots=True)
class _Issuer:
    """A store that lets the caller choose a pair, and offers what it is told to."""

    world: World

    async def list(self) -> tuple[Slot, ...]:
        return self.world.slots()

    def draft(self) -> KeyPair | None:
        return pair(f"new{len(self.world.writes)}")

    async def create(self, pair: KeyPair | None, *, intent: KeyIntent) -> KeyPair:
        del intent
        if pair is None:
            raise BadInput("the caller chooses the pair")
        if pair not in self.world.alive:
            self.world.writes.append("create key")
            self.world.alive.append(pair)
        return pair

    async def offer(self, key_id: Fingerprint) -> None:
        self.world.source = next(held for held in self.world.alive if self._is(held, key_id))
        self.world.writes.append("offer key")

    async def retire(self, key_id: Fingerprint) -> None:
        doomed = [held for held in self.world.alive if self._is(held, key_id)]
        if doomed and len(self.world.alive) == 1:
            raise NeedsHuman("it is the only key")
        for held in doomed:
            self.world.writes.append("retire key")
            self.world.alive.remove(held)

    def _is(self, held: KeyPair, key_id: Fingerprint) -> bool:
        return self.world.fingerprinter.describe(held).key_id == key_id


@dataclass(slots=True)
class _Staging:
    """A staging Secret, whose annotations are always lokeys' own."""

    world: World
    spec: RouteSpec

    async def read(self) -> Reading[KeptPair]:
        if self.world.kept is None:
            return Reading()
        held, purpose = self.world.kept
        state = KeptPair(
            ref=Ref("Secret", staging_name(self.spec.name), self.spec.namespace),
            uid="uid-staging",
            resource_version="1",
            pair=self.world.fingerprinter.describe(held),
            source=purpose.source,
            since=purpose.since,
            until=purpose.until,
            sealed=True,
        )
        return Reading(state=state, pair=held)

    async def keep(self, pair: KeyPair, *, purpose: KeptFor) -> None:
        self.world.writes.append("keep pair")
        self.world.kept = (pair, purpose)

    async def hold(self) -> None:
        self.world.held = True

    async def drop(self) -> None:
        self.world.held = False
        self.world.writes.append("drop pair")
        self.world.kept = None


@dataclass(slots=True)
class _Holders:
    world: World

    async def find(
        self, pair: KeyPair, *, changed_at: datetime | None, own: frozenset[Ref]
    ) -> Holders:
        del pair, changed_at, own
        return Holders(found=tuple(Ref("Secret", n, "traces") for n in self.world.holders or ()))


@dataclass(slots=True)
class _Vault:
    world: World
    spec: RouteSpec

    def _state(self) -> VaultState:
        assert isinstance(self.spec.vault, OnePasswordVault)
        return VaultState(
            ref=Ref("OnePasswordItem", f"{self.spec.vault.vault}/{self.spec.vault.item}"),
            pair=self.world.fingerprinter.describe(self.world.item),
            version=self.world.item_version,
            updated_at=NOON - timedelta(days=40),
        )

    async def read(self, *, afresh: bool = False) -> Reading[VaultState]:
        if mine := self.world.unread(Hop.VAULT):
            return Reading(gaps=mine)
        if self.world.second_item and (afresh or self.world.item_id_unknown):
            self.world.item_id_unknown = True
            ambiguous = replace(self._state(), pair=None, fault=VaultFault.ITEM_AMBIGUOUS)
            return Reading(state=ambiguous)
        self.world.item_id_unknown = False
        return Reading(state=self._state(), pair=self.world.item)

    async def write(self, pair: KeyPair, *, over: Fingerprint) -> VaultState:
        if self.world.second_item:
            self.world.item_id_unknown = True
            raise Conflict("two items have the title")
        if self.world.fingerprinter.describe(self.world.item).pair != over:
            raise Conflict("the item holds another pair by now")
        self.world.writes.append("write vault")
        self.world.item = pair
        self.world.item_version += 1
        return self._state()


@dataclass(slots=True)
class _Delivery:
    world: World
    spec: RouteSpec

    async def read(self) -> Reading[DeliveryState]:
        assert self.spec.external_secret is not None
        if mine := self.world.unread(Hop.DELIVERY):
            return Reading(gaps=mine)
        name = self.spec.external_secret.name
        return Reading(
            state=DeliveryState(
                ref=Ref("ExternalSecret", name, self.spec.namespace),
                target=self.spec.secret.name,
                ready=not self.world.eso_fails_with,
                reason="SecretSyncedError" if self.world.eso_fails_with else "SecretSynced",
                last_event=self.world.eso_fails_with,
                refreshed_at=self.world.now - timedelta(minutes=40),
            )
        )

    async def force_sync(self) -> None:
        self.world.writes.append("force sync")
        if self.world.eso_works and self.world.secret != self.world.item:
            self.world.secret = self.world.item
            self.world.secret_written_at = self.world.now
            self.world.secret_version += 1

    async def revalidate_store(self) -> None:
        self.world.writes.append("revalidate store")


@dataclass(slots=True)
class _Maker:
    """A 1Password operator's item: once asked, the Secret is what the item holds."""

    world: World
    ref: Ref

    async def read(self) -> Reading[MakerState]:
        return Reading(state=MakerState(ref=self.ref, item="homelab/loki"))

    async def ask(self) -> None:
        self.world.writes.append("ask maker")
        if self.world.secret != self.world.item:
            self.world.secret = self.world.item
            self.world.secret_written_at = self.world.now
            self.world.secret_version += 1


@dataclass(slots=True)
class _Secret:
    world: World
    spec: RouteSpec

    async def read(self, *, bare: bool = False) -> Reading[SecretState]:
        held = self.world.secret
        if mine := self.world.unread(Hop.SECRET):
            return Reading(gaps=mine)
        if held is None:
            return Reading()
        state = SecretState(
            ref=self.spec.secret_ref,
            uid="uid-secret",
            resource_version=str(self.world.secret_version),
            pair=self.world.fingerprinter.describe(held),
            written_at=self.world.secret_written_at,
            managed_by_eso=self.spec.external_secret is not None,
        )
        if bare:
            held = held.without_blanks()
            left = self.world.fingerprinter.describe(held)
            state = replace(state, pair=left, dropped=state.pair.flaws - left.flaws)
        return Reading(state=state, pair=held)

    async def spoil_data_hash(self, *, expected: SecretState) -> None:
        self.world.writes.append(f"spoil data-hash of {expected.ref.name}")

    async def delete(self, *, expected: SecretState) -> None:
        self.world.writes.append(f"delete {expected.ref.name}")
        self.world.secret = None

    async def write(self, pair: KeyPair, *, expected: SecretState | None) -> None:
        del expected
        self.world.writes.append("write secret")
        self.world.secret = pair
        self.world.secret_written_at = self.world.now
        self.world.secret_version += 1


@dataclass(slots=True)
class _Workloads:
    world: World
    spec: RouteSpec

    async def read(self) -> Reading[Fleet]:
        if mine := self.world.unread(Hop.PODS):
            return Reading(state=Fleet(), gaps=mine)
        ref = Ref("StatefulSet", "loki", self.spec.namespace)
        workload = WorkloadState(ref=ref, wanted=1, ready=1, ordered=True)
        return Reading(
            state=Fleet(
                workloads=(workload,), pods=tuple(self._pod(p, ref) for p in self.world.pods)
            )
        )

    def _pod(self, pod: Pod, workload: Ref) -> PodState:
        return PodState(
            ref=Ref("Pod", pod.name, self.spec.namespace),
            uid=pod.uid,
            workload=workload,
            ready=pod.ready and not pod.pending,
            containers_ready="2/2" if pod.ready else "1/2",
            created_at=pod.started_at,
            started_at=None if pod.pending else pod.started_at,
            wal_persistent=pod.wal_persistent,
        )

    async def may_evict(self, pod: PodState) -> bool | None:
        del pod
        return self.world.may_evict

    async def evict(self, pod: PodState, *, grace: timedelta | None) -> None:
        self.world.writes.append(f"evict {pod.ref.name}")
        del grace
        self._replace(pod)

    async def delete(self, pod: PodState, *, grace: timedelta | None) -> None:
        self.world.writes.append(f"delete {pod.ref.name}")
        del grace
        self._replace(pod)

    def _replace(self, pod: PodState) -> None:
        for mine in self.world.pods:
            if mine.uid == pod.uid:
                self.world.start(mine)
                return
        raise Conflict(f"{pod.ref} was replaced by somebody else")


@dataclass(slots=True)
class _Store:
    world: World
    bucket: Bucket

    def _verdict(self, held: KeyPair, depth: Depth) -> StoreVerdict:
        verdict = StoreVerdict(answer=Answer.ACCEPTED, depth=depth, at=self.world.now)
        action = "put" if depth is Depth.FULL else "list"
        if not self.world.store_reachable:
            detail = "rgw.storage.svc:80: the host name does not resolve here"
            return replace(verdict, answer=Answer.UNREACHABLE, detail=detail, action=action)
        if not self.world.knows(held):
            ids = [known.access_key_id for known in self.world.alive]
            wrong = Answer.WRONG_SECRET if held.access_key_id in ids else Answer.UNKNOWN_KEY
            return replace(verdict, answer=wrong, action=action)
        if not self.world.bucket_exists:
            return replace(verdict, answer=Answer.NO_BUCKET, action=action)
        return verdict

    async def try_list(self, pair: KeyPair) -> StoreVerdict:
        return self._verdict(pair, Depth.LIST)

    async def try_fully(self, pair: KeyPair) -> StoreVerdict:
        return self._verdict(pair, Depth.FULL)

    async def try_everywhere(self, pair: KeyPair) -> dict[str, StoreVerdict]:
        verdict = self._verdict(pair, Depth.FULL)
        late = replace(verdict, answer=Answer.UNKNOWN_KEY, action="put")
        knows = {address: passes <= 0 for address, passes in self.world.late_addresses.items()}
        self.world.late_addresses = {a: n - 1 for a, n in self.world.late_addresses.items()}
        return {"": verdict} | {a: verdict if known else late for a, known in knows.items()}

    async def bucket_exists(self, pair: KeyPair) -> bool:
        del pair
        if not self.world.store_reachable:
            raise Unreachable("rgw.storage.svc:80: the host name does not resolve here")
        return self.world.bucket_exists

    async def create_bucket(self, pair: KeyPair) -> None:
        del pair
        self.world.writes.append(f"create bucket {self.bucket.name}")
        self.world.bucket_exists = True


@dataclass(slots=True)
class _Loki:
    world: World

    def _of(self, pod: PodState) -> Pod:
        return next(mine for mine in self.world.pods if mine.uid == pod.uid)

    async def metrics(self, pod: PodState) -> LokiMetrics | Unreadable:
        mine = self._of(pod)
        works = self.world.knows(mine.holds) or not mine.asks
        return LokiMetrics(
            at=self.world.now,
            accepted=mine.requests if works else 0,
            refused=0 if works else mine.requests,
            flush_failures=0 if works else mine.requests,
            started_at=mine.started_at,
        )

    async def log(self, pod: PodState) -> tuple[LogLine, ...] | Unreadable:
        if self.world.knows(self._of(pod).holds):
            return ()
        first, last = self.world.now - timedelta(minutes=9), self.world.now
        return (LogLine(cause="access_key_unknown", count=12, first_at=first, last_at=last),)

    async def flush(self, pod: PodState) -> None:
        self.world.writes.append(f"flush {pod.ref.name}")


class FakeObjects:
    """An `Objects` on a dictionary. `kinds` are those whose CRD is installed."""

    def __init__(self, *objects: Mapping[str, Any], kinds: frozenset[str] | None = None) -> None:
        self.items = list(objects)
        self.kinds = kinds

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        """Return the object; raises NotFound."""
        for item in await self.list(ref.kind, namespace=ref.namespace):
            if item["metadata"]["name"] == ref.name:
                return item
        raise NotFound(f"{ref} does not exist")

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the objects of a kind; `namespace` None means all."""
        assert labels is None, "no label is looked for here"
        if self.kinds is not None and kind not in self.kinds:
            raise NoSuchKind(f"the API server knows no {kind}")
        return [
            item
            for item in self.items
            if item["kind"] == kind and namespace in (None, item["metadata"].get("namespace"))
        ]

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return the events among the objects that are about this one."""
        events = await self.list("Event", namespace=about.namespace)
        wanted = (about.kind, about.name, reason)
        return [
            event
            for event in events
            if wanted
            == (event["involvedObject"]["kind"], event["involvedObject"]["name"], event["reason"])
        ]

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return nothing: no container here has written a line."""
        await self.get(pod)
        return ""
