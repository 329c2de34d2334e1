# SPDX-License-Identifier: Apache-2.0
"""The permissions of one route in its mode, and their reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lokeys.core.kubernetes.consent import ALLOWED_URLS
from lokeys.core.place import Ref
from lokeys.core.rbac.grants import (
    APPS,
    CORE,
    ESO,
    FLUX,
    FOLLOW,
    LOKEYS,
    LOKI,
    NETWORKING,
    ONE_PASSWORD,
    POLICY,
    READ,
    ROOK,
    Grant,
    events,
    lease,
    read_secret,
)
from lokeys.core.rbac.issuer import issuer_grants
from lokeys.core.route.model import (
    AwsIamSource,
    ClaimSource,
    Mode,
    OnePasswordVault,
    RgwSource,
    RookSource,
    RouteSpec,
    SecretRef,
    SecretSource,
    staging_name,
)
from lokeys.core.route.receipts.kept import history_ref

_WORKLOADS = {
    "StatefulSet": ((APPS, "statefulsets"),),
    "Deployment": ((APPS, "deployments"), (APPS, "replicasets")),
    "DaemonSet": ((APPS, "daemonsets"),),
    "LokiStack": (
        (LOKI, "lokistacks"),
        (APPS, "statefulsets"),
        (APPS, "deployments"),
        (APPS, "replicasets"),
    ),
}


_ASKED = {
    "OnePasswordItem": (
        ONE_PASSWORD,
        "onepassworditems",
        "which item the Secret is made of, and whether it could be read",
        "a new annotation makes the 1Password operator read the item again",
    ),
    "HelmRelease": (
        FLUX,
        "helmreleases",
        "whether Flux could render the values, and is not told to stop",
        "a new annotation makes Flux render the values again",
    ),
}
"""Makers that can be asked to update: group, resource, and why they are read and patched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """What the resource does not say and the cluster shows.

    `key_secrets`: what holds the keys of Rook's user, and whether Rook generates it.
    `secret_store`: the SecretStore or ClusterSecretStore behind the ExternalSecret.
    `endpoint_unnamed`: the CephObjectStore does not name the address that the route writes to.
    `bridge`: the source's owner allows a replaced key to be valid again for a limited time.
    `stands`: a bridge exists and must be ended, in every mode, even if it is no longer allowed.
    """

    key_secrets: tuple[str, ...] = ()
    generated: bool = False
    secret_store: Ref | None = None
    endpoint_unnamed: bool = False
    bridge: bool = False
    stands: bool = False


def route_grants(spec: RouteSpec, *, known: RouteFacts | None = None) -> tuple[Grant, ...]:
    """Return the permissions that one route needs in its mode, and no others."""
    known = known or RouteFacts()
    return (
        *_source(spec, known),
        *_issuer(spec, known),
        *_vault(spec),
        *_delivery(spec, known),
        *_secret(spec),
        *_workloads(spec),
        *_staging(spec, known),
        *_acting(spec, known),
    )


def unnamed(spec: RouteSpec, *, known: RouteFacts | None = None) -> tuple[str, ...]:
    """Return which permissions are missing because the names of their objects are unknown."""
    known = known or RouteFacts()
    missing = []
    if isinstance(spec.source, RookSource) and not known.key_secrets:
        missing.append(
            "the Secret with the user's key: it is named once the CephObjectStoreUser can be read, "
            "and Rook has made it for that user"
        )
    if spec.external_secret and _heals(spec) and not known.secret_store:
        missing.append("patch on the SecretStore: it is named once the ExternalSecret can be read")
    return tuple(missing)


def _heals(spec: RouteSpec) -> bool:
    return spec.mode is not Mode.OBSERVE


def _bridges(spec: RouteSpec, known: RouteFacts) -> bool:
    """Tell whether a bridge may be built; whoever may build it may end it."""
    return _heals(spec) and (known.bridge or known.stands)


def _issuer(spec: RouteSpec, known: RouteFacts) -> Iterator[Grant]:
    """Yield what is needed to change the user's keys: for a rotation, a bridge, or only its end."""
    gives = spec.mode is Mode.ROTATE or _bridges(spec, known)
    if gives or known.stands:
        yield from issuer_grants(spec.source, retires_only=not gives)


def _source(spec: RouteSpec, known: RouteFacts) -> Iterator[Grant]:
    """Yield what the source needs; permissions in IAM are not a matter of Roles."""
    home, source = spec.namespace, spec.source
    admin = None
    match source:
        case RookSource():
            yield from _rook(spec, source, known)
            admin = source.admin.secret if source.admin else None
        case RgwSource():
            admin = source.admin.secret
        case AwsIamSource():
            if source.admin is not None:
                yield read_secret(home, source.admin.name, "asks IAM for the user's keys with it")
        case SecretSource():
            yield read_secret(source.namespace, source.secret.name, "the source of the key")
        case ClaimSource():
            yield read_secret(source.namespace, source.claim, "the claim's key")
    if admin:
        why = (
            "looks at the store's own list of keys with it. Where it carries "
            f"{ALLOWED_URLS}, whoever may edit this StorageCredential can have any user's key "
            "copied into the Secret of this route"
        )
        yield read_secret(home, admin.name, why)


