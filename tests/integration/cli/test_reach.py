# SPDX-License-Identifier: Apache-2.0
"""From outside of the cluster to its Services and pods, through the real API server."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from integration.kube.connecting import connect
from lokeys.adapters.http import Bounds, NoAnswer, bounded_request
from lokeys.adapters.http_clients import HttpClients
from lokeys.cli.reach import Reach, ReachMode
from lokeys.http_server import HttpRequest, HttpServer, Response, text
from lokeys.kube.client import Api
from lokeys.kube.resources import NODE, POD, SERVICE
from parts.kubelet.container import Container
from parts.kubelet.server import Server
from parts.kubernetes import Kubernetes


def pod_address(namespace: str) -> str:
    """Return what the pod's status says: an address of its own, where nothing answers."""
    number = zlib.crc32(namespace.encode())
    return f"10.{number % 256}.{number // 256 % 256}.{number // 65536 % 256}"


class _Pods:
    """One node whose pods all live on loopback."""

    address = "127.0.0.1"

    def container(self, namespace: str, pod: str, container: str) -> Container | None:
        return None

    def pod_address(self, namespace: str, pod: str) -> str | None:
        return "127.0.0.1"


async def _mirror(request: HttpRequest) -> Response:
    """Answer with the Host that the caller meant."""
    return text(request.headers["host"])


@asynccontextmanager
async def _store(kubernetes: Kubernetes, namespace: str, folder: Path) -> AsyncIterator[Api]:
    """Run a pod behind Service `rgw`, port 80, on a node with an endpoint."""
    node, server = f"node-{namespace}", Server(_Pods(), folder)
    async with connect(kubernetes) as api, HttpServer(_mirror) as mirror:
        try:
            await api.create(NODE, {"metadata": {"name": node}})
            status: dict[str, Any] = {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": server.port}},
            }
            await api.merge_patch(NODE, node, {"status": status}, subresource="status")
            await _pod(api, namespace, node)
            port = {"port": 80, "targetPort": int(mirror.url.rpartition(":")[2])}
            spec = {"selector": {"app": "rgw"}, "ports": [port]}
            for name, fields in {"rgw": spec, "bare": {"ports": [port]}}.items():
                metadata = {"name": name, "namespace": namespace}
                await api.create(SERVICE, {"metadata": metadata, "spec": fields})
            yield api
        finally:
            await api.delete(NODE, node)
            server.close()


async def _pod(api: Api, namespace: str, node: str) -> None:
    """Make a ready pod, and beside it one that is not."""
    for name, ready in (("rgw-a", "False"), ("rgw-b", "True")):
        spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
        metadata = {"name": name, "namespace": namespace, "labels": {"app": "rgw"}}
        await api.create(POD, {"metadata": metadata, "spec": spec})
        status = {
            "phase": "Running",
            "podIP": pod_address(namespace if ready == "True" else name),
            "conditions": [{"type": "Ready", "status": ready}],
        }
        patch = {"status": status}
        await api.merge_patch(POD, name, patch, namespace=namespace, subresource="status")


async def _ask(reach: Reach, url: str) -> str:
    async with HttpClients(dial=reach.dial) as clients:
        request = httpx2.Request("GET", url)
        client = clients.trusting(None)
        reply = await bounded_request(client, request, bounds=Bounds(total_s=10))
        return reply.body.decode()


@pytest.mark.parametrize("mode", [ReachMode.AUTO, ReachMode.FORWARD])
@pytest.mark.parametrize(
    "host", ["rgw.{ns}.svc", "rgw.{ns}.svc.cluster.local", "rgw.{ns}", "loki.rgw.{ns}.svc"]
)
def test_a_service_is_reached_at_its_ready_pod(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path, host: str, mode: ReachMode
) -> None:
    """The request arrives with the Host that was signed for, whatever the tunnel's port is."""
    name = host.format(ns=namespace)

    async def main() -> None:
        async with (
            _store(kubernetes, namespace, tmp_path) as api,
            Reach(api, mode=mode, in_cluster=False) as reach,
        ):
            for _ in range(2):  # the second time over the tunnel that is there
                assert await _ask(reach, f"http://{name}/") == name

    asyncio.run(main())


def test_a_pods_address_is_reached(kubernetes: Kubernetes, namespace: str, tmp_path: Path) -> None:
    """An address of the pod network leads to the pod that has it."""

    async def main() -> None:
        async with (
            _store(kubernetes, namespace, tmp_path) as api,
            Reach(api, mode=ReachMode.AUTO, in_cluster=False) as reach,
        ):
            service = await api.get(SERVICE, "rgw", namespace=namespace)
            port = service["spec"]["ports"][0]["targetPort"]
            where = f"{pod_address(namespace)}:{port}"
            assert await _ask(reach, f"http://{where}/") == where

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "mode", "words"),
    [
        ("gone.{ns}.svc", ReachMode.AUTO, "gone"),
        ("bare.{ns}.svc", ReachMode.AUTO, "selects no pods"),
        ("rgw.{ns}.svc", ReachMode.DIRECT, "does not resolve here"),
        ("no-such-host.invalid.example", ReachMode.FORWARD, "does not resolve here"),
    ],
    ids=["no such Service", "no pods behind it", "direct, from outside", "no host at all"],
)
def test_no_way_is_a_sentence(  # noqa: PLR0917 - fixtures and parameters
    kubernetes: Kubernetes, namespace: str, tmp_path: Path, host: str, mode: ReachMode, words: str
) -> None:
    """What cannot be reached from here is a NoAnswer that says why, never a crash."""

    async def main() -> None:
        async with (
            _store(kubernetes, namespace, tmp_path) as api,
            Reach(api, mode=mode, in_cluster=False) as reach,
        ):
            with pytest.raises(NoAnswer, match=words):
                await _ask(reach, f"http://{host.format(ns=namespace)}/")

    asyncio.run(main())


def test_inside_a_cluster_nothing_is_forwarded(kubernetes: Kubernetes) -> None:
    """A pod resolves Services itself: auto dials as it stands."""

    async def main() -> None:
        async with (
            connect(kubernetes) as api,
            Reach(api, mode=ReachMode.AUTO, in_cluster=True) as reach,
        ):
            assert await reach.dial("rgw.storage.svc", 80) == ("rgw.storage.svc", 80)

    asyncio.run(main())
