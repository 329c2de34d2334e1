# SPDX-License-Identifier: Apache-2.0
"""A pod in Loki's place that shows what a Loki which somebody watches showed.

Run as `python watched.py FOLDER LOKI …`, with what the manifest hands to Loki behind it. What it
shows is FOLDER/<namespace>/<workload>.json: {"metrics": text, "log": [lines], "ready": whether it
is, "exit": the code it ends with once its log is written, or null, "real": whether it becomes the
real Loki, which is LOKI}. Without such a file it is ready, and has asked the storage for nothing.
"""

import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT = 3100


def shown(folder: Path) -> dict[str, Any]:
    """Return what this pod shows now, by the longest workload's name that its own begins with."""
    search = Path("/etc/resolv.conf").read_text().partition("search ")[2]
    namespace, pod = search.partition(".")[0], socket.gethostname()
    names = sorted((each.stem for each in (folder / namespace).glob("*.json")), key=len)
    name = next((each for each in reversed(names) if pod.startswith(f"{each}-")), None)
    found: dict[str, Any] = {"metrics": "", "log": [], "ready": True, "exit": None, "real": False}
    if name is not None:
        found |= json.loads((folder / namespace / f"{name}.json").read_text())
    return found


class Handler(BaseHTTPRequestHandler):
    """Answers Loki's two pages that are asked for from outside."""

    def do_GET(self) -> None:
        """Show the counters, or whether it is ready."""
        now = shown(Path(sys.argv[1]))
        ready = now["ready"] or self.path != "/ready"
        text = f"loki_ingester_memory_chunks 0\n{now['metrics']}" if ready else "not ready\n"
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing: the log is Loki's."""


def main() -> None:
    """Be what is to be shown."""
    begun = shown(Path(sys.argv[1]))
    if begun["real"]:
        os.execv(sys.argv[2], sys.argv[2:])
    for line in begun["log"]:
        print(line, flush=True)
    if begun["exit"] is not None:
        sys.exit(begun["exit"])
    ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
