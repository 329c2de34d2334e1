# SPDX-License-Identifier: Apache-2.0
"""`lokeys rotate`: what it writes, when it refuses, what it shows, and its exit codes."""

import asyncio
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from fakes.ports import NOON, FakeObjects, World, pair
from fakes.sessions import STORAGE_CREDENTIAL, Desk
from lokeys.cli.commands.rotate import RotateOptions, rotate
from lokeys.core.place import Hop, Ref
from lokeys.core.route.memory import Memory
from lokeys.core.route.resource.status import memory_to_status
from lokeys.core.route.snapshot import Unreadable, Why
from lokeys.errors import BadInput, Forbidden, Unreachable

ASKED = RotateOptions(timeout=timedelta(hours=2))
RGW = {"endpoint": "http://rgw", "uid": "loki", "adminSecretRef": {"name": "rgw-admin"}}
ALL = [
    "keep pair",
    "create key",
    "write vault",
    "force sync",
    "evict loki-0",
    "keep pair",
    "retire key",
    "drop pair",
]


def resource(status: Any = None, **rotation: str) -> dict[str, Any]:
    """Return a route of an RGW user, with what its status remembers."""
    spec = {**STORAGE_CREDENTIAL["spec"], "mode": "Rotate", "source": {"rgw": RGW}}
    spec["rotation"] = {"retire": "AfterGrace", "overlap": "40s", **rotation}
    made = {**STORAGE_CREDENTIAL, "spec": spec}
    return made if status is None else {**made, "status": {"memory": status}}


def a_desk(world: World | None = None, **rotation: str) -> Desk:
    """Return a desk before a route that can be rotated."""
    world = world or World(names_none=True)
    return Desk(world, objects=FakeObjects(resource(**rotation)))


def rotated(desk: Desk, asked: RotateOptions = ASKED, **options: str) -> int:
    """Run `rotate loki`; what it remembers is in the resource's status after it."""
    code = asyncio.run(rotate(desk.session(**options), "loki", asked))
    keep(desk)
    return code


def keep(desk: Desk) -> None:
    """Put what was remembered into the resource's status, as the API server would have it."""
    if desk.remembered:
        status = memory_to_status(desk.remembered[-1], key="k:test")
        (item,) = desk.objects.items
        desk.objects.items = [{**item, "status": {"memory": status}}]


def stop_after(desk: Desk, writes: int) -> Any:
    """Return a session whose world is frozen: whoever waits is interrupted after some writes."""
    session = desk.session()

    async def sleep(_: float) -> None:
        if len(desk.world.writes) >= writes:
            raise asyncio.CancelledError

    return dataclasses.replace(session, sleep=sleep)


def interrupted(desk: Desk, *, at: int, asked: RotateOptions = ASKED) -> None:
    """Run it until it waits for the first time after some writes, as Ctrl-C would end it."""
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(rotate(stop_after(desk, at), "loki", asked))
    keep(desk)


def test_a_key_is_replaced_and_the_lease_given_back() -> None:
    """Phase after phase, each told with what it waits for; a receipt says who asked."""
    desk = a_desk()
    assert rotated(desk) == 0
    assert desk.world.writes == ALL
    assert desk.held == ["loki", "given back"]
    assert "is rotated since" in desk.printed
    said = " ".join((desk.said + desk.printed).split())
    for words in ("▸ Create", "▸ Roll", "▸ Grace", "to go back: lokeys rotate -n monitoring loki"):
        assert words in said, said
    (receipt,) = desk.receipts
    assert receipt.deeds[0].step == "begin-rotation:StorageCredential/loki"


def test_a_dry_run_shows_each_phase_and_changes_nothing() -> None:
    """Exit 3: there is a plan."""
    desk = a_desk()
    assert rotated(desk, dataclasses.replace(ASKED, dry_run=True), output="json") == 3
    assert (desk.world.writes, desk.held, desk.remembered) == ([], [], [])
    actions = [step["action"] for step in json.loads(desk.printed)["steps"]]
    assert actions == [
        "begin-rotation",
        "create-key",
        "test-key",
        "write-vault",
        "force-sync",
        "replace-pod",
        "retire-key",
    ]


def test_a_dry_run_says_what_stands_in_the_way() -> None:
    """The same words as the run itself would say."""
    world = World(names_none=True, alive=[pair("one"), pair("stranger")])
    desk = a_desk(world)
    assert rotated(desk, dataclasses.replace(ASKED, dry_run=True)) == 3
    assert "second key that is not lokeys'" in desk.printed
    assert rotated(desk) == 3
    assert "second key that is not lokeys'" in desk.said
    assert world.writes == []


def test_a_route_that_is_not_healed_is_healed_first() -> None:
    """Not by this command: it says which one."""
    desk = a_desk(World(names_none=True, item=pair("zero")))
    assert rotated(desk) == 3
    assert "`lokeys heal` comes first" in desk.said


def test_an_interrupted_one_goes_back_when_asked_to() -> None:
    """Everything is as before, and the new key is gone from the store."""
    desk = a_desk(overlap="30m")
    interrupted(desk, at=5)
    assert len(desk.world.alive) == 2
    follow = dataclasses.replace(ASKED, timeout=timedelta(0), status=True)
    assert rotated(desk, follow) == 124
    assert rotated(desk, dataclasses.replace(ASKED, abort=True)) == 0
    assert desk.world.alive == [pair("one")]
    assert desk.world.secret == pair("one")
    assert desk.world.pods[0].holds == pair("one")
    assert "went back to" in desk.printed
    assert rotated(desk, dataclasses.replace(ASKED, status=True)) == 0


