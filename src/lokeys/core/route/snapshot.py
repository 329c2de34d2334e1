# SPDX-License-Identifier: Apache-2.0
"""One look at a route: what every hop held at one moment, as pure data without any secret value.

What could not be read is data too (`Unreadable`), so that a half-broken cluster still gets a full
report. Times have a time zone: UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from lokeys.core.findings.verdict import StoreVerdict
from lokeys.core.kubernetes.consent import NO_CONSENT, Consent, Trying
from lokeys.core.kubernetes.loki.model import RunningLoki
from lokeys.core.kubernetes.makers import Maker
from lokeys.core.place import Hop, Ref
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.rotation.holders import Holders
from lokeys.core.route.slots import Slot
from lokeys.core.sensitive import Fingerprint, Flaw, PairFacts


class Why(StrEnum):
    """Why something could not be read."""

    NOT_FOUND = "does not exist"
    FORBIDDEN = "forbidden"
    UNREACHABLE = "no answer from here"
    NOT_ALLOWED = "its owner has not allowed this namespace"
    ANOTHERS = "it belongs to somebody else"
    URL_NOT_ALLOWED = "its owner has not allowed this address"
    NOT_SUPPORTED = "cannot be read from here"
    GARBLED = "its answer makes no sense"
    MISROUTED = "the admin path is taken for a bucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """One thing that could not be read, and the error that was reported (never a reply body)."""

    hop: Hop
    ref: Ref
    why: Why
    detail: str = ""

    @property
    def hides(self) -> bool:
        """Tell whether this hides something that may exist.

        What does not exist hides nothing, except a vault's token: the item is behind it.
        """
        return self.why is not Why.NOT_FOUND or self.hop is Hop.VAULT


# --- the store ----------------------------------------------------------------------------------


# --- source -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RookUser:
    """What the CephObjectStoreUser says about itself (phase Ready alone proves nothing)."""

    phase: str
    generation: int
    observed_generation: int
    uses_spec_keys: bool = False
    reads_generated_secret: bool = False  # spec.keys points at Rook's own Secret: destroys all keys
    key_secrets_applied: bool = True  # status.keys matches the Secrets' resourceVersions
    deleting: bool = False
    message: str = ""
    store: str = ""  # the CephObjectStore that the user itself names
    store_ready: bool | None = None

    @property
    def applied(self) -> bool:
        """Tell whether Rook has applied the current generation."""
        return (
            self.phase == "Ready"
            and self.observed_generation == self.generation
            and self.key_secrets_applied
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What the source offers. `slots` None: nobody could read which keys its user has."""

    ref: Ref  # the Secret that holds the pair, or the user where no Secret is involved
    owner: Ref  # the user itself
    pair: PairFacts | None = None
    resource_version: str = ""
    rook: RookUser | None = None
    slots: tuple[Slot, ...] | None = None
    suspended: bool | None = None
    generated_blank: bool = False
    consent: Consent = NO_CONSENT

    @property
    def live(self) -> tuple[Slot, ...] | None:
        """Return the keys that the store itself lists; None: it was not asked."""
        if self.slots is None or any(slot.listed is None for slot in self.slots):
            return None
        return tuple(slot for slot in self.slots if slot.listed)

    @property
    def names_itself(self) -> bool:
        """Tell whether only the source's own Secret says which key is current (Rook's does)."""
        return self.rook is not None and not self.rook.uses_spec_keys


# --- vault --------------------------------------------------------------------------------------


