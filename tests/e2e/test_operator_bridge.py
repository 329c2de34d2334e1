# SPDX-License-Identifier: Apache-2.0
"""The operator builds bridges where it is allowed, on real RGW and with the real Loki.

the key is replaced ─▶ added again ─▶ the running Loki writes ─▶ an ordinary heal ─▶ retired
"""

import dataclasses
import time
from collections.abc import Iterator
from datetime import datetime

import httpx2
import pytest

from e2e.bridges import RgwLab
from e2e.canary import assert_no_secret_shows
from e2e.operators import Installation, wait_led
from e2e.sight import ROUTE, SECRET
from e2e.world import Homelab
from lokeys.adapters.kubernetes.fingerprints import SECRET_NAME, SYSTEM_NAMESPACE
from lokeys.clock import utc_now
from parts.process import wait_for

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def lab(rgw_lab: RgwLab, installation: Installation) -> Iterator[RgwLab]:
    """Make a homelab of RGW's own user, on which a bridge is allowed; it is not built yet."""
    yield rgw_lab
    assert_no_secret_shows(rgw_lab, installation)


def lines(home: Homelab, word: str) -> list[str]:
    """Push lines into Loki; return them."""
    made = [f"{word} {number:02}" for number in range(10)]
    home.push(*made)
    return made


def events(home: Homelab) -> set[str]:
    """Return the reasons of the events about the route."""
    found = home.kubernetes.api.get(f"/api/v1/namespaces/{home.monitoring}/events")["items"]
    return {each["reason"] for each in found if each["involvedObject"]["name"] == "loki"}


def seconds(since: datetime) -> float:
    """Return how long ago that was."""
    return (utc_now() - since).total_seconds()


def test_no_line_is_lost_and_nothing_restarts_before_it_writes(
    lab: RgwLab, installation: Installation
) -> None:
    """An emptyDir WAL, and nobody at a terminal: Loki writes again with the key that it has."""
    lab.build(loki=dataclasses.replace(lab.loki, persistent_wal=False))
    before = lines(lab, "before")
    lab.wait_written()
    installation.follow(lab)
    lab.wait_condition("Ready", "True")
    old, uid = lab.source_pair(), lab.pod()["metadata"]["uid"]
    written = lab.requests(200)
    pair = lab.replace_key()
    during = lines(lab, "during")
    lab.look_now()  # RGW tells nobody: its list is read once a minute
    lab.wait_condition("Bridged", "True", reason="Standing")
    assert lab.keys() == {old[0], pair[0]}
    wait_for(
        lambda: lab.pod()["metadata"]["uid"] != uid or lab.requests(200) > written,
        "Loki writes again",
        timeout_s=60,
    )
    lab.wait_ready(after=uid, timeout_s=120)
    lab.push("after")
    lab.wait_healed(pair)
    wait_for(lambda: lab.keys() == {pair[0]}, "the old key is retired", timeout_s=60)
    wait_for(lambda: not lab.kept(), "nothing is kept", timeout_s=30)
    lab.wait_condition("Bridged", "False", reason="NoBridge")
    wait_for(lambda: {"Bridged", "BridgeEnded"} <= events(lab), "events tell of it", timeout_s=30)
    wanted = sorted([*before, *during, "after"])
    wait_for(lambda: lab.lines() == wanted, "every line is there", timeout_s=60)


@pytest.mark.chaos
def test_a_pod_that_hangs_in_its_shutdown_ends(lab: RgwLab, installation: Installation) -> None:
    """Told to stop with a dead key it hangs; not allowed, that is said; allowed, it is gone."""
    lab.bridge = "1h"
    lab.build(loki=dataclasses.replace(lab.loki, grace_s=300))
    before = lines(lab, "before")
    lab.wait_written()
    installation.follow(lab, mode="Observe")
    lab.wait_condition("Ready", "True")
    uid, pair = lab.pod()["metadata"]["uid"], lab.replace_key()
    during = lines(lab, "during")
    lab.wait_refused()
    lab.kubernetes.api.delete(f"/api/v1/namespaces/{lab.monitoring}/pods/loki-0")
    lab.wait_finding("pod_will_not_stop", timeout_s=90)
    began = utc_now()
    installation.follow(lab)
    wait_for(
        lambda: lab.pod().get("metadata", {}).get("uid") != uid, "the pod is gone", timeout_s=60
    )
    assert seconds(began) < 60
    lab.wait_ready(after=uid, timeout_s=120)
    lab.push("after")
    lab.wait_healed(pair)
    wait_for(lambda: lab.keys() == {pair[0]}, "the old key is retired", timeout_s=60)
    wanted = sorted([*before, *during, "after"])
    wait_for(lambda: lab.lines() == wanted, "every line is there", timeout_s=60)


