# SPDX-License-Identifier: Apache-2.0
"""A pod in Loki's place that starts at once, reads from the storage, and never writes.

Run as `python -mreader -target=querier`, with the variable BUCKET_URL: Loki's flags are read up to
the first word that is none. It asks the storage once for each time that it is asked for its
metrics, with `-idle` only the first time; `/scrapes` says how often that was, `/pair` shows a hash
of the key pair that it started with. After `/unready` it is not ready until `/readyagain`.

With `-flush=HOW` it is an ingester instead, which asks the storage only when told to flush. The
first such call is held until `/letgo`, and then never answered: if `lost` it has done nothing, if
`unanswered` it was done.

With `-files` it reads the pair from files instead of variables; at its start, in both cases.
"""

import base64
import collections
import contextlib
import functools
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
unready, held, let_go = threading.Event(), threading.Event(), threading.Event()
HELD_AT_MOST_S = 60.0
FILES = Path("/etc/keys")


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
    namespace: str,
    secret: str,
    bucket_url: str,
    *,
    idle: bool = False,
    flush: str = "",
    files: bool = False,
) -> dict[str, Any]:
    """Return a StatefulSet `loki` of one such pod."""
    args = ["-target=querier", *(["-idle"] if idle else [])]
    if flush:
        args = ["-target=ingester", "-ingester.wal-dir=/data/wal", f"-flush={flush}"]
    container: dict[str, Any] = {
        "name": "loki",
        "image": "reader",
        "command": [sys.executable, f"-m{Path(__file__).stem}"],
        "args": args,
        "env": [
            {"name": "PYTHONPATH", "value": str(Path(__file__).parent)},
            {"name": "BUCKET_URL", "value": bucket_url},
        ],
        "envFrom": [{"secretRef": {"name": secret}}],
        "ports": [{"name": "http-metrics", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": 1},
    }
    if files:
        container["args"].append("-files")
        del container["envFrom"]
        container["volumeMounts"] = [{"name": "keys", "mountPath": str(FILES)}]
    pod = {"containers": [container], "terminationGracePeriodSeconds": 1}
    if files:
        pod["volumes"] = [{"name": "keys", "secret": {"secretName": secret}}]
    labels = {"app": "loki"}
    spec: dict[str, Any] = {
        "serviceName": "loki",
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if flush:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
    metadata = {"name": "loki", "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}


class Handler(BaseHTTPRequestHandler):
    """Answers as a Loki that only reads."""

    def do_GET(self) -> None:
        """Answer a page: most say something, some change something."""
        if self.path == "/ready":
            self._say("", status=503 if unready.is_set() else 200)
        elif self.path == "/metrics":
            self._say(metrics())
        elif self.path in SAYS:
            self._say(SAYS[self.path]())
        else:
            CHANGES[self.path]()
            self._say("")

    def do_POST(self) -> None:
        """Flush."""
        if FLUSHES in HELD and not held.is_set():
            if FLUSHES == "unanswered":
                ask(os.environ["BUCKET_URL"], *pair())
            held.set()
            let_go.wait(HELD_AT_MOST_S)
            self.close_connection = True
            return
        ask(os.environ["BUCKET_URL"], *pair())
        self._say("", status=204)

    def _say(self, text: str, *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@functools.cache
def pair() -> tuple[str, str]:
    """Return the pair that it started with."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if "-files" in sys.argv:
        key, secret = ((FILES / name).read_text() for name in names)
    else:
        key, secret = (os.environ[name] for name in names)
    return key, secret


def metrics() -> str:
    """Ask the storage, as the kind of pod does, and return what came of it so far."""
    if FLUSHES not in HELD and ("-idle" not in sys.argv or not answers):
        ask(os.environ["BUCKET_URL"], *pair())
    rows = [f'{REQUESTS}{{status_code="{code}"}} {n}\n' for code, n in answers.items()]
    return "loki_ingester_memory_chunks 0\n" + "".join(rows)


FLUSHES = next((word.partition("=")[2] for word in sys.argv if word.startswith("-flush=")), "")
HELD = frozenset({"lost", "unanswered"})
SAYS = {
    "/pair": lambda: digest(*pair()),
    "/scrapes": lambda: str(answers.total()),
    "/held": lambda: str(int(held.is_set())),
}
CHANGES = {"/unready": unready.set, "/readyagain": unready.clear, "/letgo": let_go.set}


if __name__ == "__main__":
    pair()
    ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()
