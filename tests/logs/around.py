# SPDX-License-Identifier: Apache-2.0
"""What stands where a store should be: pages, other web servers, TLS that is not trusted."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from parts.process import free_ports

HOST = "127.0.0.1"


class Page(BaseHTTPRequestHandler):
    """A captive portal: a page, whatever is asked."""

    def _answer(self) -> None:
        body = b"<html><head><title>Sign in</title></head><body>Please sign in</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Missing(Page):
    """A web server that has no such page."""

    def _answer(self) -> None:
        body = b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names


class Tokens(Page):
    """Google's token endpoint, as far as a client looks at it: it gives a token to everybody."""

    said = (200, {"access_token": "t", "token_type": "Bearer", "expires_in": 3600})

    def _answer(self) -> None:
        status, told = self.said
        body = json.dumps(told).encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = _answer  # noqa: N815 - http.server's names


class NoTokens(Tokens):
    """The same, for a key that was deleted."""

    said = (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})

    do_POST = Tokens._answer  # noqa: N815 - http.server's names


@contextlib.contextmanager
def served(
    handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve on a port of this host, with TLS where a context is given."""
    (port,) = free_ports(1)
    server = ThreadingHTTPServer((HOST, port), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path, name: str, *, host: str = "", days_ago: int = 0) -> tuple[Path, Path]:
    """Make a certificate for two days that signed itself: for its name, or for an address."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    alternative = f"IP:{host}" if host else f"DNS:{name}"
    then = ("faketime", "-f", f"-{days_ago}d") if days_ago else ()
    subprocess.run(
        [
            *(*then, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