def _rook(spec: RouteSpec, source: RookSource, known: RouteFacts) -> Iterator[Grant]:
    there = source.namespace
    for resource, why in (
        (
            "cephobjectstoreusers",
            "the user whose key it is, and whether its owner allows the route",
        ),
        ("cephobjectstores", "whether its store is ready, and which addresses it names"),
    ):
        yield Grant(namespace=there, group=ROOK, resource=resource, verbs=READ, why=why)
    if known.endpoint_unnamed:
        for group, resource in ((CORE, "services"), (NETWORKING, "ingresses")):
            why = (
                "whether the bucket's address leads to the CephObjectStore, which does not name it"
            )
            yield Grant(namespace=there, group=group, resource=resource, verbs=FOLLOW, why=why)
    why = "Rook writes the key into it" if known.generated else "spec.keys of the user names it"
    why += (
        ". Whoever may edit this StorageCredential can have it copied into the Secret of this route"
    )
    for name in known.key_secrets:
        yield read_secret(there, name, why)
    if known.generated and source.refresh and _heals(spec):
        yield Grant(
            namespace=there,
            group=CORE,
            resource="secrets",
            verbs=("patch",),
            names=known.key_secrets,
            why="`refresh`: an added data key makes Rook read RGW again",
        )
    yield events(there, "why Rook could not reconcile the user")


def _vault(spec: RouteSpec) -> Iterator[Grant]:
    """Yield what the vault needs; a PushSecret is not read yet, so nothing."""
    if not isinstance(spec.vault, OnePasswordVault):
        return
    why = (
        "the token for 1Password Connect, and the addresses that its owner allows. Whoever may "
        "edit this StorageCredential can use the token there, for any item that it opens"
    )
    token = spec.vault.token_secret(spec.namespace)
    yield read_secret(token.namespace or spec.namespace, token.name, why)
    if spec.vault.token_namespace is not None:
        return  # only a ClusterSecretStore names it, and those are read for all routes
    yield Grant(
        namespace=spec.namespace,
        group=ESO,
        resource="secretstores",
        verbs=READ,
        why="to which host External Secrets sends that token: it goes nowhere else unasked",
    )


def _delivery(spec: RouteSpec, known: RouteFacts) -> Iterator[Grant]:
    if spec.external_secret is None:
        return
    home, store = spec.namespace, known.secret_store
    yield Grant(
        namespace=home,
        group=ESO,
        resource="secretstores",
        verbs=READ,
        why="whether the ExternalSecret can read its vault",
    )
    yield events(home, "External Secrets says the cause of a failure in an event only")
    if not _heals(spec):
        return
    yield Grant(
        namespace=home,
        group=ESO,
        resource="externalsecrets",
        verbs=("patch",),
        names=(spec.external_secret.name,),
        why="a new annotation forces a sync",
    )
    if store:
        in_cluster = store.kind == "ClusterSecretStore"
        yield Grant(
            namespace=None if in_cluster else home,
            group=ESO,
            resource="clustersecretstores" if in_cluster else "secretstores",
            verbs=("patch",),
            names=(store.name,),
            why="a new annotation makes External Secrets look at a mended store again",
        )


def _secret(spec: RouteSpec) -> Iterator[Grant]:
    home, name = spec.namespace, spec.secret.name
    yield _read(spec.secret, home, "what Loki reads")
    if spec.values is not None:
        yield _read(spec.values, home, "what the HelmRelease takes the pair from")
    if spec.made_by is not None and spec.made_by.kind in _ASKED:
        group, resource, why, _ = _ASKED[spec.made_by.kind]
        there = spec.made_by.namespace
        yield Grant(namespace=there, group=group, resource=resource, verbs=READ, why=why)
    if not _heals(spec):
        return
    if spec.made_by is not None:
        yield from _maker(spec.made_by)
        return
    own = spec.external_secret is None
    recreate = spec.external_secret is not None and spec.external_secret.recreate
    spoil = "a wrong data-hash makes External Secrets read again where a forced sync does not"
    yield Grant(
        namespace=home,
        group=CORE,
        resource="secrets",
        verbs=("patch",),
        names=(name,),
        why="lokeys writes the pair into it" if own else spoil,
    )
    if recreate:
        yield Grant(
            namespace=home,
            group=CORE,
            resource="secrets",
            verbs=("delete",),
            names=(name,),
            why="`recreate`: an immutable one whose key is dead is deleted, to be made anew",
        )
    if own:
        yield Grant(
            namespace=home,
            group=CORE,
            resource="secrets",
            verbs=("create",),
            why="lokeys makes that Secret if there is none; RBAC cannot limit a create to a name, "
            "so this is any Secret's, but only where none of that name is yet",
        )


