# SPDX-License-Identifier: Apache-2.0
"""The runbook from a terminal, row by row, on the real parts; nothing is installed to begin."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from e2e import watcher
from e2e.reports import (
    FAILED_FLUSHES,
    NOT_READY,
    PROBES_FAIL,
    REFUSED,
    RESTARTS,
    UNKNOWN_KEY,
    Json,
    assert_told_to_people,
    first_finding,
    symptoms,
)
from e2e.terminal import Running, run
from e2e.world import Homelab
from lokeys.clock import utc_now
from parts.process import wait_for


def watched(home: Homelab, *, grace_s: int = 30) -> None:
    """Build the homelab with a sidecar that is ready while the store takes the pod's key."""
    sidecar = watcher.container(home.loki.secret, f"{home.endpoint}/{home.bucket}")
    home.build(loki=dataclasses.replace(home.loki, sidecars=(sidecar,), grace_s=grace_s))


def containers(home: Homelab) -> list[Json]:
    """Return the containers' statuses of Loki's pod."""
    found: list[Json] = home.pod().get("status", {}).get("containerStatuses", [])
    return found


def test_the_runbook_is_played_from_a_terminal_with_nothing_installed(
    homelab: Homelab, tmp_path: Path
) -> None:
    """Find out, follow, compare, plan, mend and prove; the pod is 2/2, then 1/2, then 2/2."""
    home, file = homelab, tmp_path / "route.yaml"
    watched(home)
    home.push("before the outage")
    home.wait_written()
    well = run(home, "doctor", "-o", "json")
    assert (well.code, well.json()["complete"], well.json()["findings"]) == (0, True, [])
    assert "2/2 ready" in run(home, "trace", "statefulset/loki").out
    before = run(home, "discover", "statefulset/loki")
    assert before.code == 0
    file.write_text(before.out)

    new = home.break_it()
    # Its first process hears no SIGTERM: a restart takes the whole grace of 30 s.
    restarted = "it restarts"
    wait_for(lambda: any(c["restartCount"] for c in containers(home)), restarted, timeout_s=90)
    doctor = run(home, "doctor", "-o", "json")
    finding = first_finding(doctor.json())
    assert doctor.code == 3
    assert (finding["cause"], finding["confidence"]) == ("vault_behind_source", "certain")
    assert (finding["hop"], finding["object"]["name"]) == ("vault", "loki-s3-config")
    everything = {NOT_READY, PROBES_FAIL, RESTARTS, FAILED_FLUSHES, REFUSED, UNKNOWN_KEY}
    assert symptoms(finding) == everything
    assert [each["cause"] for each in doctor.json()["findings"]] == ["vault_behind_source"]
    assert_told_to_people(run(home, "doctor").out, pod="1/2 ready")

    healed = run(home, "heal", "-f", str(file))
    assert healed.code == 0, healed.err
    assert "is healed" in healed.out
    assert "proved by Loki's own storage requests" in healed.out
    assert home.vault_pair() == home.pair_in(home.loki.secret) == new
    home.wait_ready()
    assert all(each["ready"] for each in containers(home))
    assert home.requests(403) == 0
    assert home.lines() == ["before the outage", "during the outage"]
    assert run(home, "doctor").code == 0


def test_the_older_client_says_it_in_other_words(homelab: Homelab, tmp_path: Path) -> None:
    """Loki's older S3 client spells its 403s differently; they are the same symptoms."""
    homelab.build(loki=dataclasses.replace(homelab.loki, legacy_client=True))
    homelab.break_it()
    place = (homelab.monitoring, "loki-0", "loki")
    wait_for(lambda: "InvalidAccessKeyId" in homelab.kubelet.logs(*place), "Loki complains")
    said = run(homelab, "doctor", "-o", "json")
    finding = first_finding(said.json())
    assert (said.code, finding["cause"]) == (3, "vault_behind_source")
    assert symptoms(finding) == {FAILED_FLUSHES, UNKNOWN_KEY}  # it counts a 403 as a 500
    assert "its WAL is on a volume" in " ".join(
        run(homelab, "heal", "-f", route_of(homelab, tmp_path), "--dry-run").out.split()
    )
    assert run(homelab, "heal", "-f", route_of(homelab, tmp_path)).code == 0
    assert homelab.lines() == ["during the outage"]


