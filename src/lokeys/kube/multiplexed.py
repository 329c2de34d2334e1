# SPDX-License-Identifier: Apache-2.0
"""Thousands of idle watches on a few HTTP/2 connections.

httpx2's own HTTP/2 is not made for this: it never opens a second connection, so the stream beyond
the server's limit (100) waits forever, and idle streams queue for the right to read the socket, so
an event waits behind every stream that is ahead in that queue. Here one task per connection reads,
and passes each frame to its stream.

    request ─▶ a connection with room (or a new one) ─▶ stream ─▶ response
                      reader task ─── frames ────────────▲

It carries requests without a body (watches are GETs); any other goes to the fallback, and so does
everything if the server does not support HTTP/2.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import httpx2

CONNECTION_WINDOW = 16 * 1024 * 1024
SILENCE_S = 30.0
"""A connection that is silent this long is pinged once."""
READ_BYTES = 64 * 1024
CLOSE_S = 1.0

_NOT_FORWARDED = frozenset({b"host", b"connection", b"transfer-encoding"})


class MultiplexedTransport(httpx2.AsyncBaseTransport):
    """Sends each request on a connection that has room for one more stream."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        fallback: httpx2.AsyncBaseTransport,
        silence_s: float = SILENCE_S,
    ) -> None:
        context.set_alpn_protocols(["h2", "http/1.1"])
        self._context = context
        self._fallback = fallback
        self._silence_s = silence_s
        self._connections: list[_Connection] = []
        self._opening = asyncio.Lock()
        self._refused_h2 = False

    @property
    def connection_count(self) -> int:
        """Return how many connections are open."""
        return len(self._connections)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the response as soon as its headers have arrived."""
        timeouts = request.extensions.get("timeout", {})
        if request.method != "GET" or self._refused_h2:
            return await self._fallback.handle_async_request(request)
        stream = await self._stream(request, timeouts.get("connect"))
        if stream is None:
            return await self._fallback.handle_async_request(request)
        try:
            return await stream.response()
        except BaseException:  # also if cancelled: a stream without a reader would stay open
            await stream.aclose()
            raise

    async def _stream(self, request: httpx2.Request, connect_s: float | None) -> _Stream | None:
        """Open a stream, on a new connection if all are full; None without HTTP/2."""
        async with self._opening:
            self._connections = [each for each in self._connections if not each.closed]
            for connection in self._connections:
                if connection.has_room():
                    return connection.open(request)
            new = await self._connect(request, connect_s)
            if new is None:
                self._refused_h2 = True
                return None
            self._connections.append(new)
            return new.open(request)

    async def _connect(
        self, request: httpx2.Request, connect_s: float | None
    ) -> _Connection | None:
        host = request.url.host
        try:
            async with asyncio.timeout(connect_s):
                reader, writer = await asyncio.open_connection(
                    host,
                    request.url.port or 443,
                    ssl=self._context,
                    server_hostname=request.extensions.get("sni_hostname") or host,
                )
                if writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
                    writer.close()
                    return None
                connection = _Connection(reader, writer, silence_s=self._silence_s)
                try:
                    await connection.started.wait()
                except BaseException:  # also if cancelled: its socket and reader would stay
                    await connection.aclose()
                    raise
                return connection
        except TimeoutError as exc:
            raise httpx2.ConnectTimeout("timed out", request=request) from exc
        except OSError as exc:
            raise httpx2.ConnectError(str(exc), request=request) from exc

    async def aclose(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            await connection.aclose()
        await self._fallback.aclose()


class _Connection:
    """One HTTP/2 connection; only its reader task reads the socket."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, silence_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._silence_s = silence_s
        self._streams: dict[int, _Stream] = {}
        self._leaving = False
        self.closed = False
        self.started = asyncio.Event()
        """Set when the server has said how many streams it accepts, or has disconnected."""
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self._state = h2.connection.H2Connection(config)
        self._state.local_settings[h2.settings.SettingCodes.ENABLE_PUSH] = 0
        self._state.initiate_connection()
        self._state.increment_flow_control_window(CONNECTION_WINDOW)
        self.flush()
        self._task = asyncio.create_task(self._read(), name="kube-h2-reader")

    def has_room(self) -> bool:
        most = self._state.remote_settings.max_concurrent_streams
        return not (self._leaving or self.closed) and len(self._streams) < most

    def open(self, request: httpx2.Request) -> _Stream:
        """Send the request's headers on a new stream."""
        try:
            number = self._state.get_next_available_stream_id()
            self._state.send_headers(number, _headers(request), end_stream=True)
        except h2.exceptions.ProtocolError as exc:
            self._leaving = True
            raise httpx2.RemoteProtocolError(str(exc), request=request) from exc
        self.flush()
        stream = self._streams[number] = _Stream(self, number)
        return stream

    def flush(self) -> None:
        if (data := self._state.data_to_send()) and not self._writer.is_closing():
            self._writer.write(data)

    def acknowledge(self, number: int, amount: int) -> None:
        """Let the server send as much again: a stream without a reader soon gets no more."""
        if not self.closed:
            with suppress(h2.exceptions.ProtocolError):  # the server may have ended it meanwhile
                self._state.acknowledge_received_data(amount, number)
            self.flush()

    def release(self, number: int) -> None:
        """Forget the stream, and tell the server if it has not ended by itself."""
        stream = self._streams.pop(number, None)
        if stream is not None and not stream.ended and not self.closed:
            with suppress(h2.exceptions.ProtocolError):  # the server may have ended it meanwhile
                self._state.reset_stream(number, error_code=h2.errors.ErrorCodes.CANCEL)
            self.flush()
        if self._leaving and not self._streams:
            self._writer.close()

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()

    async def _read(self) -> None:
        failure: Exception = httpx2.ReadError("the connection was closed")
        try:
            while data := await self._next_bytes():
                for event in self._state.receive_data(data):
                    self._handle(event)
                self.flush()
        except (OSError, h2.exceptions.ProtocolError) as exc:
            failure = httpx2.ReadError(str(exc) or "the connection broke")
        finally:
            self.closed = True
            self.started.set()
            for stream in list(self._streams.values()):
                stream.fail(failure)
            self._writer.transport.abort()  # a close would wait for a peer that may be gone

    async def _next_bytes(self) -> bytes:
        """Return the next bytes; a silent peer gets one ping and as long again."""
        try:
            return await asyncio.wait_for(self._reader.read(READ_BYTES), self._silence_s)
        except TimeoutError:
            self._state.ping(b"lokeys..")
            self.flush()
            return await asyncio.wait_for(self._reader.read(READ_BYTES), self._silence_s)

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.started.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self._leave(event.last_stream_id or 0)
        elif isinstance(event, h2.events.DataReceived):
            self._received(event)
        elif isinstance(event, h2.events.ResponseReceived):
            if stream := self._streams.get(event.stream_id):
                stream.begin(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            if stream := self._streams.get(event.stream_id):
                stream.end()
        elif isinstance(event, h2.events.StreamReset) and (
            stream := self._streams.get(event.stream_id)
        ):
            stream.fail(httpx2.RemoteProtocolError(f"the stream was reset ({event.error_code})"))

    def _received(self, event: h2.events.DataReceived) -> None:
        length = event.flow_controlled_length or 0
        if stream := self._streams.get(event.stream_id):
            stream.take(event.data or b"", length)
        elif length:
            self._state.acknowledge_received_data(length, event.stream_id)

    def _leave(self, last_number: int) -> None:
        """Accept no new streams; those that the server will still serve continue."""
        self._leaving = True
        for number, stream in list(self._streams.items()):
            if number > last_number:
                stream.fail(httpx2.RemoteProtocolError("the server is going away"))


class _Stream(httpx2.AsyncByteStream):
    """One request's answer, and the body of its response."""

    __slots__ = ("_chunks", "_connection", "_failure", "_head", "_number", "_wake", "ended")

    def __init__(self, connection: _Connection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._head: list[tuple[bytes, bytes]] | None = None
        self._chunks: deque[tuple[bytes, int]] = deque()
        self._failure: Exception | None = None
        self._wake: asyncio.Future[None] | None = None
        self.ended = False

    async def response(self) -> httpx2.Response:
        """Return the response once its headers have arrived."""
        while self._head is None:
            await self._news()
        status = next(int(value) for name, value in self._head if name == b":status")
        headers = [(name, value) for name, value in self._head if not name.startswith(b":")]
        self._head = []
        return httpx2.Response(status, headers=headers, stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                data, length = self._chunks.popleft()
                self._connection.acknowledge(self._number, length)
                yield data
            if self.ended:
                return
            await self._news()

    async def _news(self) -> None:
        if self._failure:
            raise self._failure
        if self.ended:
            raise httpx2.RemoteProtocolError("the stream ended before it began")
        self._wake = asyncio.get_running_loop().create_future()
        await self._wake

    def begin(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._head = headers
        self._ring()

    def take(self, data: bytes, length: int) -> None:
        self._chunks.append((data, length))
        self._ring()

    def end(self) -> None:
        self.ended = True
        self._ring()

    def fail(self, failure: Exception) -> None:
        self._failure = failure
        self._ring()

    def _ring(self) -> None:
        if self._wake and not self._wake.done():
            self._wake.set_result(None)

    async def aclose(self) -> None:
        self._connection.release(self._number)


def _headers(request: httpx2.Request) -> list[tuple[bytes, bytes]]:
    return [
        (b":method", request.method.encode()),
        (b":authority", request.url.netloc),
        (b":scheme", request.url.raw_scheme),
        (b":path", request.url.raw_path),
        *(
            (name.lower(), value)
            for name, value in request.headers.raw
            if name.lower() not in _NOT_FORWARDED
        ),
    ]
