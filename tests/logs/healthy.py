# SPDX-License-Identifier: Apache-2.0
"""A day of two healthy Lokis in a minute: all that troubles a busy cluster, and no fault.

Start, a ring that grows and shrinks (a member joins, leaves, is killed and comes back), flushes,
compaction, retention and deletion, rate limits, lines that are too long or too old, bad and
cancelled queries, a rule that fires into nothing, restarts. At level debug.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml

from logs.around import HOST
from logs.running import Fault, Json, cleaned, configuration, push
from parts.process import Folder, Process, free_ports, wait_for

HOUR_S = 4
LINES = 40_000
LABELS = {"app": "demo"}


@dataclass
class _Member:
    """One Loki of the ring."""

    loki: Path
    folder: Path
    ports: list[int]
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.ports[0]}"

    @property
    def log(self) -> Path:
        return self.folder / "loki.log"

    def start(self) -> None:
        self.process = Process([self.loki, f"-config.file={self.folder}/c.yaml"], log=self.log)
        wait_for(self._answers, "Loki is ready", timeout_s=180, processes=[self.process])

    def end(self, *, grace_s: float) -> None:
        assert self.process is not None
        self.process.stop(grace_s=grace_s)

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/ready", trust_env=False, timeout=2).is_success
        except httpx2.TransportError:
            return False


def day(fault: Fault, loki: Path) -> str:
    """Return the logs of both, one after the other."""
    place = Folder("day")
    try:
        one, two = (_Member(loki, place.path / name, free_ports(3)) for name in ("0", "1"))
        for member, other in ((one, two), (two, one)):
            member.folder.mkdir()
            config = _config(fault, member, other.ports[2])
            (member.folder / "c.yaml").write_text(yaml.safe_dump(config))
        _through_the_day(one, two)
        said = "".join(each.log.read_text(errors="replace") for each in (one, two))
        said = cleaned(said, fault, place.path)
        return "".join(f"{line}\n" for line in said.splitlines()[:LINES])
    finally:
        place.remove()


def _config(fault: Fault, member: _Member, seed: int) -> Json:
    config = configuration(fault, member.folder, member.ports[:2])
    config["common"]["ring"] = {
        "kvstore": {"store": "memberlist"},
        "instance_id": f"loki-{member.folder.name}",
        "heartbeat_period": "1s",
        "heartbeat_timeout": "8s",
    }
    config["ingester"]["lifecycler"] = {"min_ready_duration": "1s"}
    config["memberlist"] = {
        "bind_addr": [HOST],
        "bind_port": member.ports[2],
        "join_members": [f"{HOST}:{seed}"],
        "node_name": f"loki-{member.folder.name}",
    }
    config["compactor"] |= {"retention_enabled": True, "delete_request_store": fault.store}
    config["limits_config"] |= {"retention_period": "24h", "max_line_size": 4096}
    return config


def _through_the_day(one: _Member, two: _Member) -> None:
    hours: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (one.start, two.start),
        (lambda: two.end(grace_s=10), two.start),
        (lambda: two.end(grace_s=0), lambda: None),
        (two.start, lambda: one.end(grace_s=10)),
        (one.start, lambda: None),
    ]
    try:
        for first, then in hours:
            first()
            _hour(one.url)
            then()
            _hour(one.url)
    finally:
        for member in (one, two):
            if member.process is not None:
                member.end(grace_s=5)


def _hour(url: str) -> None:
    """Push and ask, well and badly, for a while."""
    begun = time.monotonic()
    while time.monotonic() - begun < HOUR_S:
        with contextlib.suppress(httpx2.TransportError):
            _moment(url)
        time.sleep(0.3)


def _moment(url: str) -> None:
    push(url, f"line {time.monotonic()} InvalidAccessKeyId")
    push(url, "x" * 8192)
    for _ in range(3):
        push(url, "y" * 4000)
    old = {"stream": LABELS, "values": [["1000000000", "too old"]]}
    httpx2.post(f"{url}/loki/api/v1/push", json={"streams": [old]}, trust_env=False, timeout=5)
    where = f"{url}/loki/api/v1/query_range"
    for query in ('{app="demo"} |= "AccessDenied"', "{app=", '{app="demo"} |~ "("'):
        httpx2.get(where, params={"query": query}, trust_env=False, timeout=5)
    gone = {"query": '{app="demo"} |= "line 1"', "start": "1", "end": str(time.time_ns())[:10]}
    httpx2.post(f"{url}/loki/api/v1/delete", params=gone, trust_env=False, timeout=5)
    httpx2.get(f"{url}/loki/api/v1/rules", trust_env=False, timeout=5)
    with contextlib.suppress(httpx2.TimeoutException):
        httpx2.get(where, params={"query": '{app="demo"}'}, trust_env=False, timeout=0.002)
