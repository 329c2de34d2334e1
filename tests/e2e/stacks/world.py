# SPDX-License-Identifier: Apache-2.0
"""One running LokiStack: what a person does to it, and what they see of it.

Real Kubernetes, Ceph RGW and Loki; pods are processes of this host, each with a network of its own.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from lokeys.clock import utc_now
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw
from parts.rgw_iam import Iam

Json = dict[str, Any]
Pair = tuple[str, str]

PORT = 3100
TENANT = "application"
AUDIENCE = "loki"
SECRET = "loki-storage"
READY_S = 180
COMPONENT = "app.kubernetes.io/component"
COMPONENTS = (
    "distributor",
    "ingester",
    "querier",
    "query-frontend",
    "compactor",
    "index-gateway",
    "ruler",
)
WORKLOADS = ("Deployment", "StatefulSet")


@dataclass(kw_only=True)
class Stack:
    """A LokiStack in a namespace of its own, whose pods the node runs.

    `make_bucket` and `static_secret` come before `apply`, which renders with the command line and
    applies; an operator may apply instead, after `declare`.
    """

    kubernetes: Kubernetes
    kubelet: Kubelet
    rgw: Rgw
    namespace: str
    name: str = "logs"
    spec: Json = field(default_factory=dict)
    """Replaces parts of the LokiStack's spec."""
    type: str = "s3"
    secret: dict[str, str] = field(default_factory=dict, repr=False)
    pair: Pair = field(default=("", ""), repr=False)
    beside: list[Json] = field(default_factory=list)
    """What else is handed in: Secrets and ConfigMaps that the spec names."""
    only: tuple[str, ...] = COMPONENTS
    """The components whose workloads are applied."""
    with_gateway: bool = False
    """Whether its gateway is applied, too."""
    in_one: bool = False
    """Whether one process is all components: the rendered ingester's pod, with another target."""
    _clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.kubelet.take(self.namespace)
        self.endpoint = f"http://{self.kubelet.relay(self.rgw.port)}"
        """Where pods reach RGW; this host reaches it there, too."""
        self._client = self._clients.enter_context(httpx2.Client(trust_env=False, timeout=10))

    def close(self) -> None:
        """Let go of what this view holds open."""
        self._clients.close()

    # --- what it is made of ----------------------------------------------------------------------

    def make_bucket(self, *names: str) -> str:
        """Make a user of RGW with these buckets; return the first one's name."""
        wanted = names or (self.namespace,)
        if not self.pair[0]:
            self.pair = self.rgw.create_user(self.namespace)
        for name in wanted:
            answer = self.rgw.request(self.pair, "PUT", f"/{name}")
            assert answer.is_success, answer.text
        return wanted[0]

    def static_secret(self, *buckets: str) -> dict[str, str]:
        """Return a Secret's data for static keys."""
        return {
            "bucketnames": ",".join(buckets or (self.namespace,)),
            "endpoint": self.endpoint,
            "access_key_id": self.pair[0],
            "access_key_secret": self.pair[1],
        }

    def make_role(self, *buckets: str, accounts: Sequence[str] = ()) -> str:
        """Make a role at RGW for the stack's two accounts, or for others; return its ARN."""
        issuer = self.kubernetes.issuer.url
        iam = Iam(self.rgw)
        iam.trust(issuer, AUDIENCE)
        subject = f"system:serviceaccount:{self.namespace}"
        return iam.make_role(
            self.namespace,
            issuer=issuer,
            audience=AUDIENCE,
            subjects=[
                f"{subject}:{each}" for each in accounts or (self.name, f"{self.name}-ruler")
            ],
            buckets=buckets or (self.namespace,),
        )

    def token_secret(self, role_arn: str, *, sts_endpoint: str = "") -> dict[str, str]:
        """Return a Secret's data for tokens: no key in it."""
        return {
            "bucketnames": self.namespace,
            "region": "us-east-1",
            "endpoint": self.endpoint,
            "sts_endpoint": sts_endpoint or self.endpoint,
            "role_arn": role_arn,
            "audience": AUDIENCE,
        }

    def manifest(self) -> Json:
        """Return the LokiStack."""
        secret = {"name": SECRET, "type": self.type}
        # Pods reach RGW, and its STS or what stands before it, over plain HTTP.
        addresses = {self.endpoint, self.secret.get("sts_endpoint", self.endpoint)}
        spec = {
            "size": "1x.demo",
            "storageClassName": "local",
            "storage": {
                "schemas": [{"version": "v13", "effectiveDate": "2024-10-01"}],
                "secret": secret,
            },
            "rules": {"enabled": not self.in_one},
        } | self.spec
        return {
            "apiVersion": "loki.grafana.com/v1",
            "kind": "LokiStack",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "annotations": {"lokeys.dev/allowed-urls": ",".join(sorted(addresses))},
            },
            "spec": spec,
        }

    def secret_manifest(self) -> Json:
        """Return the storage Secret."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": self.namespace},
            "stringData": self.secret,
        }

    def render(self) -> list[Json]:
        """Return what `lokeys render` prints for it."""
        items = [self.manifest(), self.secret_manifest(), *self.beside]
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        done = subprocess.run(
            [sys.executable, "-m", "lokeys", "render", "-f", "-", "-o", "json"],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env=os.environ | {"NO_COLOR": "1"},
        )
        assert done.returncode == 0, done.stderr
        objects: list[Json] = json.loads(done.stdout)["items"]
        return objects

    def apply(self, *more: Json, paces: Mapping[str, str] | None = None) -> None:
        """Render it and apply everything, the Secret first, then `more`, then what was rendered.

        `paces` replaces values of Loki's configuration that nobody can wait for in a test.
        """
        objects = self.render()
        left_out = {f"{self.name}-{each}" for each in COMPONENTS if each not in self.only}
        left_out |= set() if self.with_gateway else {f"{self.name}-gateway"}
        objects = [
            each
            for each in objects
            if each["kind"] not in WORKLOADS or each["metadata"]["name"] not in left_out
        ]
        if self.in_one:
            objects = list(_in_one(objects))
            paces = {"join_after": "0s"} | dict(paces or {})
        for each in objects:
            if each["kind"] == "ConfigMap":
                each["data"] = {
                    key: _paced(text, paces or {}) for key, text in each.get("data", {}).items()
                }
        self.kubernetes.apply(self.secret_manifest(), *self.beside, *more, *objects)

    # --- its pods --------------------------------------------------------------------------------

    def pods(self, component: str = "") -> list[Json]:
        """Return its pods, or those of one component, that are not about to go."""
        component = "ingester" if self.in_one else component
        labels = f"app.kubernetes.io/instance={self.name}"
        if component:
            labels += f",{COMPONENT}={component}"
        path = f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={labels}"
        found: list[Json] = self.kubernetes.api.get(path)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def unready(self, components: Sequence[str] = COMPONENTS) -> list[str]:
        """Return which of these components have no ready pod, or one that is not ready."""
        pods = self.pods()

        def ready(component: str) -> bool:
            own = [pod for pod in pods if pod["metadata"]["labels"][COMPONENT] == component]
            return bool(own) and all(_is_ready(pod) for pod in own)

        return [component for component in components if not ready(component)]

    def wait_ready(self, *components: str, timeout_s: float = READY_S) -> None:
        """Wait until each pod of these components is ready; of all, where none is named."""
        wanted = ("ingester",) if self.in_one else components or self.only
        deadline = time.monotonic() + timeout_s
        while left := self.unready(wanted):
            if time.monotonic() > deadline:
                said = "\n".join(
                    f"{each}: {self._standing(each)}\n{self.log(each)[-2000:]}" for each in left
                )
                raise AssertionError(f"not ready after {timeout_s} s: {', '.join(left)}\n{said}")
            time.sleep(0.2)

    def _standing(self, component: str) -> str:
        """Return how the component's pods stand, and what their containers wait for."""
        pods = [(pod["metadata"]["name"], pod.get("status", {})) for pod in self.pods(component)]
        return json.dumps(
            [
                (
                    name,
                    status.get("phase"),
                    [c["state"] for c in status.get("containerStatuses", [])],
                )
                for name, status in pods
            ]
        )

    def restart(self, component: str) -> None:
        """Delete a component's pods, and wait until they are gone."""
        gone = [pod["metadata"] for pod in self.pods(component)]
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        for pod in gone:
            self.kubernetes.api.delete(f"{path}/{pod['name']}")

        def left() -> bool:
            found = (self.kubernetes.api.find(f"{path}/{pod['name']}") for pod in gone)
            uids = {pod["uid"] for pod in gone}
            return any(pod and pod["metadata"]["uid"] in uids for pod in found)

        wait_for(lambda: not left(), f"{component} is gone", timeout_s=60)

    def log(self, component: str) -> str:
        """Return what the component's present pods have written."""
        component = "ingester" if self.in_one else component
        return "\n".join(
            self.kubelet.logs(self.namespace, pod["metadata"]["name"], f"loki-{component}")
            for pod in self.pods(component)
        )

    # --- its Loki --------------------------------------------------------------------------------

    def request(
        self, component: str, method: str, path: str, *, tenant: str = TENANT, **options: Any
    ) -> httpx2.Response:
        """Ask the component's first pod, as a tenant."""
        name = self.pods(component)[0]["metadata"]["name"]
        url = f"http://{self.kubelet.pod_address(self.namespace, name)}:{PORT}{path}"
        return self._client.request(method, url, headers={"X-Scope-OrgID": tenant}, **options)

    def wait_pushed(self, *lines: str, timeout_s: float = 60, **options: Any) -> None:
        """Push lines as soon as somebody takes them: before anything is ready, as a rule."""

        def pushed() -> bool:
            try:
                self.push(*lines, **options)
            except (httpx2.TransportError, AssertionError, IndexError):
                return False
            return True

        wait_for(pushed, f"somebody takes {lines}", timeout_s=timeout_s)

    def push(
        self,
        *lines: str,
        at: datetime | None = None,
        tenant: str = TENANT,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Push lines through the distributor, at a moment."""
        moment = str(int((at or utc_now()).timestamp() * 1e9))
        values = [[moment, line] for line in lines]
        body = {"streams": [{"stream": dict(labels or {"app": "test"}), "values": values}]}
        path = "/loki/api/v1/push"
        answer = self.request("distributor", "POST", path, json=body, tenant=tenant)
        assert answer.status_code == 204, answer.text

    def flush(self) -> None:
        """Make the ingesters write all that they hold into the store."""
        answer = self.request("ingester", "POST", "/flush")
        assert answer.status_code == 204, answer.text

    def lines(
        self,
        *,
        since: datetime,
        until: datetime,
        query: str = '{app="test"}',
        tenant: str = TENANT,
    ) -> list[str]:
        """Return the lines that the query frontend finds."""
        span = {"start": str(since.timestamp()), "end": str(until.timestamp()), "query": query}
        path = "/loki/api/v1/query_range"
        answer = self.request("query-frontend", "GET", path, params=span, tenant=tenant)
        assert answer.is_success, answer.text
        streams = answer.json()["data"]["result"]
        return sorted(line for stream in streams for _, line in stream["values"])

    def metric(self, component: str, name: str, **labels: str) -> float:
        """Return a metric of the component's first pod, summed over series with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in self.request(component, "GET", "/metrics").text.splitlines()
            if line.partition("{")[0].partition(" ")[0] == name
            and all(each in line for each in wanted)
        )

    def wait_metric(self, component: str, name: str, *, above: float = 0, **labels: str) -> None:
        """Wait until a metric is above a value."""
        what = f"{component}'s {name} {labels} is above {above}"
        wait_for(lambda: self.metric(component, name, **labels) > above, what, timeout_s=60)

    def alerts(self, tenant: str = TENANT) -> list[Json]:
        """Return the alerts that the ruler holds for a tenant; none while it does not answer."""
        try:
            answer = self.request("ruler", "GET", "/prometheus/api/v1/alerts", tenant=tenant)
        except (httpx2.TransportError, IndexError):
            return []
        found: list[Json] = answer.json()["data"]["alerts"] if answer.is_success else []
        return found

    # --- its store -------------------------------------------------------------------------------

    def objects(self, bucket: str = "") -> list[str]:
        """Return the names of a bucket's objects."""
        answer = self.rgw.request(self.pair, "GET", f"/{bucket or self.namespace}")
        assert answer.is_success, answer.text
        return [each.partition("</Key>")[0] for each in answer.text.split("<Key>")[1:]]

    def chunks(self, bucket: str = "", *, tenant: str = TENANT) -> list[str]:
        """Return the names of a tenant's chunks in a bucket."""
        return [name for name in self.objects(bucket) if name.startswith(f"{tenant}/")]


