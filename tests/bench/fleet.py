# SPDX-License-Identifier: Apache-2.0
"""A thousand routes on a real control plane, whose pods and stores answer from one stub.

Pods exist by their status alone: each has an address of its own in 127/8, where the stub listens.
A pod that is told to stop is gone at once, and back at once with a new container. The controller
manager makes the namespaces and then rests; no route here needs it.
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from lokeys.clock import utc_now
from lokeys.core.findings.finding import time_to_json
from lokeys.core.rbac import operator_roles, route_roles
from lokeys.core.route.resource.crd import crd
from lokeys.core.route.resource.parse import parse
from lokeys.kube.client import Api, Object
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import (
    CONFIG_MAP,
    EXTERNAL_SECRET,
    POD,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SECRET_STORE,
    STATEFUL_SET,
    STORAGE_CREDENTIAL,
    Resource,
)
from parts.external_secrets import apply_crds
from parts.kubernetes import Kubernetes
from parts.process import wait_for

SYSTEM = "lokeys-system"
NAMESPACES = 4
TENANT = "fleet-0"
"""Where silent routes are."""
SERVICE_ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CLUSTER_ROLE = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")
CLUSTER_ROLE_BINDING = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding"
)
RESOURCES = {
    resource.kind: resource
    for resource in (
        CONFIG_MAP,
        EXTERNAL_SECRET,
        POD,
        ROLE,
        ROLE_BINDING,
        CLUSTER_ROLE,
        CLUSTER_ROLE_BINDING,
        SECRET,
        SECRET_STORE,
        SERVICE_ACCOUNT,
        STATEFUL_SET,
        STORAGE_CREDENTIAL,
    )
}
KEYS = {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}
CONFIG = """\
auth_enabled: false
common: {path_prefix: /data, replication_factor: 1}
ingester: {wal: {dir: /data/wal, flush_on_shutdown: true}}
schema_config: {configs: [{from: 2024-01-01, store: tsdb, object_store: s3, schema: v13}]}
"""


@dataclass(slots=True)
class Fleet:
    """`size` routes in a few namespaces; each has a source, a target, a StatefulSet and a pod."""

    kubernetes: Kubernetes
    size: int
    stub_port: int
    pod_starts_s: float = 0.0
    """How long a new pod takes until it runs and is ready."""
    delivered: int = 200
    """So many routes, the last ones, have an ExternalSecret; nobody but its status works on it."""
    silent: int = 0
    """So many routes, the first ones, are one tenant's, and name a store that never answers."""
    silent_port: int = 0
    api: Api = field(init=False)

    def __post_init__(self) -> None:
        self.api = Api(load(kubeconfig=str(self.kubernetes.kubeconfig)))

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield namespace and name of every route."""
        return ((self._namespace(n), f"loki-{n}") for n in range(self.size))

    def _namespace(self, number: int) -> str:
        if not self.silent:
            return f"fleet-{number % NAMESPACES}"
        return TENANT if number < self.silent else f"fleet-{1 + number % (NAMESPACES - 1)}"

    def _store(self, name: str) -> str:
        port = self.silent_port if _number(name) < self.silent else self.stub_port
        return f"http://127.0.0.1:{port}"

    async def build(self) -> None:
        """Make everything but the operator."""
        self.kubernetes.apply(crd())
        apply_crds(self.kubernetes)
        for name in (SYSTEM, *(f"fleet-{number}" for number in range(NAMESPACES))):
            self.kubernetes.kubectl("create", "namespace", name)
            account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_for(lambda path=account: self.kubernetes.api.find(path), "an account is made")  # type: ignore[misc]
        assert self.kubernetes._manager is not None
        self.kubernetes._manager.stop()
        for number in range(NAMESPACES):
            await self._create(_config_map(f"fleet-{number}"))
            await self._create_ready(_secret_store(f"fleet-{number}"))
        for obj in (_object(SERVICE_ACCOUNT, SYSTEM, "lokeys"), *operator_roles()):
            await self._create(obj)
        await asyncio.gather(*(self._build_route(*name) for name in self.names()))

    async def _build_route(self, namespace: str, name: str) -> None:
        pair = f"KEY{name}".upper(), f"secret-of-{name}"
        source = _secret(namespace, f"source-{name}", pair)
        source["metadata"]["annotations"] = {"lokeys.dev/allowed-urls": self._store(name)}
        await self._create(source)
        await self._create(_secret(namespace, f"target-{name}", pair))
        workload = await self._create(_stateful_set(namespace, name))
        status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
        await self._patch_status(workload, status)
        await self.start_pod(namespace, name, workload["metadata"]["uid"])
        if self.is_delivered(name):
            await self.create_external_secret(namespace, f"target-{name}")
        await self._create(self.route(namespace, name))
        for role in route_roles(parse(self.route(namespace, name))):
            await self._create(role)

    def is_delivered(self, name: str) -> bool:
        """Tell whether the route has an ExternalSecret."""
        return _number(name) >= self.size - self.delivered

    async def create_external_secret(self, namespace: str, name: str) -> None:
        """Make an ExternalSecret that is content."""
        await self._create_ready(_external_secret(namespace, name))

    async def refresh_external_secret(self, namespace: str, name: str) -> None:
        """Say that an ExternalSecret was refreshed now, as its operator does by the hour."""
        status = {
            "refreshTime": time_to_json(utc_now()),
            "syncedResourceVersion": str(time.time_ns()),
        }
        await self._patch_status(_external_secret(namespace, name), status)

    def route(self, namespace: str, name: str) -> Object:
        """Return a StorageCredential."""
        target: Object = {"name": f"target-{name}", "keys": KEYS}
        if self.is_delivered(name):
            target["externalSecret"] = {"name": f"target-{name}"}
        spec = {
            "mode": "Heal",
            "source": {"secret": {"name": f"source-{name}", "keys": KEYS}},
            "secret": target,
            "bucket": {
                "name": f"bucket-{name}",
                "endpoint": self._store(name),
                "pathStyle": True,
            },
            "workloads": [
                {"kind": "StatefulSet", "name": name, "metrics": {"port": self.stub_port}}
            ],
        }
        return _object(STORAGE_CREDENTIAL, namespace, name, spec=spec)

    async def start_pod(self, namespace: str, name: str, owner_uid: str) -> None:
        """Make the pod of a route and say, in time, that it runs."""
        pod = await self._create(_pod(namespace, name, owner_uid))
        await asyncio.sleep(self.pod_starts_s)
        now = time_to_json(utc_now())
        number = _number(name)
        address = f"127.1.{number // 250}.{number % 250 + 1}"
        running = {"name": "loki", "ready": True, "restartCount": 0, "image": "i", "imageID": "i",
                   "state": {"running": {"startedAt": now}}}  # fmt: skip
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "conditions": [ready],
            "containerStatuses": [running],
        }
        await self._patch_status(pod, status)

    async def change_source(self, namespace: str, name: str) -> tuple[str, str]:
        """Put a new pair into a route's source; return it."""
        pair = f"NEW{time.monotonic_ns()}", f"new-secret-{time.monotonic_ns()}"
        data = _secret(namespace, f"source-{name}", pair)["data"]
        await self.api.merge_patch(SECRET, f"source-{name}", {"data": data}, namespace=namespace)
        return pair

    @contextlib.asynccontextmanager
    async def nodes(self) -> AsyncIterator[None]:
        """End pods that are told to, and start them anew."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._node(f"fleet-{number}")) for number in range(NAMESPACES)
            ]
            await asyncio.sleep(0.5)
            yield
            for task in tasks:
                task.cancel()

    async def _node(self, namespace: str) -> None:
        version = (await self.api.list(POD, namespace=namespace)).resource_version
        ended: set[str] = set()
        async with asyncio.TaskGroup() as group:
            async for event in self.api.watch(POD, namespace=namespace, resource_version=version):
                pod = event.object["metadata"]
                if event.type == "MODIFIED" and "deletionTimestamp" in pod:
                    if pod["uid"] not in ended:
                        group.create_task(self._restart(namespace, pod))
                    ended.add(pod["uid"])

    async def _restart(self, namespace: str, pod: Object) -> None:
        name, uid = pod["name"], pod["uid"]
        await self.api.delete(POD, name, namespace=namespace, uid=uid, grace_s=0)
        owner = pod["ownerReferences"][0]["uid"]
        await self.start_pod(namespace, name.removesuffix("-0"), owner)

    async def _create_ready(self, obj: Object) -> None:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": time_to_json(utc_now())}
        await self._patch_status(await self._create(obj), {"conditions": [ready]})

    async def _create(self, obj: Object) -> Object:
        return await self.api.create(RESOURCES[obj["kind"]], obj)

    async def _patch_status(self, obj: Object, status: Object) -> None:
        metadata = obj["metadata"]
        await self.api.merge_patch(
            RESOURCES[obj["kind"]],
            metadata["name"],
            {"status": status},
            namespace=metadata["namespace"],
            subresource="status",
        )


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _object(resource: Resource, namespace: str | None, name: str, **rest: Any) -> Object:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        **rest,
    }


def _secret(namespace: str, name: str, pair: tuple[str, str]) -> Object:
    halves = zip(KEYS.values(), pair, strict=True)
    data = {key: base64.b64encode(half.encode()).decode() for key, half in halves}
    return _object(SECRET, namespace, name, data=data)


def _stateful_set(namespace: str, name: str) -> Object:
    labels = {"app.kubernetes.io/instance": name}
    spec = {
        "serviceName": name,
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pod_spec(name)},
    }
    return _object(STATEFUL_SET, namespace, name, spec=spec)


def _pod(namespace: str, name: str, owner_uid: str) -> Object:
    pod = _object(POD, namespace, f"{name}-0", spec={**_pod_spec(name), "nodeName": "node"})
    pod["metadata"]["labels"] = {"app.kubernetes.io/instance": name}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": owner_uid}
    pod["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    return pod


def _pod_spec(name: str) -> Object:
    container = {
        "name": "loki",
        "image": "docker.io/grafana/loki:3.7.8",
        "args": ["-config.file=/etc/loki/config.yaml", "-target=all"],
        "envFrom": [{"secretRef": {"name": f"target-{name}"}}],
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/loki"},
            {"name": "data", "mountPath": "/data"},
        ],
    }
    claim = {"claimName": f"data-{name}-0"}
    volumes = [
        {"name": "config", "configMap": {"name": "loki"}},
        {"name": "data", "persistentVolumeClaim": claim},
    ]
    return {
        "containers": [container],
        "volumes": volumes,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 30,
    }


def _config_map(namespace: str) -> Object:
    return _object(CONFIG_MAP, namespace, "loki", data={"config.yaml": CONFIG})


def _secret_store(namespace: str) -> Object:
    reference = {"connectTokenSecretRef": {"name": "token", "key": "token"}}
    provider = {
        "connectHost": "http://connect",
        "vaults": {"homelab": 1},
        "auth": {"secretRef": reference},
    }
    spec = {"provider": {"onepassword": provider}}
    return _object(SECRET_STORE, namespace, "onepassword", spec=spec)


def _external_secret(namespace: str, name: str) -> Object:
    data = [
        {"secretKey": key, "remoteRef": {"key": name, "property": key}} for key in KEYS.values()
    ]
    spec = {
        "refreshInterval": "1h",
        "secretStoreRef": {"name": "onepassword", "kind": "SecretStore"},
        "target": {"name": name},
        "data": data,
    }
    return _object(EXTERNAL_SECRET, namespace, name, spec=spec)
