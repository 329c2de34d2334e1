# SPDX-License-Identifier: Apache-2.0
"""What the engine needs from outside, one Protocol per hop.

Reading never raises for what a report can contain: a hop that cannot be read returns `Unreadable`
(or a state with its fault). Acting raises the classes of `lokeys.errors`. Every call is bounded in
time and size by its adapter. A reading's pair is a secret: the engine keeps it for one pass only
and passes it only to another port.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from lokeys.core.findings.link import Link
from lokeys.core.findings.verdict import StoreVerdict
from lokeys.core.kubernetes.consent import Trying
from lokeys.core.place import Ref
from lokeys.core.proxies import Proxies
from lokeys.core.route.model import Bucket
from lokeys.core.route.rotation.holders import Holders
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import (
    DeliveryState,
    KeptPair,
    LogLine,
    LokiMetrics,
    MakerState,
    PodState,
    SecretState,
    SourceState,
    Unreadable,
    VaultState,
    WorkloadState,
)
from lokeys.core.sensitive import Fingerprint, KeyPair, Sensitive
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.model import Storage
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.trust.tries.claims import Claims
from lokeys.core.trust.tries.identity import AccountKey, Place, StaticKey, Trust
from lokeys.core.trust.tries.verification import Verification

State = TypeVar("State", covariant=True)  # noqa: PLC0105 - it reads better than State_co


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[State]):
    """One hop's state for the core, pair for the ports, and unreadable parts for the report."""

    state: State | None = None
    pair: KeyPair | None = None
    pairs: Mapping[Fingerprint, KeyPair] = field(default_factory=lambda: MappingProxyType({}))
    """All pairs that a source with several keys can show."""
    gaps: tuple[Unreadable, ...] = ()


class SourcePort(Protocol):
    """Where the key is created."""

    async def read(self) -> Reading[SourceState]:
        """Return what the source offers now."""
        ...

    async def refresh(self) -> None:
        """Make the source read the store again (Rook: a data key added to its Secret)."""
        ...

    async def ensure_user(self) -> bool:
        """Make sure that the user exists; return whether this call created it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIntent:
    """What the caller has recorded before it asks for a key, to identify a leftover of its own.

    `since`: when it recorded that it would. `known`: the ids that the user had then.
    """

    since: datetime
    known: frozenset[Fingerprint] = frozenset()


class IssuerPort(Protocol):
    """Adds a key to the source's user, and removes one. Needs more permissions at the store.

    Each call first asks the store whose key it is, and changes one thing at a time: if repeated, it
    finds its work done, or continues with the same effect. It raises Waiting if the change is made
    and not yet in force (call again), Conflict if somebody else changed the user's keys (list
    again, then decide again), NeedsHuman if a person must decide, Forbidden, NotFound (no such
    user), Unreachable, Transient.
    """

    async def list(self) -> tuple[Slot, ...]:
        """Return the user's keys as the store has them now."""
        ...

    def draft(self) -> KeyPair | None:
        """Return a new pair that exists only here; None if the store chooses pairs."""
        ...

    async def create(self, pair: KeyPair | None, *, intent: KeyIntent) -> KeyPair:
        """Make sure that the user has this key, and return its pair.

        `pair`: chosen and kept by the caller, from `draft` or an old one; a repeated call has the
        same effect. None if the store chooses: then the returned pair exists nowhere else, and the
        leftover of a call whose answer was lost is removed first, identified by `intent`.
        """
        ...

    async def offer(self, key_id: Fingerprint) -> None:
        """Make this key the source's current one, if the source names one."""
        ...

    async def retire(self, key_id: Fingerprint) -> None:
        """Make sure that the user no longer has this key.

        Raises NeedsHuman if it is the user's only one.
        """
        ...


class VaultPort(Protocol):
    """Where a copy of the key is kept."""

    async def read(self, *, afresh: bool = False) -> Reading[VaultState]:
        """Return what the item holds now. Reads one item; the item's id is remembered.

        `afresh`: its title is looked up again, so that a second item with that title is noticed.
        """
        ...

    async def write(self, pair: KeyPair, *, over: Fingerprint) -> VaultState:
        """Put `pair` into both fields with one PATCH, and return what a read-back showed.

        The title is looked up again. Raises Conflict if several items have it, or if the item no
        longer holds the pair `over`, NeedsHuman if the item, a field or a permission is missing,
        Waiting if the read-back is not up to date in time.
        """
        ...


