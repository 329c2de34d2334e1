# SPDX-License-Identifier: Apache-2.0
"""A rotation that the operator runs by itself: what begins it, what it tells, and what it leaves.

Pods in Loki's place only read; tests/e2e/test_rotation.py has the real one under load.
"""

from collections.abc import Iterator, Sequence

import pytest

from e2e.bridges import RgwLab
from e2e.canary import assert_no_secret_shows
from e2e.operators import Installation
from e2e.rights import Right, forbidden, used, written
from e2e.rotations import Keys, Statuses, Watcher, ask, working
from e2e.sight import SECRET, Json, Pair
from parts.process import wait_for

ROTATION = {"every": "720h", "overlap": "3s", "retire": "AfterGrace"}
PHASES = ("Create", "Publish", "Switch", "Roll", "Grace", "Retire")

pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(600)]


@pytest.fixture
def lab(plain_lab: RgwLab, installation: Installation) -> Iterator[RgwLab]:
    """Make a homelab that an operator looks after; no secret of it may be seen afterwards."""
    yield plain_lab
    assert_no_secret_shows(plain_lab, installation)


def phases_told(lab: RgwLab) -> list[str]:
    """Return the reasons of the route's events that are about its rotation."""
    root = f"/api/v1/namespaces/{lab.monitoring}/events"
    found = lab.kubernetes.api.get(f"{root}?fieldSelector=involvedObject.name=loki")["items"]
    found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
    return [each["reason"] for each in found if "Rotat" in each["reason"]]


def receipts(lab: RgwLab) -> list[Json]:
    """Return the receipts that are kept of the route, as the command line prints them."""
    return list(lab.lokeys("history", "loki", "-o", "json").json()["receipts"])


def held_now(lab: RgwLab) -> Pair:
    """Return the pair that the Secret holds; its secret may be seen nowhere."""
    pair = lab.pair_in(SECRET)
    assert pair is not None
    lab.secrets.add(pair[1])
    return pair


def in_order(told: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether `wanted` are all among `told`, in this order."""
    rest = iter(told)
    return all(word in rest for word in wanted)


def test_the_annotation_makes_the_operator_replace_a_key(
    lab: RgwLab, installation: Installation
) -> None:
    """Phase, condition, event, column and receipt say so; the route is never not Ready.

    At no look of ten a second did a pod run with a key that the store refused, nor had the user a
    third key. Whatever the operator asked for it was allowed, and what `lokeys rbac` prints for
    mode Rotate beyond mode Heal was all used.
    """
    lab.build(with_loki=False)
    (old,) = lab.keys()
    installation.follow(lab, mode="Rotate", rotation=ROTATION)
    lab.wait_condition("Ready", "True")
    watcher, statuses, keys = Watcher(lab), Statuses(lab), Keys(lab)
    with working(watcher, statuses, keys):
        ask(lab)
        lab.wait_condition("Rotating", "True")
        lab.wait_condition("Rotating", "False", timeout_s=150)
        lab.wait_condition("Ready", "True")
    pair = held_now(lab)
    assert lab.keys() == {pair[0]} != {old}
    assert lab.vault_pair() == pair
    assert lab.held_by_pod(pair)
    assert watcher.refused == []
    assert watcher.held == keys.all == {old, pair[0]}
    assert keys.most == 2
    assert watcher.looks > 20
    assert "False" not in statuses.ready, statuses.ready
    assert in_order(statuses.rotating, (*PHASES, "Idle")), statuses.rotating
    wanted = [f"Rotation{phase}" for phase in PHASES]
    assert in_order(phases_told(lab), [*wanted, "Rotated"]), phases_told(lab)
    assert not lab.kept()
    assert lab.status()["lastHandled"]["rotate"] == "now"
    (receipt,) = receipts(lab)
    assert (receipt["kind"], receipt["ending"]) == ("Rotation", "proved")
    lab.wait_looked_again()
    assert len(lab.keys()) == 1
    of_rotation, mine = more_rights(lab, installation), asked_about(lab, installation)
    assert forbidden(mine) == set()
    assert {
        str(right) for right in of_rotation if not any(right.covers(u) for u in used(mine))
    } == set()


def more_rights(lab: RgwLab, installation: Installation) -> set[Right]:
    """Return what `lokeys rbac` prints for mode Rotate and not for mode Heal."""
    rotate, heal = (
        written(installation.roles(lab, lab.route(mode=mode))) for mode in ("Rotate", "Heal")
    )
    return rotate - heal


def asked_about(lab: RgwLab, installation: Installation) -> list[Json]:
    """Return what the operator asked for in Loki's namespace, and of the whole cluster."""
    places = ("", lab.monitoring, lab.storage)
    events = installation.audit()
    return [each for each in events if each.get("objectRef", {}).get("namespace", "") in places]


@pytest.mark.chaos
def test_a_resource_that_is_deleted_in_mid_rotation_leaves_the_old_key(
    lab: RgwLab, installation: Installation
) -> None:
    """A finalizer keeps it until the rotation has gone back; then it goes, with what it kept."""
    lab.build(with_loki=False)
    (old,) = lab.keys()
    installation.follow(lab, mode="Rotate", rotation={**ROTATION, "overlap": "10m"})
    lab.wait_condition("Ready", "True")
    ask(lab, "now")
    wait_for(
        lambda: (lab.status().get("rotation") or {}).get("phase") == "Grace",
        "it is in Grace",
        timeout_s=150,
    )
    held_now(lab)
    assert len(lab.keys()) == 2
    lab.kubernetes.api.delete(lab.route_path)
    wait_for(lambda: lab.kubernetes.api.find(lab.route_path) is None, "it is gone", timeout_s=150)
    assert lab.keys() == {old}
    pair = held_now(lab)
    assert pair[0] == old
    assert lab.vault_pair() == pair
    assert not lab.kept()
