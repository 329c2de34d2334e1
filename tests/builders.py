# SPDX-License-Identifier: Apache-2.0
"""Routes and looks at them, in a word: `a_snapshot()` is healthy and proved; say what differs.

Pairs have letters. `a_pair("A")` is key A, `a_pair("B/A")` the id of B with the secret of A,
`a_pair("A/-")` lacks its secret, `a_pair("A!")` has a newline at the end of its secret, and that of
`a_pair("A=")` is encoded in base64.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from lokeys.core.findings.verdict import Answer, Depth, StoreVerdict
from lokeys.core.kubernetes.consent import Trying
from lokeys.core.kubernetes.loki.model import LokiStorage, RunningLoki
from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Ref
from lokeys.core.route.memory import Content, Memory
from lokeys.core.route.model import (
    Bucket,
    ExternalSecretRef,
    Mode,
    OnePasswordVault,
    PairKeys,
    RgwAdmin,
    RookSource,
    RouteSpec,
    SecretRef,
    Workload,
)
from lokeys.core.route.plan import Plan
from lokeys.core.route.remembering import remember
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import (
    DeliveryState,
    KeptPair,
    LokiMetrics,
    PodState,
    RookUser,
    SecretState,
    Snapshot,
    SourceState,
    StoreState,
    Unreadable,
    VaultState,
    WorkloadState,
)
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, PairFacts, Sensitive

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINGERPRINTER = Fingerprinter(Sensitive(b"a key for tests"), kept=True)

USER = Ref("CephObjectStoreUser", "loki", "storage")
ROOK_SECRET = Ref("Secret", "rook-ceph-object-user-store-loki", "storage")
ITEM = Ref("OnePasswordItem", "Homelab/loki-s3")
EXTERNAL_SECRET = Ref("ExternalSecret", "loki-s3-credentials", "monitoring")
SECRET_STORE = Ref("SecretStore", "onepassword", "monitoring")
SECRET = Ref("Secret", "loki-s3-credentials", "monitoring")
TOKEN = Ref("Secret", "connect-token", "vaults")
STAGING = Ref("Secret", "lokeys-bridge-loki", "monitoring")
LOKI = Ref("StatefulSet", "loki", "monitoring")
WORDS_OF_PAIRS = "ABCDE"


def key_id_of(letter: str) -> str:
    """Return the access key id of a letter; a canary, like the secret."""
    return {"-": ""}.get(letter, f"CANARY0ID0OF0KEY000{letter}")


def secret_of(letter: str) -> str:
    """Return the secret key of a letter."""
    return {"-": ""}.get(letter, f"canary-secret-of-key-{letter}-0123456789abcdef")


def a_key_pair(word: str = "A") -> KeyPair:
    """Return the secret values that a word stands for."""
    key_id, _, letter = word.rstrip("!=").partition("/")
    secret = secret_of(letter or key_id) + ("\n" if word.endswith("!") else "")
    if word.endswith("="):
        secret = b64encode(secret.encode()).decode()
    return KeyPair(access_key_id=Sensitive(key_id_of(key_id)), secret_access_key=Sensitive(secret))


def a_pair(word: str = "A") -> PairFacts:
    """Return what may be known of the pair that a word stands for."""
    return FINGERPRINTER.describe(a_key_pair(word))


A, B, C, D = (a_pair(letter) for letter in "ABCD")


def ago(**parts: float) -> datetime:
    """Return a moment before NOW."""
    return NOW - timedelta(**parts)


def a_route(**changes: Any) -> RouteSpec:
    """Return the route of the runbook: Rook, 1Password, External Secrets, a StatefulSet."""
    whole: dict[str, Any] = {
        "name": "loki",
        "namespace": "monitoring",
        "mode": Mode.HEAL,
        "source": RookSource(user="loki", namespace="storage", store="store"),
        "vault": OnePasswordVault(
            url="http://connect:8080",
            token=SecretKeyRef(name="connect-token", key="token"),
            vault="Homelab",
            item="loki-s3",
            fields=PairKeys(access_key_id="access_key", secret_access_key="secret_key"),
        ),
        "secret": SecretRef(
            name="loki-s3-credentials",
            keys=PairKeys(
                access_key_id="AWS_ACCESS_KEY_ID", secret_access_key="AWS_SECRET_ACCESS_KEY"
            ),
        ),
        "external_secret": ExternalSecretRef(name="loki-s3-credentials"),
        "bucket": Bucket(name="loki-chunks", endpoint="http://rgw.storage.svc"),
        "workloads": (Workload(kind="StatefulSet", name="loki"),),
    }
    return RouteSpec(**{**whole, **changes})


def a_rook_source(**changes: Any) -> RookSource:
    """Return a source that may be refreshed and shows RGW's own list of keys."""
    keys = PairKeys(access_key_id="AccessKey", secret_access_key="SecretKey")
    admin = RgwAdmin(
        endpoint="http://rgw.storage.svc", secret=SecretRef(name="rgw-admin", keys=keys)
    )
    whole = {"user": "loki", "namespace": "storage", "refresh": True, "admin": admin}
    return RookSource(**{**whole, **changes})


