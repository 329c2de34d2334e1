# SPDX-License-Identifier: Apache-2.0
"""Stacks that an operator operates on a real control plane, with hands instead of nodes.

The controller manager makes pods; `Hands` makes them ready, or leaves them as they are.
"""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

from e2e.operators import Installation
from lokeys.core.rbac import StackWish, stack_roles
from lokeys.core.stack.resource.parse import parse
from manifests.lokistack import CANARY
from parts.api import ApiError, Json
from parts.kubernetes import KUBELET, Kubernetes
from parts.process import wait_for
from parts.real_node.cluster import LEFT_ALONE

GROUP = "loki.grafana.com"
COMPONENT = "app.kubernetes.io/component"
STORE_HASH = "loki.grafana.com/object-store-hash"
CONFIG_HASH = "loki.grafana.com/config-hash"
SECRET_DATA = {
    "bucketnames": "logs",
    "endpoint": "http://rgw.store:8080",
    "access_key_id": "AKIAQ4KLMN5OPQR6STUV",
    "access_key_secret": CANARY,
}
WITH_CREDENTIALS = ["index-gateway", "ingester", "querier", "ruler", "compactor"]
SOON_S = 60.0
PATHS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Pod": "/api/v1/namespaces/{}/pods",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Event": "/api/v1/namespaces/{}/events",
    "LokiStack": "/apis/loki.grafana.com/v1/namespaces/{}/lokistacks",
    "Route": "/apis/route.openshift.io/v1/namespaces/{}/routes",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
OWNED = (
    *("ConfigMap", "Service", "ServiceAccount"),
    *("Deployment", "StatefulSet", "PodDisruptionBudget"),
)