class VaultFault(StrEnum):
    """Why the vault's pair cannot be read, or not trusted."""

    UNREACHABLE = "Connect does not answer"
    NOT_CONNECT = "what answers is not Connect"
    TOKEN_REFUSED = "the token is refused"
    VAULT_NOT_FOUND = "no such vault"
    VAULT_FORBIDDEN = "the token has no right to the vault"
    ITEM_NOT_FOUND = "no such item"
    ITEM_AMBIGUOUS = "several items of that title"
    FIELD_NOT_FOUND = "no such field"
    FIELD_AMBIGUOUS = "several fields of that label"
    RATE_LIMITED = "asked to slow down"
    READ_ONLY = "writing is refused"
    NOT_READABLE = "this kind of vault cannot be read from here"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultState:
    """What the vault holds; `fault` says why there is no pair."""

    ref: Ref
    pair: PairFacts | None = None
    version: int | None = None
    updated_at: datetime | None = None
    fault: VaultFault | None = None
    detail: str = ""
    fields: tuple[str, ...] = ()  # labels the item has, for a helpful message


# --- delivery -----------------------------------------------------------------------------------


class RefreshPolicy(StrEnum):
    """ESO's refreshPolicy."""

    PERIODIC = "Periodic"
    CREATED_ONCE = "CreatedOnce"
    ON_CHANGE = "OnChange"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """The SecretStore or ClusterSecretStore behind an ExternalSecret."""

    ref: Ref
    exists: bool = True
    ready: bool | None = None
    reason: str = ""
    message: str = ""
    connect_host: str | None = None  # None: not 1Password Connect
    provider: str = ""  # its common name


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryState:
    """An ExternalSecret; Ready only means that ESO has no error, not that data is current."""

    ref: Ref
    target: str
    refresh_policy: RefreshPolicy = RefreshPolicy.PERIODIC
    refresh_interval: timedelta | None = timedelta(hours=1)  # None: does not parse
    refresh_interval_text: str = "1h"
    creation_policy: str = "Owner"
    immutable: bool = False
    ready: bool | None = None
    reason: str = ""
    message: str = ""
    last_event: str = ""  # ESO's text of the last UpdateFailed, the only place with the cause
    synced_version: str = ""  # status.syncedResourceVersion
    refreshed_at: datetime | None = None
    store: StoreState | None = None
    reads_whole_item: bool = False  # dataFrom.extract: never torn
    stopped_by: tuple[Ref, ...] = ()  # ExternalSecrets whose interval stops all of them
    target_owner: Ref | None = None  # another ExternalSecret that owns the target
    place: str = ""  # where in its store the pair is, in words, if known

    @property
    def force_sync_works(self) -> bool:
        """Tell whether a new annotation makes ESO read again (measured, by policy)."""
        if self.refresh_policy is RefreshPolicy.PERIODIC:
            return self.refresh_interval is not None and self.refresh_interval > timedelta(0)
        return self.refresh_policy is RefreshPolicy.ON_CHANGE


# --- secret -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """The Secret that Loki's pods read."""

    ref: Ref
    uid: str
    resource_version: str
    pair: PairFacts
    immutable: bool = False
    written_at: datetime | None = None  # the latest write to `data` that managedFields show
    managed_by_eso: bool = False
    owner: Ref | None = None
    dropped: frozenset[Flaw] = frozenset()  # what YAML removes before Loki signs
    maker: Maker | None = None  # as the Secret's owners and marks say
    consent: Consent = NO_CONSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class MakerState:
    """What makes the Secret instead of an ExternalSecret, according to its own object."""

    ref: Ref
    item: str = ""  # of a OnePasswordItem: where the item is, as `vault/item`
    ready: bool | None = None
    message: str = ""
    suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPair:
    """A staging Secret of lokeys: a pair that pods hold, kept before the Secret changes.

    `until`: when the bridge ends for which it was kept. `sealed`: lokeys wrote this, with the key
    of its fingerprints, for this pair and this route.
    """

    ref: Ref
    uid: str
    resource_version: str
    pair: PairFacts
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sealed: bool = False