def rules(stack: Stack, *, tenant: str, alert: str, query: str) -> Json:
    """Return the ConfigMap with one rule of a tenant's."""
    rule = {"alert": alert, "expr": query}
    groups = {"groups": [{"name": "test", "interval": "2s", "rules": [rule]}]}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{stack.name}-rules-0", "namespace": stack.namespace},
        "data": {f"{tenant}.yaml": json.dumps(groups)},
    }


def _in_one(objects: Sequence[Json]) -> Iterator[Json]:
    """Yield the objects of a stack whose every Service leads to one pod, which is all components.

    Everything about its store is as it was rendered: configuration, variables, volumes, account.
    """
    for each in objects:
        if each["kind"] in ("ConfigMap", "ServiceAccount"):
            yield each
        elif each["kind"] == "Service":
            selector = each["spec"]["selector"] | {COMPONENT: "ingester"}
            spec = each["spec"] | {"selector": selector, "publishNotReadyAddresses": True}
            yield each | {"spec": spec}
        elif each["kind"] == "StatefulSet" and each["metadata"]["name"].endswith("-ingester"):
            container = each["spec"]["template"]["spec"]["containers"][0]
            container["args"] = [
                "-target=all" if word == "-target=ingester" else word for word in container["args"]
            ]
            yield each


def _paced(config: str, paces: Mapping[str, str]) -> str:
    for key, pace in paces.items():
        config = re.sub(rf"^( +{key}: ).*$", rf"\g<1>{pace}", config, flags=re.MULTILINE)
    return config


def _is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
