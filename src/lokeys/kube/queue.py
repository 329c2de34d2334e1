# SPDX-License-Identifier: Apache-2.0
"""A work queue of keys, with client-go's semantics.

    add ──▶ dirty ──▶ waiting ──get──▶ processing ──done──▶ (waiting again, if dirtied meanwhile)

Groups of keys take turns, and one group never has all workers: a group with a thousand slow keys
does not make a group with one key wait.

A key added many times before it is taken is taken once. A key added while it is processed is taken
again after `done`. So no key is lost, none is doubled, and no key is processed twice at a time.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)


class ShutDown(Exception):
    """The queue is shut down and empty."""


class Timer(Protocol):
    """The part of an event loop that the queue needs; tests bring their own."""

    def time(self) -> float:
        """Return the current time in seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after `delay` seconds unless the handle is cancelled."""
        ...


class WorkQueue(Generic[Key]):
    """Keys of a group in the order of their first unprocessed `add`; groups take turns.

    Of one group `most_of_one` are processed at a time.
    """

    def __init__(  # noqa: PLR0913 - what tests bring, and how groups share
        self,
        *,
        first_delay_s: float = 0.5,
        max_delay_s: float = 300.0,
        jitter: Callable[[], float] = random.random,
        timer: Timer | None = None,
        group_of: Callable[[Key], Hashable] = lambda _key: None,
        most_of_one: int = sys.maxsize,
    ) -> None:
        self._first_delay_s = first_delay_s
        self._max_delay_s = max_delay_s
        self._jitter = jitter
        self._timer = timer
        self._group_of = group_of
        self._most_of_one = most_of_one
        self._waiting: dict[Hashable, deque[Key]] = {}
        self._given: Counter[Hashable] = Counter()
        """For each group, how many are processed or may be taken."""
        self._turns: OrderedDict[Hashable, int] = OrderedDict()
        """How many of a group may be taken; the group that was taken from last comes last."""
        self._dirty: set[Key] = set()
        self._processing: set[Key] = set()
        self._delayed: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._failures: dict[Key, int] = {}
        self._ready = asyncio.Semaphore(0)
        self._shut = False

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def processing(self) -> frozenset[Key]:
        """Return the keys that were taken and are not done."""
        return frozenset(self._processing)

    def add(self, key: Key) -> None:
        """Request that `key` be processed, soon and once, from now on."""
        if self._shut or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._enqueue(key)

    def add_after(self, key: Key, delay_s: float) -> None:
        """Add `key` after a delay; of several delays the shortest counts."""
        if self._shut:
            return
        if delay_s <= 0:
            self.add(key)
            return
        timer = self._timer or asyncio.get_running_loop()
        due = timer.time() + delay_s
        planned = self._delayed.get(key)
        if planned is not None:
            if planned[0] <= due:
                return
            planned[1].cancel()
        self._delayed[key] = due, timer.call_later(delay_s, lambda: self._come_due(key))

    def add_rate_limited(self, key: Key) -> float:
        """Add `key` after a delay that doubles with each call until `forget`; return the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        ceiling = min(self._first_delay_s * 2.0 ** min(failures, 32), self._max_delay_s)
        delay_s = ceiling * (0.5 + self._jitter() / 2)
        self.add_after(key, delay_s)
        return delay_s

    def forget(self, key: Key) -> None:
        """Make the next failure of `key` count as its first."""
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """Return how often `key` was rate limited since it was forgotten."""
        return self._failures.get(key, 0)

    async def get(self) -> Key:
        """Return the next key; the caller must call `done`. Raises `ShutDown` at the end."""
        await self._ready.acquire()
        if not self._turns:
            self._ready.release()  # the next getter must also be woken at the end
            raise ShutDown
        key = self._next()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: Key) -> None:
        """Mark `key` as processed; it waits again if it was added meanwhile."""
        self._processing.discard(key)
        group = self._group_of(key)
        self._given[group] -= 1
        if key in self._dirty:
            self._enqueue(key)
        else:
            self._give(group)

    def shut_down(self) -> None:
        """Accept no more keys; waiting ones are still returned, then `get` raises `ShutDown`."""
        if self._shut:
            return
        self._shut = True
        for _, handle in self._delayed.values():
            handle.cancel()
        self._delayed.clear()
        self._most_of_one = sys.maxsize
        for group in tuple(self._waiting):
            self._give(group)
        self._ready.release()

    def _enqueue(self, key: Key) -> None:
        group = self._group_of(key)
        self._waiting.setdefault(group, deque()).append(key)
        self._give(group)

    def _give(self, group: Hashable) -> None:
        """Allow as many of a group to be taken as may be processed."""
        waiting = len(self._waiting.get(group, ()))
        while waiting > self._turns.get(group, 0) and self._given[group] < self._most_of_one:
            self._turns[group] = self._turns.get(group, 0) + 1
            self._given[group] += 1
            self._ready.release()
        if not self._given[group]:
            del self._given[group]

    def _next(self) -> Key:
        """Return the next key of the group whose turn it is."""
        group, turns = self._turns.popitem(last=False)
        if turns > 1:
            self._turns[group] = turns - 1
        waiting = self._waiting[group]
        key = waiting.popleft()
        if not waiting:
            del self._waiting[group]
        return key

    def _come_due(self, key: Key) -> None:
        del self._delayed[key]
        self.add(key)
