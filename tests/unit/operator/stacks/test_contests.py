# SPDX-License-Identifier: Apache-2.0
"""Two writers of one object: after three reverts in a minute lokeys leaves it alone."""

from datetime import timedelta

import pytest

from fakes.stacks import UID, StackWorld
from lokeys.core.operate.decision import decide, plan
from lokeys.core.operate.intents import intent_of
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.operator.stacks.contests import LEFT_FOR, WITHIN, Contests
from manifests.lokistack import NAMESPACE, NOW

REF = Ref("Service", "my-stack-gossip-ring", NAMESPACE)


class Duel:
    """A stack in operation, and somebody who answers each of its writes; time is virtual."""

    def __init__(self) -> None:
        self.world = StackWorld()
        self.contests = Contests()
        self.world.run()
        self.world.writes.clear()

    def snapshot(self) -> StackSnapshot:
        contested = self.contests.of(UID, now=self.world.now)
        return self.world.snapshot(contested=contested)

    def change_back(self, *, deletes: bool = False) -> None:
        """Let the other writer undo our work."""
        if deletes:
            self.world.delete(REF)
        else:
            self.world.edit(REF)

    def look(self) -> list[str]:
        """Let the operator look once; return the codes of what it says."""
        snapshot = self.snapshot()
        course = decide(snapshot, plan(snapshot))
        for intent in (*course.config, *course.workloads):
            anew = intent.ref not in self.world.objects
            self.world.apply(intent)
            self.contests.wrote(UID, intent, anew=anew, now=self.world.now)
        return [finding.code for finding in course.findings]

    def fight(self, *, rounds: int, every: timedelta, deletes: bool = False) -> int:
        """Return how often lokeys has written."""
        before = len(self.world.writes)
        for _ in range(rounds):
            if REF in self.world.objects:
                self.change_back(deletes=deletes)
            self.look()
            self.world.now += every
        return len(self.world.writes) - before


@pytest.mark.parametrize(
    ("deletes", "most"),
    [
        pytest.param(False, 3, id="changed back"),
        pytest.param(True, 4, id="deleted: the first time it is only made anew"),
    ],
)
def test_a_quick_rival_is_answered_three_times(deletes: bool, most: int) -> None:
    """In ten minutes of a write each second; then the object is reported and left."""
    duel = Duel()
    rounds = int(LEFT_FOR.total_seconds())
    assert duel.fight(rounds=rounds, every=timedelta(seconds=1), deletes=deletes) == most
    assert duel.look() == ["LK0226"]


def test_after_a_while_it_is_tried_again() -> None:
    """And put right for good where the other has gone."""
    duel = Duel()
    duel.fight(rounds=9, every=timedelta(seconds=1))
    duel.world.now += LEFT_FOR
    duel.world.writes.clear()
    assert duel.look() == []
    assert duel.world.writes == [REF]
    assert duel.look() == []
    assert duel.world.writes == [REF]


def test_a_slow_rival_is_answered_each_time() -> None:
    """Who changes an object by hand now and then is no loop."""
    duel = Duel()
    assert duel.fight(rounds=20, every=WITHIN / 2 + timedelta(seconds=1)) == 20
    assert duel.look() == []


def test_what_else_is_wanted_is_written_though_the_former_was_in_vain() -> None:
    """A changed spec may have ended the quarrel; everything else goes on all the time."""
    duel = Duel()
    duel.fight(rounds=9, every=timedelta(seconds=1))
    world = duel.world
    other = Ref("Service", "my-stack-querier-http", NAMESPACE)
    world.edit(other)
    world.writes.clear()
    assert duel.look() == ["LK0226"]
    assert world.writes == [other]
    intent = world.intents[REF]
    labels = {"labels": {**intent.manifest["metadata"]["labels"], "new": "yes"}}
    changed = intent_of(intent.manifest | {"metadata": intent.manifest["metadata"] | labels})
    assert duel.snapshot().contested == {REF: intent.digest}
    assert changed.digest != intent.digest


def test_without_its_configuration_no_pod_starts() -> None:
    """Where the contested object is Loki's configuration, workloads wait for the end of it."""
    world = StackWorld()
    snapshot = world.snapshot()
    config = Ref("ConfigMap", "my-stack-config", NAMESPACE)
    intents = plan(snapshot)
    assert intents is not None
    (digest,) = (each.digest for each in intents if each.ref == config)
    course = decide(world.snapshot(contested={config: digest}), intents)
    assert not course.workloads
    assert config not in {each.ref for each in course.config}
    assert course.config


def test_what_is_long_over_is_forgotten() -> None:
    """Of stacks that rest nothing is kept."""
    duel = Duel()
    duel.fight(rounds=9, every=timedelta(seconds=1))
    assert len(duel.contests) == 2
    duel.contests.wrote("other", duel.world.intents[REF], anew=True, now=NOW + 2 * LEFT_FOR)
    assert len(duel.contests) == 1
