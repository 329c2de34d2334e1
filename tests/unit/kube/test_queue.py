# SPDX-License-Identifier: Apache-2.0
"""The work queue: nothing lost, nothing doubled, no key twice at a time."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lokeys.kube.queue import ShutDown, WorkQueue
from unit.kube.virtual_time import now, run

KEYS = st.sampled_from("abcd")


class _Handle(asyncio.TimerHandle):
    """A timer that a test moves."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.due = when
        self.run = callback
        self.off = False

    def cancel(self) -> None:
        self.off = True


class _ManualTimer:
    def __init__(self) -> None:
        self.moment = 0.0
        self.handles: list[_Handle] = []

    def time(self) -> float:
        return self.moment

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self.handles.append(_Handle(self.moment + delay, callback))
        return self.handles[-1]

    def advance(self, seconds: float) -> None:
        self.moment += seconds
        due = [handle for handle in self.handles if handle.due <= self.moment]
        self.handles = [handle for handle in self.handles if handle.due > self.moment]
        for handle in sorted(due, key=lambda handle: handle.due):
            if not handle.off:
                handle.run()


def _take(queue: WorkQueue[str]) -> str | None:
    """Return the next key without waiting; None where there is none."""
    if not len(queue):
        return None
    getting = queue.get()
    try:
        getting.send(None)
    except StopIteration as stop:
        key: str = stop.value
        return key
    raise AssertionError("get waited although a key was there")


class QueueAgainstModel(RuleBasedStateMachine):
    """Any sequence of calls gives what a plain model of the promise gives."""

    def __init__(self) -> None:
        super().__init__()
        self.timer = _ManualTimer()
        self.queue: WorkQueue[str] = WorkQueue(timer=self.timer, jitter=lambda: 1.0)
        self.waiting: list[str] = []
        self.processing: set[str] = set()
        self.again: set[str] = set()
        self.later: dict[str, float] = {}
        self.failures: Counter[str] = Counter()

    def _model_add(self, key: str) -> None:
        if key in self.processing:
            self.again.add(key)
        elif key not in self.waiting:
            self.waiting.append(key)

    def _model_later(self, key: str, due: float) -> None:
        if due < self.later.get(key, due + 1):
            self.later.pop(key, None)  # of two keys due together, the one planned last comes last
            self.later[key] = due

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self._model_add(key)

    @rule(key=KEYS, delay=st.integers(0, 5))
    def add_after(self, key: str, delay: int) -> None:
        self.queue.add_after(key, delay)
        if delay == 0:
            self._model_add(key)
        else:
            self._model_later(key, self.timer.moment + delay)

    @rule(key=KEYS)
    def add_rate_limited(self, key: str) -> None:
        delay = self.queue.add_rate_limited(key)
        assert delay == min(0.5 * 2 ** self.failures[key], 300)
        self.failures[key] += 1
        self._model_later(key, self.timer.moment + delay)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        del self.failures[key]

    @rule(seconds=st.integers(1, 4))
    def advance(self, seconds: int) -> None:
        self.timer.advance(seconds)
        for key, due in sorted(self.later.items(), key=lambda item: item[1]):
            if due <= self.timer.moment:
                del self.later[key]
                self._model_add(key)

    @rule()
    def get(self) -> None:
        key = _take(self.queue)
        assert key == (self.waiting.pop(0) if self.waiting else None)
        if key is not None:
            assert key not in self.processing
            self.processing.add(key)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.processing)))
        self.queue.done(key)
        self.processing.discard(key)
        if key in self.again:
            self.again.discard(key)
            self.waiting.append(key)

    @invariant()
    def agrees(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert self.queue.processing == self.processing


TestQueueAgainstModel = QueueAgainstModel.TestCase
TestQueueAgainstModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_storm_of_events_becomes_few_runs() -> None:
    """10,000 events for 100 keys: each key runs after its last event, few times, never twice."""

    async def main() -> None:
        queue: WorkQueue[int] = WorkQueue()
        dice = random.Random(7)
        running: set[int] = set()
        runs: Counter[int] = Counter()
        seen: dict[int, int] = {}
        written: Counter[int] = Counter()

        async def worker() -> None:
            while True:
                try:
                    key = await queue.get()
                except ShutDown:
                    return
                assert key not in running
                running.add(key)
                seen[key] = written[key]
                await asyncio.sleep(dice.uniform(0.001, 0.05))
                runs[key] += 1
                running.discard(key)
                queue.done(key)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(worker())
            for number in range(10_000):
                key = dice.randrange(100)
                written[key] += 1
                queue.add(key)
                if number % 100 == 99:
                    await asyncio.sleep(0.001)
            await asyncio.sleep(60)
            assert not len(queue)
            assert not queue.processing
            queue.shut_down()
        assert seen == written
        assert sum(runs.values()) < 1_500

    run(main())


def test_delay_doubles_and_is_capped() -> None:
    """A key that fails again and again waits longer and longer, up to the cap."""
    timer = _ManualTimer()
    queue: WorkQueue[str] = WorkQueue(
        first_delay_s=1, max_delay_s=5, jitter=lambda: 0.0, timer=timer
    )
    assert [queue.add_rate_limited("k") for _ in range(5)] == [0.5, 1, 2, 2.5, 2.5]
    assert queue.failures("k") == 5
    queue.forget("k")
    assert queue.add_rate_limited("k") == 0.5


def test_many_failures_do_not_overflow() -> None:
    """The ten-thousandth failure is as harmless as the tenth."""
    queue: WorkQueue[str] = WorkQueue(jitter=lambda: 1.0, timer=_ManualTimer())
    assert {queue.add_rate_limited("k") for _ in range(10_000)} >= {0.5, 300.0}


def test_shut_down_hands_out_what_waits() -> None:
    """After the end nothing is taken, what waits is handed out, and every getter hears of it."""

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("first")
        queue.add_after("late", 60)
        queue.shut_down()
        queue.shut_down()
        queue.add("too late")
        queue.add_after("too late", 1)
        assert await queue.get() == "first"
        queue.add("first")
        queue.done("first")
        for result in await asyncio.gather(
            *(queue.get() for _ in range(3)), return_exceptions=True
        ):
            assert isinstance(result, ShutDown)

    run(main())


def test_cancelled_getter_loses_no_key() -> None:
    """A getter that is cancelled just as a key arrives leaves it to the next."""

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        getter = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add("k")
        getter.cancel()
        await asyncio.wait([getter])
        if getter.cancelled():
            assert await asyncio.wait_for(queue.get(), 1) == "k"
        else:
            assert getter.result() == "k"

    run(main())


@pytest.mark.parametrize(("delays", "expected"), [([5, 1], 1), ([1, 5], 1)], ids=str)
def test_earliest_delay_counts(delays: list[int], expected: int) -> None:
    """Of two delays of one key the earlier one counts, and the key comes once."""

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        started = now()
        for delay in delays:
            queue.add_after("k", delay)
        assert await queue.get() == "k"
        assert now() - started == pytest.approx(expected, abs=0.01)
        queue.done("k")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 60)

    run(main())


