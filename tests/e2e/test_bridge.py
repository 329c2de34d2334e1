# SPDX-License-Identifier: Apache-2.0
"""The bridge on real Ceph RGW, with the real Loki: no restart, no hanging stop, no lost line."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.bridges import RgwLab
from e2e.pages import blocks
from e2e.sight import ROUTE, SECRET
from e2e.terminal import Running
from e2e.world import Homelab
from parts.build import program
from parts.process import wait_for


def lines(lab: RgwLab, word: str) -> list[str]:
    """Push lines into Loki; return them."""
    made = [f"{word} {number:02}" for number in range(10)]
    lab.push(*made)
    return made


@pytest.mark.chaos
@pytest.mark.usefixtures("fingerprints")
def test_lines_that_no_volume_holds_are_saved(rgw_lab: RgwLab, tmp_path: Path) -> None:
    """An emptyDir WAL: `heal` stops and offers the bridge first; with it no line is lost."""
    lab = rgw_lab
    lab.build(loki=dataclasses.replace(lab.loki, persistent_wal=False))
    before = lines(lab, "before")
    lab.wait_written()
    lab.kubernetes.apply(lab.route())
    old_key, pair = lab.source_pair()[0], lab.replace_key()
    uid = lab.pod()["metadata"]["uid"]
    during = lines(lab, "during")
    lab.wait_refused()
    stopped = lab.lokeys("heal", ROUTE, "-o", "json")
    assert stopped.code == 3, stopped
    first = next(f["remedy"][0] for f in stopped.json()["findings"] if f["code"] == "LK0604")
    assert first["command"] == f"lokeys heal -n {lab.monitoring} {ROUTE} --bridge"
    assert lab.kept()
    asked = lab.lokeys("heal", ROUTE, "--bridge", stdin="")
    assert asked.code == 2, asked
    assert old_key in asked.err
    assert "--yes" in asked.err
    planned = lab.lokeys("heal", ROUTE, "--dry-run", "--bridge", "--yes")
    assert planned.out.startswith("A key may have been removed because it leaked"), planned
    assert lab.keys() == {pair[0]}
    with Running(lab, tmp_path, "heal", ROUTE, "--bridge", "--yes") as heal:
        lab.wait_ready(after=uid)
        lab.push("after")
        healed = heal.end()
    assert healed.code == 0, healed.out + healed.err
    assert lab.pair_in(SECRET) == lab.vault_pair() == pair
    assert lab.keys() == {pair[0]}
    assert not lab.kept()
    wait_for(
        lambda: lab.lines() == sorted([*before, *during, "after"]),
        "every line is there",
        timeout_s=60,
    )


@pytest.mark.chaos
@pytest.mark.usefixtures("fingerprints")
def test_a_person_who_removes_the_key_is_obeyed(rgw_lab: RgwLab) -> None:
    """A step at a time: once the key is added, somebody takes it away, and it does not return."""
    lab = rgw_lab
    lab.build(with_loki=False)
    lab.kubernetes.apply(lab.route())
    old_key, pair = lab.source_pair()[0], lab.replace_key()
    lab.wait_refused_by_store()
    for _ in range(2):
        said = lab.lokeys("heal", ROUTE, "--bridge", "--yes", "--no-wait")
        assert said.code == 0, said.out + said.err
    assert lab.keys() == {old_key, pair[0]}
    lab.remove_key_at_rgw(old_key)
    healed = lab.lokeys("heal", ROUTE, "--bridge", "--yes")
    assert healed.code == 0, healed.out + healed.err
    assert lab.keys() == {pair[0]}
    assert not lab.kept()
    assert lab.held_by_pod(pair)


@pytest.mark.chaos
@pytest.mark.usefixtures("fingerprints")
def test_another_holder_of_the_key_lives_as_long_as_the_bridge(rgw_lab: RgwLab) -> None:
    """A Loki that no route names is valid again, too, and only until the route needs it no more."""
    lab = rgw_lab
    lab.build(with_loki=False)
    lab.kubernetes.apply(lab.route())
    old, pair = lab.source_pair(), lab.replace_key()
    lab.wait_refused_by_store()

    def works() -> bool:
        return lab.rgw.request(old, "GET", f"/{lab.bucket}").is_success

    assert not works()
    for _ in range(2):
        assert lab.lokeys("heal", ROUTE, "--bridge", "--yes", "--no-wait").code == 0
    assert works()
    status = lab.lokeys("status", "-o", "json").json()["routes"]
    bridge = next(row["bridge"] for row in status if row["owner"]["namespace"] == lab.monitoring)
    assert bridge["overdue"] is False
    assert lab.lokeys("heal", ROUTE).code == 0
    assert not works()
    assert lab.keys() == {pair[0]}


@pytest.mark.chaos
@pytest.mark.usefixtures("fingerprints")
def test_a_full_quota_stops_before_the_bridge(rgw_lab: RgwLab) -> None:
    """A valid key would help nobody: the new one cannot write either, and nothing is begun."""
    lab = rgw_lab
    lab.build(with_loki=False)
    lab.kubernetes.apply(lab.route())
    pair = lab.replace_key()
    quota = ("--quota-scope=user", f"--uid={lab.user}")
    lab.rgw.admin("quota", "set", *quota, "--max-objects=0")
    lab.rgw.admin("quota", "enable", *quota)
    lab.wait_refused_by_store()
    stopped = lab.lokeys("heal", ROUTE, "--bridge", "--yes")
    assert stopped.code == 3, stopped
    assert "object_store_full" in stopped.out
    assert lab.keys() == {pair[0]}
    assert not lab.kept()


@pytest.mark.usefixtures("fingerprints")
def test_the_guide_does_what_it_says(homelab: Homelab, tmp_path: Path) -> None:
    """Typed as printed, with this homelab's names, each command ends as the guide says."""
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    homelab.build(with_loki=False)
    homelab.kubernetes.apply(homelab.route())
    pair = homelab.replace_key()
    path = os.pathsep.join((str(Path(sys.executable).parent), str(kubectl.parent), os.defpath))
    environment = os.environ | {
        "PATH": path,
        "KUBECONFIG": str(homelab.kubernetes.kubeconfig),
        "NO_COLOR": "1",
    }
    for block in blocks("docs/guides/bridge.md"):
        text = block.text.replace("-n storage", f"-n {homelab.storage}")
        text = text.replace("-n monitoring", f"-n {homelab.monitoring}")
        text = text.replace("cephobjectstoreuser loki", f"cephobjectstoreuser {homelab.user}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == block.exits, f"{text}{done.stdout}{done.stderr}"
    assert homelab.pair_in(SECRET) == homelab.vault_pair() == pair
    assert homelab.held_by_pod(pair)
