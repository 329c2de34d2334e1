# SPDX-License-Identifier: Apache-2.0
"""`lokeys heal`: what it writes, when it refuses, and what it says when it is stopped."""

import asyncio
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from fakes.ports import NOON, FakeObjects, World, pair
from fakes.sessions import STORAGE_CREDENTIAL, Desk
from lokeys.cli.commands import heal
from lokeys.cli.commands.heal import Wish, heal_route
from lokeys.core.place import Hop, Ref
from lokeys.core.route.key_state import Proof
from lokeys.core.route.plan import Policy
from lokeys.core.route.snapshot import Unreadable, Why
from lokeys.errors import BadInput, Forbidden, LeaseLost, Unreachable

WISH = Wish(policy=Policy(), timeout=timedelta(minutes=15))
ALL = ["write vault", "force sync", "evict loki-0"]


def stale(**words: object) -> World:
    """Return a world whose source has a new key that nobody else knows."""
    world = World(**words)  # type: ignore[arg-type]
    world.rotate_source()
    return world


def healed(desk: Desk, wish: Wish = WISH, **options: str) -> int:
    """Run `heal loki`."""
    return asyncio.run(heal_route(desk.session(**options), "loki", None, wish=wish))


def test_heal_carries_the_key_to_the_pod_and_gives_the_lease_back() -> None:
    """One write a hop, in the key's direction, under the Lease; then the proof."""
    desk = Desk(stale())
    assert healed(desk) == 0
    assert desk.world.writes == ALL
    assert desk.held == ["loki", "given back"]
    assert "proved by Loki's own storage requests" in desk.printed


def test_what_is_learned_is_kept_in_the_status() -> None:
    """A resource in the cluster keeps what lokeys remembers after each step."""
    desk = Desk(stale())
    healed(desk)
    assert desk.remembered
    assert desk.remembered[-1].content is not None


def test_a_healthy_route_is_left_alone() -> None:
    """Nothing to do: no Lease is taken, nothing is written, exit 0."""
    desk = Desk(World())
    assert healed(desk) == 0
    assert (desk.world.writes, desk.held) == ([], [])
    assert "nothing to do" in desk.printed


@pytest.mark.parametrize(
    ("world", "code"), [(World(), 0), (stale(), 3)], ids=["nothing to do", "a plan exists"]
)
def test_a_dry_run_changes_nothing(world: World, code: int) -> None:
    """The plan is shown, nobody is asked for the Lease, nothing is written."""
    desk = Desk(world)
    assert healed(desk, dataclasses.replace(WISH, dry_run=True)) == code
    assert (world.writes, desk.held, desk.remembered) == ([], [], [])


def test_a_dry_run_where_nothing_can_be_tested_is_incomplete() -> None:
    """All hops agree and the store cannot be asked: that is exit 5, not a plan."""
    desk = Desk(World(store_reachable=False))
    assert healed(desk, dataclasses.replace(WISH, dry_run=True)) == 5


def test_no_wait_does_one_step_a_run() -> None:
    """Each run does the next step, and several runs come to the end."""
    world = stale()
    for count in (1, 2, 3):
        assert healed(Desk(world), dataclasses.replace(WISH, one_step=True)) == 0
        assert world.writes == ALL[:count]


def test_a_wal_that_would_be_lost_stops_the_healing() -> None:
    """Lines in memory are nobody's but a person's to give up: exit 3, and how to."""
    world = World(pods=[])
    world.pods[0].wal_persistent = False
    world.rotate_source()
    desk = Desk(world)
    assert healed(desk) == 3
    assert "evict loki-0" not in world.writes
    assert "--accept-loss" in desk.printed
    accepted = dataclasses.replace(WISH, policy=Policy(accept_loss=True))
    assert healed(Desk(world), accepted) == 0
    assert "evict loki-0" in world.writes


def test_a_working_foreign_key_is_not_overwritten_unasked() -> None:
    """A key in the vault that the store takes and the source never had needs a person's word."""
    world = World(item=pair("three"), source=pair("two"), alive=[pair("two"), pair("three")])
    desk = Desk(world)
    assert healed(desk) == 3
    assert world.writes == []
    asked = dataclasses.replace(WISH, policy=Policy(overwrite_foreign=True))
    assert healed(Desk(world), asked) == 0


def test_time_runs_out() -> None:
    """What never comes is waited for until the time is up: exit 124, with what was awaited."""
    desk = Desk(stale(eso_works=False))
    code = healed(desk, dataclasses.replace(WISH, timeout=timedelta(seconds=5)))
    assert code == 124
    assert "time is up" in desk.printed