def _maker(made_by: Ref) -> Iterator[Grant]:
    """Yield what is needed to ask the Secret's maker; the Secret itself is never written."""
    if made_by.kind in _ASKED:
        group, resource, _, why = _ASKED[made_by.kind]
        yield Grant(
            namespace=made_by.namespace,
            group=group,
            resource=resource,
            verbs=("patch",),
            names=(made_by.name,),
            why=why,
        )


def _read(place: SecretRef, home: str, why: str) -> Grant:
    """Return the permission to read and watch the object that holds a pair."""
    grant = read_secret(home, place.name, why)
    return grant if place.kind == "Secret" else replace(grant, resource="configmaps")


def _workloads(spec: RouteSpec) -> Iterator[Grant]:
    if not spec.workloads:
        return
    home = spec.namespace
    kinds = dict.fromkeys(
        place for workload in spec.workloads for place in _WORKLOADS[workload.kind]
    )
    for group, resource in kinds:
        verbs = FOLLOW if resource == "replicasets" else READ
        why = "whose pods use the key, and whether they are being rolled"
        yield Grant(namespace=home, group=group, resource=resource, verbs=verbs, why=why)
    yield Grant(
        namespace=home,
        group=CORE,
        resource="pods",
        verbs=READ,
        why="when each started, and how it is",
    )
    yield Grant(
        namespace=home,
        group=CORE,
        resource="pods/log",
        verbs=("get",),
        why="what Loki says of its storage",
    )
    yield Grant(
        namespace=home,
        group=CORE,
        resource="configmaps",
        verbs=READ,
        why="Loki's configuration: where its write-ahead log is, whether that outlives the pod, "
        "and whether Loki writes to this route's address. Optional: without it that is not known",
    )
    yield events(home, "which pods fail their probes")
    yield Grant(
        namespace=home,
        group=POLICY,
        resource="poddisruptionbudgets",
        verbs=FOLLOW,
        why="whether a pod may be evicted",
    )
    if _heals(spec):
        yield Grant(
            namespace=home,
            group=CORE,
            resource="pods/eviction",
            verbs=("create",),
            why="replaces a pod that holds an old key, budgets honoured",
        )
    if _heals(spec) and any(workload.force for workload in spec.workloads):
        yield Grant(
            namespace=home,
            group=CORE,
            resource="pods",
            verbs=("delete",),
            why="`force`: replaces a pod that a budget holds for five minutes",
        )


def _staging(spec: RouteSpec, known: RouteFacts) -> Iterator[Grant]:
    """Yield what is needed to keep a pair: a rotation's new one, or the pods' old one."""
    keeps = spec.mode is Mode.ROTATE or _bridges(spec, known)
    if not (keeps or known.stands):
        return
    home, staging = spec.namespace, staging_name(spec.name)
    yield read_secret(
        home, staging, "the new pair of a rotation, or the old one of a bridge, in lokeys' own copy"
    )
    yield Grant(
        namespace=home,
        group=CORE,
        resource="secrets",
        verbs=("patch", "delete") if keeps else ("delete",),
        names=(staging,),
        why="a later pair takes its place; it is deleted when the rotation or bridge has ended"
        if keeps
        else "it is deleted when the bridge has ended",
    )
    if keeps:
        yield Grant(
            namespace=home,
            group=CORE,
            resource="secrets",
            verbs=("create",),
            why="lokeys makes that Secret; RBAC cannot limit a create to a name, so this is any "
            "Secret's, but only where none of that name is yet",
        )
    yield Grant(
        namespace=home,
        group=LOKEYS,
        resource="storagecredentials",
        verbs=("get", "patch"),
        names=(spec.name,),
        why="that Secret belongs to it; a finalizer keeps it until rotation or bridge has ended",
    )


def _acting(spec: RouteSpec, known: RouteFacts) -> Iterator[Grant]:
    if not (_heals(spec) or known.stands):
        return
    yield from lease(spec.namespace, f"lokeys-{spec.name}", "whoever acts on the route holds it")
    yield Grant(
        namespace=spec.namespace,
        group=CORE,
        resource="configmaps",
        verbs=("get", "create", "patch"),
        names=(history_ref(spec.ref).name,),
        why="keeps the receipts of what was done, without any secret value; it is applied on the "
        "server's side, so that RBAC limits even its making to this name",
    )
