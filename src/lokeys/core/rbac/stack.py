# SPDX-License-Identifier: Apache-2.0
"""The permissions to operate LokiStacks: one, by the names of its objects, or all.

Write permissions list names: server-side apply sends the name of what it creates, so that RBAC can
limit even `create` to it. The names are those of all objects that rendering can make for a stack of
this name, whatever its spec says: enabling rules or a gateway needs no new Role.

Nothing here is `escalate` or `bind`. The only roles that rendering makes, those of a gateway on
OpenShift, grant the review of tokens and access. Whoever grants that must hold it, so it is
included only if such a gateway is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lokeys.core.rbac.grants import (
    APPS,
    CORE,
    FOLLOW,
    NETWORKING,
    POLICY,
    RBAC,
    READ,
    Grant,
    read_secret,
)
from lokeys.core.stack.render.made import made_of
from lokeys.core.stack.render.store import MANAGED_SUFFIX
from lokeys.core.stack.resource.model import LokiStack, TenancyMode, Tenants
from lokeys.core.stack.storage.model import CredentialMode

OPENSHIFT_ROUTES = "route.openshift.io"
CLOUD_CREDENTIALS = "cloudcredential.openshift.io"
CHANGE = ("create", "patch", "delete")

_PLACES = {
    "ConfigMap": (CORE, "configmaps", "Loki's configuration"),
    "Service": (CORE, "services", "how Loki's pods and its clients find them"),
    "ServiceAccount": (CORE, "serviceaccounts", "as whom the pods run"),
    "Deployment": (APPS, "deployments", "Loki's workloads, and how their rollouts go"),
    "StatefulSet": (APPS, "statefulsets", "Loki's workloads, and how their rollouts go"),
    "PodDisruptionBudget": (POLICY, "poddisruptionbudgets", "one pod of a component at a time"),
    "NetworkPolicy": (NETWORKING, "networkpolicies", "what may reach Loki, where the stack asks"),
    "Ingress": (NETWORKING, "ingresses", "the way to the gateway, where the stack asks for one"),
}
_ON_OPENSHIFT = {
    "Route": (OPENSHIFT_ROUTES, "routes", "the way to the gateway on OpenShift"),
    "CredentialsRequest": (
        CLOUD_CREDENTIALS,
        "credentialsrequests",
        "asks the cluster for credentials of its cloud",
    ),
}
_CLUSTER_ROLES = {
    "ClusterRole": (RBAC, "clusterroles", "what the gateway may do on OpenShift"),
    "ClusterRoleBinding": (RBAC, "clusterrolebindings", "what the gateway may do on OpenShift"),
}
_REVIEWS = (
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
)
_GROUPS = {**_PLACES, **_ON_OPENSHIFT, **_CLUSTER_ROLES}
_ANY_TENANTS = Tenants(mode=TenancyMode.DYNAMIC, opa_url="http://any")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackWish:
    """What to grant in addition to the minimum.

    `openshift`: the cluster is OpenShift. `tokens`: the operator may test the stack's tokens
    itself. `secrets`: for all stacks, any Secret may be read.
    """

    openshift: bool = False
    tokens: bool = False
    secrets: bool = False


def stack_grants(stack: LokiStack, wish: StackWish) -> tuple[Grant, ...]:
    """Return the permissions that operating one stack needs, and no others."""
    home, made = stack.namespace, object_names(stack)
    if _reviews(stack) or stack.credential_mode == CredentialMode.TOKEN_CCO:
        wish = replace(wish, openshift=True)
    return (
        *_secrets(stack, wish),
        *_kinds(wish, home, made),
        *_pods(home),
        *(_tokens(stack) if wish.tokens else ()),
        *(_reviewing(made) if _reviews(stack) else ()),
    )


def all_stacks_grants(wish: StackWish) -> tuple[Grant, ...]:
    """Return the permissions to operate every stack of the cluster, never those for tokens."""
    any_secret = Grant(
        namespace=None,
        group=CORE,
        resource="secrets",
        verbs=READ,
        why="a stack's storage Secret may have any name in any namespace",
    )
    return (
        *([any_secret] if wish.secrets else ()),
        *_kinds(wish, None, {}),
        *_pods(None),
        *(_reviewing({}) if wish.openshift else ()),
    )


def object_names(stack: LokiStack) -> dict[str, tuple[str, ...]]:
    """Return the names of all objects that a stack of this name can have, by kind."""
    found: dict[str, set[str]] = {}
    for tenancy in (None, _ANY_TENANTS, Tenants(mode=TenancyMode.OPENSHIFT_LOGGING)):
        for mode in (CredentialMode.STATIC, CredentialMode.TOKEN_CCO):
            variant = replace(
                stack,
                rules_enabled=True,
                restrict_network=True,
                tenants=tenancy,
            )
            for kind, name in made_of(variant, mode):
                found.setdefault(kind, set()).add(name)
    return {kind: tuple(sorted(names)) for kind, names in sorted(found.items())}


def _reviews(stack: LokiStack) -> bool:
    return stack.tenants is not None and stack.tenants.mode.on_openshift


def _secrets(stack: LokiStack, wish: StackWish) -> Iterator[Grant]:
    home = stack.namespace
    yield read_secret(home, stack.storage_secret_name, "where the storage is, and its credentials")
    if wish.openshift:
        name = f"{stack.name}{MANAGED_SUFFIX}"
        yield read_secret(home, name, "what the cluster's cloud hands out")
    if stack.tenants is not None:
        for name in stack.tenants.client_secrets:
            yield read_secret(home, name, "what the gateway is to a tenant's issuer")
        files = {each.name for each in stack.tenants.read_once if each.kind == "Secret"}
        for name in sorted(files - {*stack.tenants.client_secrets, stack.storage_secret_name}):
            yield read_secret(home, name, "what the gateway reads when it starts")


def _kinds(wish: StackWish, home: str | None, made: dict[str, tuple[str, ...]]) -> Iterator[Grant]:
    kinds = {**_PLACES, **(_ON_OPENSHIFT if wish.openshift else {})}
    for kind, (group, resource, why) in kinds.items():
        follows = f"{why}: what others change of it is seen"
        yield Grant(namespace=home, group=group, resource=resource, verbs=READ, why=follows)
        yield Grant(
            namespace=home,
            group=group,
            resource=resource,
            verbs=CHANGE,
            names=made.get(kind, ()),
            why=why,
        )


def _pods(home: str | None) -> Iterator[Grant]:
    yield Grant(
        namespace=home, group=CORE, resource="pods", verbs=FOLLOW, why="how Loki's pods are"
    )
    yield Grant(
        namespace=home,
        group=CORE,
        resource="pods",
        verbs=("delete",),
        why="replaces a pod that waits for a workload that waits for it",
    )


def _tokens(stack: LokiStack) -> Iterator[Grant]:
    yield Grant(
        namespace=stack.namespace,
        group=CORE,
        resource="serviceaccounts/token",
        verbs=("create",),
        names=stack.service_accounts,
        why="tries whether the provider takes the tokens of Loki's accounts, for its audience only",
    )


def _reviewing(made: dict[str, tuple[str, ...]]) -> Iterator[Grant]:
    for kind, (group, resource, why) in _CLUSTER_ROLES.items():
        yield Grant(namespace=None, group=group, resource=resource, verbs=FOLLOW, why=why)
        yield Grant(
            namespace=None,
            group=group,
            resource=resource,
            verbs=("get", *CHANGE),
            names=made.get(kind, ()),
            why=why,
        )
    for group, resource in _REVIEWS:
        yield Grant(
            namespace=None,
            group=group,
            resource=resource,
            verbs=("create",),
            why="hands it to the gateway: nobody may hand out what they do not hold",
        )
