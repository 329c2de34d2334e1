# SPDX-License-Identifier: Apache-2.0
"""A rotation from its first step to its last, whoever is killed on the way, in either direction.

The world in memory takes a pair only while its user has it; a pod reads the Secret when it starts.
Explored: a crash before or after any call that changes something (and before or after the record
of it), by any of several actors in turn, each of which knows only what the resource's status and
the world hold; the wish to go back at any moment; with 1Password and without a vault.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase as HypothesisPhase
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_route
from fakes.ports import World, pair
from lokeys.core.route.conditions import conditions
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import (
    Mode,
    PairKeys,
    RgwAdmin,
    RgwSource,
    RotationSpec,
    RouteSpec,
    SecretRef,
)
from lokeys.core.route.plan import Policy
from lokeys.core.route.resource.status import memory_from_status, memory_to_status
from lokeys.core.route.rotation.model import Phase, RotationWish
from lokeys.engine.route.act import Executor
from lokeys.engine.route.heal import Ending, Healing, Listener, Patience, heal
from lokeys.engine.route.look import Look, LookOptions, Lookout

KEYS = PairKeys(access_key_id="a", secret_access_key="b")
ADMIN = RgwAdmin(endpoint="http://rgw.storage.svc", secret=SecretRef(name="rgw-admin", keys=KEYS))
SOURCE = RgwSource(uid="loki", admin=ADMIN)
AFTER_GRACE = RotationSpec(retire_on_evidence=False, overlap=timedelta(seconds=40))
CHANGES = {
    "staging": ("keep", "hold", "drop"),
    "issuer": ("create", "offer", "retire"),
    "vault": ("write",),
    "delivery": ("force_sync",),
    "secret": ("write",),
    "workloads": ("evict",),
}
"""The calls that change something, by port."""


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Fate:
    """Who dies at which change: numbers count changes of the whole story, and say on which side."""

    deaths: set[tuple[int, bool]] = field(default_factory=set)
    count: int = 0
    watch: Callable[[], None] = lambda: None

    async def change(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Carry out one change, unless its caller dies before it, or right after it."""
        number, self.count = self.count, self.count + 1
        if (number, False) in self.deaths:
            raise Killed
        result = await call()
        self.watch()
        if (number, True) in self.deaths:
            raise Killed
        return result


class _Deadly:
    """A port whose changes may be its caller's last."""

    def __init__(self, port: Any, names: tuple[str, ...], fate: Fate) -> None:
        self._port, self._names, self._fate = port, names, fate

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        if name not in self._names:
            return real

        async def call(*words: Any, **more: Any) -> Any:
            return await self._fate.change(lambda: real(*words, **more))

        return call


def a_spec(*, vault: bool = True, **changes: Any) -> RouteSpec:
    """Return a route of an RGW user, with a vault and an ExternalSecret or with neither."""
    spec = a_route(mode=Mode.ROTATE, source=SOURCE, **{"rotation": AFTER_GRACE, **changes})
    return spec if vault else replace(spec, vault=None, external_secret=None)


@dataclass
class Story:
    """A route, its world, and what of it outlives an actor."""

    spec: RouteSpec = field(default_factory=a_spec)
    world: World = field(default_factory=lambda: World(names_none=True))
    fate: Fate = field(default_factory=Fate)
    status: dict[str, Any] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    back_at: int | None = None
    """From which change on whoever acts wants to go back."""
    phases: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Watch the promises after each change."""
        self.fate.watch = self.keep_promises
        self.wish = RotationWish(why="a test", at=self.world.clock())

    def keep_promises(self) -> None:
        """R1: every running pod's key works. R6: never a third key. R8: nothing empty."""
        for pod in self.world.pods:
            assert self.world.knows(pod.holds), f"{pod.name} runs with a key that is refused"
        assert 1 <= len(self.world.alive) <= 2
        assert self.world.secret in self.world.alive
        if self.spec.vault is not None:
            assert self.world.item in self.world.alive

    def act(self, *, timeout: timedelta = timedelta(hours=3), **policy: Any) -> Ending | None:
        """Let one actor go as far as it comes; None if it is killed."""
        try:
            return asyncio.run(self._act(timeout, policy))
        except Killed:
            return None

    async def _act(self, timeout: timedelta, policy: dict[str, Any]) -> Ending | None:
        ports = self.world.ports(self.spec)
        deadly: dict[str, Any] = {
            name: _Deadly(getattr(ports, name), names, self.fate)
            for name, names in CHANGES.items()
            if getattr(ports, name) is not None
        }
        lookout = Lookout(spec=self.spec, ports=replace(ports, **deadly), clock=self.world.clock)
        memory = memory_from_status({"memory": self.status}, key="k")
        memory = (await lookout.look(memory)).memory if not self.status else memory
        back = self.back_at is not None and self.fate.count >= self.back_at
        wished = Policy(**{"rotate": self.wish, "go_back": back, **policy})

        async def remember(memory: Memory) -> None:
            written = memory_to_status(memory, key="k")
            if written != self.status:
                await self.fate.change(lambda: self._write(written))

        healing = Healing(memory=memory)
        await heal(
            Executor(lookout, lambda: 60.0),
            healing,
            wishes=LookOptions(eager=True, policy=wished),
            patience=Patience(timeout=timeout, sleep=self.world.sleep),
            listener=Listener(on_look=self._saw, remember=remember),
        )
        return healing.ending

    async def _write(self, status: dict[str, Any]) -> None:
        self.status = status

    def _saw(self, look: Look) -> None:
        self.looks.append(look)
        rotation = look.memory.rotation
        said = rotation.phase.value if rotation is not None else ""
        if said and self.phases[-1:] != [said]:
            self.phases.append(said)

    @property
    def rotation(self) -> Any:
        """Return what the status says of the rotation."""
        return memory_from_status({"memory": self.status}, key="k").rotation


