# SPDX-License-Identifier: Apache-2.0
"""All objects of a stack: what the operator applies is what `lokeys render` prints.

    stack + storage ─▶ configuration ─▶ hash ─▶ pods ─▶ workloads, and the objects around them

The same input gives the same objects in the same order, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum

from lokeys.core.stack.render import names
from lokeys.core.stack.render.cloud import credentials_request
from lokeys.core.stack.render.config import loki_config, runtime_config
from lokeys.core.stack.render.expansion import expandable
from lokeys.core.stack.render.network import network_policies
from lokeys.core.stack.render.options import Images, RenderOptions
from lokeys.core.stack.render.pods import Manifest, PodPlan
from lokeys.core.stack.render.services import config_map, service_accounts, services
from lokeys.core.stack.render.workloads import disruption_budgets, workloads
from lokeys.core.stack.resource.model import Component, LokiStack
from lokeys.core.stack.storage.model import Storage
from lokeys.core.text.yaml import to_yaml


class Group(StrEnum):
    """The groups for `lokeys render --only`."""

    LOKI_CONFIG = "loki-config"
    WORKLOADS = "workloads"
    SERVICES = "services"
    ACCOUNTS = "accounts"
    BUDGETS = "budgets"
    NETWORK = "network"
    CREDENTIALS = "credentials"


_GROUPS = {
    "ClusterRole": Group.ACCOUNTS,
    "ClusterRoleBinding": Group.ACCOUNTS,
    "ConfigMap": Group.LOKI_CONFIG,
    "CredentialsRequest": Group.CREDENTIALS,
    "Deployment": Group.WORKLOADS,
    "Ingress": Group.SERVICES,
    "NetworkPolicy": Group.NETWORK,
    "PodDisruptionBudget": Group.BUDGETS,
    "Route": Group.SERVICES,
    "Service": Group.SERVICES,
    "ServiceAccount": Group.ACCOUNTS,
    "StatefulSet": Group.WORKLOADS,
}


def render(stack: LokiStack, storage: Storage, *, options: RenderOptions) -> tuple[Manifest, ...]:
    """Return the objects, sorted by kind and name."""
    found = _objects(stack, storage, options)
    return tuple(sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"])))


def group_of(kind: object) -> Group | None:
    """Return the group of a kind; None if no stack has such objects."""
    return _GROUPS.get(kind) if isinstance(kind, str) else None


def only(manifests: Iterable[Manifest], groups: Iterable[Group]) -> tuple[Manifest, ...]:
    """Return the objects of some groups; all if none is named."""
    wanted = frozenset(groups) or frozenset(Group)
    return tuple(each for each in manifests if _GROUPS[each["kind"]] in wanted)


def _objects(stack: LokiStack, storage: Storage, options: RenderOptions) -> Iterator[Manifest]:
    config = to_yaml(expandable(loki_config(stack, storage, now=options.now)))
    runtime = to_yaml(runtime_config(stack))
    plan = PodPlan(
        stack=stack,
        storage=storage,
        options=options,
        config_hash=hashlib.sha256(f"{config}\0{runtime}".encode()).hexdigest(),
    )
    yield config_map(stack, config=config, runtime=runtime)
    yield from workloads(plan)
    yield from services(stack)
    yield from service_accounts(stack)
    budgeted = names.components(stack)
    if stack.tenants is not None:
        # Stacks without a gateway are rendered sooner without this import.
        from lokeys.core.stack.render.gateway import gateway_objects  # noqa: PLC0415

        yield from gateway_objects(plan, stack.tenants)
        budgeted = (*budgeted, Component.GATEWAY)
    yield from disruption_budgets(stack, budgeted)
    yield from network_policies(stack, storage, options)
    yield from credentials_request(stack, storage, options.environment)


__all__ = ["Group", "Images", "RenderOptions", "group_of", "only", "render"]