def test_an_unreachable_store_stops_at_once() -> None:
    """No key can be tested from here, so nothing is spread and nobody waits in vain."""
    desk = Desk(stale(store_reachable=False))
    with pytest.raises(Unreachable, match="cannot be reached from here"):
        healed(desk)
    assert desk.world.writes == []


def test_a_missing_right_stops_at_once() -> None:
    """What may not be read will not come by waiting: the object is named, nothing is written."""
    ref = Ref("CephObjectStoreUser", "loki", "storage")
    gap = Unreadable(hop=Hop.SOURCE, ref=ref, why=Why.FORBIDDEN, detail="cannot get it")
    desk = Desk(World(gaps=(gap,), secret=pair("zero")))
    with pytest.raises(Forbidden, match="CephObjectStoreUser storage/loki cannot be read"):
        healed(desk)
    assert desk.world.writes == []


def test_a_right_to_replace_pods_that_is_missing_stops_before_anything_changes() -> None:
    """It is named, and not even the Lease is taken."""
    desk = Desk(stale(may_evict=False))
    with pytest.raises(Forbidden, match="`create` on `pods/eviction` is missing"):
        healed(desk)
    assert (desk.world.writes, desk.held) == ([], [])


UNREAD = {
    "the vault": Unreadable(
        hop=Hop.VAULT, ref=Ref("OnePasswordItem", "homelab/loki-s3-config"), why=Why.FORBIDDEN
    ),
    "the ExternalSecret": Unreadable(
        hop=Hop.DELIVERY,
        ref=Ref("ExternalSecret", "loki-s3-credentials", "monitoring"),
        why=Why.FORBIDDEN,
    ),
    "the Secret": Unreadable(
        hop=Hop.SECRET, ref=Ref("Secret", "loki-s3-credentials", "monitoring"), why=Why.FORBIDDEN
    ),
    "the workload": Unreadable(
        hop=Hop.PODS,
        ref=Ref("StatefulSet", "loki", "monitoring"),
        why=Why.FORBIDDEN,
        detail='cannot get resource "statefulsets" in API group "apps"',
    ),
}


@pytest.mark.parametrize("gap", UNREAD.values(), ids=UNREAD)
def test_a_right_that_is_needed_later_is_missed_before_anything_changes(gap: Unreadable) -> None:
    """The whole plan is looked at: no key is spread to where its way cannot be followed."""
    desk = Desk(stale(gaps=(gap,)))
    with pytest.raises(Forbidden, match="waiting would not help") as said:
        healed(desk)
    assert str(gap.ref) in str(said.value)
    assert (gap.detail or gap.why) in str(said.value)
    assert (desk.world.writes, desk.held) == ([], [])


@pytest.mark.parametrize("gap", UNREAD.values(), ids=UNREAD)
def test_a_dry_run_names_what_would_be_waited_for_in_vain(gap: Unreadable) -> None:
    """The plan has a step that waits for what may not be read: exit 5, as the heal would end."""
    desk = Desk(stale(gaps=(gap,)))
    assert healed(desk, dataclasses.replace(WISH, dry_run=True)) == 5
    assert f"await  {gap.ref}" in desk.printed
    assert "cannot be read: forbidden" in desk.printed


def test_a_right_that_is_taken_away_stops_the_healing() -> None:
    """At the next look it ends with the right that is missing, not with the time-out."""

    class Dwindling(World):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            self.gaps = (UNREAD["the workload"],)

    world = Dwindling(eso_works=False)
    world.rotate_source()
    desk = Desk(world)
    with pytest.raises(Forbidden, match="StatefulSet monitoring/loki cannot be read"):
        healed(desk)
    assert world.now - NOON < timedelta(minutes=1)
    assert "stopped after 3 steps" in desk.said


def test_another_holder_is_named_and_left_alone() -> None:
    """Where somebody acts on the route already, nothing is written and they are named."""
    desk = Desk(stale(), holder="lokeys-operator-7")
    with pytest.raises(LeaseLost, match="lokeys-operator-7"):
        healed(desk)
    assert desk.world.writes == []


Json = dict[str, Any]


def an_older_one(**spec: str) -> Json:
    """Return a resource of another namespace on the same user."""
    metadata = {"name": "first", "namespace": "tenant", "creationTimestamp": "2025-01-01T00:00:00Z"}
    return {
        **STORAGE_CREDENTIAL,
        "metadata": metadata,
        "spec": {**STORAGE_CREDENTIAL["spec"], **spec},
    }


