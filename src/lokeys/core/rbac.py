# SPDX-License-Identifier: Apache-2.0
"""Who may do what, and why: the rights of the operator, and those of one route.

    deploy/            every route's resource, no Secret but the operator's own fingerprint key
    lokeys rbac NAME   one route: its Secrets by name, its workloads, what its mode may change

A Secret is followed by a watch on its name alone, which RBAC can grant for that name. Other kinds
are followed by namespace, so that many routes share few watches; their rights name no object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lokeys.core.model import (
    AwsIamSource,
    Mode,
    OnePasswordVault,
    PushSecretVault,
    Ref,
    RgwSource,
    RookSource,
    RouteSpec,
)

READ = ("get", "list", "watch")
FOLLOW = ("list", "watch")

CORE, APPS, POLICY = "", "apps", "policy"
COORDINATION, RBAC = "coordination.k8s.io", "rbac.authorization.k8s.io"
LOKEYS, ESO, ROOK, LOKI = "lokeys.dev", "external-secrets.io", "ceph.rook.io", "loki.grafana.com"

FINGERPRINT_SECRET = "lokeys-fingerprint"
LEADER_LEASE = "lokeys-operator"
WHY = "lokeys.dev/why"

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One right and its reason. `namespace` None: in the whole cluster; `names`: these alone."""

    namespace: str | None
    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()

    @property
    def rule(self) -> dict[str, Any]:
        """Return the rule as RBAC writes it."""
        rule = {"apiGroups": [self.group], "resources": [self.resource], "verbs": [*self.verbs]}
        return rule | ({"resourceNames": [*self.names]} if self.names else {})

    @property
    def sentence(self) -> str:
        """Return the right and its reason in one line."""
        named = f" {', '.join(self.names)}" if self.names else ""
        return f"{self.resource}{named} ({', '.join(self.verbs)}): {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The ServiceAccount that gets the rights."""

    name: str = "lokeys"
    namespace: str = "lokeys-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the resource does not say and a look at the cluster does.

    `rook_store`: the CephObjectStore of the user. `key_secrets`: the Secrets that its `spec.keys`
    names. `secret_store`: the SecretStore or ClusterSecretStore behind the ExternalSecret.
    """

    rook_store: str | None = None
    key_secrets: tuple[str, ...] = ()
    secret_store: Ref | None = None


def route_grants(spec: RouteSpec, *, known: Known | None = None) -> tuple[Grant, ...]:
    """Return the rights that one route needs in its mode, and no others."""
    known = known or Known()
    return (
        *_source(spec, known),
        *_vault(spec),
        *_delivery(spec, known),
        *_secret(spec),
        *_workloads(spec),
        *_acting(spec),
    )


def unnamed(spec: RouteSpec, *, known: Known | None = None) -> tuple[str, ...]:
    """Return which rights are missing because nobody has said what the objects are called."""
    known = known or Known()
    missing = []
    rook = spec.source if isinstance(spec.source, RookSource) else None
    if rook and not known.key_secrets and not (rook.store or known.rook_store):
        missing.append("the Secret that Rook generates: name the store in spec.source.rook.store")
    if spec.external_secret and _heals(spec) and not known.secret_store:
        missing.append("patch on the SecretStore: it is named once the ExternalSecret can be read")
    return tuple(missing)


def route_roles(
    spec: RouteSpec, *, account: Account | None = None, known: Known | None = None
) -> list[dict[str, Any]]:
    """Return the Roles of one route, one for each namespace it passes, and their bindings.

    Each Role says in an annotation why it holds each rule, and what it lacks.
    """
    name = f"lokeys-{spec.namespace}.{spec.name}"
    grants, notes = route_grants(spec, known=known), unnamed(spec, known=known)
    return _roles(name, grants, account=account or Account(), notes=notes)


def operator_roles(account: Account | None = None) -> list[dict[str, Any]]:
    """Return what the operator may do before it knows any route."""
    account = account or Account()
    return _roles("lokeys-operator", operator_grants(account), account=account)


def doctor_roles(account: Account, *, home: Account | None = None) -> list[dict[str, Any]]:
    """Return what a doctor that runs by the clock may see; `home` is the operator's account."""
    return _roles("lokeys-doctor", doctor_grants(home or Account()), account=account)


