# SPDX-License-Identifier: Apache-2.0
"""A loopback port that leads to a pod's port, through the API server.

    caller ── 127.0.0.1:port ── websocket ── API server ── kubelet ── pod

One websocket an accepted connection, subprotocol v4.channel.k8s.io: the first byte of a message
is its channel (0 data, 1 error), and the first message on each channel is the port, two bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
from httpx2.websockets import (
    AsyncWebSocketSession,
    HTTPXWSException,
    WebSocketDisconnect,
    WebSocketUpgradeError,
)

from lokeys.errors import LokeysError, Unreachable
from lokeys.kube.client import Api
from lokeys.kube.replies import MAX_MESSAGE, Target, error_of, unreachable
from lokeys.kube.resources import POD

SUBPROTOCOL = "v4.channel.k8s.io"
OPEN_TIMEOUT_S = 10.0
CHUNK_BYTES = 32 * 1024
MAX_MESSAGE_BYTES = 1024 * 1024

_DATA, _ERROR = 0, 1


class Forwarded:
    """Where to connect to. Unpacks to (host, port)."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.error: LokeysError | None = None
        """Why the last connection failed; the caller only sees it close."""

    def __iter__(self) -> Iterator[str | int]:
        return iter((self.host, self.port))


@asynccontextmanager
async def forward(api: Api, *, namespace: str, pod: str, port: int) -> AsyncIterator[Forwarded]:
    """Listen on loopback and tunnel each connection to the pod's port.

    Raises `Forbidden`, `NotFound` or `Unreachable` at once where no tunnel can be had.
    """
    tunnel = _Tunnel(api, namespace=namespace, pod=pod, port=port)
    async with tunnel.opened():
        pass  # a refusal is told to whoever asks for the forward, not to a later connection
    server = await asyncio.start_server(tunnel.accept, "127.0.0.1", 0)
    tunnel.forwarded.port = server.sockets[0].getsockname()[1]
    try:
        yield tunnel.forwarded
    finally:
        server.close()
        await tunnel.aclose()


class _Tunnel:
    def __init__(self, api: Api, *, namespace: str, pod: str, port: int) -> None:
        self._api = api
        self._port = port
        self._target = Target(verb="forward a port to", resource=POD, namespace=namespace, name=pod)
        self._path = POD.path(namespace, pod) + "/portforward"
        self._tasks: set[asyncio.Task[None]] = set()
        self.forwarded = Forwarded("127.0.0.1", 0)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name=f"forward {self._target}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self.opened() as socket:
                upward = asyncio.create_task(_upward(reader, socket))
                try:
                    await self._downward(socket, writer)
                finally:
                    upward.cancel()
                    await asyncio.wait([upward])
        except LokeysError as exc:
            self.forwarded.error = exc
        finally:
            writer.close()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AsyncWebSocketSession]:
        """Open one websocket to the pod; its failures carry the API server's reason."""
        connection = self._api.connection
        url = httpx2.URL(self._api.server.rstrip("/") + self._path)
        scheme = "wss" if url.scheme == "https" else "ws"
        try:
            async with connection.calls.websocket(
                url.copy_with(scheme=scheme),
                params={"ports": str(self._port)},
                subprotocols=[SUBPROTOCOL],
                max_message_size_bytes=MAX_MESSAGE_BYTES,
                timeout=OPEN_TIMEOUT_S,
                extensions=dict(connection.extensions),
            ) as socket:
                yield socket
        except WebSocketUpgradeError as exc:
            raise await self._refusal(exc.response) from exc
        except (HTTPXWSException, httpx2.HTTPError, OSError) as exc:
            raise unreachable(exc, server=self._api.server) from exc

    async def _refusal(self, response: httpx2.Response) -> LokeysError:
        try:
            body = (await response.aread())[: 64 * 1024]
        except httpx2.HTTPError:
            body = b""
        error = error_of(response.status_code, body, target=self._target, retry_after=None)
        if response.status_code >= 500:
            return Unreachable(str(error))
        return error

    async def _downward(self, socket: AsyncWebSocketSession, writer: asyncio.StreamWriter) -> None:
        """Carry what the pod sends, until it hangs up."""
        begun: set[int] = set()
        while True:
            try:
                message = await socket.receive_bytes()
            except WebSocketDisconnect:
                return
            channel, content = message[0], message[1:]
            if channel not in begun:
                begun.add(channel)
                content = content[2:]
            if channel == _ERROR and content:
                said = content.decode(errors="replace")[:MAX_MESSAGE]
                raise Unreachable(f"cannot reach port {self._port} of {self._target}: {said}")
            if channel == _DATA and content:
                writer.write(content)
                await writer.drain()


async def _upward(reader: asyncio.StreamReader, socket: AsyncWebSocketSession) -> None:
    """Carry what the caller sends; its end is told by closing, for there is no half-close."""
    while data := await reader.read(CHUNK_BYTES):
        await socket.send_bytes(bytes([_DATA]) + data)