class Hands:
    """Makes every pod of some namespaces ready, but for components that are held."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._api = kubernetes.client(KUBELET)
        self._namespaces: set[str] = set()
        self.held: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self, namespace: str) -> None:
        """Make pods of this namespace ready, too, which no real node runs then."""
        labels = {"metadata": {"labels": {LEFT_ALONE: ""}}}
        self._kubernetes.api.patch(f"/api/v1/namespaces/{namespace}", labels)
        self._namespaces.add(namespace)

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        self._api.close()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            # The API server may be away: a test has stopped it.
            with contextlib.suppress(ApiError, httpx2.TransportError):
                self._work()

    def _work(self) -> None:
        # One question for all namespaces, and from the API server's memory: it is asked often.
        for pod in self._api.get("/api/v1/pods?resourceVersion=0")["items"]:
            labels = pod["metadata"].get("labels", {})
            namespace = pod["metadata"]["namespace"]
            if namespace not in self._namespaces or labels.get(COMPONENT) in self.held:
                continue
            if ready(pod):
                continue
            conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": _now()}]
            status = {"phase": "Running", "conditions": conditions}
            path = f"{PATHS['Pod'].format(namespace)}/{pod['metadata']['name']}/status"
            with contextlib.suppress(ApiError):
                self._api.patch(path, {"status": status})


def ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass
class Operated:
    """One LokiStack in the cluster, and what is seen of it."""

    kubernetes: Kubernetes
    installation: Installation
    namespace: str
    name: str = "logs"
    secret_name: str = "store"
    spec: Json = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=lambda: {"lokeys.dev/managed": "true"})

    # --- what a person does ----------------------------------------------------------------------

    @property
    def manifest(self) -> Json:
        spec = {
            "size": "1x.demo",
            "storageClassName": "fast",
            "storage": {
                "schemas": [{"version": "v13", "effectiveDate": "2024-10-01"}],
                "secret": {"name": self.secret_name, "type": "s3"},
            },
            "rules": {"enabled": True},
        } | self.spec
        return {
            "apiVersion": f"{GROUP}/v1",
            "kind": "LokiStack",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": dict(self.labels),
            },
            "spec": spec,
        }

    def allow(self, wish: StackWish | None = None) -> None:
        """Grant what `lokeys rbac` prints for the stack."""
        stack, faults = parse(self.manifest)
        assert stack is not None, faults
        account = self.installation.account
        self.kubernetes.apply(*stack_roles(stack, wish=wish, account=account))

    def put_secret(self, **changes: str) -> None:
        """Write the storage Secret."""
        metadata = {"name": self.secret_name, "namespace": self.namespace}
        data = {**SECRET_DATA, **changes}
        self.kubernetes.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
        )

    def apply(self) -> None:
        self.kubernetes.apply(self.manifest)

    def start(self) -> None:
        """Do all of it, and wait until the stack is Ready."""
        self.allow()
        self.put_secret()
        self.apply()
        self.wait_main("Ready")

    def patch(self, kind: str, name: str, body: Json) -> None:
        self.kubernetes.api.patch(self.path(kind, name), body)

    def delete(self, kind: str, name: str) -> None:
        self.kubernetes.api.delete(self.path(kind, name))

    def go(self) -> None:
        """Delete it, and what no owner clears up after, until none of it is there."""

        def gone() -> bool:
            stack = self.find("LokiStack", self.name)
            left = [*([stack] if stack else []), *self.unowned()]
            for each in left:
                with contextlib.suppress(ApiError):  # an operator may be quicker
                    self.delete(each["kind"], each["metadata"]["name"])
            return not left

        wait_for(gone, f"{self.namespace}/{self.name} goes")

    # --- what a person sees ----------------------------------------------------------------------

    def path(self, kind: str, name: str = "") -> str:
        return PATHS[kind].format(self.namespace) + (f"/{name}" if name else "")

    def find(self, kind: str, name: str) -> Json | None:
        return self.kubernetes.api.find(self.path(kind, name))

    def get(self, kind: str, name: str) -> Json:
        return self.kubernetes.api.get(self.path(kind, name))

    def every(self, kind: str) -> list[Json]:
        found: list[Json] = self.kubernetes.api.get(self.path(kind))["items"]
        return found

    def owned(self) -> list[Json]:
        """Return what the stack is made of."""
        return [each for kind in OWNED for each in self.every(kind) if self.owns(each)]

    def unowned(self) -> list[Json]:
        """Return what the stack is made of outside of its namespace."""
        name = f"{self.namespace}.{self.name}-gateway"
        found = (self.find(kind, name) for kind in ("ClusterRole", "ClusterRoleBinding"))
        return [each for each in found if each is not None]

    def owns(self, obj: Json) -> bool:
        owners = obj["metadata"].get("ownerReferences", ())
        return any(owner["name"] == self.name and owner["kind"] == "LokiStack" for owner in owners)

    @property
    def status(self) -> Json:
        found: Json = self.get("LokiStack", self.name).get("status", {})
        return found

    def condition(self, kind: str) -> Json:
        conditions = self.status.get("conditions", [])
        return next((one for one in conditions if one["type"] == kind), {})

    @property
    def main(self) -> tuple[str, str]:
        """Return type and reason of the main condition that holds."""
        mains = ("Degraded", "Failed", "Pending", "Ready")
        for one in self.status.get("conditions", []):
            if one["type"] in mains and one["status"] == "True":
                return one["type"], one["reason"]
        return "", ""

    def wait_main(self, kind: str, reason: str = "", *, timeout_s: float = SOON_S) -> None:
        wait_for(
            lambda: self.main[0] == kind and reason in self.main[1],
            f"{self.namespace}/{self.name} is {kind} {reason}, not {self.condition('Ready')}",
            timeout_s=timeout_s,
        )

    def hashes(self, annotation: str = STORE_HASH) -> dict[str, str]:
        """Return the hash that each component's pod template wears."""
        found = {}
        for each in (*self.every("Deployment"), *self.every("StatefulSet")):
            if self.owns(each):
                worn = each["spec"]["template"]["metadata"]["annotations"].get(annotation, "")
                found[each["metadata"]["labels"][COMPONENT]] = worn
        return found

    def pods(self) -> dict[str, set[str]]:
        """Return the uids of each component's pods."""
        found: dict[str, set[str]] = {}
        for pod in self.every("Pod"):
            labels = pod["metadata"]["labels"]
            if labels.get("app.kubernetes.io/instance") == self.name:
                found.setdefault(labels[COMPONENT], set()).add(pod["metadata"]["uid"])
        return found

    def events(self) -> list[Json]:
        return [e for e in self.every("Event") if e["involvedObject"].get("name") == self.name]


@dataclass
class Requests:
    """The operator's own requests since a moment, renewals of its Lease left out."""

    installation: Installation
    began: int = 0

    def restart(self) -> None:
        self.began = len(self.installation.audit())

    def made(self) -> list[Json]:
        """Return every request, long-lived watches left out, too."""
        events = self.installation.audit()[self.began :]
        return [e for e in events if e.get("objectRef", {}).get("resource") != "leases"]

    def said(self) -> list[str]:
        """Return method and target of all requests but watches."""
        return [f"{e['verb']} {e['requestURI']}" for e in self.made() if e["verb"] != "watch"]

    def writes(self) -> list[str]:
        reads = {"get", "list", "watch"}
        return [
            f"{e['verb']} {e['requestURI']}"
            for e in self.made()
            # A review is a question that has to be posted.
            if e["verb"] not in reads and "accessreviews" not in e["requestURI"]
        ]


def quiet(requests: Requests, *, for_s: float = 1.5, within_s: float = 60.0) -> None:
    """Wait until the operator has asked for nothing for a while."""
    deadline = time.monotonic() + within_s
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < for_s:
        assert time.monotonic() < deadline, f"it does not come to rest: {requests.said()[-5:]}"
        now = len(requests.made())
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.1)
