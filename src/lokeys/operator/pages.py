# SPDX-License-Identifier: Apache-2.0
"""The operator's read-only pages: /healthz, /readyz, /metrics."""

from __future__ import annotations

from collections.abc import Callable

from lokeys.http_server import HttpRequest, Listen, Response, text
from lokeys.operator.metrics import Metrics

MAX_CONNECTIONS = 32
"""The kubelet and a few Prometheus servers; a new connection beyond that closes the oldest."""
SEND_S = 10.0


def listen_at(host: str, port: int) -> Listen:
    """Return where the pages are served. Anybody in the cluster may connect: no body is read."""
    return Listen(
        host=host, port=port, max_body_bytes=0, max_connections=MAX_CONNECTIONS, send_s=SEND_S
    )


class Pages:
    """Answers GET; nothing here changes anything."""

    def __init__(self, metrics: Metrics, *, ready: Callable[[], bool]) -> None:
        self._metrics = metrics
        self._ready = ready

    async def answer(self, request: HttpRequest) -> Response:
        """Return the requested page."""
        if request.method not in {"GET", "HEAD"}:
            return text("only GET\n", status=405)
        match request.path:
            case "/healthz":
                return text("ok\n")
            case "/readyz":
                ready = self._ready()
                return text("ok\n" if ready else "not synced\n", status=200 if ready else 503)
            case "/metrics":
                self._ready()
                return text(self._metrics.page(), kind="text/plain; version=0.0.4; charset=utf-8")
        return text("not found\n", status=404)