def a_source(pair: PairFacts | None = A, **changes: Any) -> SourceState:
    """Return Rook's Secret with a pair, of a user that is Ready."""
    whole: dict[str, Any] = {"ref": ROOK_SECRET, "owner": USER, "rook": a_rook_user()}
    return SourceState(**{**whole, "pair": pair, **changes})


def a_rook_user(**changes: Any) -> RookUser:
    """Return a user that Rook has applied."""
    whole = {"phase": "Ready", "generation": 1, "observed_generation": 1, "store": "store"}
    return RookUser(**{**whole, **changes})


def live(*pairs: PairFacts) -> tuple[Slot, ...]:
    """Return RGW's own list of keys, the smallest id first."""
    return tuple(
        Slot(key_id=pair.key_id, facts=pair, hint=f"KEY{order}", order=order)
        for order, pair in enumerate(pairs)
    )


def a_vault(pair: PairFacts | None = A, **changes: Any) -> VaultState:
    """Return the item with a pair."""
    whole: dict[str, Any] = {"ref": ITEM, "pair": pair, "version": 3, "updated_at": ago(days=9)}
    return VaultState(**{**whole, **changes})


def a_delivery(**changes: Any) -> DeliveryState:
    """Return an ExternalSecret that is content."""
    whole: dict[str, Any] = {
        "ref": EXTERNAL_SECRET,
        "target": SECRET.name,
        "ready": True,
        "reason": "SecretSynced",
        "refreshed_at": ago(minutes=20),
        "store": StoreState(ref=SECRET_STORE, ready=True),
    }
    return DeliveryState(**{**whole, **changes})


def a_secret(pair: PairFacts = A, **changes: Any) -> SecretState:
    """Return the Secret that Loki reads, with a pair."""
    whole: dict[str, Any] = {"ref": SECRET, "uid": "u-secret", "resource_version": "7"}
    return SecretState(**{**whole, "pair": pair, **changes})


def a_kept_pair(pair: PairFacts = A, **changes: Any) -> KeptPair:
    """Return lokeys' staging Secret with a pair, as lokeys itself wrote it."""
    whole: dict[str, Any] = {"ref": STAGING, "uid": "u-staging", "resource_version": "3"}
    return KeptPair(**{**whole, "pair": pair, "sealed": True, **changes})


def a_workload(*, writes_to: str = "", **changes: Any) -> WorkloadState:
    """Return Loki's StatefulSet; `writes_to` is the endpoint that its configuration names."""
    if writes_to:
        storage = LokiStorage(endpoint=writes_to, told_endpoint=True)
        changes["loki"] = RunningLoki(container="loki", storage=storage)
    return WorkloadState(**{"ref": LOKI, "ready": 1, "ordered": True, **changes})


