# SPDX-License-Identifier: Apache-2.0
"""The Loki port on a real Loki that writes to a real RGW, with its current and its older client.

The older client counts a refused request under 500 (seen on 3.7.8): there the log alone tells.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from contract.clusters import FINGERPRINTER, until
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.workloads import KubernetesWorkloads
from lokeys.adapters.loki.pod import KubernetesLoki
from lokeys.clock import utc_now
from lokeys.core.route.model import MetricsEndpoint, Workload
from lokeys.core.route.snapshot import LokiMetrics, PodState, Unreadable
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.manifests import PORT, Loki
from parts.rgw import Rgw

START_S = 60.0
WORKLOAD = Workload(kind="StatefulSet", name="loki", metrics=MetricsEndpoint(port=PORT))


@dataclass
class Running:
    """A Loki, its key's id, and lokeys' view of it."""

    kubernetes: Kubernetes
    rgw: Rgw
    loki: Loki
    key_id: str


@pytest.fixture(params=[False, True], ids=["current client", "older client"])
def running(
    request: pytest.FixtureRequest,
    kubernetes: Kubernetes,
    kubelet: Kubelet,
    rgw: Rgw,
    namespace: str,
) -> Iterator[Running]:
    """Run a Loki that flushes only when it is asked to."""
    pair = rgw.create_user(namespace)
    assert rgw.request(pair, "PUT", f"/{namespace}").is_success
    loki = Loki(
        namespace=namespace,
        endpoint=kubelet.relay(rgw.port),
        bucket=namespace,
        legacy_client=request.param,
        flush_after_s=600,
    )
    kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": loki.secret, "namespace": namespace},
            "stringData": {"AWS_ACCESS_KEY_ID": pair[0], "AWS_SECRET_ACCESS_KEY": pair[1]},
        }
    )
    kubelet.take(namespace)
    kubernetes.apply(*loki.objects())
    yield Running(kubernetes, rgw, loki, pair[0])
    kubernetes.api.delete(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/loki")


@dataclass
class View:
    """The two ports that look at pods."""

    workloads: KubernetesWorkloads
    loki: KubernetesLoki
    cluster: Cluster

    async def pod(self) -> PodState | None:
        """Return the pod once it is ready."""
        reading = await self.workloads.read()
        pods = reading.state.pods if reading.state else ()
        return pods[0] if pods and pods[0].ready else None

    async def metrics(self, pod: PodState) -> LokiMetrics:
        found = await self.loki.metrics(pod)
        assert not isinstance(found, Unreadable), found
        return found

    async def push(self, pod: PodState, line: str) -> None:
        """Give Loki a line to keep."""
        address = (await self.cluster.objects.get(pod.ref))["status"]["podIP"]
        value = [str(time.time_ns()), line]
        body = {"streams": [{"stream": {"app": line}, "values": [value]}]}
        url = f"http://{address}:{PORT}/loki/api/v1/push"
        async with httpx2.AsyncClient(trust_env=False) as client:
            (await client.post(url, json=body)).raise_for_status()


def test_proof_and_refusal_are_seen(running: Running) -> None:
    """After a flush the request is counted as accepted; with the key gone, as refused."""
    asyncio.run(story(running))


async def story(running: Running) -> None:
    namespace = running.loki.namespace
    config = load(kubeconfig=str(running.kubernetes.kubeconfig), namespace=namespace)
    async with Api(config) as api, HttpClients() as clients:
        cluster = Cluster(
            objects=LiveObjects(api), api=api, fingerprinter=FINGERPRINTER, clock=utc_now
        )
        view = View(
            KubernetesWorkloads(
                cluster, [WORKLOAD], namespace=namespace, secret=running.loki.secret
            ),
            KubernetesLoki(cluster, [WORKLOAD], client=clients.trusting(None)),
            cluster,
        )
        pod = await until(view.pod, "Loki is ready", timeout_s=START_S)
        assert pod is not None
        assert pod.wal_persistent
        await sees_acceptance(view, pod)
        running.rgw.admin("key", "rm", f"--uid={namespace}", f"--access-key={running.key_id}")
        await sees_refusal(view, pod, legacy=running.loki.legacy_client)


async def sees_acceptance(view: View, pod: PodState) -> None:
    await view.push(pod, "first")
    before = await view.metrics(pod)
    assert before.started_at is not None
    assert (before.refused, before.chunks_in_memory) == (0, 1)
    await view.loki.flush(pod)

    async def accepted() -> bool:
        return (await view.metrics(pod)).accepted > before.accepted

    await until(accepted, "one more request accepted", timeout_s=30)
    assert await view.loki.log(pod) == ()


async def sees_refusal(view: View, pod: PodState, *, legacy: bool) -> None:
    await view.push(pod, "second")
    await view.loki.flush(pod)

    async def refused() -> bool:
        found = await view.metrics(pod)
        return bool(found.flush_failures and (found.refused or legacy))

    await until(refused, "a request refused, a flush failed", timeout_s=30)

    async def told() -> bool:
        found = await view.loki.log(pod)
        assert not isinstance(found, Unreadable), found
        return [line.cause for line in found] == ["access_key_unknown"]

    await until(told, "the log's complaint")
