# SPDX-License-Identifier: Apache-2.0
"""Turns: bounded altogether and for each group, and nobody starves."""

import asyncio
from collections import Counter

from lokeys.kube.turns import Turns
from unit.kube.virtual_time import now, run


def test_one_of_another_group_waits_for_nobody() -> None:
    """A group with six hundred that take a minute each has at most its share at a time."""

    async def main() -> None:
        turns = Turns(at_a_time=8, of_one=4)
        running: Counter[str] = Counter()

        async def take(group: str, takes_s: float) -> float:
            asked = now()
            async with turns.of(group):
                waited = now() - asked
                running[group] += 1
                assert running[group] <= 4
                assert running.total() <= 8
                await asyncio.sleep(takes_s)
                running[group] -= 1
            return waited

        crowd = [asyncio.create_task(take("crowd", 60)) for _ in range(600)]
        await asyncio.sleep(600)
        assert await take("other", 1) == 0
        for task in crowd:
            task.cancel()
        await asyncio.wait(crowd)
        running.clear()
        assert await asyncio.gather(*(take("crowd", 1) for _ in range(8))) == [0] * 4 + [1] * 4

    run(main())


def test_groups_take_turns_where_all_places_are_taken() -> None:
    """Whoever waits longest with nothing running does not wait for a whole crowd."""

    async def main() -> None:
        turns = Turns(at_a_time=1, of_one=1)
        order: list[str] = []

        async def take(group: str) -> None:
            async with turns.of(group):
                order.append(group)
                await asyncio.sleep(1)

        await asyncio.gather(*(take(group) for group in ("a", "a", "a", "b", "c")))
        assert order.index("b") <= 2
        assert order.index("c") <= 3

    run(main())