class DeliveryPort(Protocol):
    """The ExternalSecret."""

    async def read(self) -> Reading[DeliveryState]:
        """Return its state, its store's, and who else claims its target."""
        ...

    async def force_sync(self) -> None:
        """Annotate it with a new value, so that the operator reads the vault again."""
        ...

    async def revalidate_store(self) -> None:
        """Annotate its SecretStore with a new value, so that the operator checks it again."""
        ...


class MakerPort(Protocol):
    """What makes the Secret instead of an ExternalSecret."""

    async def read(self) -> Reading[MakerState]:
        """Return what its object says."""
        ...

    async def ask(self) -> None:
        """Ask its controller to recreate the Secret. Raises NeedsHuman if that is not possible."""
        ...


class SecretPort(Protocol):
    """The Secret that Loki reads."""

    async def read(self, *, bare: bool = False) -> Reading[SecretState]:
        """Return what it holds now; `bare`: without blanks at the ends, as YAML drops them."""
        ...

    async def spoil_data_hash(self, *, expected: SecretState) -> None:
        """Write a wrong data-hash annotation; makes ESO read if force-sync has no effect."""
        ...

    async def delete(self, *, expected: SecretState) -> None:
        """Delete it, with uid and resourceVersion as preconditions."""
        ...

    async def write(self, pair: KeyPair, *, expected: SecretState | None) -> None:
        """Write both keys in one apply; Conflict if it is no longer `expected`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFor:
    """The reason to keep a pair: a bridge of this source until `until`, or (None) a person."""

    source: str
    since: datetime
    until: datetime | None = None


class StagingPort(Protocol):
    """A Secret of lokeys, in which a pair outlives the delivered Secret's."""

    async def read(self) -> Reading[KeptPair]:
        """Return what is kept now; no state if nothing is."""
        ...

    async def keep(self, pair: KeyPair, *, purpose: KeptFor) -> None:
        """Keep a pair, instead of the previous one; NeedsHuman if the Secret is not ours."""
        ...

    async def hold(self) -> None:
        """Keep the StorageCredential, even if it is deleted, until what is kept is dropped."""
        ...

    async def drop(self) -> None:
        """Delete what is kept, and release the StorageCredential; fine if either is gone."""
        ...


class HoldersPort(Protocol):
    """Who else in the cluster holds a key."""

    async def find(
        self, pair: KeyPair, *, changed_at: datetime | None, own: frozenset[Ref]
    ) -> Holders:
        """Return who holds the pair's id besides the route's own hops, and the source's `own`.

        `changed_at`: when the delivered Secret's content changed from this pair to another.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The workloads of a route and their pods."""

    workloads: tuple[WorkloadState, ...] = ()
    pods: tuple[PodState, ...] = ()


class WorkloadsPort(Protocol):
    """The workloads that use the Secret."""

    async def read(self) -> Reading[Fleet]:
        """Return workloads and pods; pods come without metrics and log."""
        ...

    async def may_evict(self, pod: PodState) -> bool | None:
        """Tell whether this pod may be evicted from here; None if that is not known."""
        ...

    async def evict(self, pod: PodState, *, grace: timedelta | None) -> None:
        """Evict one pod; raises Conflict if it was replaced, Waiting if a budget refuses."""
        ...

    async def delete(self, pod: PodState, *, grace: timedelta | None) -> None:
        """Delete one pod (uid as precondition), whatever its budget says."""
        ...


class StorePort(Protocol):
    """The object store, used with a given key."""

    async def try_list(self, pair: KeyPair) -> StoreVerdict:
        """Ask for a list of at most one key. Never raises for an answer."""
        ...

    async def try_fully(self, pair: KeyPair) -> StoreVerdict:
        """Put, get, list and delete one object of a fixed name under the probe prefix."""
        ...

    async def try_everywhere(self, pair: KeyPair) -> Mapping[str, StoreVerdict]:
        """Do the same at each address of the endpoint; by address, "" if there is only one."""
        ...

    async def bucket_exists(self, pair: KeyPair) -> bool:
        """Tell whether the bucket exists, as seen with `pair`."""
        ...

    async def create_bucket(self, pair: KeyPair) -> None:
        """Create the bucket, owned by the pair's user; fine if it exists and is ours."""
        ...


