# SPDX-License-Identifier: Apache-2.0
"""A small HTTP/1.1 server: the operator's read-only pages, and the demo's stand-ins.

    async with HttpServer(handle) as server: ... server.url ...

One handler answers every request. A body may be bytes, or an async iterator that is sent part by
part as it comes (a watch) and closed as soon as the client goes away.

What a client may take is bounded: the size of the head (h11's limit, 16 KiB) and of the body, the
time for a request and for taking an answer, and the number of connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Self
from urllib.parse import parse_qsl, unquote

import h11
import msgspec

_log = logging.getLogger(__name__)
_READ_BYTES = 64 << 10
_TURNS_OF_ACCEPTING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, its body read. `target` is as it came; `path` is percent-decoded."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    @property
    def path(self) -> str:
        """Return the path without the query, decoded."""
        return unquote(self.raw_path)

    @property
    def raw_path(self) -> str:
        """Return the path without the query, as it came."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """Return the query; the last of equal names wins, a bare name has an empty value."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer. Without a Content-Length of its own, a streamed body goes out in chunks."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes | AsyncIterator[bytes] = b""


Handler = Callable[[HttpRequest], Awaitable[Response]]


class Hangup(Exception):
    """Raised by a handler, or in a body, to close the connection without another byte."""


def text(content: str, *, status: int = 200, kind: str = "text/plain; charset=utf-8") -> Response:
    """Return a text answer."""
    return Response(status=status, headers={"content-type": kind}, body=content.encode())


def json(content: object, *, status: int = 200) -> Response:
    """Return a JSON answer."""
    headers = {"content-type": "application/json"}
    return Response(status=status, headers=headers, body=msgspec.json.encode(content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen and what to take."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    tls: ssl.SSLContext | None = None
    max_body_bytes: int = 64 << 20
    max_connections: int = 4096  # one more, and the oldest is closed
    request_s: float = 75.0  # how long a connection may take until a request has come whole
    send_s: float = 75.0  # how long a client may take to read a part of an answer


class HttpServer:
    """Serves one handler until it is stopped; stopping ends what is being answered."""

    def __init__(self, handler: Handler, listen: Listen | None = None) -> None:
        self._handler = handler
        self._listen = listen or Listen()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}  # oldest first
        self.port = self._listen.port

    @property
    def url(self) -> str:
        """Return the server's base URL, without a slash at its end."""
        return f"http{'s' if self._listen.tls else ''}://{self._listen.host}:{self.port}"

    async def start(self) -> None:
        """Begin to listen; the port is kept over a stop, so that a restart is the same server."""
        self._server = await asyncio.start_server(
            self._accept, self._listen.host, self.port, ssl=self._listen.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is None:
            return
        server, self._server = self._server, None
        # asyncio drops, open, whatever it is about to take in when the server closes.
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening)
        try:
            for _ in range(_TURNS_OF_ACCEPTING):
                await asyncio.sleep(0)
        finally:
            server.close()
            for task in self._connections:
                task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task of its own, which `stop` knows before it has begun."""
        if self._server is None:
            writer.transport.abort()  # it was on its way in when we stopped
            return
        if len(self._connections) >= self._listen.max_connections:
            self._close_oldest()
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)
        # Not in the task: one that is cancelled before it begins runs none of its own lines.
        task.add_done_callback(lambda _: writer.transport.abort())

    def _close_oldest(self) -> None:
        """Make room for a new client: it may be the kubelet, and the old ones only waiting."""
        oldest = next(iter(self._connections))
        self._connections[oldest].transport.abort()  # at once, though the task end a moment later
        oldest.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError, Hangup):
            # Otherwise the client went away, or was asked to.
            await _Connection(reader, writer, self._handler, self._listen).serve()


class _Connection:
    """One connection: requests in their order, one at a time."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handler: Handler,
        listen: Listen,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._listen = listen
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        """Answer requests until either side is done."""
        while True:
            try:
                request = await self._read_request()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            if request is None:
                return
            await self._answer(request)
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                await self._close()
                return
            self._http.start_next_cycle()

    async def _read_request(self) -> HttpRequest | None:
        async with asyncio.timeout(self._listen.request_s):
            return await self._whole_request()

    async def _whole_request(self) -> HttpRequest | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Request):
                head = event
                self._insist_on_size(_length_of(head))
            elif isinstance(event, h11.Data):
                self._insist_on_size(len(body) + len(event.data))
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return HttpRequest(
                    method=head.method.decode(),
                    target=head.target.decode("ascii", errors="surrogateescape"),
                    headers={
                        name.decode(): value.decode("latin-1") for name, value in head.headers
                    },
                    body=bytes(body),
                )
            else:
                return None

    def _insist_on_size(self, body_bytes: int) -> None:
        if body_bytes > self._listen.max_body_bytes:
            raise h11.RemoteProtocolError("too large", error_status_hint=413)

    async def _next_event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                await self._send(go_on)
            self._http.receive_data(await self._reader.read(_READ_BYTES))

    async def _answer(self, request: HttpRequest) -> None:
        try:
            response = await self._handler(request)
        except Hangup:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours must not end the server
            _log.exception("cannot answer %s %s", request.method, request.raw_path)
            response = text("internal error\n", status=500)
        headers = {name.lower(): value for name, value in response.headers.items()}
        if isinstance(response.body, bytes) and response.status not in {204, 304}:
            headers.setdefault("content-length", str(len(response.body)))
        reason = _reason_of(response.status)
        await self._send(
            h11.Response(status_code=response.status, headers=[*headers.items()], reason=reason)
        )
        await self._send_body(response.body, silent=request.method == "HEAD")

    async def _send_body(self, body: bytes | AsyncIterator[bytes], *, silent: bool) -> None:
        if not isinstance(body, bytes):
            await self._stream(body)
        elif body and not silent:
            await self._send(h11.Data(data=body))
        try:
            await self._send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            # Less came than Content-Length had promised: how a stand-in plays a truncated answer.
            raise Hangup from None

    async def _stream(self, body: AsyncIterator[bytes]) -> None:
        """Send each part as it comes; stop when the client leaves, though no part be due."""
        sending = asyncio.ensure_future(self._send_parts(body))
        leaving = asyncio.ensure_future(self._reader.read(_READ_BYTES))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                early = leaving.result()
                if not early:
                    raise Hangup
                self._http.receive_data(early)  # the next request, ahead of its time
            await sending
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            if (close := getattr(body, "aclose", None)) is not None:
                await close()

    async def _send_parts(self, body: AsyncIterator[bytes]) -> None:
        async for part in body:
            if part:
                await self._send(h11.Data(data=part))

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            async with asyncio.timeout(self._listen.send_s):
                await self._writer.drain()

    async def _refuse(self, status: int) -> None:
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [("connection", "close"), ("content-length", "0")]
            reason = _reason_of(status)
            await self._send(h11.Response(status_code=status, headers=headers, reason=reason))
            await self._send(h11.EndOfMessage())
        await self._close()

    async def _close(self) -> None:
        """Close so that what was written still arrives."""
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            self._writer.close()
            async with asyncio.timeout(1):
                await self._writer.wait_closed()


def _length_of(head: h11.Request) -> int:
    """Return how long a body is said to be; h11 has refused anything but a number."""
    return int(dict(head.headers).get(b"content-length", b"0"))


def _reason_of(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