def test_an_interrupted_one_is_finished_by_the_next_call() -> None:
    """With the key that was made already: never a third one."""
    desk = a_desk()
    interrupted(desk, at=5)
    assert rotated(desk) == 0
    assert desk.world.writes == ALL


def test_evidence_that_is_not_to_be_had_waits_for_a_person() -> None:
    """Exit 3; `--retire` is the person's word; who follows sees it stuck."""
    desk = a_desk(retire="OnEvidence")
    desk.world.holders = None
    assert rotated(desk) == 3
    assert "nothing was looked into" in desk.printed
    assert len(desk.world.alive) == 2
    assert rotated(desk, dataclasses.replace(ASKED, status=True), output="json") == 3
    assert '"RotationReport"' in desk.printed
    assert rotated(desk, dataclasses.replace(ASKED, retire=True)) == 0
    assert len(desk.world.alive) == 1


def test_a_holder_that_was_found_keeps_the_old_key() -> None:
    """Whatever was asked for: it would be cut off."""
    desk = a_desk()
    desk.world.holders = ["tempo"]
    assert rotated(desk) == 3
    assert rotated(desk, dataclasses.replace(ASKED, retire=True)) == 3
    assert "still held by Secret traces/tempo" in desk.printed
    desk.world.holders = []
    assert rotated(desk) == 0


UNREAD = {
    "the vault": Unreadable(
        hop=Hop.VAULT, ref=Ref("OnePasswordItem", "homelab/loki-s3-config"), why=Why.FORBIDDEN
    ),
    "the Secret": Unreadable(
        hop=Hop.SECRET, ref=Ref("Secret", "loki-s3-credentials", "monitoring"), why=Why.FORBIDDEN
    ),
    "the workload": Unreadable(
        hop=Hop.PODS, ref=Ref("StatefulSet", "loki", "monitoring"), why=Why.FORBIDDEN
    ),
}


@pytest.mark.parametrize("gap", UNREAD.values(), ids=UNREAD)
def test_what_may_not_be_read_stops_it_before_anything_changes(gap: Unreadable) -> None:
    """Its object is named, and not even the Lease is taken; a dry run ends with 5."""
    desk = a_desk(World(names_none=True, gaps=(gap,)))
    with pytest.raises(Forbidden, match="waiting would not help") as said:
        rotated(desk)
    assert str(gap.ref) in str(said.value)
    assert (desk.world.writes, desk.held) == ([], [])
    assert rotated(desk, dataclasses.replace(ASKED, dry_run=True)) == 5


def test_a_right_that_is_taken_away_stops_it_where_it_is() -> None:
    """It ends with the right that is missing, not with the time-out; the next call goes on."""

    class Dwindling(World):
        given_back = False

        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            taken = "write vault" in self.writes and not self.given_back
            self.gaps = (UNREAD["the workload"],) if taken else ()

    world = Dwindling(names_none=True)
    desk = a_desk(world)
    with pytest.raises(Forbidden, match="StatefulSet monitoring/loki cannot be read"):
        rotated(desk)
    assert world.now - NOON < timedelta(minutes=2)
    assert len(world.alive) == 2
    keep(desk)
    world.given_back, world.gaps = True, ()
    assert rotated(desk) == 0
    assert len(world.alive) == 1


def test_a_right_to_replace_pods_is_missed_before_a_key_is_made() -> None:
    """It is named, and nothing is begun that could not be ended."""
    desk = a_desk(World(names_none=True, may_evict=False))
    with pytest.raises(Forbidden, match="`create` on `pods/eviction` is missing"):
        rotated(desk)
    assert (desk.world.writes, desk.held) == ([], [])


def test_a_store_that_is_out_of_reach_is_said_at_once() -> None:
    """No key could be tested from here."""
    desk = a_desk(World(names_none=True, store_reachable=False))
    with pytest.raises(Unreachable, match="cannot be reached from here"):
        rotated(desk)
    assert desk.world.writes == []


@pytest.mark.parametrize("word", ["abort", "retire"])
def test_nothing_is_under_way(word: str) -> None:
    """What is to end must have begun."""
    with pytest.raises(BadInput, match="no rotation of monitoring/loki is under way"):
        rotated(
            a_desk(), dataclasses.replace(ASKED, abort=word == "abort", retire=word == "retire")
        )


def test_a_route_that_nothing_remembers_is_not_rotated() -> None:
    """Fingerprints of this run alone mean nothing to the next."""
    desk = a_desk()
    session = dataclasses.replace(desk.session(), kept=False)
    with pytest.raises(BadInput, match="its status is the memory"):
        asyncio.run(rotate(session, "loki", ASKED))


def test_one_that_was_never_rotated_is_done() -> None:
    """Exit 0, and that is said."""
    desk = a_desk()
    assert rotated(desk, dataclasses.replace(ASKED, status=True)) == 0
    assert "never rotated" in desk.printed
    assert Memory().rotation is None
