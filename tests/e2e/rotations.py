# SPDX-License-Identifier: Apache-2.0
"""What goes on beside a rotation: the load that Loki takes, and who watches pods, Loki and status.

Each of them works in a thread of its own until the rotation that it accompanies has ended.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx2

from e2e.bridges import RgwLab
from e2e.hands import ADMIN
from e2e.operators import Installation
from e2e.sight import Json
from e2e.world import Homelab
from lokeys.core.kubernetes.consent import ALLOWED_URLS
from parts.hidden import Hidden

BATCH = 100
FLUSH_FAILURES = "loki_ingester_chunks_flush_failures_total"
_client = httpx2.Client(trust_env=False, timeout=10)
"""One for all: each new one reads all certificates of this host first."""
REQUESTS = "loki_objstore_bucket_transport_requests_total"


class Worker(Protocol):
    """Who works until told to stop."""

    stopped: threading.Event

    def run(self) -> None: ...


@dataclass
class Shipper:
    """Sends a hundred lines ten times a second; what is not acknowledged is sent again, the same.

    As a log shipper does: only acknowledged lines are counted. It sends to the first of the pods
    that takes a batch.
    """

    lab: Homelab
    names: Sequence[str] = ("loki-0",)
    sent: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Send until told to stop."""
        while not self.stopped.is_set():
            began = time.monotonic()
            self._batch()
            time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))

    def _batch(self) -> None:
        now = time.time_ns()
        values = [[str(now + n), f"line {self.sent + n}"] for n in range(BATCH)]
        body = {"streams": [{"stream": {"app": "load"}, "values": values}]}
        while not self.stopped.is_set():
            if any(self._is_taken(name, body) for name in self.names):
                self.sent += BATCH
                return
            self.stopped.wait(0.2)

    def _is_taken(self, name: str, body: Json) -> bool:
        try:
            url = f"{self.lab.loki_url(name)}/loki/api/v1/push"
            _client.post(url, json=body).raise_for_status()
        except (httpx2.HTTPError, KeyError, OSError):
            return False
        return True


@dataclass
class Watcher:
    """Tries, ten times a second, the pair of every running pod at the store.

    A pod's pair is what its process has in its environment on the node.
    """

    lab: Homelab
    names: Sequence[str] = ("loki-0",)
    held: set[str] = field(default_factory=set)
    """The ids of all keys that pods ran with."""
    refused: list[str] = field(default_factory=list)
    looks: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until told to stop."""
        while not self.stopped.is_set():
            began = time.monotonic()
            for name in self.names:
                self._look(name)
            self.stopped.wait(max(0.0, 0.1 - (time.monotonic() - began)))

    def _look(self, name: str) -> None:
        found = environment_of(self.lab, name)
        if found is None:
            return
        process, variables = found
        pair = variables["AWS_ACCESS_KEY_ID"], Hidden(variables["AWS_SECRET_ACCESS_KEY"])
        answer = self.lab.rgw.request(pair, "GET", f"/{self.lab.bucket}?max-keys=1")
        self.looks += 1
        self.held.add(pair[0])
        if answer.status_code == 403 and process.exists():
            self.refused.append(f"{name} with {pair[0]}")


def environment_of(lab: Homelab, name: str) -> tuple[Path, dict[str, str]] | None:
    """Return the process of a pod's Loki that runs on the node, and its environment."""
    container = lab.kubelet.container(lab.monitoring, name, "loki")
    run = container.run if container is not None and container.running else None
    if run is None:
        return None
    process = Path(f"/proc/{run.process.pid}")
    try:
        rows = (process / "environ").read_bytes().decode().split("\0")
    except OSError:
        return None
    variables = dict(row.partition("=")[::2] for row in rows if row)
    return (process, variables) if "AWS_ACCESS_KEY_ID" in variables else None


