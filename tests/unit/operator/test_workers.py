# SPDX-License-Identifier: Apache-2.0
"""What becomes of a key that a worker takes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from lokeys.errors import LeaseLost, Transient
from lokeys.kube.queue import WorkQueue
from lokeys.operator.workers import Key, Worker

KEY = ("monitoring", "loki")


class Bench:
    """A worker on a queue of its own."""

    def __init__(self, reconcile: Callable[[Key], Awaitable[float | None]]) -> None:
        self.queue: WorkQueue[Key] = WorkQueue(first_delay_s=0.001)
        self.surprises = 0
        self.worker = Worker(
            kind="Thing", queue=self.queue, reconcile=reconcile, on_surprise=self._surprised
        )

    def _surprised(self) -> None:
        self.surprises += 1

    async def work(self) -> None:
        self.queue.add(KEY)
        await self.worker.run()


@pytest.mark.parametrize(
    ("first", "said", "surprises"),
    [
        pytest.param(Transient("no answer"), "Thing monitoring/loki: no answer", 0, id="a stumble"),
        pytest.param(ValueError("hush"), "Thing monitoring/loki: unexpected ValueError", 1,
                     id="a surprise"),
    ],
)  # fmt: skip
def test_what_fails_is_tried_again(
    caplog: pytest.LogCaptureFixture, first: Exception, said: str, surprises: int
) -> None:
    """Its failure is told, without the words of what nobody foresaw: they may quote a secret."""
    tries: list[Key] = []

    async def reconcile(key: Key) -> float | None:
        tries.append(key)
        if len(tries) == 1:
            raise first
        bench.queue.shut_down()
        return None

    bench = Bench(reconcile)
    with caplog.at_level(logging.WARNING):
        asyncio.run(bench.work())
    assert tries == [KEY, KEY]
    assert said in caplog.text
    assert "hush" not in caplog.text
    assert bench.surprises == surprises


def test_a_key_comes_again_when_it_asked_to() -> None:
    """After the seconds that its reconcile returned."""
    seen: list[Key] = []

    async def reconcile(key: Key) -> float | None:
        seen.append(key)
        if len(seen) == 2:
            bench.queue.shut_down()
            return None
        return 0.001

    bench = Bench(reconcile)
    asyncio.run(bench.work())
    assert seen == [KEY, KEY]


def test_who_has_lost_the_lease_works_no_more() -> None:
    """Another leads now."""

    async def reconcile(_key: Key) -> float | None:
        raise LeaseLost("somebody else holds it")

    with pytest.raises(LeaseLost):
        asyncio.run(Bench(reconcile).work())