def operator_grants(account: Account) -> tuple[Grant, ...]:
    """Return the operator's own rights."""
    home = account.namespace
    return (
        Grant(
            namespace=None,
            group=LOKEYS,
            resource="storagecredentials",
            verbs=READ,
            why="follows every route's resource",
        ),
        Grant(
            namespace=None,
            group=LOKEYS,
            resource="storagecredentials/status",
            verbs=("patch",),
            why="says what it saw, and remembers it there",
        ),
        *_everywhere(),
        Grant(
            namespace=None,
            group=CORE,
            resource="events",
            verbs=("create",),
            why="tells of changes on a route, in the route's namespace",
        ),
        *_lease(home, LEADER_LEASE, "one of its replicas acts at a time"),
        Grant(
            namespace=home,
            group=CORE,
            resource="secrets",
            verbs=("get",),
            names=(FINGERPRINT_SECRET,),
            why="reads the key of its fingerprints",
        ),
        Grant(
            namespace=home,
            group=CORE,
            resource="secrets",
            verbs=("create",),
            why="makes that key at its first start, in its own namespace only; RBAC cannot limit "
            "a create to a name",
        ),
    )


def doctor_grants(home: Account) -> tuple[Grant, ...]:
    """Return a doctor's own rights; those of each route come from `lokeys rbac`."""
    return (
        Grant(
            namespace=None,
            group=LOKEYS,
            resource="storagecredentials",
            verbs=("get", "list"),
            why="finds the routes to look at",
        ),
        *(
            Grant(
                namespace=None,
                group=each.group,
                resource=each.resource,
                verbs=("get", "list"),
                why=each.why,
            )
            for each in _everywhere()
        ),
        Grant(
            namespace=home.namespace,
            group=CORE,
            resource="secrets",
            verbs=("get",),
            names=(FINGERPRINT_SECRET,),
            why="shows the same fingerprints as the operator",
        ),
    )


def _everywhere() -> Iterator[Grant]:
    yield Grant(
        namespace=None,
        group=ESO,
        resource="externalsecrets",
        verbs=READ,
        why="one whose interval does not parse stops all of them, in whatever namespace it is",
    )
    yield Grant(
        namespace=None,
        group=ESO,
        resource="clustersecretstores",
        verbs=READ,
        why="an ExternalSecret may read through one",
    )


def _heals(spec: RouteSpec) -> bool:
    return spec.mode is not Mode.OBSERVE


def _read_secret(namespace: str, name: str, why: str) -> Grant:
    return Grant(
        namespace=namespace, group=CORE, resource="secrets", verbs=READ, names=(name,), why=why
    )


def _source(spec: RouteSpec, known: Known) -> Iterator[Grant]:
    home, source = spec.namespace, spec.source
    match source:
        case RookSource():
            yield from _rook(spec, source, known)
            admin = source.admin.secret if source.admin else None
        case RgwSource():
            admin = source.admin.secret
        case AwsIamSource():
            admin = source.admin
        case _:
            admin = None
            yield _read_secret(source.namespace, source.secret.name, "the source of the key")
    if admin:
        yield _read_secret(home, admin.name, "looks at the store's own list of keys with it")


def _rook(spec: RouteSpec, source: RookSource, known: Known) -> Iterator[Grant]:
    there, store = source.namespace, source.store or known.rook_store
    for resource, why in (
        (
            "cephobjectstoreusers",
            "the user whose key it is, and whether its owner allows the route",
        ),
        ("cephobjectstores", "whether its store is ready"),
    ):
        yield Grant(namespace=there, group=ROOK, resource=resource, verbs=READ, why=why)
    if known.key_secrets:
        for name in known.key_secrets:
            yield _read_secret(there, name, "spec.keys of the user names it")
    elif store:
        name = f"rook-ceph-object-user-{store}-{source.user}"
        yield _read_secret(there, name, "Rook writes the key into it")
        if source.refresh and _heals(spec):
            yield Grant(
                namespace=there,
                group=CORE,
                resource="secrets",
                verbs=("patch",),
                names=(name,),
                why="`refresh`: an added data key makes Rook read RGW again",
            )
    yield _events(there, "why Rook could not reconcile the user")


