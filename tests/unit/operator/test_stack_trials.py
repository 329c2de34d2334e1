# SPDX-License-Identifier: Apache-2.0
"""When a stack's credentials are tried, and what is remembered of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from fakes.stacks import StackWorld
from lokeys.core.operate.snapshot import StackSnapshot, Trial
from lokeys.core.snapshot import LokiMetrics
from lokeys.core.trust.verification import Link, LinkName, Untried, Verification
from lokeys.errors import Transient
from lokeys.operator.stack_trials import Trials
from lokeys.ports import Objects
from manifests.lokistack import NOW, Choice

KEY = ("logging", "my-stack")
READS = cast("Objects", None)


class Bench:
    """A verifier that says what it is told, and the trials that use it."""

    def __init__(self, choice: Choice | None = None) -> None:
        self.world = StackWorld(choice or Choice(size="1x.small"))
        self.world.trial = None
        self.ok: bool | None = True
        self.fails: Exception | None = None
        self.accounts: list[str] = []
        self.counted: dict[str, LokiMetrics | None] = {}
        self.results = 0
        self.now = NOW
        self.trials = Trials(
            make_verifier=lambda _reads: self,
            counters=self.counters,
            clock=lambda: self.now,
            every_s=300.0,
            on_result=self.told,
        )

    async def verify(
        self, _stack: object, _storage: object, _secret: object, *, account: str
    ) -> Verification:
        self.accounts.append(account)
        if self.fails is not None:
            raise self.fails
        untried = Untried.NOT_TRIED if self.ok is None else None
        link = Link(name=LinkName.STORE, ok=self.ok, untried=untried)
        return Verification(account=account, links=(link,))

    async def counters(self, address: str) -> LokiMetrics | None:
        return self.counted.get(address)

    def told(self, key: tuple[str, str]) -> None:
        assert key == KEY
        self.results += 1

    def ask(self) -> Trial | None:
        return self.trials.trial(KEY, self.snapshot(), reads=READS)

    def snapshot(self) -> StackSnapshot:
        return replace(self.world.snapshot(), now=self.now)

    async def over(self) -> None:
        """Wait until the trial that runs is over."""
        task = self.trials._tried[KEY].task
        assert task is not None
        await task


def run(test: Callable[[Bench], Awaitable[None]], **words: Any) -> None:
    async def inside() -> None:
        await test(Bench(**words))

    asyncio.run(inside())


def test_a_trial_is_begun_once_and_remembered() -> None:
    """Nothing is known until it is over; then no other is begun before its time."""

    async def test(bench: Bench) -> None:
        assert bench.ask() is None
        assert bench.ask() is None
        await bench.over()
        assert bench.results == 1
        trial = bench.ask()
        assert trial is not None
        assert trial.passed
        assert bench.accounts == ["my-stack"]
        bench.now += timedelta(seconds=200)
        bench.ask()
        assert bench.accounts == ["my-stack"]
        due_in_s = bench.trials.due_in_s(KEY, bench.now)
        assert due_in_s is not None
        bench.now += timedelta(seconds=due_in_s)
        assert bench.ask() == trial
        await bench.over()
        assert bench.accounts == ["my-stack"] * 2

    run(test)


def test_a_ruler_has_an_account_of_its_own() -> None:
    """Both are tried."""

    async def test(bench: Bench) -> None:
        bench.ask()
        await bench.over()
        assert bench.accounts == ["my-stack", "my-stack-ruler"]

    run(test, choice=Choice(extra="rules", store="s3-token-rgw"))


def test_other_credentials_are_tried_at_once() -> None:
    """What was known of the former says nothing of them; their trial is ended."""

    async def test(bench: Bench) -> None:
        bench.ask()
        await bench.over()
        bench.world.change_key("another-secret-key-of-the-same-user-0000")
        assert bench.ask() is None
        bench.world.change_key("a-third-secret-key-of-the-same-user-00000")
        assert bench.ask() is None
        await bench.over()
        assert len(bench.accounts) == 2
        trial = bench.trials.latest(KEY, bench.snapshot())
        assert trial is not None
        assert trial.passed

    run(test)


@pytest.mark.parametrize("failure", [Transient("no answer"), RuntimeError("a surprise")], ids=str)
def test_a_trial_that_fails_leaves_the_credentials_untried(failure: Exception) -> None:
    """Not held for ever: they go to one component first."""

    async def test(bench: Bench) -> None:
        bench.fails = failure
        bench.ask()
        await bench.over()
        assert bench.ask() == Trial()
        assert bench.results == 1

    run(test)


def test_a_refused_pod_has_them_tried_at_once() -> None:
    """Of a stack that is known."""

    async def test(bench: Bench) -> None:
        bench.trials.try_again(KEY)
        assert bench.results == 0
        assert bench.trials.due_in_s(KEY, bench.now) is None
        bench.ask()
        await bench.over()
        bench.trials.try_again(KEY)
        assert bench.results == 2
        bench.ask()
        await bench.over()
        assert len(bench.accounts) == 2

    run(test)


def test_where_nobody_can_try_nothing_is_known() -> None:
    """And nothing is held for it."""

    async def test(bench: Bench) -> None:
        bench.trials.make_verifier = None
        assert bench.ask() == Trial()
        assert bench.trials.latest(KEY, bench.snapshot()) is None

    run(test)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (LokiMetrics(at=NOW, refused=3), True),
        (LokiMetrics(at=NOW, refused=3, accepted=1), False),
        (LokiMetrics(at=NOW), False),
        (None, False),
    ],
    ids=["only refused", "answered, too", "asked for nothing", "no answer"],
)
def test_the_first_pods_are_asked(answer: LokiMetrics | None, *, refused: bool) -> None:
    """Those that have the credentials which nobody could try."""

    async def test(bench: Bench) -> None:
        world = bench.world
        world.run()
        world.change_key("another-secret-key-of-the-same-user-0000")
        world.trial = Trial()
        world.step()
        world.settle_all()
        world.pods = tuple(replace(pod, address=pod.name) for pod in world.pods)
        bench.counted = {"my-stack-index-gateway-0": answer}
        found = await bench.trials.refused(bench.snapshot())
        assert bool(found) == refused
        world.pods = tuple(replace(pod, address="") for pod in world.pods)
        assert await bench.trials.refused(bench.snapshot()) == frozenset()

    run(test)


def test_what_is_forgotten_is_tried_no_more() -> None:
    """Its trial is ended; what is not known can be forgotten, too."""

    async def test(bench: Bench) -> None:
        bench.ask()
        task = bench.trials._tried[KEY].task
        assert task is not None
        bench.trials.forget(KEY)
        bench.trials.forget(KEY)
        await asyncio.wait([task])
        assert task.cancelled()
        assert bench.results == 0

    run(test)
