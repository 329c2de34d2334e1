# SPDX-License-Identifier: Apache-2.0
"""A whole rotation on real Ceph RGW under the real Loki, which is written to all the time."""

import base64
import itertools
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from e2e.bridges import RgwLab
from e2e.hands import make_admin_secret
from e2e.sight import ROUTE, SECRET, Pair
from e2e.world import Homelab, Loop
from lokeys.adapters.kubernetes.fingerprints import SECRET_NAME, SYSTEM_NAMESPACE
from parts.external_secrets import ExternalSecrets
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw

_numbers = itertools.count(1)
BATCH = 100
ROTATION = {"every": "720h", "overlap": "3s", "retire": "AfterGrace"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def lab(
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[RgwLab]:
    """Make a homelab of RGW's own user, where fingerprints outlive a run of a command."""
    name = f"rotation-{os.getpid()}-{next(_numbers)}"
    made = RgwLab(defined, external_secrets, rgw, kubelet, loop, name)
    made.has_rook = False
    made.bridge = None
    made.secrets.add(rgw.admin_secret_key)
    metadata = {"name": SECRET_NAME, "namespace": SYSTEM_NAMESPACE}
    data = {"key": base64.b64encode(secrets.token_bytes(32)).decode()}
    place = {"name": SYSTEM_NAMESPACE}
    defined.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": place})
    defined.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    yield made
    made.close()
    defined.api.delete(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/{SECRET_NAME}")


@dataclass
class Shipper:
    """Sends a hundred lines ten times a second; what is not acknowledged is sent again, the same.

    As a log shipper does: only acknowledged lines are counted.
    """

    lab: RgwLab
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
            try:
                url = f"{self.lab.loki_url()}/loki/api/v1/push"
                httpx2.post(url, json=body, trust_env=False, timeout=10).raise_for_status()
            except (httpx2.HTTPError, KeyError, OSError):
                self.stopped.wait(0.2)
                continue
            self.sent += BATCH
            return


@dataclass
class Watcher:
    """Tries, ten times a second, the pair that the running pod started with, at the store."""

    lab: RgwLab
    pairs: dict[str, Pair] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    looks: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until told to stop."""
        while not self.stopped.wait(0.1):
            self._held()

    def _held(self) -> None:
        pod = self.lab.pod()
        state = (pod.get("status", {}).get("containerStatuses") or [{}])[0].get("state", {})
        if "running" not in state:
            return
        uid = pod["metadata"]["uid"]
        # A pod reads the Secret once, at its start: what it was then, it stays.
        pair = self.pairs.setdefault(uid, self.lab.pair_in(SECRET) or ("", ""))
        answer = self.lab.rgw.request(pair, "GET", f"/{self.lab.bucket}")
        self.looks += 1
        if answer.status_code == 403:
            self.refused.append(f"{uid} with {pair[0]}")


@dataclass
class Counters:
    """Keeps the highest counts of trouble: a Loki that ends takes its counters along."""

    lab: RgwLab
    counters: dict[str, float] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Count until told to stop."""
        while not self.stopped.wait(0.2):
            self._count()

    def _count(self) -> None:
        names = {"loki_ingester_chunks_flush_failures_total": (), "requests": ('"403"',)}
        try:
            for name, words in names.items():
                full = name if name != "requests" else "loki_objstore_bucket_transport_requests"
                seen = self.lab.metric(full, *words)
                self.counters[name] = max(self.counters.get(name, 0.0), seen)
        except (httpx2.HTTPError, KeyError, OSError):
            return


@contextmanager
def working(*workers: Any) -> Iterator[None]:
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


def count(lab: RgwLab) -> int:
    """Return how many lines of the load Loki finds."""
    query = {"query": 'sum(count_over_time({app="load"}[1h]))'}
    url = f"{lab.loki_url()}/loki/api/v1/query"
    answer = httpx2.get(url, params=query, trust_env=False, timeout=20)
    if not answer.is_success:
        return -1
    return sum(int(float(row["value"][1])) for row in answer.json()["data"]["result"])


def test_a_key_is_replaced_under_load_and_nothing_fails(lab: RgwLab) -> None:
    """No failed flush, no 403, no lost line; at no look did a pod hold a key that was refused."""
    lab.build()
    lab.push("before")
    lab.wait_written()
    lab.kubernetes.apply(lab.route(mode="Rotate", rotation=ROTATION, prove="Flush"))
    (old,) = lab.keys()
    shipper, watcher, trouble = Shipper(lab), Watcher(lab), Counters(lab)
    with working(shipper, watcher, trouble):
        wait_for(lambda: shipper.sent > 0, "the load runs")
        said = lab.lokeys("rotate", ROUTE, timeout_s=400)
        assert said.code == 0, said.out + said.err
        more = shipper.sent
        wait_for(lambda: shipper.sent > more, "the load goes on", timeout_s=60)
    (new,) = lab.keys()
    held = lab.pair_in(SECRET)
    assert held is not None
    lab.secrets.add(held[1])
    assert (held[0], lab.vault_pair()) == (new, held)
    assert new != old
    assert watcher.refused == []
    assert watcher.looks > 10
    assert len(watcher.pairs) == 2
    assert trouble.counters == {"loki_ingester_chunks_flush_failures_total": 0.0, "requests": 0.0}
    wait_for(lambda: count(lab) == shipper.sent, "every acknowledged line is found", timeout_s=90)
    assert not lab.kept()
    (receipt,) = lab.lokeys("history", ROUTE, "-o", "json").json()["receipts"]
    assert receipt["kind"] == "Rotation"
    assert receipt["ending"] == "proved"
    again = lab.lokeys("rotate", ROUTE, "--status")
    assert again.code == 0, again
    assert lab.lokeys("heal", ROUTE, "--dry-run").code == 0


@pytest.mark.usefixtures("lab")
def test_a_key_of_rook_is_replaced_through_spec_keys(homelab: Homelab) -> None:
    """Its present key is adopted first; in the end the user declares the new one alone."""
    homelab.build(with_loki=False)
    rook = {"user": homelab.user, "namespace": homelab.storage}
    admin = {"endpoint": homelab.rgw.endpoint, "secretRef": {"name": make_admin_secret(homelab)}}
    route = homelab.route(
        mode="Rotate", rotation=ROTATION, source={"rook": {**rook, "admin": admin}}
    )
    homelab.kubernetes.apply(route)
    old = homelab.pair_in(SECRET)
    assert old is not None
    said = homelab.lokeys("rotate", ROUTE, timeout_s=300)
    assert said.code == 0, said.out + said.err
    new = homelab.pair_in(SECRET)
    assert new is not None
    homelab.secrets.add(new[1])
    assert new[0] != old[0]
    assert homelab.vault_pair() == new
    info = homelab.rgw.admin("user", "info", f"--uid={homelab.user}")
    assert {key["access_key"] for key in info["keys"]} == {new[0]}
