# SPDX-License-Identifier: Apache-2.0
"""When a stack's credentials are tried, and what is remembered of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from fakes.stacks import StackWorld
from lokeys.core.findings.link import Link, Untried
from lokeys.core.operate.snapshot import StackSnapshot, Trial
from lokeys.core.route.snapshot import LokiMetrics
from lokeys.core.trust.tries.verification import LinkName, Verification
from lokeys.errors import Transient
from lokeys.operator.stacks.trials import UNHEARD_FOR, Trials
from lokeys.ports import CredentialVerifier, Objects
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
        self.used: list[str] = []
        self.results = 0
        self.now = NOW
        self.trials = Trials(
            make_verifier=self.verifier,
            counters=self.counters,
            use=self.use,
            clock=lambda: self.now,
            every_s=300.0,
            on_result=self.told,
        )

    def verifier(self, namespace: str, reads: Objects) -> CredentialVerifier:
        assert (namespace, reads) == (KEY[0], READS), "silences are counted by namespace"
        return self

    async def verify(
        self, _stack: object, _storage: object, _secret: object, *, account: str
    ) -> Verification:
        self.accounts.append(account)
        if self.fails is not None:
            raise self.fails
        untried = Untried.NOT_TRIED if self.ok is None else None
        link = Link(name=LinkName.STORE, ok=self.ok, untried=untried)
        return Verification(account=account, links=(link,))

    async def use(self, address: str) -> None:
        self.used.append(address)

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


def test_credentials_that_cannot_be_read_are_due_for_no_trial() -> None:
    """Nor does what was found of them before outlive them: a stack would be looked at for ever."""

    async def test(bench: Bench) -> None:
        bench.ask()
        await bench.over()
        bench.now += timedelta(hours=1)
        seen = bench.snapshot()
        gone = replace(seen, trial=None, view=replace(seen.view, storage=None))
        assert bench.trials.trial(KEY, gone, reads=READS) == Trial()
        assert bench.trials.due_in_s(KEY, bench.now) is None
        assert bench.trials.latest(KEY, gone) is None
        assert bench.ask() is None
        await bench.over()
        assert len(bench.accounts) == 2

    run(test)


def spread_untried(bench: Bench) -> StackWorld:
    """Give the first component credentials that nobody could try; its pods have addresses."""
    world = bench.world
    world.run()
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = Trial()
    world.step()
    world.settle_all()
    world.pods = tuple(replace(pod, address=pod.name) for pod in world.pods)
    return world


def test_the_first_pods_are_asked() -> None:
    """Those that have the credentials which nobody could try, where they have an address."""

    async def test(bench: Bench) -> None:
        world = spread_untried(bench)
        answer = LokiMetrics(at=NOW, refused=3)
        bench.counted = {"my-stack-index-gateway-0": answer, "my-stack-querier-0": answer}
        found = await bench.trials.counted(KEY, bench.snapshot())
        uids = [pod.uid for pod in world.pods if pod.component == "index-gateway"]
        assert found == {uids[0]: answer, uids[1]: None}
        world.pods = tuple(replace(pod, address="") for pod in world.pods)
        assert await bench.trials.counted(KEY, bench.snapshot()) == {}

    run(test)


def test_a_pod_that_is_not_heard_for_long_is_asked_in_vain() -> None:
    """Nobody can tell of it then; heard once, its time begins anew."""

    async def test(bench: Bench) -> None:
        spread_untried(bench)

        async def heard() -> int:
            return len(await bench.trials.counted(KEY, bench.snapshot()))

        assert await heard() == 2
        bench.now += UNHEARD_FOR / 2
        bench.counted = {"my-stack-index-gateway-0": LokiMetrics(at=NOW)}
        assert await heard() == 2
        bench.counted = {}
        bench.now += UNHEARD_FOR / 2
        assert await heard() == 1
        bench.now += UNHEARD_FOR
        assert await heard() == 0

    run(test)


def test_one_ready_querier_is_asked_to_use_the_storage() -> None:
    """So that the first pods need not wait for traffic; where there is none, nobody is."""

    async def test(bench: Bench) -> None:
        world = spread_untried(bench)
        await bench.trials.use_storage(bench.snapshot())
        assert bench.used == ["my-stack-querier-0"]
        world.pods = ()
        await bench.trials.use_storage(bench.snapshot())
        assert len(bench.used) == 1

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
