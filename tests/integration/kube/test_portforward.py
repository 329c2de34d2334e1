# SPDX-License-Identifier: Apache-2.0
"""Port-forward through the real API server to the kubelet stand-in's endpoint."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.kube.connecting import connect, create_pod, until
from lokeys.errors import Forbidden, NotFound, Unreachable
from lokeys.kube.client import Api
from lokeys.kube.portforward import forward
from lokeys.kube.resources import NODE, POD
from parts.kubelet.container import Container
from parts.kubelet.server import Server
from parts.kubernetes import Kubernetes


class _Pods:
    """One node whose pods all live on loopback."""

    address = "127.0.0.1"

    def container(self, namespace: str, pod: str, container: str) -> Container | None:
        return None

    def pod_address(self, namespace: str, pod: str) -> str | None:
        return "127.0.0.1"


@asynccontextmanager
async def _pod(kubernetes: Kubernetes, namespace: str, folder: Path) -> AsyncIterator[Api]:
    """Yield a client for a cluster with one running pod `p` on a node with an endpoint."""
    server = Server(_Pods(), folder)
    node = f"node-{namespace}"
    async with connect(kubernetes) as api:
        try:
            await api.create(NODE, {"metadata": {"name": node}})
            status: dict[str, Any] = {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": server.port}},
            }
            await api.merge_patch(NODE, node, {"status": status}, subresource="status")
            await create_pod(api, namespace, node=node)
            running = {"status": {"phase": "Running"}}
            await api.merge_patch(POD, "p", running, namespace=namespace, subresource="status")
            yield api
        finally:
            await api.delete(NODE, node)
            server.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data.upper())
        await writer.drain()
    writer.close()


def test_bytes_pass_both_ways(kubernetes: Kubernetes, namespace: str, tmp_path: Path) -> None:
    """Several connections at once carry a megabyte each to the pod and back."""

    async def talk(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        sent = b"abcdefgh" * 131072
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent.upper()
        writer.close()

    async def main() -> None:
        echo = await asyncio.start_server(_echo, "127.0.0.1", 0)
        port = echo.sockets[0].getsockname()[1]
        async with (
            _pod(kubernetes, namespace, tmp_path) as api,
            forward(api, namespace=namespace, pod="p", port=port) as local,
        ):
            host, local_port = local
            assert (host, local_port) == (local.host, local.port)
            await asyncio.gather(*(talk(local.host, local.port) for _ in range(3)))
            assert local.error is None
        echo.close()

    asyncio.run(main())


def test_closed_port_says_so(kubernetes: Kubernetes, namespace: str, tmp_path: Path) -> None:
    """A pod that does not listen closes the connection, and the reason can be read."""

    async def main() -> None:
        async with (
            _pod(kubernetes, namespace, tmp_path) as api,
            forward(api, namespace=namespace, pod="p", port=1) as local,
        ):
            reader, writer = await asyncio.open_connection(local.host, local.port)
            assert await reader.read() == b""
            writer.close()
            await until(lambda: local.error)
            assert isinstance(local.error, Unreachable)
            assert f"cannot reach port 1 of Pod {namespace}/p" in str(local.error)
            assert "refused" in str(local.error)

    asyncio.run(main())


def test_refusals_come_at_once(kubernetes: Kubernetes, namespace: str, tmp_path: Path) -> None:
    """No pod, no right and no node are told when the forward is asked for."""
    kubernetes.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubeconfig = kubernetes.user_kubeconfig(namespace, "reader")

    async def main() -> None:
        async with (
            _pod(kubernetes, namespace, tmp_path) as api,
            connect(kubernetes, kubeconfig=kubeconfig) as reader,
        ):
            with pytest.raises(NotFound, match=r"Pod .*/none does not exist"):
                async with forward(api, namespace=namespace, pod="none", port=1):
                    pass
            with pytest.raises(Forbidden, match="pods/portforward"):
                async with forward(reader, namespace=namespace, pod="p", port=1):
                    pass
            node = f"node-{namespace}"
            lost = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
            await api.merge_patch(NODE, node, {"status": lost}, subresource="status")
            with pytest.raises(Unreachable, match="cannot forward a port to Pod"):
                async with forward(api, namespace=namespace, pod="p", port=1):
                    pass

    asyncio.run(main())
