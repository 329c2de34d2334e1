# SPDX-License-Identifier: Apache-2.0
"""What the engine needs of the outside world, one Protocol a hop.

Reading never raises for what a report can carry: a hop that cannot be read returns `Unreadable`
(or a state with its fault). Acting raises the classes of `lokeys.errors`. Every call is bounded in
time and size by its adapter. A reading's pair is a secret: the engine keeps it for one pass only
and hands it to nobody but another port.
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
    """What a hop said: its state for the core, its pair for the ports, its gaps for the report."""

    state: State | None = None
    pair: KeyPair | None = None
    pairs: Mapping[Fingerprint, KeyPair] = field(default_factory=lambda: MappingProxyType({}))
    """All pairs that a source of several keys can show."""
    gaps: tuple[Unreadable, ...] = ()


class SourcePort(Protocol):
    """Where the key is minted."""

    async def read(self) -> Reading[SourceState]:
        """Return what the source offers now."""
        ...

    async def refresh(self) -> None:
        """Make the source read the store again (Rook: a data key added to its Secret)."""
        ...

    async def ensure_user(self) -> bool:
        """Make sure that the user exists; return whether it was made just now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIntent:
    """What the caller has recorded before it asks for a key: what tells a leftover of its own.

    `since`: when it recorded that it would. `known`: the ids that the user had then.
    """

    since: datetime
    known: frozenset[Fingerprint] = frozenset()


class IssuerPort(Protocol):
    """Who gives the source's user a key, and takes one away. Needs further rights at the store.

    Each call asks the store first whose key it is, and changes one thing at a time: repeated,
    it finds its work done, or goes on with it to the same effect. It raises Waiting where the
    change is made and not yet in force (call again), Conflict where somebody else changed the
    user's keys (list again, then decide again), NeedsHuman where a person must decide, Forbidden,
    NotFound (no such user), Unreachable, Transient.
    """

    async def list(self) -> tuple[Slot, ...]:
        """Return the user's keys as the store has them now."""
        ...

    def draft(self) -> KeyPair | None:
        """Return a new pair that nobody has heard of; None where the store chooses pairs."""
        ...

    async def create(self, pair: KeyPair | None, *, intent: KeyIntent) -> KeyPair:
        """Make sure that the user has this key, and return its pair.

        `pair`: chosen and kept by the caller, `draft` or an old one; a repeated call is the same
        call. None where the store chooses: then the returned pair exists nowhere else, and the
        leftover of a call whose answer was lost is removed first, found by `intent`.
        """
        ...

    async def offer(self, key_id: Fingerprint) -> None:
        """Make this key the one that the source names as present, where it names any."""
        ...

    async def retire(self, key_id: Fingerprint) -> None:
        """Make sure that the user no longer has this key.

        Raises NeedsHuman if it is the user's only one.
        """
        ...


class VaultPort(Protocol):
    """Where a copy of the key is kept."""

    async def read(self, *, afresh: bool = False) -> Reading[VaultState]:
        """Return what the item holds now. One item read; the item's id is remembered.

        `afresh`: its title is looked up once more, so that a second item of that title is noticed.
        """
        ...

    async def write(self, pair: KeyPair, *, over: Fingerprint) -> VaultState:
        """Put `pair` into both fields with one PATCH, and return what a read-back showed.

        The title is looked up afresh. Raises Conflict if it leads to several items, or the item no
        longer holds the pair `over`, NeedsHuman where the item, a field or the right is missing,
        Waiting if the read-back has not caught up in time.
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
        """Annotate its SecretStore with a new value, so that the operator looks at it again."""
        ...


class MakerPort(Protocol):
    """What makes the Secret in an ExternalSecret's place."""

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
        """Write a wrong data-hash annotation; makes ESO read where force-sync does nothing."""
        ...

    async def delete(self, *, expected: SecretState) -> None:
        """Delete it, with uid and resourceVersion as preconditions."""
        ...

    async def write(self, pair: KeyPair, *, expected: SecretState | None) -> None:
        """Write both keys in one apply; Conflict if it is no longer `expected`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFor:
    """What a pair is kept for: a bridge of this source that ends at `until`, or (None) a person."""

    source: str
    since: datetime
    until: datetime | None = None


class StagingPort(Protocol):
    """A Secret of lokeys' own, in which a pair outlives the delivered Secret's."""

    async def read(self) -> Reading[KeptPair]:
        """Return what is kept now; no state where nothing is."""
        ...

    async def keep(self, pair: KeyPair, *, purpose: KeptFor) -> None:
        """Keep a pair, in place of the one kept before; NeedsHuman if the Secret is not ours."""
        ...

    async def hold(self) -> None:
        """Keep the StorageCredential, even if it is deleted, until what is kept is dropped."""
        ...

    async def drop(self) -> None:
        """Delete what is kept, and let the StorageCredential go; fine if either is gone."""
        ...


class HoldersPort(Protocol):
    """Who else in the cluster holds a key."""

    async def find(
        self, pair: KeyPair, *, changed_at: datetime | None, own: frozenset[Ref]
    ) -> Holders:
        """Return who holds the pair's id beside the route's own hops, and the source's `own`.

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
        """Tell whether this pod may be evicted from here; None where that is not to be known."""
        ...

    async def evict(self, pod: PodState, *, grace: timedelta | None) -> None:
        """Evict one pod; raises Conflict if it was replaced, Waiting if a budget refuses."""
        ...

    async def delete(self, pod: PodState, *, grace: timedelta | None) -> None:
        """Delete one pod (uid as precondition), whatever its budget says."""
        ...


