# SPDX-License-Identifier: Apache-2.0
"""A pod in Loki's place that starts at once: it holds a key pair, serves metrics, writes nothing.

Run as `python reader.py PORT -target=querier`; `/pair` shows a hash of what it started with.
"""

import hashlib
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT = 3100
METRICS = "loki_ingester_memory_chunks 0\n"


def digest(key_id: str, secret: str) -> str:
    """Return what stands for a pair."""
    return hashlib.sha256(f"{key_id}\0{secret}".encode()).hexdigest()


def stateful_set(namespace: str, secret: str) -> dict[str, Any]:
    """Return a StatefulSet `loki` of one such pod."""
    container = {
        "name": "loki",
        "image": "reader",
        "command": [sys.executable, str(Path(__file__))],
        "args": [str(PORT), "-target=querier"],
        "envFrom": [{"secretRef": {"name": secret}}],
        "ports": [{"name": "http-metrics", "containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    pod = {"containers": [container], "terminationGracePeriodSeconds": 1}
    labels = {"app": "loki"}
    spec = {
        "serviceName": "loki",
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    metadata = {"name": "loki", "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}


class Handler(BaseHTTPRequestHandler):
    """Answers as a Loki that has no work."""

    def do_GET(self) -> None:
        pair = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        body = (digest(*pair) if self.path == "/pair" else METRICS).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
