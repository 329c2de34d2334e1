# SPDX-License-Identifier: Apache-2.0
"""The promises of operation, for any history of changes, edits, deletions and half-done work."""

import random
import re
from dataclasses import replace
from itertools import pairwise as neighbours

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.stacks import GOOD, StackWorld, refused
from lokeys.core.findings.reasons import REASONS
from lokeys.core.operate.live import Live
from lokeys.core.operate.reasons import codes_of, place_of
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from manifests.lokistack import NAMESPACE, Choice

CHOICES = [Choice(extra="rules", size="1x.small"), Choice(size="1x.small", tenancy="static")]
DEEDS = st.sampled_from(
    (
        *("key", "refused key", "good trial", "bad trial", "no secret", "config", "replicas"),
        *("ruler", "delete", "edit", "strange", "settle one", "settle none ready", "step"),
        "half a step",
    )
)
STRANGE = Ref("Service", "my-stack-strange", NAMESPACE)


def do(world: StackWorld, deed: str, rng: random.Random) -> None:
    """Let something happen to the stack."""
    match deed:
        case "key" | "refused key":
            if world.secret is None:
                world.secret = world.choice.secret
            world.change_key(f"another-secret-key-of-the-user-{rng.randrange(3):08}")
            world.trial = None if deed == "key" else refused()
        case "good trial":
            world.trial = GOOD
        case "bad trial":
            world.trial = refused()
        case "config":
            most = rng.randrange(1, 9)
            world.spec["limits"] = {"global": {"queries": {"maxQuerySeries": most}}}
        case "replicas":
            world.spec["template"] = {"querier": {"replicas": rng.randrange(1, 6)}}
        case "ruler":
            world.spec["rules"] = {"enabled": rng.random() < 0.5}
        case "no secret":
            world.secret = None
        case "strange":
            world.objects[STRANGE] = Live(ref=STRANGE, uid="strange", version="1")
        case _:
            disturb(world, deed, rng)


def disturb(world: StackWorld, deed: str, rng: random.Random) -> None:
    own = [ref for ref in world.objects if ref != STRANGE]
    unsettled = world.unsettled()
    if deed == "delete" and own:
        world.delete(rng.choice(own))
    elif deed == "edit" and own:
        ref = rng.choice(own)
        live = world.objects[ref]
        workload = live.workload and replace(live.workload, template="edited")
        world.objects[ref] = replace(live, content="edited", workload=workload)
    elif deed == "settle one" and unsettled:
        world.settle(rng.choice(unsettled))
    elif deed == "settle none ready" and unsettled:
        world.settle(rng.choice(unsettled), ready=False)
    elif deed == "step":
        step(world)
    elif deed == "half a step":
        course = world.decide()
        for intent in (*course.config, *course.workloads)[: rng.randrange(4)]:
            world.apply(intent)


def step(world: StackWorld) -> None:
    """Go on, and hold what holds of every step."""
    before = dict(world.objects)
    refused_now = world.trial is not None and world.trial.refused
    fresh = world.snapshot().store_hash
    course = world.step()
    for old, new in ((before[ref], world.objects[ref]) for ref in before if ref in world.objects):
        if refused_now and old.workload and new.workload:
            had, has = (w.marks.get(names.STORE_HASH) for w in (old.workload, new.workload))
            assert has == had or had is None, "a refused credential reached a pod"
    if world.secret is None:
        assert course.rests
    replaced = [
        ref
        for ref, old in before.items()
        if old.workload
        and old.workload.rollout.ready
        and (now := world.objects.get(ref)) is not None
        and now.workload
        and now.workload.template != old.workload.template
    ]
    assert len(replaced) <= 1, "two components with ready pods are rolled at once"
    assert fresh == world.snapshot().store_hash


@settings(max_examples=25, deadline=None)
@given(choice=st.sampled_from(CHOICES), deeds=st.lists(DEEDS, max_size=20), seed=st.integers(0))
def test_it_always_comes_to_rest(choice: Choice, deeds: list[str], seed: int) -> None:
    """Whatever has happened: once it is let be, all is right, and then nothing is written."""
    rng = random.Random(seed)
    world = StackWorld(choice)
    for deed in deeds:
        do(world, deed, rng)
    if world.secret is None:
        world.secret = choice.secret
    world.trial = GOOD
    world.run(most=60)
    assert world.main == ("Ready", "ReadyComponents")
    fresh = world.snapshot().store_hash
    worn = {
        live.workload.marks.get(names.STORE_HASH, fresh)
        for live in world.objects.values()
        if live.workload
    }
    assert worn == {fresh}
    assert (STRANGE in world.objects) == ("strange" in deeds), "somebody else's was pruned"
    world.writes.clear()
    before = dict(world.status)
    assert world.step().rests
    assert world.writes == []
    assert world.status == before


@settings(max_examples=25, deadline=None)
@given(choice=st.sampled_from(CHOICES), deeds=st.lists(DEEDS, max_size=12), seed=st.integers(0))
def test_every_main_condition_can_be_looked_up(choice: Choice, deeds: list[str], seed: int) -> None:
    """`lokeys explain` knows its reason, and the code that its message says."""
    rng = random.Random(seed)
    world = StackWorld(choice)
    for deed in deeds:
        do(world, deed, rng)
    world.step()
    kind, reason = world.main
    coded = re.search(r"\((LK\d{4})\)", world.condition(kind)["message"])
    assert reason in REASONS or codes_of(reason) or place_of(reason)
    assert not codes_of(reason) or (coded and coded[1] in codes_of(reason))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0))
def test_two_generations_of_credentials_last_as_long_as_a_rollout(seed: int) -> None:
    """A rollout goes on at each step, to its end: nobody is left behind with the old key."""
    rng = random.Random(seed)
    world = StackWorld(CHOICES[0])
    world.run()
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = GOOD
    behind = []
    while not (world.step().rests and not world.unsettled()):
        fresh = world.snapshot().store_hash
        behind.append(
            sum(
                live.workload.marks.get(names.STORE_HASH, fresh) != fresh
                for live in world.objects.values()
                if live.workload
            )
        )
        world.settle(rng.choice(world.unsettled()))
    assert behind[-1] == 0
    assert all(later <= earlier for earlier, later in neighbours(behind))
    assert len(behind) <= 6