# --- pods ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiMetrics:
    """Loki's own counters since its process started."""

    at: datetime
    accepted: int = 0  # storage requests answered 2xx
    refused: int = 0  # storage requests answered 403
    missing: int = 0  # 404s: harmless by themselves
    flush_failures: int = 0
    chunks_in_memory: int = 0
    last_flush_at: datetime | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One kind of storage complaint in a pod's log: a cause, how often, from when to when."""

    cause: str  # of causes.md
    count: int
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget that covers a pod."""

    ref: Ref
    disruptions_allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """One pod whose container reads the Secret."""

    ref: Ref
    uid: str
    workload: Ref
    ready: bool
    containers_ready: str = ""  # `1/2`, as kubectl writes it
    created_at: datetime
    started_at: datetime | None = None  # of the Loki container's current run
    unready_since: datetime | None = None
    restarts: int = 0  # of all its containers
    waiting_reason: str = ""  # CrashLoopBackOff and similar
    probe_failures: int = 0
    deleting_since: datetime | None = None  # as the API server shows it
    grace: timedelta = timedelta(seconds=30)  # likewise: a second, shorter delete changes both
    own_grace: timedelta = timedelta(seconds=30)  # of its spec: what a delete grants by default
    killing_since: datetime | None = None  # when its node began to stop the container
    wal_persistent: bool | None = None  # None: does not write (no WAL)
    revision_current: bool = True
    budget: Budget | None = None
    metrics: LokiMetrics | None = None
    log: tuple[LogLine, ...] = ()
    last_words: tuple[LogLine, ...] = ()  # of a run that has ended: says nothing about its key

    @property
    def writes(self) -> bool:
        """Tell whether this pod holds lines that only it can flush."""
        return self.wal_persistent is not None


class Roller(StrEnum):
    """Who else replaces a workload's pods when the Secret changes."""

    RELOADER = "Reloader"
    OPERATOR = "its operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadState:
    """One workload, as its controller reports it."""

    ref: Ref
    exists: bool = True
    wanted: int = 1
    ready: int = 0
    ordered: bool = False  # a StatefulSet with OrderedReady, and any ingester
    rolling: bool = False  # its controller is replacing pods of an old revision now
    roller: Roller | None = None
    reads_secret: bool = True
    force: bool = False
    loki: RunningLoki | None = None  # how it is configured, as far as that can be read

    @property
    def writes_to(self) -> str:
        """Return the endpoint in its configuration; "" if there is none, or it is not readable."""
        storage = self.loki.storage if self.loki is not None else None
        return storage.endpoint if storage is not None and storage.told_endpoint else ""

    def drops_blanks(self, secret: Ref) -> bool:
        """Tell whether its Loki certainly signs with the Secret's values without outer blanks."""
        place = self.loki.pair if self.loki is not None and not self.loki.guessed else None
        halves = place.data_keys if place is not None else None
        own = halves is not None and halves[0].ref == secret
        return own and place is not None and not place.blanks_kept

    def pods_to_come(self, pods: tuple[PodState, ...]) -> bool:
        """Tell whether its controller still has to create a pod that will read the Secret."""
        own = sum(pod.workload == self.ref for pod in pods)
        return self.exists and self.reads_secret and own < self.wanted


_NEWLINES = frozenset({Flaw.ID_TRAILING_NEWLINE, Flaw.SECRET_TRAILING_NEWLINE})


def signs_without_blanks(workloads: tuple[WorkloadState, ...], secret: SecretState | None) -> bool:
    """Tell whether a newline at the end of a value never reaches the store: no Loki keeps it."""
    if secret is None or not secret.pair.flaws & _NEWLINES:
        return False
    readers = [each for each in workloads if each.reads_secret]
    return bool(readers) and all(each.drops_blanks(secret.ref) for each in readers)


def may_sign_without_blanks(
    workloads: tuple[WorkloadState, ...], secret: SecretState | None
) -> bool:
    """Tell whether some Loki's configuration is unreadable now, so that it may drop a newline.

    Then the previous knowledge counts: a read that fails for a moment changes no pair.
    """
    if secret is None or not secret.pair.flaws & _NEWLINES:
        return False
    readers = (each for each in workloads if each.reads_secret)
    return any(each.loki is None or each.loki.file is None for each in readers)


# --- the whole ----------------------------------------------------------------------------------


