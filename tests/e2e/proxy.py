# SPDX-License-Identifier: Apache-2.0
"""A part seen through a proxy: every request is counted, and a test may lay a hand on each."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2

from e2e.world import Loop
from lokeys.http_server import Handler, Hangup, HttpRequest, HttpServer, Response
from parts.kubernetes import Kubernetes

OnRequest = Callable[[HttpRequest, Handler], Awaitable[Response]]
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})


class Proxy:
    """Passes requests on to `target`, by way of `on_request` where there is one."""

    def __init__(self, loop: Loop, target: str, *, ca_file: Path | None = None) -> None:
        self.requests: list[tuple[str, str]] = []
        self.on_request: OnRequest | None = None
        self._loop = loop
        self._target = httpx2.URL(target)
        self._ca_file = ca_file
        self._server = HttpServer(self._answer)
        loop.run(self._start())
        self.url = self._server.url

    async def _start(self) -> None:
        verify = ssl.create_default_context(cafile=self._ca_file) if self._ca_file else True
        limits = httpx2.Limits(max_connections=None)
        self._client = httpx2.AsyncClient(
            verify=verify, timeout=None, trust_env=False, limits=limits
        )
        await self._server.start()

    def close(self) -> None:
        """Close the port and every connection."""
        self._loop.run(self._stop())

    async def _stop(self) -> None:
        await self._server.stop()
        await self._client.aclose()

    async def _answer(self, request: HttpRequest) -> Response:
        self.requests.append((request.method, request.path))
        if self.on_request is not None:
            return await self.on_request(request, self.forward)
        return await self.forward(request)

    async def forward(self, request: HttpRequest) -> Response:
        """Pass a request on; the answer's body follows as it comes."""
        headers = {k: v for k, v in request.headers.items() if k not in HOP_BY_HOP}
        url = self._target.copy_with(raw_path=request.target.encode())
        sent = self._client.build_request(
            request.method, url, headers=headers, content=request.body
        )
        try:
            answer = await self._client.send(sent, stream=True)
        except httpx2.TransportError as error:
            raise Hangup from error
        kept = {k: v for k, v in answer.headers.items() if k not in HOP_BY_HOP}
        return Response(status=answer.status_code, headers=kept, body=_body(answer))


async def _body(answer: httpx2.Response) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(answer):
        try:
            async for part in answer.aiter_raw():
                yield part
        except httpx2.TransportError as error:
            raise Hangup from error


def kubeconfig_through(proxy: Proxy, kubernetes: Kubernetes, kubeconfig: Path) -> Path:
    """Return a copy of a kubeconfig that goes to the API server by the proxy."""
    target = kubeconfig.with_name(f"{kubeconfig.name}-through-{proxy.url.rpartition(':')[2]}")
    target.touch(mode=0o600)
    target.write_text(kubeconfig.read_text().replace(kubernetes.server, proxy.url))
    return target
