# SPDX-License-Identifier: Apache-2.0
"""Healing: tested before trusted, resumable, and never without the lease."""

import asyncio
from datetime import timedelta

import pytest

from builders import a_route
from fakes.ports import World, pair
from lokeys.core.place import Hop, Ref
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import Mode, RouteSpec
from lokeys.core.route.plan import Action, Step
from lokeys.engine.route.act import Executor
from lokeys.engine.route.heal import Ending, Healing, Listener, Patience, heal
from lokeys.engine.route.look import LookOptions, Lookout
from lokeys.errors import Forbidden, LeaseLost, NeedsHuman


def hand_of(world: World, *, lease_s: float = 60.0, spec: RouteSpec | None = None) -> Executor:
    """Return a hand on the world's route."""
    spec = spec or a_route(mode=Mode.HEAL)
    return Executor(Lookout(spec=spec, ports=world.ports(spec), clock=world.clock), lambda: lease_s)


def healed(
    world: World,
    *,
    memory: Memory | None = None,
    one_step: bool = False,
    minutes: int = 5,
    spec: RouteSpec | None = None,
) -> Healing:
    """Heal the world's route."""
    patience = Patience(timeout=timedelta(minutes=minutes), sleep=world.sleep, one_step=one_step)
    healing = Healing(memory=memory or Memory())
    wishes = LookOptions(eager=True)
    return asyncio.run(
        heal(
            hand_of(world, spec=spec),
            healing,
            wishes=wishes,
            patience=patience,
            listener=Listener(),
        )
    )


def test_the_story_is_healed_in_order_and_proved() -> None:
    """Test, write both fields, force the sync, replace the pod; each exactly once."""
    world = World()
    first = healed(world)
    world.rotate_source()
    world.now += timedelta(minutes=2)
    healing = healed(world, memory=first.memory)
    assert healing.ending is Ending.PROVED
    assert world.writes == ["write vault", "force sync", "evict loki-0"]
    assert healing.done[0].step.action is Action.TEST_KEY
    assert world.pods[0].holds == pair("two")


def test_nothing_to_do_writes_nothing() -> None:
    """A route that is right is left alone."""
    world = World()
    assert healed(world).ending is Ending.PROVED
    assert world.writes == []


def test_a_dead_source_is_never_spread() -> None:
    """Both pairs dead: the heal stalls, and nothing was written anywhere."""
    world = World()
    world.rotate_source()
    world.alive = []
    healing = healed(world)
    assert healing.ending is Ending.STALLED
    assert healing.look is not None
    assert healing.look.plan.stalled == "source_key_dead"
    assert world.writes == []


def test_a_working_foreign_key_stays() -> None:
    """A pair that somebody put into the vault and that works is not overwritten."""
    world = World()
    world.alive = [pair("one"), pair("other")]
    world.item = pair("other")
    healing = healed(world)
    assert healing.ending is Ending.STALLED
    assert world.writes == []


def test_a_heal_may_stop_after_any_step_and_be_taken_up_again() -> None:
    """Step by step, each by a hand that knows only what was remembered: the same writes."""
    world = World()
    memory = healed(world).memory
    world.rotate_source()
    world.now += timedelta(minutes=2)
    for _ in range(30):
        step = healed(world, memory=memory, one_step=True)
        memory = step.memory
        world.now += timedelta(seconds=2)
        if step.ending is Ending.PROVED:
            break
    assert step.ending is Ending.PROVED
    assert world.writes == ["write vault", "force sync", "evict loki-0"]


def test_a_heal_that_cannot_end_times_out() -> None:
    """External Secrets does nothing: the heal waits, forces three times at most, and gives up."""
    world = World()
    memory = healed(world).memory
    world.eso_works = False
    world.rotate_source()
    healing = healed(world, memory=memory, minutes=10)
    assert healing.ending is Ending.STALLED
    assert world.writes.count("force sync") == 3
    assert "evict loki-0" not in world.writes


