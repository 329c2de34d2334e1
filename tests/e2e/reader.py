# SPDX-License-Identifier: Apache-2.0
"""A pod in Loki's place that starts at once, reads from the storage, and never writes.

Run as `python reader.py PORT BUCKET_URL -target=querier`. It asks the storage once for
each time that it is asked for its metrics, with `-idle` only the first time; `/scrapes` says how
often that was, `/pair` shows a hash of the key pair that it started with. After `/unready` it is
not ready until `/readyagain`.
"""

import base64
import collections
import contextlib
import hashlib
import hmac
import os
import sys
import threading
import urllib.error
import urllib.request
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT = 3100
REQUESTS = "loki_objstore_bucket_transport_requests_total"
answers: collections.Counter[int] = collections.Counter()
unready = threading.Event()


def digest(key_id: str, secret: str) -> str:
    """Return what stands for a pair."""
    return hashlib.sha256(f"{key_id}\0{secret}".encode()).hexdigest()


def ask(url: str, key_id: str, secret: str) -> None:
    """List the bucket with the pair, and count the answer."""
    date = formatdate(usegmt=True)
    path = url.partition("://")[2].partition("/")[2]
    text = f"GET\n\n\n{date}\n/{path}"
    signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()
    headers = {"Date": date, "Authorization": f"AWS {key_id}:{signature}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError):
        try:
            with opener.open(urllib.request.Request(url, headers=headers), timeout=5) as answer:
                answers[answer.status] += 1
        except urllib.error.HTTPError as error:
            answers[error.code] += 1
            error.close()


def stateful_set(
    namespace: str, secret: str, bucket_url: str, *, idle: bool = False
) -> dict[str, Any]:
    """Return a StatefulSet `loki` of one such pod."""
    container = {
        "name": "loki",
        "image": "reader",
        "command": [sys.executable, str(Path(__file__))],
        "args": [str(PORT), bucket_url, "-target=querier", *(["-idle"] if idle else [])],
        "envFrom": [{"secretRef": {"name": secret}}],
        "ports": [{"name": "http-metrics", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": 1},
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
    """Answers as a Loki that only reads."""

    def do_GET(self) -> None:
        if self.path == "/pair":
            self._say(digest(*pair()))
            return
        if self.path == "/ready":
            self._say("", status=503 if unready.is_set() else 200)
            return
        if self.path in {"/unready", "/readyagain"}:
            (unready.set if self.path == "/unready" else unready.clear)()
            self._say("")
            return
        if self.path == "/scrapes":
            self._say(str(answers.total()))
            return
        if "-idle" not in sys.argv or not answers:
            ask(sys.argv[2], *pair())
        rows = [f'{REQUESTS}{{status_code="{code}"}} {n}\n' for code, n in answers.items()]
        self._say("loki_ingester_memory_chunks 0\n" + "".join(rows))

    def _say(self, text: str, *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def pair() -> tuple[str, str]:
    """Return the pair that it started with."""
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