@pytest.mark.chaos
def test_three_ingesters_write_at_once(lab: RgwLab, installation: Installation) -> None:
    """None is restarted for that; then they are replaced one at a time, and lose nothing."""
    lab.build(loki=dataclasses.replace(lab.loki, replicas=3, persistent_wal=False))
    names = [f"loki-{number}" for number in range(3)]
    for name in names:
        lab.wait_ready(name=name)
    told = to_each(lab, names, "before")
    installation.follow(lab)
    lab.wait_condition("Ready", "True", timeout_s=120)
    old, pair = lab.source_pair()[0], lab.replace_key()
    uids = {name: lab.pod(name)["metadata"]["uid"] for name in names}
    told += to_each(lab, names, "during")
    lab.look_now()
    lab.wait_condition("Bridged", "True", reason="Standing")
    assert lab.keys() == {old, pair[0]}
    for name in reversed(names):
        lab.wait_ready(after=uids[name], name=name, timeout_s=120)
        told += to_each(lab, [name], "after")
        keys = lab.keys()
        if any(lab.pod(each).get("metadata", {}).get("uid") == uids[each] for each in names):
            assert old in keys, "taken away while one of them holds it"
    lab.wait_healed(pair, timeout_s=120)
    wait_for(lambda: lab.keys() == {pair[0]}, "the old key is retired", timeout_s=60)
    # Each has a ring of its own, so each finds what it has, and what its predecessor flushed.
    wait_for(lambda: found_by(lab, names) >= set(told), "every line is there", timeout_s=120)


def found_by(lab: RgwLab, names: list[str]) -> set[str]:
    """Return every line that any of the Lokis finds."""
    found: set[str] = set()
    for name in names:
        url = f"{lab.loki_url(name)}/loki/api/v1/query_range"
        query = {"query": '{app="test"}', "limit": "5000"}
        answer = httpx2.get(url, params=query, trust_env=False, timeout=10)
        streams = answer.json()["data"]["result"] if answer.is_success else []
        found |= {line for stream in streams for _, line in stream["values"]}
    return found


def to_each(lab: RgwLab, names: list[str], word: str) -> list[str]:
    """Push a line into each Loki; return them."""
    made = []
    for name in names:
        line = f"{word} {name}"
        values = [[str(time.time_ns()), line]]
        body = {"streams": [{"stream": {"app": "test", "pod": name}, "values": values}]}
        url = f"{lab.loki_url(name)}/loki/api/v1/push"
        httpx2.post(url, json=body, trust_env=False, timeout=10).raise_for_status()
        made.append(line)
    return made


@pytest.mark.chaos
def test_with_rook_the_key_comes_back_by_spec_keys(
    homelab: Homelab, installation: Installation
) -> None:
    """The user was made anew, so to say; Rook itself declares both keys, and then one."""
    homelab.bridge = "1h"
    homelab.build(loki=dataclasses.replace(homelab.loki, persistent_wal=False))
    before = lines(homelab, "before")
    homelab.wait_written()
    installation.follow(homelab)
    homelab.wait_condition("Ready", "True")
    old, uid = homelab.source_pair(), homelab.pod()["metadata"]["uid"]
    pair = homelab.replace_key()
    seen = utc_now()
    during = lines(homelab, "during")

    def works() -> bool:
        return homelab.rgw.request(old, "GET", f"/{homelab.bucket}").is_success

    wait_for(works, "the old key is valid again", timeout_s=60)
    assert seconds(seen) < 15
    homelab.wait_ready(after=uid, timeout_s=120)
    homelab.push("after")
    homelab.wait_healed(pair)
    wait_for(lambda: not works(), "the old key is retired", timeout_s=60)
    assert homelab.pair_in(SECRET) == pair
    wanted = sorted([*before, *during, "after"])
    wait_for(lambda: homelab.lines() == wanted, "every line is there", timeout_s=60)
    assert_no_secret_shows(homelab, installation)


@pytest.mark.chaos
def test_a_bridge_ends_at_its_deadline_whatever_the_route_does(
    lab: RgwLab, installation: Installation
) -> None:
    """Nothing delivers the new key, and the resource only observes by now: it ends all the same."""
    lab.build(with_loki=False)
    installation.follow(lab, bridge={"longest": "20s"})
    lab.wait_condition("Ready", "True")
    old = lab.source_pair()[0]
    lab.stop_connect()
    pair = lab.replace_key()
    lab.look_now()
    wait_for(lambda: lab.keys() == {old, pair[0]}, "the bridge stands", timeout_s=90)
    lab.kubernetes.api.patch(lab.route_path, {"spec": {"mode": "Observe"}})
    wait_for(lambda: lab.keys() == {pair[0]}, "the bridge is over", timeout_s=60)
    wait_for(lambda: not lab.kept(), "nothing is kept", timeout_s=30)
    lab.start_connect()