class StorePort(Protocol):
    """The object store, asked with a given key."""

    async def try_list(self, pair: KeyPair) -> StoreVerdict:
        """Ask for a list of at most one key. Never raises for an answer."""
        ...

    async def try_fully(self, pair: KeyPair) -> StoreVerdict:
        """Put, get, list and delete one object of a fixed name under the probe prefix."""
        ...

    async def try_everywhere(self, pair: KeyPair) -> Mapping[str, StoreVerdict]:
        """Do the same at each address of the endpoint; by address, "" where there is no choice."""
        ...

    async def bucket_exists(self, pair: KeyPair) -> bool:
        """Tell whether the bucket is there, as `pair` sees it."""
        ...

    async def create_bucket(self, pair: KeyPair) -> None:
        """Create the bucket, owned by the pair's user; fine if it is there and ours."""
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
    """A service account's token, and what it says of itself."""

    token: Sensitive
    claims: Claims


class TokenPort(Protocol):
    """The API server as an issuer of service accounts' tokens."""

    async def issuer(self) -> str:
        """Return the issuer that the cluster's discovery document names."""
        ...

    async def request(self, account: Ref, *, audience: str) -> IssuedToken:
        """Ask for a short-lived token of `account` for `audience`.

        Raises Forbidden, NotFound, or NeedsHuman for an audience of the API server's own, for
        which lokeys never asks.
        """
        ...


Credential = KeyPair | AccountKey | Sensitive
"""What opens a store: an S3 key (temporary or not), an account key, or a bearer token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """What a provider answered: the links that it decided, and the credential that it gave."""

    links: tuple[Link, ...] = ()
    credential: Credential | None = field(default=None, repr=False)


class Clouds(Protocol):
    """The providers and stores of all clouds. Never raises for an answer, nor for silence."""

    def through(self, proxies: Proxies) -> AbstractAsyncContextManager[Clouds]:
        """Return the same clouds, reached through these proxies while the context lasts."""
        ...

    async def exchange(
        self, trust: Trust, issued: IssuedToken, *, ca_bundle: str | None
    ) -> Exchanged:
        """Show a token to the provider that trusts it."""
        ...

    async def log_in(self, key: StaticKey) -> Exchanged:
        """Return what a static key opens the store with; Google's is exchanged first."""
        ...

    async def try_place(self, place: Place, credential: Credential, *, owner: str) -> Link:
        """Put, get, list and delete one object; `owner` makes its name, always the same."""
        ...


class CredentialVerifier(Protocol):
    """Tries a LokiStack's credentials as its pods would, before anybody trusts them."""

    async def verify(
        self, stack: LokiStack, storage: Storage, secret: SecretData, *, account: str
    ) -> Verification:
        """Try the way of one service account to the bucket, link by link.

        All modes and stores. `secret` is the stack's storage Secret as it is to be tried, spread
        or not; `account` is `<stack>` or `<stack>-ruler`. Never raises for what a link shows.
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
    """Who decides where keys are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPorts:
    """The pods of workloads whose Loki has no route: read, and never changed."""

    workloads: WorkloadsPort
    loki: LokiPort


class Objects(Protocol):
    """All that is read of a cluster: objects from a cache or live, events and logs always live."""

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        """Return the object; raises NotFound, Forbidden, Unreachable."""
        ...

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the objects of a kind; `namespace` None means all."""
        ...

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return the events of this reason about an object, in no order."""
        ...

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return the end of a container's log; raises BadInput where it has not started."""
        ...


Clock = Callable[[], datetime]
"""Tells the present moment, aware, in UTC."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits some seconds; tests pass one that does not."""