@dataclass
class Counters:
    """Keeps the highest counts of trouble: a Loki that ends takes its counters along."""

    lab: Homelab
    names: Sequence[str] = ("loki-0",)
    seen: dict[str, float] = field(default_factory=lambda: {"flush failures": 0.0, "403": 0.0})
    looks: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Count until told to stop."""
        while not self.stopped.wait(0.2):
            for name in self.names:
                with contextlib.suppress(httpx2.HTTPError, KeyError, OSError):
                    self._count(name)

    def _count(self, name: str) -> None:
        url = f"{self.lab.loki_url(name)}/metrics"
        text = _client.get(url).text
        counts = {"flush failures": total(text, FLUSH_FAILURES)}
        counts["403"] = total(text, REQUESTS, 'status_code="403"')
        self.seen = {kind: max(count, self.seen[kind]) for kind, count in counts.items()}
        self.looks += 1


def total(text: str, name: str, *words: str) -> float:
    """Return the sum of a metric's rows that hold all words."""
    rows = [row for row in text.splitlines() if row.startswith(name)]
    return sum(float(row.split()[-1]) for row in rows if all(word in row for word in words))


@dataclass
class Statuses:
    """Keeps what the resource's status said, each thing once and in order."""

    lab: Homelab
    rotating: list[str] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until told to stop."""
        while not self.stopped.wait(0.1):
            with contextlib.suppress(httpx2.HTTPError, OSError):
                self._look()

    def _look(self) -> None:
        for kind, seen in (("Rotating", self.rotating), ("Ready", self.ready)):
            found = self.lab.condition(kind)
            word = found.get("reason", "") if kind == "Rotating" else found.get("status", "")
            if word and word != (seen[-1] if seen else ""):
                seen.append(word)


@dataclass
class Keys:
    """Keeps the most keys that the user has had at once, as the store's admin lists them."""

    lab: Homelab
    most: int = 0
    all: set[str] = field(default_factory=set)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until told to stop."""
        admin = self.lab.rgw.admin_access_key, self.lab.rgw.admin_secret_key
        while not self.stopped.wait(0.1):
            with contextlib.suppress(httpx2.HTTPError, OSError):
                answer = self.lab.rgw.request(admin, "GET", f"/admin/user?uid={self.lab.user}")
                found = {key["access_key"] for key in answer.json().get("keys", ())}
                self.all |= found
                self.most = max(self.most, len(found))


@contextmanager
def working(*workers: Worker) -> Iterator[None]:
    """Let them work meanwhile."""
    threads = [threading.Thread(target=each.run, daemon=True) for each in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for each in workers:
            each.stopped.set()
        for thread in threads:
            thread.join(timeout=30)


def follow(lab: RgwLab, installation: Installation, store: str, rotation: Json) -> None:
    """Let the operator look after the lab in mode Rotate, with the store at an address of its own.

    So many rotations at one store wait for each other; stores are told apart by their addresses.
    """
    urls = f"{lab.rgw.endpoint},{lab.endpoint},{store}"
    allowed = {"metadata": {"annotations": {ALLOWED_URLS: urls}}}
    lab.kubernetes.api.patch(f"/api/v1/namespaces/{lab.monitoring}/secrets/{ADMIN}", allowed)
    source = {"endpoint": store, "uid": lab.user, "adminSecretRef": {"name": ADMIN}}
    place = lab.route()["spec"]["bucket"] | {"endpoint": store}
    manifest = lab.route(mode="Rotate", rotation=rotation, source={"rgw": source}, bucket=place)
    installation.allow(lab, manifest)
    lab.kubernetes.apply(manifest)


def ask(lab: RgwLab, word: str = "now") -> None:
    """Ask for a rotation by the annotation."""
    body = {"metadata": {"annotations": {"lokeys.dev/rotate": word}}}
    lab.kubernetes.api.patch(lab.route_path, body)


def lines_found(lab: Homelab, name: str = "loki-0") -> int:
    """Return how many lines of the load Loki finds."""
    query = {"query": 'sum(count_over_time({app="load"}[1h]))'}
    url = f"{lab.loki_url(name)}/loki/api/v1/query"
    answer = _client.get(url, params=query)
    if not answer.is_success:
        return -1
    return sum(int(float(row["value"][1])) for row in answer.json()["data"]["result"])
