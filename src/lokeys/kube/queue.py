# SPDX-License-Identifier: Apache-2.0
"""A work queue of keys, with client-go's semantics.

    add ──▶ dirty ──▶ waiting ──get──▶ processing ──done──▶ (waiting again, if dirtied meanwhile)

A key added many times before it is taken is taken once. A key added while it is processed is taken
again after `done`. So no key is lost, none is doubled, and no key is processed twice at a time.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)


class ShutDown(Exception):
    """The queue is shut down and empty."""


class Timer(Protocol):
    """The part of an event loop that the queue needs; tests bring their own."""

    def time(self) -> float:
        """Return the present moment in seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after `delay` seconds unless the handle is cancelled."""
        ...


class WorkQueue(Generic[Key]):
    """Keys in the order of their first unprocessed `add`."""

    def __init__(
        self,
        *,
        first_delay_s: float = 0.5,
        max_delay_s: float = 300.0,
        jitter: Callable[[], float] = random.random,
        timer: Timer | None = None,
    ) -> None:
        self._first_delay_s = first_delay_s
        self._max_delay_s = max_delay_s
        self._jitter = jitter
        self._timer = timer
        self._waiting: deque[Key] = deque()
        self._dirty: set[Key] = set()
        self._processing: set[Key] = set()
        self._delayed: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._failures: dict[Key, int] = {}
        self._ready = asyncio.Semaphore(0)
        self._shut = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def processing(self) -> frozenset[Key]:
        """Return the keys that were taken and are not done."""
        return frozenset(self._processing)

    def add(self, key: Key) -> None:
        """Ask that `key` be processed, soon and once, from now on."""
        if self._shut or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._enqueue(key)

    def add_after(self, key: Key, delay_s: float) -> None:
        """Add `key` after a delay; of several delays the earliest counts."""
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
        """Let the next failure of `key` count as its first."""
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """Return how often `key` was rate limited since it was forgotten."""
        return self._failures.get(key, 0)

    async def get(self) -> Key:
        """Return the next key; the caller owes a `done`. Raises `ShutDown` when all is over."""
        await self._ready.acquire()
        if not self._waiting:
            self._ready.release()  # the next getter must hear of the end too
            raise ShutDown
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: Key) -> None:
        """Say that `key` is processed; it waits again if it was added meanwhile."""
        self._processing.discard(key)
        if key in self._dirty:
            self._enqueue(key)

    def shut_down(self) -> None:
        """Take no more keys; what waits is still handed out, then `get` raises `ShutDown`."""
        if self._shut:
            return
        self._shut = True
        for _, handle in self._delayed.values():
            handle.cancel()
        self._delayed.clear()
        self._ready.release()

    def _enqueue(self, key: Key) -> None:
        self._waiting.append(key)
        self._ready.release()

    def _come_due(self, key: Key) -> None:
        del self._delayed[key]
        self.add(key)
