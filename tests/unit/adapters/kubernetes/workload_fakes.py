# SPDX-License-Identifier: Apache-2.0
"""Workloads and pods as dictionaries, and what the port makes of them."""

import asyncio
from typing import Any

from lokeys.adapters.kubernetes.workloads import KubernetesWorkloads
from lokeys.core.route.model import Workload
from lokeys.core.route.snapshot import PodState
from lokeys.ports import Fleet, Reading
from unit.adapters.kubernetes.cluster_fakes import Json, Server, cluster

LOKI = Workload(kind="StatefulSet", name="loki")
STARTED = "2026-11-23T10:00:00Z"
BY_ENV: Json = {
    "env": [{"name": "ID", "valueFrom": {"secretKeyRef": {"name": "loki-s3", "key": "ID"}}}]
}


def pod_spec(**container: Any) -> Json:
    volumes = container.pop("volumes", [])
    return {"containers": [{"name": "loki"} | BY_ENV | container], "volumes": volumes}


def workload(kind: str = "StatefulSet", name: str = "loki", **extra: Any) -> Json:
    spec = extra.pop("spec", {})
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}", "generation": 1}
        | extra.pop("metadata", {}),
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"spec": pod_spec()},
            "replicas": 1,
        }
        | spec,
        "status": {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 1, "replicas": 1}
        | extra.pop("status", {}),
    }


def pod(name: str = "loki-0", owner: str = "uid-loki", **extra: Any) -> Json:
    running = {
        "name": "loki",
        "ready": True,
        "restartCount": 3,
        "state": {"running": {"startedAt": STARTED}},
    }
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-11-23T09:00:00Z",
            "labels": {"app": "loki"} | extra.pop("labels", {}),
            "ownerReferences": [{"kind": "X", "uid": owner, "controller": True}],
        }
        | extra.pop("metadata", {}),
        "spec": extra.pop("spec", pod_spec()),
        "status": {
            "phase": "Running",
            "containerStatuses": [running],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        | extra.pop("status", {}),
    }


def reading_of(
    *objects: Json, spec: Workload = LOKI, server: Server | None = None
) -> Reading[Fleet]:
    where, _ = cluster(*objects, server=server)
    port = KubernetesWorkloads(where, [spec], namespace="ns", secret="loki-s3")
    return asyncio.run(port.read())


def fleet(*objects: Json, spec: Workload = LOKI, server: Server | None = None) -> Fleet:
    reading = reading_of(*objects, spec=spec, server=server)
    assert reading.state is not None
    assert not reading.gaps
    return reading.state


def one_pod(*objects: Json, server: Server | None = None) -> PodState:
    (found,) = fleet(workload(), *objects, server=server).pods
    return found
