# SPDX-License-Identifier: Apache-2.0
"""Permissions with reasons: what the operator and the doctor hold before they know a route."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

READ = ("get", "list", "watch")
FOLLOW = ("list", "watch")

CORE, APPS, BATCH, POLICY = "", "apps", "batch", "policy"
COORDINATION, RBAC = "coordination.k8s.io", "rbac.authorization.k8s.io"
NETWORKING = "networking.k8s.io"
LOKEYS, ESO, ROOK, LOKI = "lokeys.dev", "external-secrets.io", "ceph.rook.io", "loki.grafana.com"
ONE_PASSWORD, FLUX = "onepassword.com", "helm.toolkit.fluxcd.io"

FINGERPRINT_SECRET = "lokeys-fingerprint"
LEADER_LEASE = "lokeys-operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One permission and its reason. `namespace` None: cluster-wide; `names`: only these."""

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
        """Return the permission and its reason in one line."""
        named = f" {', '.join(self.names)}" if self.names else ""
        return f"{self.resource}{named} ({', '.join(self.verbs)}): {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The ServiceAccount that gets the permissions."""

    name: str = "lokeys"
    namespace: str = "lokeys-system"


def operator_grants(account: Account) -> tuple[Grant, ...]:
    """Return the operator's own permissions."""
    home = account.namespace
    return (
        Grant(
            namespace=None,
            group=LOKEYS,
            resource="storagecredentials",
            verbs=FOLLOW,
            why="follows every route's resource",
        ),
        Grant(
            namespace=None,
            group=LOKEYS,
            resource="storagecredentials/status",
            verbs=("patch",),
            why="says what it saw, and remembers it there",
        ),
        Grant(
            namespace=None,
            group="apiextensions.k8s.io",
            resource="customresourcedefinitions",
            verbs=("list",),
            names=(f"storagecredentials.{LOKEYS}",),
            why="leaves out of a status what an older definition would refuse",
        ),
        *_stacks(),
        *_everywhere(),
        Grant(
            namespace=None,
            group=CORE,
            resource="events",
            verbs=("create",),
            why="tells of changes on a route or stack, in its namespace",
        ),
        *lease(home, LEADER_LEASE, "one of its replicas acts at a time"),
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


def _stacks() -> tuple[Grant, ...]:
    """Return what is needed to find LokiStacks and to report their state."""
    return (
        Grant(
            namespace=None,
            group=LOKI,
            resource="lokistacks",
            verbs=FOLLOW,
            why="finds the stacks that are labelled for it",
        ),
        Grant(
            namespace=None,
            group="apiextensions.k8s.io",
            resource="customresourcedefinitions",
            verbs=FOLLOW,
            names=(f"lokistacks.{LOKI}",),
            why="begins with stacks when the cluster knows the kind, and asks for none before",
        ),
        Grant(
            namespace=None,
            group=LOKI,
            resource="lokistacks/status",
            verbs=("patch",),
            why="says how a stack is, and why",
        ),
    )


def doctor_grants(home: Account) -> tuple[Grant, ...]:
    """Return a doctor's own permissions; those of each route come from `lokeys rbac`."""
    return (
        Grant(
            namespace=None,
            group=LOKEYS,
            resource="storagecredentials",
            verbs=("list",),
            why="finds the routes to look at",
        ),
        *(
            Grant(
                namespace=None,
                group=each.group,
                resource=each.resource,
                # Only the one that an ExternalSecret names is read.
                verbs=("get",) if each.resource == "clustersecretstores" else ("get", "list"),
                why=each.why,
            )
            for each in _everywhere()
        ),
        *(
            Grant(
                namespace=None,
                group=APPS,
                resource=resource,
                verbs=("list",),
                why="finds the Lokis that no StorageCredential covers",
            )
            for resource in ("statefulsets", "deployments", "daemonsets")
        ),
        Grant(
            namespace=None,
            group=CORE,
            resource="serviceaccounts",
            verbs=("get",),
            why="whether a Loki has a cloud's role or account by its annotations",
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


def read_secret(namespace: str, name: str, why: str) -> Grant:
    """Return the permission to read and watch one Secret."""
    return Grant(
        namespace=namespace, group=CORE, resource="secrets", verbs=READ, names=(name,), why=why
    )


def events(namespace: str, why: str) -> Grant:
    """Return the permission to list the events of a namespace."""
    return Grant(namespace=namespace, group=CORE, resource="events", verbs=("list",), why=why)


def lease(namespace: str, name: str, why: str) -> Iterator[Grant]:
    """Yield the permissions to hold one Lease."""
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
