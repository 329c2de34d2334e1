# SPDX-License-Identifier: Apache-2.0
"""What a StorageCredential asks for: one key's route, from the store's user to Loki's pods.

    source ────▶ vault ──▶ delivery ──▶ secret ──▶ pods ──▶ store
    creates it   keeps it  delivers it  holds it   use it   answers

The field names are those of the resource (`lokeys.dev/v1alpha1`), in whole words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Ref


class Mode(StrEnum):
    """What lokeys may do on a route by itself. Each includes the one before."""

    OBSERVE = "Observe"
    HEAL = "Heal"
    ROTATE = "Rotate"


class Prove(StrEnum):
    """How Loki's own requests come about that prove a key."""

    WAIT = "Wait"
    FLUSH = "Flush"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairKeys:
    """The two data keys (or field labels) under which a pair is kept."""

    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """A Secret or ConfigMap by name, and the two data keys of the pair in it.

    `inside`: the pair is in the YAML text under this data key; `keys` are then paths in it.
    """

    name: str
    keys: PairKeys
    kind: str = "Secret"
    inside: str | None = None

    def ref(self, namespace: str) -> Ref:
        """Return the object that holds the pair."""
        return Ref(self.kind, self.name, namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class RgwAdmin:
    """Where RGW's admin API is, and which credential may use it."""

    endpoint: str
    secret: SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class RookSource:
    """A CephObjectStoreUser and the Secret that Rook makes for it.

    `store` None: read from the user. `refresh`: lokeys may make Rook read RGW again.
    """

    user: str
    namespace: str
    store: str | None = None
    refresh: bool = False
    admin: RgwAdmin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RgwSource:
    """A user of Ceph's RGW that Rook does not manage, read through the admin API."""

    uid: str
    admin: RgwAdmin
    ca_bundle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsIamSource:
    """An IAM user's access keys."""

    user_name: str
    admin: SecretRef | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSource:
    """Any Secret: its pair is the source."""

    secret: SecretRef
    namespace: str


_CLAIMED = PairKeys(access_key_id="AWS_ACCESS_KEY_ID", secret_access_key="AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSource:
    """An ObjectBucketClaim: its key comes with its bucket, in a Secret of the claim's name."""

    claim: str
    namespace: str

    @property
    def secret(self) -> SecretRef:
        """Return the Secret that the claim's provisioner makes."""
        return SecretRef(name=self.claim, keys=_CLAIMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownSource:
    """The source is unknown and nothing proves one: only for a running Loki."""


Source = RookSource | RgwSource | AwsIamSource | SecretSource | ClaimSource | UnknownSource


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePasswordVault:
    """An item in 1Password, reached through a Connect server. `fields` are labels.

    `token_namespace` None: the token's Secret is in the route's own namespace.
    """

    url: str
    token: SecretKeyRef
    token_namespace: str | None = None
    vault: str
    item: str
    fields: PairKeys

    def token_secret(self, home: str) -> Ref:
        """Return the Secret with the token, of a route in namespace `home`."""
        return Ref("Secret", self.token.name, self.token_namespace or home)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSecretVault:
    """A vault that External Secrets writes for us, through a PushSecret of this name."""

    name: str


Vault = OnePasswordVault | PushSecretVault


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSecretRef:
    """The ExternalSecret that delivers; `recreate`: an immutable, refused Secret may be deleted."""

    name: str
    recreate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The bucket that Loki writes, and how to reach it. `endpoint` is a URL."""

    name: str
    endpoint: str
    region: str = "us-east-1"
    path_style: bool = True
    ca_bundle: str | None = None
    create: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsEndpoint:
    """Where a Loki pod serves its metrics."""

    port: int = 3100
    scheme: str = "http"
    path: str = "/metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One workload whose pods use the key. `force`: may be deleted if a budget blocks eviction."""

    kind: str
    name: str
    container: str = "loki"
    metrics: MetricsEndpoint = MetricsEndpoint()
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationWindow:
    """When a rotation may start: a five-field cron schedule, and for how long."""

    schedule: str
    duration: timedelta
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationSpec:
    """How often the key is replaced, and how the old one retires."""

    every: timedelta = timedelta(hours=720)
    overlap: timedelta = timedelta(minutes=30)
    roll_timeout: timedelta = timedelta(minutes=15)
    retire_on_evidence: bool = True
    window: RotationWindow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """One StorageCredential, parsed, with every default filled in.

    `made_by`: the object that makes the Secret, if it is not an ExternalSecret. `values`: what a
    HelmRelease takes the pair from and renders for Loki. `bridge_longest`: how long a replaced key
    may be valid again, if its owner allows it; zero: never.
    """

    name: str
    namespace: str
    mode: Mode = Mode.OBSERVE
    source: Source
    vault: Vault | None = None
    secret: SecretRef
    external_secret: ExternalSecretRef | None = None
    made_by: Ref | None = None
    values: SecretRef | None = None
    bucket: Bucket
    workloads: tuple[Workload, ...] = ()
    prove: Prove = Prove.WAIT
    rotation: RotationSpec | None = None
    bridge_longest: timedelta = timedelta(hours=1)

    @property
    def ref(self) -> Ref:
        """Return the resource's own reference."""
        return Ref("StorageCredential", self.name, self.namespace)

    @property
    def route(self) -> str:
        """Return `namespace/name`, as findings name a route."""
        return f"{self.namespace}/{self.name}"

    @property
    def secret_ref(self) -> Ref:
        """Return the Secret or ConfigMap that Loki reads."""
        return self.secret.ref(self.namespace)


def bridging_ref(spec: RouteSpec) -> Ref | None:
    """Return the object whose annotation allows a bridge; None if there is none.

    The user that Rook manages, or the Secret of the account that may change the user's keys.
    """
    match spec.source:
        case RookSource():
            return source_ref(spec)
        case RgwSource(admin=admin):
            return admin.secret.ref(spec.namespace)
    return None


def staging_name(route: str) -> str:
    """Return the name of the Secret in which lokeys keeps a pair for a route of this name."""
    return f"lokeys-bridge-{route}"


def consenting_ref(spec: RouteSpec) -> Ref | None:
    """Return the object whose annotation says which namespaces may use the source; None if none."""
    match spec.source:
        case ClaimSource() as claim:
            return claim.secret.ref(claim.namespace)
        case RookSource() | SecretSource():
            return source_ref(spec)
    return None


def source_ref(spec: RouteSpec) -> Ref:
    """Return the route's source as far as it is known before anything is read.

    If it is unknown, that is the Secret with its key.
    """
    match spec.source:
        case RookSource(user=user, namespace=namespace):
            return Ref("CephObjectStoreUser", user, namespace)
        case RgwSource(uid=uid):
            return Ref("RGWUser", uid)
        case AwsIamSource(user_name=user_name):
            return Ref("IAMUser", user_name)
        case ClaimSource(claim=claim, namespace=namespace):
            return Ref("ObjectBucketClaim", claim, namespace)
        case UnknownSource():
            return spec.secret_ref
        case plain:
            return Ref("Secret", plain.secret.name, plain.namespace)
