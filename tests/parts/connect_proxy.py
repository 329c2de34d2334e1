# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy on loopback: CONNECT and whole URLs, with or without a login.

It resolves names by a table of its own, as a company's proxy knows names that its clients do not.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

Table = Mapping[str, tuple[str, int]]
_LOGIN = "proxy-authorization"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, table: Table, login: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.table = table
        self.wanted = f"Basic {b64encode(login.encode()).decode()}" if login else None
        self.asked: list[str] = []


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode().split(" ", 2)
        lines = iter(lambda: self.rfile.readline().decode().strip(), "")
        headers = dict(line.split(": ", 1) for line in lines)
        self.server.asked.append(f"{method} {target}")
        login = next((v for name, v in headers.items() if name.lower() == _LOGIN), None)
        if login != self.server.wanted:
            return self._say("407 Who are you, my friend?")
        url = urlsplit(target)
        where = target if method == "CONNECT" else f"{url.hostname}:{url.port or 80}"
        if where not in self.server.table:
            return self._say("502 Bad Gateway")
        with socket.create_connection(self.server.table[where], timeout=10) as beyond:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = url._replace(scheme="", netloc="").geturl() or "/"
                kept = [f"{n}: {v}" for n, v in headers.items() if n.lower() != _LOGIN]
                beyond.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "", ""]).encode())
            self._carry(beyond)
        return None

    def _say(self, status: str) -> None:
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    def _carry(self, beyond: socket.socket) -> None:
        """Carry bytes both ways until one side ends."""
        other = {self.connection: beyond, beyond: self.connection}
        while True:
            for ready in select.select(list(other), [], [], 30)[0] or [None]:
                data = ready.recv(65536) if ready is not None else b""
                if ready is None or not data:
                    return
                other[ready].sendall(data)


@contextmanager
def proxy(table: Table, *, login: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """Run a proxy; give HOST:PORT, and the list of what it was asked for."""
    with _Server(table, login) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            host, port = server.server_address[:2]
            yield f"{host!s}:{port}", server.asked
        finally:
            server.shutdown()
            thread.join(timeout=10)
