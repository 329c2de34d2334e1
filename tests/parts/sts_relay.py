# SPDX-License-Identifier: Apache-2.0
"""Stands in front of an STS and makes what it gives short-lived.

Loki's client asks for no duration and gets an hour; nobody can wait for that to end. Tokens and
answers pass unchanged.
"""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx2

from parts.process import free_ports


class StsRelay:
    """Passes exchanges of tokens on to `endpoint`, asking for sessions of `session_s`."""

    def __init__(self, endpoint: str, *, session_s: int) -> None:
        (self.port,) = free_ports(1)
        self.endpoint = endpoint
        self.session_s = session_s
        self.claims: list[dict[str, Any]] = []
        """Of each token that was exchanged, in order."""
        self.answers: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def exchange(self, form: dict[str, str], headers: dict[str, str]) -> httpx2.Response:
        """Do one exchange."""
        claims = form.get("WebIdentityToken", "..").split(".")[1]
        self.claims.append(json.loads(base64.urlsafe_b64decode(claims + "==") or b"{}"))
        body = urlencode(form | {"DurationSeconds": str(self.session_s)})
        answer = httpx2.post(
            self.endpoint, content=body, headers=headers, trust_env=False, timeout=10
        )
        self.answers.append(answer.status_code)
        return answer


def _handler(relay: StsRelay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[-1] for name, values in parse_qs(text).items()}
            answer = relay.exchange(form, {"Content-Type": "application/x-www-form-urlencoded"})
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/xml"))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing: bodies hold tokens."""

    return Handler