@pytest.mark.chaos
def test_a_route_that_is_deleted_ends_its_bridge_first(
    lab: RgwLab, installation: Installation
) -> None:
    """A finalizer keeps it until the old key is gone; then it goes, with what it kept."""
    lab.build(with_loki=False)
    installation.follow(lab)
    lab.wait_condition("Ready", "True")
    old = lab.source_pair()[0]
    lab.stop_connect()
    pair = lab.replace_key()
    lab.look_now()
    wait_for(lambda: lab.keys() == {old, pair[0]}, "the bridge stands", timeout_s=90)
    lab.kubernetes.api.delete(lab.route_path)
    wait_for(lambda: lab.keys() == {pair[0]}, "the old key is gone", timeout_s=60)
    wait_for(lambda: lab.kubernetes.api.find(lab.route_path) is None, "it is gone", timeout_s=30)
    assert not lab.kept()
    lab.start_connect()


@pytest.mark.chaos
def test_a_bridge_whose_operator_died_is_ended_by_the_next(
    lab: RgwLab, installation: Installation
) -> None:
    """Its time passes while nobody looks, and its owner allows none any more: it ends at once."""
    lab.build(with_loki=False)
    installation.follow(lab, bridge={"longest": "20s"})
    lab.wait_condition("Ready", "True")
    old = lab.source_pair()[0]
    lab.stop_connect()
    pair = lab.replace_key()
    lab.look_now()
    lab.wait_condition("Bridged", "True", reason="Standing", timeout_s=90)
    for replica in installation.replicas:
        replica.stop()
    lab.bridge = None
    lab.make_admin()
    wait_for(lambda: overdue(lab) is True, "`lokeys status` says so", timeout_s=60)
    assert lab.keys() == {old, pair[0]}
    wait_led(installation.replica().start())
    wait_for(lambda: lab.keys() == {pair[0]}, "the bridge is over", timeout_s=60)
    wait_for(lambda: not lab.kept(), "nothing is kept", timeout_s=30)
    wait_for(lambda: overdue(lab) is None, "there is none any more", timeout_s=30)
    lab.start_connect()


def overdue(lab: RgwLab) -> bool | None:
    """Return what `lokeys status` says of the route's bridge."""
    rows = lab.lokeys("status", "-o", "json").json()["routes"]
    mine = next(row for row in rows if row["owner"]["namespace"] == lab.monitoring)
    found: bool | None = mine["bridge"]["overdue"] if mine["bridge"] else None
    return found


@pytest.mark.chaos
def test_a_persons_bridge_ends_in_mode_observe_with_the_rights_that_are_printed(
    lab: RgwLab, installation: Installation
) -> None:
    """Nobody has allowed the operator one; it says which right is missing, and then ends it."""
    lab.bridge = None
    lab.build(with_loki=False)
    installation.follow(lab, mode="Observe", bridge={"longest": "2m"})
    lab.wait_condition("Ready", "True")
    share_fingerprints(lab, installation)
    old, pair = lab.source_pair()[0], lab.replace_key()
    lab.wait_refused_by_store()
    for _ in range(2):
        assert lab.lokeys("heal", ROUTE, "--bridge", "--yes", "--no-wait").code == 0
    assert lab.keys() == {old, pair[0]}
    stalled = lab.wait_condition("Stalled", "True", reason="NotPermitted", timeout_s=300)
    assert "forbidden" in stalled["message"]
    assert lab.keys() == {old, pair[0]}
    account = f"{installation.namespace}/lokeys"
    printed = lab.lokeys("rbac", ROUTE, "--service-account", account)
    lab.kubernetes.kubectl("apply", "-f", "-", stdin=printed.out)
    lab.look_now()
    wait_for(lambda: lab.keys() == {pair[0]}, "the bridge is over", timeout_s=90)
    wait_for(lambda: not lab.kept(), "nothing is kept", timeout_s=30)

    def let_go() -> bool:
        return not lab.kubernetes.api.get(lab.route_path)["metadata"].get("finalizers")

    wait_for(let_go, "no finalizer is left", timeout_s=30)
    assert lab.pair_in(SECRET) != pair


def share_fingerprints(lab: RgwLab, installation: Installation) -> None:
    """Let a person read the key of the operator's fingerprints where they look for it."""
    api = lab.kubernetes.api
    own = f"/api/v1/namespaces/{installation.namespace}/secrets/{SECRET_NAME}"
    lab.apply("v1", "Namespace", SYSTEM_NAMESPACE, None)
    lab.apply("v1", "Secret", SECRET_NAME, SYSTEM_NAMESPACE, data=api.get(own)["data"])