@pytest.mark.parametrize("rivals", [1, 3], ids=["one neighbour", "three neighbours"])
def test_a_neighbour_whose_keys_take_long_starves_nobody(rivals: int) -> None:
    """Six hundred keys of ten seconds each: one key of another group is taken without delay.

    Where several such neighbours have all workers, it is the next one's turn that is waited for.
    """
    workers, most, takes_s = 16, 12, 10.0
    waited: list[float] = []

    async def main() -> None:
        queue: WorkQueue[tuple[str, int]] = WorkQueue(group_of=lambda key: key[0], most_of_one=most)

        async def worker() -> None:
            while True:
                try:
                    key = await queue.get()
                except ShutDown:
                    return
                if key[0] == "victim":
                    waited.append(now() - asked[key[1]])
                else:
                    running[key[0]] += 1
                    assert running[key[0]] <= most
                    await asyncio.sleep(takes_s)
                    running[key[0]] -= 1
                    queue.add_after(key, 1.0)
                queue.done(key)

        running: Counter[str] = Counter()
        asked: dict[int, float] = {}
        for rival in range(rivals):
            for number in range(600):
                queue.add((f"rival {rival}", number))
        tasks = [asyncio.create_task(worker()) for _ in range(workers)]
        for number in range(20):
            await asyncio.sleep(33.3)
            asked[number] = now()
            queue.add(("victim", number))
        await asyncio.sleep(60)
        for task in tasks:
            task.cancel()
        assert len(waited) == 20

    run(main())
    assert max(waited) <= (0.01 if rivals == 1 else takes_s)


def test_groups_take_turns() -> None:
    """One key of each, whoever came first with many; within a group the order stays."""
    queue: WorkQueue[str] = WorkQueue(group_of=lambda key: key[0])
    for key in ("a1", "a2", "a3", "b1", "c1", "c2"):
        queue.add(key)
    assert [_take(queue) for _ in range(6)] == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_what_waits_for_its_group_is_handed_out_at_the_end() -> None:
    """Though its group has as many as it may have."""

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(group_of=lambda key: key[0], most_of_one=1)
        queue.add("a1")
        queue.add("a2")
        assert await queue.get() == "a1"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 60)
        queue.shut_down()
        assert await queue.get() == "a2"
        with pytest.raises(ShutDown):
            await queue.get()

    run(main())
