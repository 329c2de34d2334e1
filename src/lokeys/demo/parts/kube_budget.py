# SPDX-License-Identifier: Apache-2.0
"""Disruption budgets: their status, kept at once after every write, and what an eviction may do."""

from __future__ import annotations

import math

from lokeys.demo.parts.kube_kinds import Json, Refusal
from lokeys.demo.parts.kube_store import Store, StoreChange
from lokeys.demo.parts.kube_views import at, condition, selector_matches


class DisruptionController:
    """Keeps the status of every PodDisruptionBudget; a hook of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, change: StoreChange) -> None:
        """Bring the budgets of a namespace up to date with a change of pods or of a budget."""
        if change.kind.kind not in {"Pod", "PodDisruptionBudget", "StatefulSet", "Deployment"}:
            return
        namespace = change.subject["metadata"].get("namespace", "")
        for budget in self._store.select("PodDisruptionBudget", namespace):
            if "deletionTimestamp" not in budget["metadata"]:
                self._store.set_status(budget, self._status(budget))

    def _status(self, budget: Json) -> Json:
        pods = [
            pod
            for pod in covered(self._store, budget)
            if at(pod, "status.phase") not in {"Succeeded", "Failed"}
        ]
        expected = self._expected(pods)
        spec = budget["spec"]
        if "maxUnavailable" in spec:
            wanted = max(0, expected - _scaled(spec["maxUnavailable"], expected))
        elif isinstance(spec.get("minAvailable", 1), int):
            expected, wanted = len(pods), spec.get("minAvailable", 1)
        else:
            wanted = _scaled(spec["minAvailable"], expected)
        healthy = sum(ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in pods)
        return {
            "observedGeneration": budget["metadata"]["generation"],
            "currentHealthy": healthy,
            "desiredHealthy": wanted,
            "expectedPods": expected,
            "disruptionsAllowed": max(0, healthy - wanted) if expected else 0,
        }

    def _expected(self, pods: list[Json]) -> int:
        """Return how many pods the controllers of these pods want."""
        owners = {
            (owner["kind"], owner["name"], pod["metadata"]["namespace"])
            for pod in pods
            for owner in pod["metadata"].get("ownerReferences", [])
        }
        found = [self._store.find(*owner) for owner in owners]
        return sum(at(owner, "spec.replicas", 1) for owner in found if owner) or len(pods)


def covered(store: Store, budget: Json) -> list[Json]:
    """Return the pods that a budget covers."""
    selector = budget["spec"].get("selector") or {}
    return [
        pod
        for pod in store.select("Pod", budget["metadata"]["namespace"])
        if selector_matches(selector, pod["metadata"].get("labels", {}))
    ]


def ready(pod: Json) -> bool:
    """Tell whether a pod is Ready."""
    return bool(condition(pod, "Ready").get("status") == "True")


def evict(store: Store, pod: Json, eviction: Json) -> None:
    """Delete a pod as the eviction API does; Refusal 429 where a budget forbids it."""
    options = eviction.get("deleteOptions") or {}
    budgets = [
        budget
        for budget in store.select("PodDisruptionBudget", pod["metadata"]["namespace"])
        if pod in covered(store, budget)
    ]
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource "
        raise Refusal(500, "InternalError", message + "does not support.")
    free = "deletionTimestamp" in pod["metadata"] or at(pod, "status.phase") in {
        "Pending",
        "Succeeded",
        "Failed",
    }
    if budgets and not free:
        _ask(budgets[0], healthy=ready(pod))
    store.delete(pod, options=options)


def _ask(budget: Json, *, healthy: bool) -> None:
    status, spec = budget.get("status", {}), budget["spec"]
    name, wanted = budget["metadata"]["name"], status["desiredHealthy"]
    if not healthy:
        if spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
            return
        if 0 < wanted <= status["currentHealthy"]:
            return
    if status["disruptionsAllowed"] > 0:
        return
    cause = f"The disruption budget {name} needs {wanted} healthy pods and has "
    cause += f"{status['currentHealthy']} currently"
    raise Refusal(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        details={"causes": [{"reason": "DisruptionBudget", "message": cause}]},
    )


def _scaled(value: int | str, total: int) -> int:
    if isinstance(value, int):
        return value
    return math.ceil(int(value.rstrip("%")) * total / 100)