_WORKLOADS = frozenset({"StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "LokiStack"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at one route."""

    spec: RouteSpec
    at: datetime
    source: SourceState | None = None
    vault: VaultState | None = None
    delivery: DeliveryState | None = None
    maker: MakerState | None = None
    values: SecretState | None = None  # where a HelmRelease takes the pair from
    secret: SecretState | None = None
    workloads: tuple[WorkloadState, ...] = ()
    pods: tuple[PodState, ...] = ()
    verdicts: Mapping[Fingerprint, StoreVerdict] = field(
        default_factory=lambda: MappingProxyType({})
    )
    unreadable: tuple[Unreadable, ...] = ()
    memory: Memory = field(default_factory=Memory)
    trying: Trying = Trying.CONSENT
    rivals: bool = False  # an older StorageCredential claims the same target, item or user
    going: bool = False  # the StorageCredential is being deleted
    issues: bool = False  # lokeys can add a key at the source, and remove one
    kept: KeptPair | None = None
    kept_gap: Unreadable | None = None
    holders: Holders | None = None
    """Who else holds the key that a rotation would remove; None if nobody looked."""
    showable: frozenset[Fingerprint] = frozenset()
    """Pairs of which some hop or the source can show both halves now."""

    def verdict(self, pair: PairFacts | None) -> StoreVerdict | None:
        """Return what the store said about `pair`, if it was asked."""
        return self.verdicts.get(pair.pair) if pair else None

    def missing(self, hop: Hop) -> Unreadable | None:
        """Return why `hop` could not be read, if it could not."""
        return next((gap for gap in self.unreadable if gap.hop is hop), None)

    def loki(self, pod: PodState) -> RunningLoki | None:
        """Return how the Loki in a pod is configured, if that is known."""
        return next((each.loki for each in self.workloads if each.ref == pod.workload), None)

    def kept_from_storage(self, pod: PodState) -> bool:
        """Tell whether the pod's configuration keeps it from its storage, with any key."""
        loki = self.loki(pod)
        return loki is not None and bool(loki.kept_from_storage)

    @property
    def unseen(self) -> Unreadable | None:
        """Return the workload, or the list of pods, that could not be read.

        As long as there is one, a pod may be missing from `pods`, and nothing is known of all pods.
        """
        gaps = (gap for gap in self.unreadable if gap.hop is Hop.PODS)
        return next((gap for gap in gaps if gap.ref.kind in _WORKLOADS or _lists(gap.ref)), None)

    @property
    def complete(self) -> bool:
        """Tell whether everything that exists could be read."""
        return not any(gap.hides for gap in self.unreadable)

    def in_order(self) -> Snapshot:
        """Return the same snapshot with its lists sorted, so that no answer depends on their order.

        Workloads come in the route's order, unreadable things with the plainest reason first.
        """
        listed = {(w.kind, w.name): place for place, w in enumerate(self.spec.workloads)}
        hops, reasons = list(Hop), list(Why)
        return replace(
            self,
            workloads=tuple(
                sorted(
                    self.workloads,
                    key=lambda w: (listed.get((w.ref.kind, w.ref.name), len(listed)), _text(w.ref)),
                )
            ),
            pods=tuple(sorted(self.pods, key=lambda pod: (_text(pod.workload), _text(pod.ref)))),
            unreadable=tuple(
                sorted(
                    self.unreadable,
                    key=lambda gap: (
                        hops.index(gap.hop),
                        reasons.index(gap.why),
                        _text(gap.ref),
                        gap.detail,
                    ),
                )
            ),
        )


def _lists(ref: Ref) -> bool:
    """Tell whether this is the list of all pods, not the metrics of one pod."""
    return ref.kind == "Pod" and ref.name == "*"


def _text(ref: Ref) -> tuple[str, str, int, str]:
    """Return a sort key that orders names as people do: `loki-9` before `loki-10`."""
    return (ref.kind, ref.namespace or "", len(ref.name), ref.name)
