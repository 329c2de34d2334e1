# SPDX-License-Identifier: Apache-2.0
"""The operator as a process, seen from outside: its CPU, its memory, its requests."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2

from lokeys.operator.metric_names import LOOK_SECONDS
from parts.kubernetes import Kubernetes
from parts.process import Process

TICKS = os.sysconf("SC_CLK_TCK")
WRITES = frozenset({"create", "update", "patch", "delete"})


class Operator:
    """`lokeys operator`, its log in the cluster's folder."""

    def __init__(
        self, kubernetes: Kubernetes, *, account: tuple[str, str], more: Sequence[str] = ()
    ) -> None:
        self._kubernetes = kubernetes
        self._user = f"system:serviceaccount:{account[0]}:{account[1]}"
        kubeconfig = kubernetes.user_kubeconfig(*account)
        words = ["--kubeconfig", kubeconfig, "operator", "--host", "127.0.0.1", "--port", "0"]
        self.log = kubernetes.folder / "operator.log"
        self._audit_from = kubernetes.audit_log.stat().st_size
        argv = [sys.executable, "-m", "lokeys", *words, *more]
        self.process = Process(argv, log=self.log)

    def cpu_s(self) -> float:
        """Return the CPU it has used."""
        return cpu_s(self.process.pid)

    def memory_mb(self) -> tuple[float, float]:
        """Return the present and the highest resident memory."""
        return _memory_mb(self.process.pid, "VmRSS"), _memory_mb(self.process.pid, "VmHWM")

    def looks(self) -> int:
        """Return how often it has looked at a route, by its own metrics."""
        found = re.search(r"pages on (http://\S+)", self.log.read_text())
        assert found is not None
        page = httpx2.get(f"{found[1]}/metrics", trust_env=False).text
        rows = (row for row in page.splitlines() if row.startswith(f"{LOOK_SECONDS.name}_count"))
        return int(float(next(rows).split()[-1]))

    def requests(self) -> list[dict[str, Any]]:
        """Return its requests to the API server since the last call."""
        return list(self._audited())

    def _audited(self) -> Iterator[dict[str, Any]]:
        with self._kubernetes.audit_log.open("rb") as log:
            log.seek(self._audit_from)
            for line in log:
                if not line.endswith(b"}\n"):
                    break
                self._audit_from += len(line)
                if self._user.encode() in line:
                    yield json.loads(line)


def kinds_of(requests: list[dict[str, Any]]) -> Counter[str]:
    """Return how many requests there were of each verb and resource."""
    counted: Counter[str] = Counter()
    for request in requests:
        about = request.get("objectRef") or {}
        what = "/".join(
            part for part in (about.get("resource", "-"), about.get("subresource")) if part
        )
        counted[f"{request['verb']} {what}"] += 1
    return counted


def writes_in(requests: list[dict[str, Any]]) -> int:
    """Return how many requests wrote something else than the operator's own Lease."""
    return sum(
        request["verb"] in WRITES and (request.get("objectRef") or {}).get("resource") != "leases"
        for request in requests
    )


def cpu_s(pid: int) -> float:
    """Return the CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory_mb(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
