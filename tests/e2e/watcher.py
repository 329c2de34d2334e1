# SPDX-License-Identifier: Apache-2.0
"""A sidecar that is ready while the store takes its pod's key: `python watcher.py PORT URL`."""

import os
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT = 8080


def container(secret: str, bucket: str) -> dict[str, Any]:
    """Return the sidecar; `bucket` is the bucket's URL. Its liveness ends it as its readiness."""
    probe = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    return {
        "name": "watcher",
        "image": "watcher",
        "command": [sys.executable, str(Path(__file__)), str(PORT), bucket],
        "envFrom": [{"secretRef": {"name": secret}}],
        "readinessProbe": probe | {"failureThreshold": 1},
        "livenessProbe": probe | {"initialDelaySeconds": 3, "failureThreshold": 3},
    }


class Handler(BaseHTTPRequestHandler):
    """Answers as the store does to a list."""

    def do_GET(self) -> None:
        pair = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        request = AWSRequest(method="GET", url=f"{sys.argv[2]}?list-type=2&max-keys=1")
        S3SigV4Auth(Credentials(*pair), "s3", "us-east-1").add_auth(request)
        asked = urllib.request.Request(request.url, headers=dict(request.headers.items()))
        try:
            with urllib.request.urlopen(asked, timeout=1) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
