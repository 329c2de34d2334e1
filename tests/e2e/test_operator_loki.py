# SPDX-License-Identifier: Apache-2.0
"""Pods that are hard to replace, with the real Loki: no line is lost, and none is risked."""

import dataclasses
import re
from datetime import datetime, timedelta

import pytest

from e2e import hands, watcher
from e2e.operators import Installation
from e2e.sight import ROUTE, SECRET
from e2e.world import Homelab
from lokeys.clock import utc_now
from parts.process import wait_for

GRACE_S = 30

pytestmark = pytest.mark.usefixtures("operator")


def lines(home: Homelab, word: str) -> list[str]:
    """Push lines into Loki; return them."""
    made = [f"{word} {number:02}" for number in range(20)]
    home.push(*made)
    return made


def test_a_key_replaced_behind_rook_is_found_by_itself(
    home: Homelab, installation: Installation
) -> None:
    """Nobody tells: Loki's refusals and the store do; Rook is made to read, and Loki writes."""
    home.build(loki=dataclasses.replace(home.loki, legacy_client=True))
    before = lines(home, "before")
    home.wait_written()
    source = {
        "user": home.user,
        "namespace": home.storage,
        "refresh": True,
        "admin": {
            "endpoint": home.endpoint,
            "secretRef": {"name": hands.make_admin_secret(home)},
        },
    }
    installation.follow(home, source={"rook": source})
    home.wait_condition("Ready", "True")
    pair, old = home.replace_key_at_rgw(), home.pod()["metadata"]["uid"]
    during = lines(home, "during")
    home.wait_ready(after=old, timeout_s=120)
    home.wait_healed(pair)
    assert home.condition("Ready")["reason"] == "ProvedByLoki"
    assert home.lines() == sorted(before + during)


def test_a_blocked_rollout_of_a_pod_that_is_1_of_2_is_ended(
    home: Homelab, installation: Installation
) -> None:
    """The StatefulSet waits for a pod that its dead key keeps unready; lokeys replaces it."""
    sidecar = watcher.container(SECRET, f"{home.endpoint}/{home.bucket}")
    del sidecar["livenessProbe"]
    home.build(loki=dataclasses.replace(home.loki, sidecars=[sidecar]))
    before = lines(home, "before")
    home.wait_written()
    pair = home.replace_key()
    during = lines(home, "during")
    wait_for(lambda: not hands.is_ready(home), "the pod is 1/2", timeout_s=60)
    old = home.pod()["metadata"]["uid"]
    hands.roll(home)
    installation.follow(home, mode="Observe")
    home.wait_finding("rollout_blocked")
    assert home.pod()["metadata"]["uid"] == old
    installation.follow(home)
    home.wait_ready(after=old)
    home.wait_healed(pair)
    assert home.lines() == sorted(before + during)


@pytest.mark.real_node
def test_a_pod_that_hangs_in_its_shutdown_is_waited_for_and_told(
    home: Homelab, installation: Installation
) -> None:
    """Somebody deleted it: its dead key keeps it for its grace, and then the heal goes on."""
    home.build(loki=dataclasses.replace(home.loki, grace_s=GRACE_S))
    before = lines(home, "before")
    home.wait_written()
    installation.follow(home, mode="Observe")
    home.wait_condition("Ready", "True")
    pair = home.replace_key()
    during = lines(home, "during")
    home.wait_refused()
    old = home.pod()["metadata"]["uid"]
    path, deleted_at = f"/api/v1/namespaces/{home.monitoring}/pods/loki-0", utc_now()
    home.kubernetes.api.delete(path)
    installation.follow(home)
    home.wait_finding("pod_will_not_stop")
    until = told_end(home)
    assert abs(until - deleted_at - timedelta(seconds=GRACE_S)) <= timedelta(seconds=3)
    # Whoever asks again changes what the API server shows, and nothing else.
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "loki-0"}}
    options = {"deleteOptions": {"gracePeriodSeconds": 1}}
    home.kubernetes.api.post(f"{path}/eviction", eviction | options)
    home.wait_looked_again()
    assert told_end(home) == until
    home.wait_ready(after=old)
    assert utc_now() >= deleted_at + timedelta(seconds=GRACE_S)
    home.wait_healed(pair)
    assert home.lines() == sorted(before + during)


def told_end(home: Homelab) -> datetime:
    """Return until when the status says that the pod hangs, which tells what helps, too."""
    wait_for(lambda: "shutdown flush until" in home.status()["nextStep"], "the status says it")
    said = home.status()["nextStep"]
    assert "only a key that works ends it sooner" in said
    found = re.search(r"until (\S+Z) at the latest", said)
    assert found
    return datetime.fromisoformat(found[1])


def test_lines_that_only_the_pod_has_are_not_risked(
    home: Homelab, installation: Installation
) -> None:
    """Its WAL goes with it: it is named, with what is at stake, and left alone until accepted."""
    home.build(loki=dataclasses.replace(home.loki, persistent_wal=False))
    lines(home, "before")
    home.wait_written()
    installation.follow(home)
    home.wait_condition("Ready", "True")
    old = home.pod()["metadata"]["uid"]
    pair = home.replace_key()
    lines(home, "during")
    home.wait_condition("Stalled", "True", reason="WalNotPersistent")
    home.wait_finding("wal_not_persistent")
    home.wait_looked_again()
    assert home.pair_in(SECRET) == home.vault_pair() == pair
    assert home.pod()["metadata"]["uid"] == old
    home.wait_refused()
    found = home.lokeys("doctor", "-o", "json").json()["findings"]
    evidence = next(f["evidence"] for f in found if f["cause"] == "wal_not_persistent")
    assert "chunks in memory" in evidence[0]
    said = home.lokeys("heal", ROUTE, "--accept-loss", "--no-wait")
    assert said.code == 0, said.err
    home.wait_ready(after=old)
    after = lines(home, "after")
    home.wait_healed(pair)
    assert set(after) <= set(home.lines())


def test_a_budget_that_allows_no_eviction_is_waited_for(
    home: Homelab, installation: Installation
) -> None:
    """It is named, the pod stays, and is replaced when the budget allows it."""
    home.build(with_loki=False)
    hands.allow_no_eviction(home)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    old, pair = home.pod()["metadata"]["uid"], home.replace_key()
    home.wait_finding("eviction_blocked_by_budget")
    home.wait_looked_again()
    assert home.pod()["metadata"]["uid"] == old
    hands.allow_evictions(home)
    home.wait_healed(pair)
