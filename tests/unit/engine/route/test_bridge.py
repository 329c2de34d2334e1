# SPDX-License-Identifier: Apache-2.0
"""The bridge, carried out: kept, recorded, added, and taken back, whatever ends in between."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from builders import a_route
from fakes.ports import World, pair
from lokeys.core.route.bridging import Leave
from lokeys.core.route.memory import Memory
from lokeys.core.route.plan import Action, Policy
from lokeys.engine.route.act import Executor
from lokeys.engine.route.heal import Ending, Healing, Listener, Patience, heal
from lokeys.engine.route.look import LookOptions, Lookout
from lokeys.errors import Conflict, NeedsHuman

HOUR = timedelta(hours=1)
WHOLE = [
    "keep pair",
    "create key",
    "write vault",
    "force sync",
    "evict loki-0",
    "retire key",
    "drop pair",
]


class Killed(Exception):
    """lokeys is gone at this very write."""


def a_world(*, names_none: bool = False) -> World:
    """Return a world in which a bridge is allowed, and the source's owner hides no key."""
    return World(bridge=HOUR, shows_keys=True, names_none=names_none)


def replaced(world: World) -> Memory:
    """Replace the source's key; return what lokeys remembers from before."""
    known = run(world, Memory()).memory
    world.rotate_source()
    world.now += timedelta(minutes=2)
    return known


def run(
    world: World, memory: Memory, *, kill_at: int | None = None, policy: Policy | None = None
) -> Healing:
    """Heal the world's route; `kill_at`: lose what is remembered of the n-th step."""
    spec = a_route()
    lookout = Lookout(spec=spec, ports=world.ports(spec), clock=world.clock)
    healing, done = Healing(memory=memory), 0
    kept = [memory]

    async def remember(now: Memory) -> None:
        nonlocal done
        acted = len(healing.done) > done
        done = len(healing.done)
        if acted and kill_at is not None and done > kill_at:
            raise Killed
        kept.append(now)

    patience = Patience(timeout=timedelta(minutes=20), sleep=world.sleep)
    try:
        asyncio.run(
            heal(
                Executor(lookout, lambda: 60.0),
                healing,
                wishes=LookOptions(eager=True, policy=policy or Policy()),
                patience=patience,
                listener=Listener(remember=remember),
            )
        )
    except Killed:
        healing.memory = kept[-1]
    return healing


@pytest.mark.parametrize("names_none", [False, True], ids=["named by the source", "by the route"])
def test_the_whole_bridge(names_none: bool) -> None:
    """Each write once, in order; in the end one key is left and nothing is kept."""
    world = a_world(names_none=names_none)
    healing = run(world, replaced(world))
    assert (healing.ending, world.writes) == (Ending.PROVED, WHOLE)
    assert world.alive == [pair("two")]
    assert healing.memory.bridge is None
    assert world.fingerprinter.describe(pair("one")).pair in healing.memory.barred


@pytest.mark.parametrize("after", range(8), ids=lambda number: f"after step {number + 1}")
def test_whoever_comes_next_goes_on(after: int) -> None:
    """Killed between a write and its record: no key is added twice, none is left behind."""
    world = a_world()
    known = replaced(world)
    first = run(world, known, kill_at=after)
    second = run(world, first.memory)
    assert second.ending is Ending.PROVED
    assert world.alive == [pair("two")]
    assert world.kept is None
    assert world.writes.count("create key") == 1


def test_a_key_is_never_added_before_its_end_is_recorded() -> None:
    """A step that is carried out without the record is refused, and nothing is written."""
    world = a_world()
    memory = replaced(world)
    spec = a_route()
    hand = Executor(Lookout(spec=spec, ports=world.ports(spec), clock=world.clock), lambda: 60.0)

    async def add() -> None:
        look = await hand.lookout.look(memory)
        step = next(step for step in look.plan.steps if step.action is Action.ADD_KEY)
        await hand.act(step, look)

    with pytest.raises(Conflict, match="not recorded"):
        asyncio.run(add())
    assert "create key" not in world.writes


@pytest.mark.parametrize("missing", ["staging", "issuer"])
def test_without_the_means_it_is_refused(missing: str) -> None:
    """A process that cannot keep a pair, or change keys, says so."""
    world = a_world()
    memory = replaced(world)
    spec = a_route()
    ports = world.ports(spec)
    hand = Executor(Lookout(spec=spec, ports=ports, clock=world.clock), lambda: 60.0)

    async def do() -> None:
        look = await hand.lookout.look(memory)
        keep, add = look.plan.steps[1:3]
        if missing == "staging":
            hand.lookout.ports = replace(ports, staging=None)
        else:
            hand.lookout.ports = replace(ports, issuer=None)
            look = replace(look, snapshot=replace(look.snapshot, memory=await hand.act(keep, look)))
            await hand.act(add, look)
        await hand.act(keep, look)

    with pytest.raises(NeedsHuman):
        asyncio.run(do())


def test_a_person_who_removes_the_key_is_obeyed() -> None:
    """It is not added again; what is kept goes, and the ordinary heal ends the story."""
    world = a_world()
    half = run(world, replaced(world), kill_at=3)
    world.alive = [pair("two")]
    again = run(world, half.memory)
    assert again.ending is Ending.PROVED
    assert world.writes.count("create key") == 1
    assert world.kept is None


def test_without_leave_nothing_of_it_is_done() -> None:
    """Neither a copy nor a key; a person's own rights are leave."""
    world = World(shows_keys=True)
    memory = replaced(world)
    asked = Policy(bridge=Leave(asked=True))
    assert run(world, memory).ending is Ending.PROVED
    assert "keep pair" not in world.writes
    other = World(shows_keys=True)
    assert run(other, replaced(other), policy=asked).ending is Ending.PROVED
    assert other.writes == WHOLE


def test_a_bridge_is_over_at_its_deadline_whatever_else_waits() -> None:
    """External Secrets delivers nothing: the old key goes at its time all the same."""
    world = a_world()
    memory = replaced(world)
    world.eso_works = False
    first = run(world, memory)
    assert pair("one") in world.alive
    world.now += HOUR
    run(world, first.memory)
    assert world.alive == [pair("two")]
    assert world.kept is None
