# SPDX-License-Identifier: Apache-2.0
"""Deployments, StatefulSets and the budgets that keep enough of their pods running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokeys.core.stack.render import names
from lokeys.core.stack.render.pods import Manifest, PodPlan, pod_template
from lokeys.core.stack.render.sizes import replicas, volume_gib
from lokeys.core.stack.resource.model import Component, LokiStack

REVISIONS = 10


def workloads(plan: PodPlan) -> Iterator[Manifest]:
    """Yield the workload of each of Loki's components."""
    for component in names.components(plan.stack):
        if component in names.STATEFUL:
            yield _stateful_set(plan, component)
        else:
            yield _deployment(plan, component)


def disruption_budgets(stack: LokiStack, components: tuple[Component, ...]) -> Iterator[Manifest]:
    """Yield a budget for each component that may lose one pod at a time."""
    for component in components:
        if component is not Component.COMPACTOR:
            labels = names.component_labels(stack, component)
            yield {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": names.metadata(stack, names.name(stack, component), labels),
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}},
            }


def _deployment(plan: PodPlan, component: Component) -> Manifest:
    spec = {**_common(plan, component), "strategy": {"type": "RollingUpdate"}}
    return _workload(plan.stack, component, "Deployment", spec)


def _stateful_set(plan: PodPlan, component: Component) -> Manifest:
    stack = plan.stack
    parallel = component is Component.RULER
    spec: dict[str, Any] = {
        **_common(plan, component),
        "podManagementPolicy": "Parallel" if parallel else "OrderedReady",
        # Pods are found through other Services; Kubernetes 1.31 requires the field.
        "serviceName": "",
        "updateStrategy": {"type": "RollingUpdate"},
        "volumeClaimTemplates": [_claim(stack, component, claim) for claim in _claims(component)],
    }
    return _workload(stack, component, "StatefulSet", spec)


def _common(plan: PodPlan, component: Component) -> Manifest:
    return {
        "replicas": replicas(plan.stack, component),
        "revisionHistoryLimit": REVISIONS,
        "selector": {"matchLabels": names.pod_labels(plan.stack, component)},
        "template": pod_template(plan, component),
    }


def _workload(stack: LokiStack, component: Component, kind: str, spec: Manifest) -> Manifest:
    labels = names.component_labels(stack, component)
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": names.metadata(stack, names.name(stack, component), labels),
        "spec": dict(sorted(spec.items())),
    }


def _claims(component: Component) -> tuple[str, ...]:
    return (
        ("storage", "wal") if component in (Component.INGESTER, Component.RULER) else ("storage",)
    )


def _claim(stack: LokiStack, component: Component, claim: str) -> Manifest:
    size = f"{volume_gib(stack.size, component, claim)}Gi"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"labels": names.component_labels(stack, component), "name": claim},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": stack.storage_class_name,
            "volumeMode": "Filesystem",
        },
    }