def _vault(spec: RouteSpec) -> Iterator[Grant]:
    match spec.vault:
        case OnePasswordVault(token=token):
            yield _read_secret(spec.namespace, token.name, "the token for 1Password Connect")
        case PushSecretVault(name=name):
            group, resource = ESO, "pushsecrets"
            yield Grant(
                namespace=spec.namespace,
                group=group,
                resource=resource,
                verbs=READ,
                why="writes the vault",
            )
            if _heals(spec):
                yield Grant(
                    namespace=spec.namespace,
                    group=group,
                    resource=resource,
                    verbs=("patch",),
                    names=(name,),
                    why="a new annotation makes it push now",
                )


def _delivery(spec: RouteSpec, known: Known) -> Iterator[Grant]:
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
    yield _events(home, "External Secrets says the cause of a failure in an event only")
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
    yield _read_secret(home, name, "what Loki reads")
    if not _heals(spec):
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
        yield Grant(
            namespace=home,
            group=CORE,
            resource="pods",
            verbs=("delete",),
            why="shortens the grace of a pod that hangs in its shutdown with a dead key"
            + (
                "; `force`: replaces one that a budget holds for five minutes"
                if any(workload.force for workload in spec.workloads)
                else ""
            ),
        )


def _acting(spec: RouteSpec) -> Iterator[Grant]:
    if _heals(spec):
        yield from _lease(
            spec.namespace, f"lokeys-{spec.name}", "whoever acts on the route holds it"
        )


def _events(namespace: str, why: str) -> Grant:
    return Grant(namespace=namespace, group=CORE, resource="events", verbs=("list",), why=why)


def _lease(namespace: str, name: str, why: str) -> Iterator[Grant]:
    yield Grant(
        namespace=namespace,
        group=COORDINATION,
        resource="leases",
        verbs=("get", "update"),
        names=(name,),
        why=why,
    )
    yield Grant(
        namespace=namespace,
        group=COORDINATION,
        resource="leases",
        verbs=("create",),
        why="makes that Lease; RBAC cannot limit a create to a name",
    )


def _roles(
    name: str, grants: Iterable[Grant], *, account: Account, notes: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Return a Role and its binding for each namespace of `grants`, the cluster's first."""
    by_place: dict[str | None, list[Grant]] = {}
    for grant in _merged(grants):
        by_place.setdefault(grant.namespace, []).append(grant)
    return [
        made
        for place in sorted(by_place, key=lambda namespace: namespace or "")
        for made in _role_and_binding(name, place, by_place[place], account=account, notes=notes)
    ]


def _merged(grants: Iterable[Grant]) -> Iterator[Grant]:
    """Yield each right once, with all its reasons."""
    reasons: dict[Grant, list[str]] = {}
    for grant in grants:
        reasons.setdefault(replace(grant, why=""), []).append(grant.why)
    for right, whys in reasons.items():
        yield replace(right, why="; ".join(dict.fromkeys(whys)))


def _role_and_binding(
    name: str,
    namespace: str | None,
    grants: list[Grant],
    *,
    account: Account,
    notes: tuple[str, ...],
) -> Iterator[dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    metadata: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    labels = {"app.kubernetes.io/name": "lokeys"}
    lines = [grant.sentence for grant in grants] + [f"not granted: {note}" for note in notes]
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {**metadata, "labels": labels, "annotations": {WHY: "\n".join(lines) + "\n"}},
        "rules": [grant.rule for grant in grants],
    }
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": {**metadata, "labels": labels},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [
            {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
        ],
    }