def made_by_an_operator() -> RouteSpec:
    """Return the route of a Secret that the 1Password operator makes."""
    ref = Ref("OnePasswordItem", "loki-s3", "monitoring")
    return a_route(vault=None, external_secret=None, made_by=ref)


def test_what_makes_the_secret_is_asked() -> None:
    """A person has edited the item: its operator reads it at once, and the pods are replaced."""
    world = World()
    spec = made_by_an_operator()
    memory = healed(world, spec=spec).memory
    world.rotate_source()
    world.item = world.source
    healing = healed(world, memory=memory, spec=spec)
    assert healing.ending is Ending.PROVED
    assert world.writes == ["ask maker", "evict loki-0"]


def test_what_makes_the_secret_is_asked_only_so_often() -> None:
    """The item is a person's to edit; the heal waits for that, and writes nothing itself."""
    world = World()
    spec = made_by_an_operator()
    memory = healed(world, spec=spec).memory
    world.rotate_source()
    healing = healed(world, memory=memory, spec=spec, minutes=10)
    assert healing.ending is Ending.TIMED_OUT
    assert world.writes == ["ask maker"] * 3
    assert healing.look is not None
    step = healing.look.plan.next_step
    assert step is not None
    assert step.action is Action.MANUAL
    assert "`homelab/loki`" in step.why


def test_a_maker_that_cannot_be_asked_is_left_alone() -> None:
    """Whoever hands in such a step all the same is told so."""
    world = World()
    hand = hand_of(world)
    look = asyncio.run(hand.lookout.look(Memory()))
    step = Step(action=Action.ASK_MAKER, hop=Hop.DELIVERY, target=look.snapshot.spec.ref, why="")
    with pytest.raises(NeedsHuman):
        asyncio.run(hand.act(step, look))


def test_a_short_lease_stops_the_hand() -> None:
    """A call starts only if it surely ends inside the lease."""
    world = World()
    world.rotate_source()
    hand = hand_of(world, lease_s=5.0)
    look = asyncio.run(hand.lookout.look(Memory()))
    step = look.plan.next_step
    assert step is not None
    with pytest.raises(LeaseLost):
        asyncio.run(hand.act(step, look))
    assert world.writes == []


@pytest.mark.parametrize("may", [True, None, False])
def test_a_key_is_not_spread_for_pods_that_may_not_be_replaced(may: bool | None) -> None:
    """Only where that is certain: who cannot tell finds out when it comes to it."""
    world = World(may_evict=may)
    world.rotate_source()
    if may is not False:
        assert healed(world).ending is Ending.PROVED
        return
    with pytest.raises(Forbidden, match="pods/eviction"):
        healed(world)
    assert world.writes == []


def test_a_write_without_a_test_is_refused() -> None:
    """Even a plan that forgot the test cannot spread an untested pair."""
    world = World()
    world.rotate_source()
    hand = hand_of(world)
    look = asyncio.run(hand.lookout.look(Memory()))
    write = next(step for step in look.plan.steps if step.action is Action.WRITE_VAULT)
    with pytest.raises(NeedsHuman):
        asyncio.run(hand.act(write, look))
    assert world.writes == []


def test_what_a_step_rests_on_is_written_down_before_the_step() -> None:
    """When the pod is evicted, the memory of the content that it must have is kept already."""
    world = World()
    first = healed(world)
    world.rotate_source()
    world.now += timedelta(minutes=2)
    kept: list[tuple[int, Memory]] = []

    async def remember(memory: Memory) -> None:
        kept.append((len(world.writes), memory))

    healing = Healing(memory=first.memory)
    patience = Patience(timeout=timedelta(minutes=5), sleep=world.sleep)
    listener = Listener(remember=remember)
    wishes = LookOptions(eager=True)
    asyncio.run(heal(hand_of(world), healing, wishes=wishes, patience=patience, listener=listener))
    evicted = world.writes.index("evict loki-0")
    before = [memory.content for done, memory in kept if done == evicted]
    assert before[-1] == healing.memory.content