def a_user(allowed: str) -> Json:
    """Return the user of the story."""
    annotations = {"lokeys.dev/allowed-namespaces": allowed}
    metadata = {"name": "loki", "namespace": "storage", "annotations": annotations}
    return {"kind": "CephObjectStoreUser", "metadata": metadata}


@pytest.mark.parametrize(
    "others",
    [
        pytest.param((an_older_one(), a_user("monitoring")), id="that nobody allowed"),
        pytest.param(
            (an_older_one(mode="Observe"), a_user("monitoring,tenant")), id="that only observes"
        ),
        pytest.param((an_older_one(),), id="whose source does not exist"),
    ],
)
def test_an_older_resource_stops_nobody(others: tuple[Json, ...]) -> None:
    """Whoever may write a resource in any namespace could else stall another's heal."""
    desk = Desk(stale(), objects=FakeObjects(STORAGE_CREDENTIAL, *others))
    assert healed(desk) == 0


def test_an_older_resource_on_the_same_thing_stops_the_healing() -> None:
    """Of two resources that claim one user the younger stands still."""
    others = (an_older_one(), a_user("monitoring,tenant"))
    desk = Desk(stale(), objects=FakeObjects(STORAGE_CREDENTIAL, *others))
    assert healed(desk) == 3
    assert desk.world.writes == []
    assert "tenant/first" not in desk.printed


def test_an_interruption_says_where_it_stopped() -> None:
    """Cancelled in the middle, it names the steps that were done and gives the Lease back."""

    class Impatient(World):
        async def sleep(self, seconds: float) -> None:
            del seconds
            raise asyncio.CancelledError

    world = Impatient(eso_works=False)
    world.rotate_source()
    desk = Desk(world)
    with pytest.raises(asyncio.CancelledError):
        healed(desk)
    assert "stopped after 3 steps" in desk.said
    assert "write-vault" in desk.said
    assert "run it again" in desk.said


def test_the_report_lists_what_was_done_and_what_was_not() -> None:
    """A program sees each step, whether it was done and how long it took, and the proof."""
    desk = Desk(stale())
    assert healed(desk, output="json") == 0
    document = json.loads(desk.printed)
    assert [step["action"] for step in document["steps"]] == [
        "test-key",
        "write-vault",
        "force-sync",
        "replace-pod",
    ]
    assert all(step["done"] for step in document["steps"])
    assert document["proof"] == "ProvedByLoki"
    assert document["ending"] == "proved"


def test_a_loki_that_nobody_described_is_not_healed() -> None:
    """What was merely guessed is first written down by a person."""
    desk = Desk(stale(), objects=FakeObjects(kinds=frozenset({"StatefulSet"})))
    with pytest.raises(BadInput, match="there is no StatefulSet"):
        asyncio.run(heal.heal_route(desk.session(), "statefulset/loki", None, wish=WISH))


def test_a_heal_leaves_a_receipt() -> None:
    """What was done, how it ended, and what proves it; a healthy route leaves none."""
    desk = Desk(stale())
    assert healed(desk) == 0
    (receipt,) = desk.receipts
    assert [deed.step.partition(":")[0] for deed in receipt.deeds] == [
        "test-key",
        "write-vault",
        "force-sync",
        "replace-pod",
    ]
    assert (receipt.ending, receipt.proof) == ("proved", Proof.BY_LOKI)
    assert receipt.before != receipt.after
    quiet = Desk(World())
    healed(quiet)
    assert quiet.receipts == []


def test_a_receipt_that_cannot_be_kept_is_said_and_changes_nothing() -> None:
    """The heal is done all the same."""
    desk = Desk(stale())
    session = desk.session()

    async def refuse(*_: object) -> None:
        raise Forbidden("may not patch configmaps")

    session = dataclasses.replace(session, keep=refuse)
    assert asyncio.run(heal_route(session, "loki", None, wish=WISH)) == 0
    assert "no receipt of this is kept: may not patch configmaps" in desk.said


def test_an_interrupted_heal_leaves_a_receipt() -> None:
    """As far as it came."""
    desk = Desk(stale())
    session = desk.session()

    async def main() -> None:
        async def stop(_: float) -> None:
            raise asyncio.CancelledError

        desk.world.starts_slowly = True
        await heal_route(dataclasses.replace(session, sleep=stop), "loki", None, wish=WISH)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    (receipt,) = desk.receipts
    assert receipt.ending == "interrupted"