class LokiPort(Protocol):
    """The Loki in one pod."""

    async def metrics(self, pod: PodState) -> LokiMetrics | Unreadable:
        """Return its storage counters."""
        ...

    async def log(self, pod: PodState) -> tuple[LogLine, ...] | Unreadable:
        """Return the storage complaints in the tail of its log."""
        ...

    async def flush(self, pod: PodState) -> None:
        """Ask its ingester to flush, so that proof need not wait for traffic."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A service account's token, and its claims."""

    token: Sensitive
    claims: Claims


class TokenPort(Protocol):
    """The API server as an issuer of service accounts' tokens."""

    async def issuer(self) -> str:
        """Return the issuer that the cluster's discovery document names."""
        ...

    async def request(self, account: Ref, *, audience: str) -> IssuedToken:
        """Ask for a short-lived token of `account` for `audience`.

        Raises Forbidden, NotFound, or NeedsHuman for an audience of the API server itself, for
        which lokeys never asks.
        """
        ...


Credential = KeyPair | AccountKey | Sensitive
"""What gives access to a store: an S3 key (temporary or not), an account key, a bearer token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """A provider's answer: the links that it decided, and the credential that it issued."""

    links: tuple[Link, ...] = ()
    credential: Credential | None = field(default=None, repr=False)


class Clouds(Protocol):
    """The providers and stores of all clouds. Never raises for an answer, or for none."""

    def through(self, proxies: Proxies) -> AbstractAsyncContextManager[Clouds]:
        """Return the same clouds, reached through these proxies while the context is open."""
        ...

    async def exchange(
        self, trust: Trust, issued: IssuedToken, *, ca_bundle: str | None
    ) -> Exchanged:
        """Send a token to the provider that trusts it."""
        ...

    async def log_in(self, key: StaticKey) -> Exchanged:
        """Return the credential for a static key; Google's is exchanged first."""
        ...

    async def try_place(self, place: Place, credential: Credential, *, owner: str) -> Link:
        """Put, get, list and delete one object; `owner` gives it a fixed name."""
        ...


class CredentialVerifier(Protocol):
    """Tests a LokiStack's credentials as its pods would use them, before they are used."""

    async def verify(
        self, stack: LokiStack, storage: Storage, secret: SecretData, *, account: str
    ) -> Verification:
        """Test one service account's path to the bucket, link by link.

        All modes and stores. `secret` is the stack's storage Secret to test, rolled out or not;
        `account` is `<stack>` or `<stack>-ruler`. Never raises for a link's result.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePorts:
    """All ports of one route. `store` may differ from the spec's only in how it is reached."""

    source: SourcePort
    issuer: IssuerPort | None = None
    vault: VaultPort | None
    delivery: DeliveryPort | None
    maker: MakerPort | None = None
    secret: SecretPort
    values: SecretPort | None = None
    workloads: WorkloadsPort
    store: StorePort
    loki: LokiPort
    bucket: Bucket
    staging: StagingPort | None = None
    holders: HoldersPort | None = None
    trying: Trying = Trying.CONSENT
    """Who decides where keys are tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPorts:
    """The pods of workloads whose Loki has no route: only read, never changed."""

    workloads: WorkloadsPort
    loki: LokiPort


class Objects(Protocol):
    """Everything that is read of a cluster: objects cached or live, events and logs always live."""

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        """Return the object; raises NotFound, Forbidden, Unreachable."""
        ...

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the objects of a kind; `namespace` None means all."""
        ...

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return the events with this reason about an object, in any order."""
        ...

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return the end of a container's log; raises BadInput if it has not started."""
        ...


Clock = Callable[[], datetime]
"""Returns the current time in UTC, with its time zone."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits some seconds; tests pass one that does not."""
