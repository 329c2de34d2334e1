# SPDX-License-Identifier: Apache-2.0
"""Stand-ins served from a thread of their own, so that a test sees them as it sees a real part."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lokeys.http_server import Handler, HttpServer, Listen


@contextmanager
def serve(
    handler: Handler,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[str]:
    """Serve `handler` on loopback, on any free port unless one is named, and give its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = HttpServer(handler, Listen(host=host, port=port, tls=tls))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(timeout=10)
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
