# SPDX-License-Identifier: Apache-2.0
"""Turns for work that waits: a limited number at a time, and never all for one group.

Groups take turns: a group with a thousand tasks does not make a group with one task wait.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """At most `at_a_time` altogether, and at most `of_one` of one group."""

    def __init__(self, *, at_a_time: int, of_one: int) -> None:
        self._at_a_time = at_a_time
        self._of_one = of_one
        self._running: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()
        """The group that had a turn last comes last."""

    @asynccontextmanager
    async def of(self, group: Hashable) -> AsyncIterator[None]:
        """Wait for a turn of a group, and hold it."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(group, deque()).append(turn)
        self._give()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._running[group] -= 1
                self._running += Counter()  # forget groups without running work
            self._give()

    def _give(self) -> None:
        """Give turns to those that may have one now."""
        while self._running.total() < self._at_a_time:
            group = next((each for each in self._waiting if self._may(each)), None)
            if group is None:
                return
            waiting = self._waiting.pop(group)
            while waiting and waiting[0].cancelled():
                waiting.popleft()
            if waiting:
                waiting.popleft().set_result(None)
                self._running[group] += 1
            if waiting:
                self._waiting[group] = waiting

    def _may(self, group: Hashable) -> bool:
        return self._running[group] < self._of_one
