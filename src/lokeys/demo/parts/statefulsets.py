# SPDX-License-Identifier: Apache-2.0
"""The StatefulSet controller stand-in: ordered pods, stable names and volumes, rolling updates.

As the real one with OrderedReady, it waits for a pod that is not Ready before it does anything
else: it will not roll an update over a broken pod.
"""

from __future__ import annotations

import copy
import hashlib
import json

from lokeys.demo.parts.kube_budget import ready
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kube_store import Store
from lokeys.demo.parts.kube_views import at

REVISION = "controller-revision-hash"
MANAGER = "kube-controller-manager"


def reconcile(store: Store, owner: Json) -> None:
    """Do the next steps for one StatefulSet, and bring its status up to date."""
    if "deletionTimestamp" in owner["metadata"]:
        return
    _next_steps(store, owner)
    pods = _pods(store, owner)
    store.set_status(owner, _status(owner, pods), manager=MANAGER)


def revision_of(owner: Json) -> str:
    """Return the name of the revision that the template makes."""
    digest = hashlib.sha256(json.dumps(owner["spec"]["template"], sort_keys=True).encode())
    return f"{owner['metadata']['name']}-{digest.hexdigest()[:10]}"


def _next_steps(store: Store, owner: Json) -> None:
    pods = _pods(store, owner)
    wanted = int(owner["spec"].get("replicas", 1))
    ordered = owner["spec"].get("podManagementPolicy") != "Parallel"
    for ordinal in range(wanted):
        pod = pods.get(ordinal)
        if pod is None:
            _create(store, owner, ordinal)
        if ordered and (pod is None or not _settled(pod)):
            return
    surplus = [pods[ordinal] for ordinal in sorted(pods, reverse=True) if ordinal >= wanted]
    if surplus:
        _delete(store, surplus[0])
        return
    if at(owner, "spec.updateStrategy.type", "RollingUpdate") != "RollingUpdate":
        return
    partition = at(owner, "spec.updateStrategy.rollingUpdate.partition", 0)
    for ordinal in sorted(pods, reverse=True):
        pod = pods[ordinal]
        old = pod["metadata"]["labels"][REVISION] != revision_of(owner)
        if old and ordinal >= partition:
            _delete(store, pod)
        if old or not _settled(pod):
            return


def _pods(store: Store, owner: Json) -> dict[int, Json]:
    uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
    return {
        int(pod["metadata"]["name"].rpartition("-")[2]): pod
        for pod in store.select("Pod", namespace)
        if any(one["uid"] == uid for one in pod["metadata"].get("ownerReferences", []))
    }


def _settled(pod: Json) -> bool:
    return ready(pod) and "deletionTimestamp" not in pod["metadata"]


def _delete(store: Store, pod: Json) -> None:
    if "deletionTimestamp" not in pod["metadata"]:
        store.delete(pod)


def _create(store: Store, owner: Json, ordinal: int) -> None:
    meta, template = owner["metadata"], copy.deepcopy(owner["spec"]["template"])
    name = f"{meta['name']}-{ordinal}"
    spec = template["spec"] | {"hostname": name, "nodeName": "stand-in"}
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for claim in owner["spec"].get("volumeClaimTemplates", []):
        volume, claim_name = claim["metadata"]["name"], f"{claim['metadata']['name']}-{name}"
        source = {"persistentVolumeClaim": {"claimName": claim_name}}
        spec.setdefault("volumes", []).append({"name": volume, **source})
        if not store.find("PersistentVolumeClaim", claim_name, meta["namespace"]):
            store.create(_claim(claim, claim_name, meta["namespace"]))
    labels = dict(template.get("metadata", {}).get("labels", {}))
    labels |= {
        REVISION: revision_of(owner),
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": meta["name"]}
    reference |= {"uid": meta["uid"], "controller": True, "blockOwnerDeletion": True}
    pod_meta = {
        "name": name,
        "namespace": meta["namespace"],
        "labels": labels,
        "annotations": dict(template.get("metadata", {}).get("annotations", {})),
        "ownerReferences": [reference],
    }
    store.create({"apiVersion": "v1", "kind": "Pod", "metadata": pod_meta, "spec": spec})


def _claim(template: Json, name: str, namespace: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": template.get("spec", {}),
        "status": {"phase": "Bound"},
    }


def _status(owner: Json, pods: dict[int, Json]) -> Json:
    update = revision_of(owner)
    updated = sum(pod["metadata"]["labels"][REVISION] == update for pod in pods.values())
    healthy = sum(ready(pod) for pod in pods.values())
    settled = updated == len(pods) == healthy == owner["spec"].get("replicas", 1)
    current = update if settled else at(owner, "status.currentRevision", update)
    return {
        "observedGeneration": owner["metadata"]["generation"],
        "replicas": len(pods),
        "readyReplicas": healthy,
        "availableReplicas": healthy,
        "currentReplicas": updated if current == update else len(pods) - updated,
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }
