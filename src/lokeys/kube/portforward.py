# SPDX-License-Identifier: Apache-2.0
"""A loopback port that leads to a pod's port, through the API server.

    caller ── 127.0.0.1:port ── websocket ── API server ── kubelet ── pod

One websocket per accepted connection, subprotocol v4.channel.k8s.io: the first byte of a message is
its channel (0 data, 1 error), and the first message on each channel is the port, two bytes.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpcore2
import httpx2
from httpcore2 import AsyncNetworkStream
from wsproto.connection import Connection as Framing
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping
from wsproto.utilities import ProtocolError

from lokeys.errors import LokeysError, Transient, Unreachable
from lokeys.kube.client import Api
from lokeys.kube.replies import MAX_MESSAGE, Target, refusal, unreachable
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
        """Why the last connection failed; the caller only sees that it closes."""

    def __iter__(self) -> Iterator[str | int]:
        return iter((self.host, self.port))


@asynccontextmanager
async def forward(api: Api, *, namespace: str, pod: str, port: int) -> AsyncIterator[Forwarded]:
    """Listen on loopback and tunnel each connection to the pod's port.

    Raises `Forbidden`, `NotFound` or `Unreachable` at once if no tunnel is possible.
    """
    tunnel = _Tunnel(api, namespace=namespace, pod=pod, port=port)
    async with tunnel.opened():
        pass  # a refusal is raised to the caller of `forward`, not on a later connection
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
                await _first_of(_upward(reader, socket), self._downward(socket, writer))
        except LokeysError as exc:
            self.forwarded.error = exc
        finally:
            writer.close()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[_Socket]:
        """Open one websocket to the pod; its failures contain the API server's reason."""
        connection = self._api.connection
        request = connection.calls.build_request(
            "GET",
            self._path,
            params={"ports": str(self._port)},
            headers={
                # The kubelet answers 406 if only JSON is accepted.
                "Accept": "*/*",
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": b64encode(os.urandom(16)).decode(),
                "Sec-WebSocket-Protocol": SUBPROTOCOL,
            },
            timeout=OPEN_TIMEOUT_S,
            extensions=connection.extensions,
        )
        try:
            response = await connection.calls.send(request, stream=True)
            try:
                if response.status_code != httpx2.codes.SWITCHING_PROTOCOLS:
                    raise await self._refusal(response)
                yield _Socket(response.extensions["network_stream"])
            finally:
                await response.aclose()
        except (httpx2.HTTPError, httpcore2.NetworkError, ProtocolError, OSError) as exc:
            raise unreachable(exc, server=self._api.server) from exc

    async def _refusal(self, response: httpx2.Response) -> LokeysError:
        """Return the refusal; the API server's 5xx means that it cannot reach the node."""
        error = await refusal(response, target=self._target)
        return Unreachable(str(error)) if type(error) is Transient else error

    async def _downward(self, socket: _Socket, writer: asyncio.StreamWriter) -> None:
        """Copy what the pod sends, until it disconnects."""
        begun: set[int] = set()
        async for message in socket.messages():
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


class _Socket:
    """Whole messages over an upgraded connection."""

    def __init__(self, stream: AsyncNetworkStream) -> None:
        self._stream = stream
        self._framing = Framing(ConnectionType.CLIENT)

    async def send(self, message: bytes) -> None:
        await self._stream.write(self._framing.send(BytesMessage(message)))

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield messages until either side closes."""
        message = bytearray()
        while data := await self._stream.read(CHUNK_BYTES):
            self._framing.receive_data(data)
            for event in self._framing.events():
                if isinstance(event, Ping):
                    await self._stream.write(self._framing.send(event.response()))
                elif isinstance(event, CloseConnection):
                    return
                elif isinstance(event, BytesMessage):
                    message += event.data
                    if len(message) > MAX_MESSAGE_BYTES:
                        raise Unreachable(f"a message is larger than {MAX_MESSAGE_BYTES} bytes")
                    if event.message_finished and message:
                        yield bytes(message)
                        message.clear()


async def _first_of(*carriers: Coroutine[Any, Any, None]) -> None:
    """Run until one direction ends: that ends the connection, as there is no half-close."""
    tasks = [asyncio.create_task(carrier) for carrier in carriers]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _upward(reader: asyncio.StreamReader, socket: _Socket) -> None:
    """Copy what the caller sends."""
    while data := await reader.read(CHUNK_BYTES):
        await socket.send(bytes([_DATA]) + data)