def a_pod(name: str = "loki-0", **changes: Any) -> PodState:
    """Return a pod that runs since an hour, with its WAL on a volume; `accepted=3` is a metric."""
    counters = {"at": NOW, "accepted": 5, "chunks_in_memory": 12, "last_flush_at": ago(minutes=9)}
    metrics = {key: changes.pop(key) for key in list(changes) if key in _COUNTERS}
    whole: dict[str, Any] = {
        "ref": Ref("Pod", name, "monitoring"),
        "uid": f"u-{name}",
        "workload": LOKI,
        "ready": True,
        "containers_ready": "2/2",
        "created_at": ago(hours=1),
        "started_at": ago(hours=1),
        "wal_persistent": True,
        "metrics": LokiMetrics(**{**counters, **metrics}),
    }
    return PodState(**{**whole, **changes})


_COUNTERS = frozenset({"accepted", "refused", "missing", "flush_failures", "chunks_in_memory"})


def said(answer: Answer = Answer.ACCEPTED, depth: Depth = Depth.LIST, **more: Any) -> StoreVerdict:
    """Return the store's answer to a key."""
    return StoreVerdict(answer=answer, depth=depth, at=NOW, **more)


WORKS = said()
TRUSTED = said(depth=Depth.FULL)
DEAD = said(Answer.UNKNOWN_KEY)


def a_gap(hop: Any, ref: Ref, why: Any, detail: str = "") -> Unreadable:
    """Return something that could not be read."""
    return Unreadable(hop=hop, ref=ref, why=why, detail=detail)


def content(pair: PairFacts = A, *, since: datetime | None = None, **changes: Any) -> Content:
    """Return that the Secret holds a pair, seen to come two hours ago."""
    whole: dict[str, Any] = {"pair": pair.pair, "since": since or ago(hours=2)}
    if "before" in changes:
        changes["before"] = changes["before"].pair
    return Content(**{**whole, **changes})


def a_snapshot(**changes: Any) -> Snapshot:
    """Return a look at a healthy route on which A is everywhere, with what differs.

    `source`, `vault`, `secret` take a pair, a state, or None; `verdicts` a mapping by pair.
    Nothing is remembered that was not given: `look(...)` remembers as lokeys does.
    """
    spec = changes.pop("spec", None) or a_route(**changes.pop("route", {}))
    hops = {"source": a_source, "vault": a_vault, "secret": a_secret}
    whole: dict[str, Any] = {
        "spec": spec,
        "at": NOW,
        "delivery": a_delivery() if spec.external_secret else None,
        "workloads": (a_workload(),),
        "pods": (a_pod(),),
        "memory": Memory(content=content()),
        "trying": Trying.CALLER,
    }
    for name, build in hops.items():
        given = changes.pop(name, A if name != "vault" or spec.vault else None)
        whole[name] = build(given) if isinstance(given, PairFacts) else given
    verdicts = by_pair(changes.pop("verdicts", {A: WORKS}))
    return Snapshot(**{**whole, "verdicts": verdicts, **changes})


def by_pair(
    verdicts: Mapping[PairFacts, StoreVerdict],
) -> Mapping[Fingerprint, StoreVerdict]:
    """Return verdicts as a snapshot has them."""
    return MappingProxyType({pair.pair: verdict for pair, verdict in verdicts.items()})


def look(**changes: Any) -> Snapshot:
    """Return a look as the engine hands it to the core: what it adds to the memory is in it."""
    seen = a_snapshot(**changes)
    return replace(seen, memory=remember(seen))


def said_by(made: Plan) -> str:
    """Return a plan's first step, or why there is none."""
    step = made.next_step
    ending = f"stalled: {made.stalled}" if made.stalled else "settled"
    return f"{step.action.value} {step.target.name}" if step else ending


def canaries() -> Iterable[str]:
    """Return what must never be seen anywhere."""
    for letter in WORDS_OF_PAIRS:
        yield from (key_id_of(letter), secret_of(letter))
