# SPDX-License-Identifier: Apache-2.0
"""The operator's pages under attack: anybody in the cluster may connect, and takes little."""

import asyncio
import functools
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import ParamSpec

import pytest

from lokeys.clock import utc_now
from lokeys.http_server import Handler, HttpRequest, HttpServer, Response, text
from lokeys.operator.metrics import Metrics
from lokeys.operator.pages import MAX_CONNECTIONS, Pages, listen_at

MB = 1 << 20
GET = b"GET /healthz HTTP/1.1\r\nHost: operator\r\n\r\n"
POST = b"POST /metrics HTTP/1.1\r\nHost: operator\r\n"
SOON_S = 0.2
HANGS_S = 30.0


P = ParamSpec("P")


def awaited(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run a test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def _pages() -> Handler:
    return Pages(Metrics(clock=utc_now, queue_length=lambda: 0), ready=lambda: True).answer


@asynccontextmanager
async def _serving(handler: Handler | None = None, **limits: float) -> AsyncIterator[HttpServer]:
    listen = replace(listen_at("127.0.0.1", 0), **limits)  # type: ignore[arg-type]
    async with HttpServer(handler or _pages(), listen) as server:
        yield server


async def _sent(server: HttpServer, *parts: bytes) -> bytes:
    """Send parts as long as the server takes them; return all that it answers until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    answer = bytearray()
    with suppress(ConnectionError):
        while part := await reader.read(MB):
            answer += part
    writer.transport.abort()
    return bytes(answer)


async def _healthy(server: HttpServer) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    async with asyncio.timeout(HANGS_S):
        line = await reader.readline()
    writer.close()
    return line.startswith(b"HTTP/1.1 200")


@awaited
async def test_a_body_is_refused_before_it_is_sent() -> None:
    """Its announced length is enough."""
    async with _serving() as server:
        answer = await _sent(server, POST + b"Content-Length: 67108864\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413")


@awaited
async def test_nobody_is_told_to_go_on_with_a_body_that_is_not_taken() -> None:
    """A client that asks first gets its refusal, not a 100."""
    head = POST + b"Content-Length: 67108864\r\nExpect: 100-continue\r\n\r\n"
    async with _serving() as server:
        answer = await _sent(server, head)

    assert answer.startswith(b"HTTP/1.1 413")


@awaited
async def test_a_body_of_unknown_length_is_refused_at_its_first_byte() -> None:
    """Chunks announce no length."""
    async with _serving() as server:
        answer = await _sent(server, POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")

    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("framing", ["Content-Length: 67108864", "Transfer-Encoding: chunked"])
@awaited
async def test_ten_large_posts_take_no_memory(framing: str) -> None:
    """All bodies together are 670 MB; a memory limit of 128 MiB must not notice."""
    chunk = b"100000\r\n" + bytes(MB) + b"\r\n"
    parts = (POST + framing.encode() + b"\r\n\r\n", *[chunk] * 64)
    async with _serving() as server:
        tracemalloc.start()
        try:
            await asyncio.gather(*(_sent(server, *parts) for _ in range(10)))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert await _healthy(server)
    assert peak < 32 * MB  # of which the attackers' own buffers are most


@awaited
async def test_a_large_head_is_refused() -> None:
    """A megabyte of headers is not collected."""
    async with _serving() as server:
        answer = await _sent(server, b"GET / HTTP/1.1\r\nX: ", *[b"x" * 65536] * 16)

    assert answer.startswith(b"HTTP/1.1 431") or not answer


@pytest.mark.parametrize(
    "said", [b"", b"GET /metrics HTTP/1.1\r\nX: ", GET], ids=["nothing", "half a request", "a page"]
)
@awaited
async def test_connections_that_stay_keep_no_other_out(said: bytes) -> None:
    """Ten times as many as there may be: the kubelet's probe is still answered, each time."""
    async with _serving() as server:
        kept = []
        for _ in range(10 * MAX_CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(said)
            kept.append((reader, writer))
        for _ in range(3):
            assert await _healthy(server)
        async with asyncio.timeout(HANGS_S):
            while await kept[0][0].read(MB):
                pass  # the oldest is closed
        for _, writer in kept:
            writer.transport.abort()


@awaited
async def test_a_request_that_comes_byte_by_byte_ends_in_time() -> None:
    """The bound is on the whole request: a byte now and then does not prolong it."""
    async with _serving(request_s=SOON_S) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def drip() -> None:
            while True:
                writer.write(b"G")
                await asyncio.sleep(SOON_S / 10)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(HANGS_S):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        dripping.cancel()
        writer.transport.abort()


@awaited
async def test_a_client_that_reads_nothing_is_left() -> None:
    """An answer that nobody takes keeps neither its memory nor its connection."""

    async def page(_: HttpRequest) -> Response:
        return text("x" * 64 * MB)

    async with _serving(page, send_s=SOON_S) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(GET)
        await asyncio.sleep(3 * SOON_S)  # what is tested is that time passes
        read = 0
        async with asyncio.timeout(HANGS_S):
            with suppress(ConnectionResetError):
                while part := await reader.read(MB):
                    read += len(part)
        writer.transport.abort()

    assert read < 64 * MB