def route_of(home: Homelab, folder: Path, **changes: object) -> str:
    """Return a file with the homelab's StorageCredential."""
    return str(home.file(folder, home.route(**changes)))


def patches(home: Homelab) -> int:
    """Return how often the vault's item was written to."""
    return sum(each.method != "GET" for each in home.connect.served)


@pytest.fixture
def quick(homelab: Homelab) -> Homelab:
    """Build a homelab with a quick pod in Loki's place, its key just replaced."""
    homelab.build(with_loki=False)
    homelab.replace_key()
    return homelab


def test_heal_does_each_step_once_and_proves_it(quick: Homelab, tmp_path: Path) -> None:
    """As planned: one PATCH, one forced sync, one pod replaced; a second heal has nothing to do."""
    file, pair = route_of(quick, tmp_path), quick.source_pair()
    planned = run(quick, "heal", "-f", file, "--dry-run", "-o", "json")
    actions = [step["action"] for step in planned.json()["steps"]]
    assert planned.code == 3
    assert actions == ["test-key", "write-vault", "force-sync", "replace-pod", "prove"]
    assert patches(quick) == 0
    healed = run(quick, "heal", "-f", file, "-o", "json")
    report = healed.json()
    assert (healed.code, report["ending"], report["proof"]) == (0, "proved", "ProvedByLoki")
    done = [step["action"] for step in report["steps"] if step["done"]]
    assert done == ["test-key", "write-vault", "force-sync", "replace-pod"]
    assert all(step["took"] is not None for step in report["steps"])
    assert patches(quick) == 1
    assert quick.connect.values(quick.vault_id, quick.item_id)["note"] == "keep me"
    assert (quick.vault_pair(), quick.pair_in(quick.loki.secret)) == (pair, pair)
    assert quick.held_by_pod(pair)
    uid = quick.pod()["metadata"]["uid"]
    again = run(quick, "heal", "-f", file)
    assert (again.code, patches(quick)) == (0, 1)
    assert "nothing to do" in again.out
    assert quick.pod()["metadata"]["uid"] == uid


def test_no_wait_returns_after_each_step(quick: Homelab, tmp_path: Path) -> None:
    """Each call does one step and says the next; called again and again they heal the route."""
    file, pair = route_of(quick, tmp_path), quick.source_pair()
    said: list[str] = []
    first = run(quick, "heal", "-f", file, "--no-wait")
    assert (first.code, quick.vault_pair()) == (0, pair)
    assert quick.pair_in(quick.loki.secret) != pair
    assert "next: force-sync" in first.out
    while len(said) < 20 and "nothing to do" not in (said or [""])[-1]:
        again = run(quick, "heal", "-f", file, "--no-wait")
        assert again.code == 0, again.err
        said.append(again.out)
    assert "nothing to do" in said[-1]
    assert quick.held_by_pod(pair)
    assert patches(quick) == 1


@pytest.fixture
def held_up(quick: Homelab) -> Iterator[Homelab]:
    """Make Connect's reads lag behind its writes, as they do; a heal waits until they show."""
    quick.connect.lag = timedelta(minutes=5)
    yield quick
    quick.connect.lag = timedelta(0)


def catch_up(home: Homelab) -> None:
    """Let Connect's reads show what was written."""
    home.connect.lag = timedelta(0)
    home.connect.vaults[home.vault_id].items[home.item_id].stale_until = None


def test_a_heal_that_takes_too_long_says_how_far_it_came(held_up: Homelab, tmp_path: Path) -> None:
    """124, with what is done and what comes next; a second heal goes on from there."""
    file = route_of(held_up, tmp_path)
    late = run(held_up, "heal", "-f", file, "--timeout", "5s")
    assert late.code == 124, late.err
    assert "time is up" in late.out
    catch_up(held_up)
    assert run(held_up, "heal", "-f", file).code == 0
    assert held_up.held_by_pod(held_up.source_pair())


