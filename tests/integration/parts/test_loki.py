# SPDX-License-Identifier: Apache-2.0
"""The real Loki as a StatefulSet on the stand-in for nodes, writing to the real RGW."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import PORT, Loki
from parts.process import wait_for
from parts.rgw import Rgw


@dataclasses.dataclass
class Running:
    """A Loki that writes, and what it runs on."""

    kubernetes: Kubernetes
    kubelet: Kubelet
    rgw: Rgw
    loki: Loki
    pair: tuple[str, str] = dataclasses.field(repr=False)

    def pod(self) -> dict[str, Any]:
        path = f"/api/v1/namespaces/{self.loki.namespace}/pods/loki-0"
        return self.kubernetes.api.find(path) or {}

    def wait_ready(self, *, after: str = "") -> None:
        def ready() -> bool:
            pod = self.pod()
            conditions = pod.get("status", {}).get("conditions", [])
            good = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
            return good and pod["metadata"]["uid"] != after

        wait_for(ready, "loki-0 is ready", timeout_s=60)

    def url(self) -> str:
        return f"http://{self.pod()['status']['podIP']}:{PORT}"

    def push(self, line: str) -> None:
        value = [str(time.time_ns()), line]
        body = {"streams": [{"stream": {"app": "test"}, "values": [value]}]}
        url = f"{self.url()}/loki/api/v1/push"
        httpx2.post(url, json=body, trust_env=False).raise_for_status()

    def lines(self) -> list[str]:
        url = f"{self.url()}/loki/api/v1/query_range"
        answer = httpx2.get(url, params={"query": '{app="test"}'}, trust_env=False)
        if not answer.is_success:
            return []
        found = answer.json()["data"]["result"]
        return sorted(line for stream in found for _, line in stream["values"])

    def metric(self, name: str, *words: str) -> float:
        text = httpx2.get(f"{self.url()}/metrics", trust_env=False).text
        rows = [row for row in text.splitlines() if row.startswith(name)]
        return sum(float(row.split()[-1]) for row in rows if all(word in row for word in words))

    def written(self) -> float:
        name = "loki_objstore_bucket_transport_requests_total"
        return self.metric(name, 'method="PUT"', 'status_code="200"')


@pytest.fixture
def running(
    kubernetes: Kubernetes, kubelet: Kubelet, rgw: Rgw, namespace: str
) -> Iterator[Running]:
    """Make a user, a bucket and a Loki that writes there with the user's key."""
    pair = rgw.create_user(namespace)
    assert rgw.request(pair, "PUT", f"/{namespace}").is_success
    loki = Loki(namespace=namespace, endpoint=kubelet.relay(rgw.port), bucket=namespace)
    write_pair(kubernetes, loki, pair)
    kubelet.take(namespace)
    found = Running(kubernetes, kubelet, rgw, loki, pair)
    yield found
    kubernetes.api.delete(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/loki")


def write_pair(kubernetes: Kubernetes, loki: Loki, pair: tuple[str, str]) -> None:
    data = {"AWS_ACCESS_KEY_ID": pair[0], "AWS_SECRET_ACCESS_KEY": pair[1]}
    metadata = {"name": loki.secret, "namespace": loki.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
    kubernetes.apply(secret)


def test_a_line_is_flushed_and_outlives_its_pod(running: Running) -> None:
    """Pushed, flushed to RGW, the pod evicted: its successor still answers with the line."""
    running.kubernetes.apply(*running.loki.objects())
    running.wait_ready()
    running.push("the first line")
    wait_for(lambda: running.metric("loki_ingester_chunks_flushed_total"), "a chunk is flushed")
    wait_for(running.written, "RGW has taken it")
    before = running.pod()["metadata"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": before["name"], "namespace": before["namespace"]},
    }
    path = f"/api/v1/namespaces/{before['namespace']}/pods/{before['name']}/eviction"
    running.kubernetes.api.post(path, eviction)
    running.wait_ready(after=before["uid"])
    wait_for(lambda: running.lines() == ["the first line"], "the line can be read")


def test_a_dead_key_fails_flushes_and_the_wal_keeps_the_lines(running: Running) -> None:
    """With its key removed Loki stays Ready and loses flushes; a new key brings the lines back."""
    running.kubernetes.apply(*running.loki.objects())
    running.wait_ready()
    uid = running.pod()["metadata"]["uid"]
    key = running.pair[0]
    user = running.loki.namespace
    running.rgw.admin("key", "rm", f"--uid={user}", f"--access-key={key}")
    running.push("lost and found")
    wait_for(lambda: running.metric("loki_ingester_chunks_flush_failures_total"), "a flush fails")
    assert running.metric("loki_objstore_bucket_transport_requests_total", 'status_code="403"')
    wait_for(
        lambda: "does not exist in our records" in running.kubelet.logs(user, "loki-0", "loki"),
        "Loki says why",
    )
    assert running.pod()["metadata"]["uid"] == uid
    running.wait_ready()
    made = running.rgw.admin("key", "create", f"--uid={user}", "--gen-access-key")["keys"][0]
    write_pair(running.kubernetes, running.loki, (made["access_key"], made["secret_key"]))
    running.kubernetes.api.delete(
        f"/api/v1/namespaces/{user}/pods/loki-0", {"gracePeriodSeconds": 1}
    )
    running.wait_ready(after=uid)
    wait_for(lambda: running.lines() == ["lost and found"], "the line can be read")
    wait_for(running.written, "RGW has taken it")


def test_the_older_client_writes_too(running: Running) -> None:
    """The legacy S3 client flushes, under its own metric."""
    running.loki = dataclasses.replace(running.loki, legacy_client=True)
    running.kubernetes.apply(*running.loki.objects())
    running.wait_ready()
    running.push("old way")
    name = "loki_s3_request_duration_seconds_count"
    wait_for(lambda: running.metric(name, 'status_code="200"'), "RGW has taken it")


def test_a_sidecar_that_is_never_ready_leaves_the_pod_at_one_of_two(running: Running) -> None:
    """1/2 is a case: Loki itself is ready, its pod is not."""
    running.kubernetes.apply(*running.loki.with_sidecar_never_ready().objects())

    def one_of_two() -> bool:
        statuses = running.pod().get("status", {}).get("containerStatuses", [])
        return sorted(one["ready"] for one in statuses) == [False, True]

    wait_for(one_of_two, "one of two is ready")