WHOLE = [phase.value for phase in Phase]


@pytest.mark.parametrize("vault", [True, False], ids=["with a vault", "lokeys writes the Secret"])
def test_a_key_is_replaced_with_nobody_noticing(vault: bool) -> None:
    """Each phase once, in order; at the end one key, the new one, everywhere, and no copy of it."""
    story = Story(spec=a_spec(vault=vault))
    assert story.act() is Ending.PROVED
    assert story.phases == [each for each in WHOLE if vault or each != Phase.PUBLISH]
    (new,) = story.world.alive
    assert new != pair("one")
    assert story.world.secret == new
    assert all(pod.holds == new for pod in story.world.pods)
    assert story.world.kept is None
    assert not story.rotation.active


def test_the_route_stays_ready_throughout() -> None:
    """Hops differ on purpose: no finding, no condition that would wake anybody."""
    story = Story()
    story.act()
    for look in story.looks:
        told = {c.type: c for c in conditions(look.snapshot, look.diagnosis, look.plan)}
        assert told["Ready"].status == "True", (told["Ready"], look.memory.rotation)
        assert not look.diagnosis.findings
        rotation = look.memory.rotation
        active = rotation is not None and rotation.active
        assert (told["Rotating"].status == "True") == active


def test_a_new_key_waits_for_the_last_address_of_the_store() -> None:
    """It passes three times in a row at each; what one address refuses starts the count anew."""
    story = Story()
    story.world.late_addresses = {"10.0.0.2": 2}
    assert story.act() is Ending.PROVED
    assert story.world.late_addresses == {"10.0.0.2": -3}
    waits = [look.plan.next_step.why for look in story.looks if look.plan.next_step is not None]
    assert any("at 10.0.0.2" in why for why in waits)


def test_one_wish_is_one_rotation() -> None:
    """Who asks again with the same wish finds it done."""
    story = Story()
    story.act()
    writes = list(story.world.writes)
    assert story.act() is Ending.PROVED
    assert story.world.writes == writes


@settings(max_examples=60, deadline=None, phases=[HypothesisPhase.generate])
@given(
    deaths=st.sets(st.tuples(st.integers(0, 45), st.booleans()), max_size=12),
    back_at=st.none() | st.integers(0, 30),
    vault=st.booleans(),
)
def test_whoever_is_killed_wherever_the_next_one_brings_it_to_its_end(
    deaths: set[tuple[int, bool]], back_at: int | None, vault: bool
) -> None:
    """And no pod ever runs with a key that the store refuses; nothing is left behind."""
    story = Story(spec=a_spec(vault=vault), fate=Fate(deaths), back_at=back_at)
    ending = None
    for _ in range(len(deaths) + 3):
        ending = story.act()
        if ending is Ending.PROVED:
            break
        if ending is Ending.STALLED:  # the old key is being retired: nothing goes back
            assert story.looks[-1].plan.stalled == "rotation_past_return"
            story.back_at = None
    assert ending is Ending.PROVED
    story.keep_promises()
    (left,) = story.world.alive
    assert story.world.secret == left
    assert story.world.kept is None
    assert not story.rotation.active
    assert (left == pair("one")) == story.rotation.back
