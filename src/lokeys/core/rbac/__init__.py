# SPDX-License-Identifier: Apache-2.0
"""Who may do what, and why: the permissions of the operator, and those of one route.

    deploy/                  every route's and stack's resource, and no Secret except the operator's
                             own fingerprint key
    lokeys rbac NAME         one route: its Secrets by name, its workloads, what its mode may change
    lokeys rbac stack NAME   one LokiStack: its Secrets and all its objects by name
    lokeys rbac collect      what `lokeys collect` reads, for the account that runs it
    lokeys rbac probe        what `lokeys probe credential --in-pod` needs, for that account

A Secret is watched by its name alone, which RBAC can grant for that name. Other kinds are watched
by namespace, so that many routes share few watches; permissions on them name no object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from lokeys.core.rbac.collect import NOT_GRANTED, collect_grants
from lokeys.core.rbac.grants import RBAC, Account, Grant, doctor_grants, operator_grants
from lokeys.core.rbac.probe import PROBE_NOTES, probe_grants
from lokeys.core.rbac.route import RouteFacts, route_grants, unnamed
from lokeys.core.rbac.stack import StackWish, all_stacks_grants, stack_grants
from lokeys.core.route.model import RouteSpec
from lokeys.core.stack.resource.model import LokiStack

__all__ = [
    "WHY",
    "Account",
    "Grant",
    "RouteFacts",
    "StackWish",
    "all_stacks_grants",
    "all_stacks_roles",
    "collect_grants",
    "collect_roles",
    "doctor_grants",
    "doctor_roles",
    "operator_grants",
    "operator_roles",
    "probe_grants",
    "probe_roles",
    "route_grants",
    "route_roles",
    "stack_grants",
    "stack_roles",
    "unnamed",
]

WHY = "lokeys.dev/why"


def route_roles(
    spec: RouteSpec, *, account: Account | None = None, known: RouteFacts | None = None
) -> list[dict[str, Any]]:
    """Return the Roles of one route, one for each namespace that it passes, and their bindings.

    Each Role has an annotation with the reason for each rule and with what is missing.
    """
    name = f"lokeys-{spec.namespace}.{spec.name}"
    grants, notes = route_grants(spec, known=known), unnamed(spec, known=known)
    return _roles(name, grants, account=account or Account(), notes=notes)


def stack_roles(
    stack: LokiStack, *, wish: StackWish | None = None, account: Account | None = None
) -> list[dict[str, Any]]:
    """Return a Role, and its binding, with what operating one stack needs."""
    # No namespace contains a colon: `lokeys-stack-x.y` is the route `y` of namespace `stack-x`.
    name = f"lokeys-stack:{stack.namespace}.{stack.name}"
    grants = stack_grants(stack, wish or StackWish())
    return _roles(name, grants, account=account or Account())


def all_stacks_roles(
    *, wish: StackWish | None = None, account: Account | None = None
) -> list[dict[str, Any]]:
    """Return a ClusterRole, and its binding, with what operating all stacks needs."""
    wish = wish or StackWish()
    notes = () if wish.secrets else ("the stacks' Secrets: lokeys rbac stack NAME, for each",)
    grants = all_stacks_grants(wish)
    return _roles("lokeys-all-stacks", grants, account=account or Account(), notes=notes)


def operator_roles(account: Account | None = None) -> list[dict[str, Any]]:
    """Return what the operator may do before it knows any route."""
    account = account or Account()
    return _roles("lokeys-operator", operator_grants(account), account=account)


def doctor_roles(account: Account, *, home: Account | None = None) -> list[dict[str, Any]]:
    """Return what a scheduled doctor may read; `home` is the operator's account."""
    return _roles("lokeys-doctor", doctor_grants(home or Account()), account=account)


def collect_roles(
    account: Account, *, namespace: str | None, secrets: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return what collecting a namespace needs; None: all of them. `secrets` limits the Secrets."""
    grants = collect_grants(namespace, secrets)
    return _roles("lokeys-collect", grants, account=account, notes=NOT_GRANTED)


def probe_roles(account: Account, *, namespace: str) -> list[dict[str, Any]]:
    """Return what testing a key in a pod of one namespace needs."""
    grants = probe_grants(namespace)
    return _roles("lokeys-probe", grants, account=account, notes=PROBE_NOTES)


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
    """Yield each permission once, with all its reasons."""
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