def test_an_interrupted_heal_leaves_everything_consistent(held_up: Homelab, tmp_path: Path) -> None:
    """130, saying where it stopped; the Lease is free, no secret shows; a second one finishes."""
    file = route_of(held_up, tmp_path)
    with Running(held_up, tmp_path, "heal", "-f", file) as heal:
        heal.wait_said("write-vault")
        seen = heal.seen_by_others()
        said = heal.interrupt()
    assert "heal" in seen
    assert not any(secret in seen for secret in held_up.secrets)
    assert said.code == 130
    assert "stopped after" in said.err
    assert "Traceback" not in said.err
    assert lease_holder(held_up) == ""
    assert held_up.vault_pair() == held_up.source_pair()
    catch_up(held_up)
    assert run(held_up, "heal", "-f", file).code == 0
    assert patches(held_up) == 1
    assert held_up.held_by_pod(held_up.source_pair())


def test_a_heal_interrupted_after_an_eviction_is_finished_by_the_next(
    quick: Homelab, tmp_path: Path
) -> None:
    """The pod is replaced once: the second heal only proves it."""
    file = route_of(quick, tmp_path)
    with Running(quick, tmp_path, "heal", "-f", file) as heal:
        heal.wait_said("replace-pod")
        assert heal.interrupt().code == 130
    again = run(quick, "heal", "-f", file, "-o", "json").json()
    done = [step["action"] for step in again["steps"] if step["done"]]
    assert set(done) <= {"test-key", "replace-pod"}
    assert again["ending"] == "proved"
    assert quick.held_by_pod(quick.source_pair())


def lease_holder(home: Homelab) -> str:
    """Return who holds the route's Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{home.monitoring}/leases/lokeys-loki"
    lease = home.kubernetes.api.find(path) or {}
    holder: str = lease.get("spec", {}).get("holderIdentity") or ""
    return holder


def test_a_route_in_other_hands_is_left_to_them(quick: Homelab, tmp_path: Path) -> None:
    """A Lease that somebody else keeps is named and respected; nothing is written."""

    def keep() -> None:
        now = utc_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        held = {"holderIdentity": "lokeys-7d9f-abcde", "leaseDurationSeconds": 15, "renewTime": now}
        quick.apply("coordination.k8s.io/v1", "Lease", "lokeys-loki", quick.monitoring, spec=held)

    def refused() -> bool:
        keep()
        return heal.process.poll() is not None

    keep()
    with Running(quick, tmp_path, "heal", "-f", route_of(quick, tmp_path)) as heal:
        wait_for(refused, "lokeys gives way")
        said = heal.end()
    assert said.code == 1
    assert "somebody else is acting on this route" in said.err
    assert "lokeys-7d9f-abcde" in said.err
    assert patches(quick) == 0
    assert lease_holder(quick) == "lokeys-7d9f-abcde"


def test_lines_that_no_volume_holds_are_not_risked_unasked(
    homelab: Homelab, tmp_path: Path
) -> None:
    """With an emptyDir WAL heal stops at the pods and says what is at risk, until told to go on."""
    homelab.build(loki=dataclasses.replace(homelab.loki, persistent_wal=False))
    new, file = homelab.break_it(), route_of(homelab, tmp_path)
    uid = homelab.pod()["metadata"]["uid"]
    planned = run(homelab, "heal", "-f", file, "--dry-run", "-o", "json").json()
    assert planned["stalled"]["cause"] == "wal_not_persistent"
    stopped = run(homelab, "heal", "-f", file)
    assert stopped.code == 3
    assert "wal_not_persistent" in stopped.out
    assert "chunks in memory, last flush" in " ".join(stopped.out.split())
    assert "--accept-loss" in stopped.out
    assert (homelab.vault_pair(), homelab.pair_in(homelab.loki.secret)) == (new, new)
    assert homelab.pod()["metadata"]["uid"] == uid
    homelab.push("after the warning")
    planned = run(homelab, "heal", "-f", file, "--dry-run", "--accept-loss", "-o", "json").json()
    assert [step["action"] for step in planned["steps"] if step["destructive"]] == ["replace-pod"]
    with Running(homelab, tmp_path, "heal", "-f", file, "--accept-loss") as heal:
        homelab.wait_ready(after=uid)
        homelab.push("proof needs traffic")
        assert heal.end().code == 0
    assert homelab.requests(403) == 0
