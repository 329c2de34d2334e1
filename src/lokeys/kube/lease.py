# SPDX-License-Identifier: Apache-2.0
"""One holder at a time, through a coordination.k8s.io Lease.

No two machines' clocks are compared. A waiter measures, on its own clock, how long the Lease has
not changed; only when that exceeds the lease's duration is the holder dead. The holder counts its
duration from before the renewal was sent, so it always gives up first:

    holder    ├─ renew sent ──────────── duration ─┤ stop
    waiter         ├─ renewal seen ──────────── duration ─┤ take over
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self

from lokeys.clock import utc_now
from lokeys.errors import Conflict, LeaseLost, LokeysError, NotFound, Transient, Waiting
from lokeys.kube.client import Api, Object
from lokeys.kube.resources import LEASE

RELEASE_TIMEOUT_S = 5.0

_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def awake_and_asleep() -> float:
    """Return the time of a clock that runs while a laptop sleeps; `time.monotonic` does not."""
    return time.clock_gettime(_CLOCK)


def this_process() -> str:
    """Return a holder's name that a person can trace: host, process, and a random suffix."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


class Lease:
    """One holder's view of one Lease. `ended` tells whether a holder is known to have ended."""

    def __init__(  # noqa: PLR0913 - a lease is its names, its times and its two clocks
        self,
        api: Api,
        *,
        name: str,
        namespace: str,
        holder: str,
        duration_s: float = 15.0,
        renew_s: float | None = None,
        retry_s: float | None = None,
        ended: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = awake_and_asleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.holder = holder
        self.duration_s = duration_s
        self.renew_s = renew_s or duration_s / 5
        self.retry_s = retry_s or duration_s / 7.5
        self._api = api
        self._ended = ended
        self._clock = clock
        self._now = now
        self._predecessor: str | None = None
        self._taken_at = 0.0
        self._seen: Object | None = None
        self._seen_at = 0.0
        self._seen_to_live = False
        self._held_until: float | None = None

    def __str__(self) -> str:
        return f"Lease {self.namespace}/{self.name}"

    @property
    def held(self) -> bool:
        """Tell whether we hold the lease now."""
        return self.remaining_s() > 0

    @property
    def holder_seen(self) -> str | None:
        """Return who held the lease when it was last read."""
        return _spec(self._seen).get("holderIdentity") or None

    def remaining_s(self) -> float:
        """Return how long we certainly still hold it: start a call only if it ends sooner."""
        return max(0.0, (self._held_until or 0.0) - self._clock()) if self._held_until else 0.0

    async def acquire(
        self, *, timeout_s: float | None = None, from_the_dead_only: bool = False
    ) -> Self:
        """Wait until the lease is ours, through all failures of the API server.

        After `timeout_s` it raises `Waiting` naming the holder, or the API server's last failure;
        with `from_the_dead_only` as soon as the holder is seen to renew.
        """
        trouble: Transient | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        if await self.try_acquire():
                            return self
                        trouble = None
                        if from_the_dead_only and self._seen_to_live:
                            raise self._taken()
                    except Transient as exc:
                        trouble = exc
                    await asyncio.sleep(self._patience_s())
        except TimeoutError:
            if trouble:
                raise trouble from None
            raise self._taken() from None

    def _taken(self) -> Waiting:
        holder = self.holder_seen or "nobody"
        return Waiting(f"{self} is held by {holder}", retry_after_s=self.retry_s)

    async def try_acquire(self) -> bool:
        """Take the lease if it is free, expired or ours; tell whether we hold it."""
        try:
            await self._look()
            if self._seen is not None and not self._free():
                return False
            before = self.holder_seen
            await self._write()
        except Conflict:
            return False  # somebody was faster: look again later
        if before != self.holder:
            self._predecessor, self._taken_at = before, self._clock()
        return True

    def outlived(self, holder: str) -> bool:
        """Tell whether that holder had this lease before us, and can no longer act anywhere.

        Its other leases were renewed at the same pace: they end one renewal later than this one.
        """
        settled = self._clock() - self._taken_at >= self.renew_s
        return self.held and settled and holder == self._predecessor

    async def renew(self) -> None:
        """Hold the lease for another duration. Raises `LeaseLost` if another has it."""
        if self._held_until is None:
            raise LeaseLost(f"{self} is not held")
        try:
            await self._write()
        except (Conflict, NotFound):
            await self._look()
            if self.holder_seen != self.holder:
                self._held_until = None
                by = self.holder_seen or "nobody"
                raise LeaseLost(f"{self} is held by {by} now") from None
            await self._write()

    async def release(self) -> None:
        """Give the lease up, so that the next holder need not wait. Never raises."""
        if self._held_until is None:
            return
        self._held_until = None
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._put(holder="", duration_s=1)
        except (LokeysError, TimeoutError):
            return  # it expires by itself

    @asynccontextmanager
    async def hold(self, *, timeout_s: float | None = None) -> AsyncIterator[Self]:
        """Hold the lease around the body, renewing it; the body is cancelled with `LeaseLost`."""
        await self.acquire(timeout_s=timeout_s)
        body = asyncio.current_task()
        assert body is not None  # noqa: S101 - a coroutine always runs in a task
        cancelled_before = body.cancelling()
        renewal = asyncio.create_task(self._keep(), name=f"renew {self}")
        renewal.add_done_callback(lambda task: None if task.cancelled() else body.cancel())
        try:
            try:
                yield self
            finally:
                renewal.cancel()
                await asyncio.wait([renewal])
        except asyncio.CancelledError:
            lost = None if renewal.cancelled() or not renewal.done() else renewal.exception()
            if lost is None or body.uncancel() > cancelled_before:
                raise
            raise lost from None
        finally:
            await self.release()

    async def _keep(self) -> None:
        """Renew forever; end with `LeaseLost` while a third of the duration is still ours."""
        while True:
            await asyncio.sleep(self.renew_s)
            await self._renew_in_time()

    async def _renew_in_time(self) -> None:
        reason: object = "no answer"
        while (left_s := self.remaining_s() - self.duration_s / 3) > 0:
            try:
                async with asyncio.timeout(left_s):
                    return await self.renew()
            except LeaseLost:
                raise
            except (LokeysError, TimeoutError) as exc:
                reason = exc if isinstance(exc, LokeysError) else reason
            await asyncio.sleep(min(self.retry_s, max(left_s, 0) / 4))
        raise LeaseLost(f"{self} could not be renewed in time: {reason}")

    async def _look(self) -> None:
        """Read the lease, and note when it was first seen in this state."""
        try:
            found = await self._api.get(LEASE, self.name, namespace=self.namespace)
        except NotFound:
            self._seen = None
            return
        if self._seen is None or _version(found) != _version(self._seen):
            self._seen_to_live = self._seen is not None
            self._seen, self._seen_at = found, self._clock()

    def _free(self) -> bool:
        holder = self.holder_seen
        if holder is None or holder == self.holder or self._ended(holder):
            return True
        return self._expires_in_s() <= 0

    def _expires_in_s(self) -> float:
        declared = _spec(self._seen).get("leaseDurationSeconds") or self.duration_s
        return self._seen_at + float(declared) - self._clock()

    def _patience_s(self) -> float:
        """Return when to look again: as usual, or just after the holder may be dead."""
        usual_s = self.retry_s * random.uniform(0.75, 1.0)  # noqa: S311 - spreads the waiters
        if self._seen is None or not self.holder_seen:
            return usual_s
        return min(usual_s, max(self._expires_in_s(), 0) + 0.01)

    async def _write(self) -> None:
        """Write ourselves as the holder; the duration counts from before the call."""
        started = self._clock()
        await self._put(holder=self.holder, duration_s=max(1, round(self.duration_s)))
        self._held_until = started + self.duration_s

    async def _put(self, *, holder: str, duration_s: int) -> None:
        spec = dict(_spec(self._seen))
        stamp = f"{self._now():%Y-%m-%dT%H:%M:%S.%fZ}"
        if holder and spec.get("holderIdentity") != holder:
            spec["acquireTime"] = stamp
            spec["leaseTransitions"] = (spec.get("leaseTransitions") or 0) + bool(self._seen)
        spec |= {"holderIdentity": holder, "leaseDurationSeconds": duration_s, "renewTime": stamp}
        metadata = {"name": self.name, "namespace": self.namespace}
        if self._seen is not None:
            metadata["resourceVersion"] = _version(self._seen)
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": spec,
        }
        if self._seen is None:
            self._seen = await self._api.create(LEASE, body)
        else:
            self._seen = await self._api.replace(LEASE, body)
        self._seen_at = self._clock()


def _spec(lease: Object | None) -> dict[str, Any]:
    return (lease or {}).get("spec") or {}


def _version(lease: Object) -> str:
    version: str = lease["metadata"]["resourceVersion"]
    return version
