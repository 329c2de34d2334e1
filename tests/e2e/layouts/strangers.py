# SPDX-License-Identifier: Apache-2.0
"""A store that is not Loki's: it knows no key, and keeps whose requests came."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_REFUSAL = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
_KEY_ID = re.compile(r"Credential=([^/]+)/")


class Stranger:
    """What answers at `port` of loopback; `keys` are the ids that requests were signed with."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.keys: list[str] = []


@contextmanager
def stranger() -> Iterator[Stranger]:
    """Run such a store."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Keep who asks, and refuse."""
            found = _KEY_ID.search(self.headers.get("Authorization", ""))
            seen.keys.append(found[1] if found else "")
            self.send_response(403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(_REFUSAL)))
            self.end_headers()
            self.wfile.write(_REFUSAL)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen = Stranger(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
