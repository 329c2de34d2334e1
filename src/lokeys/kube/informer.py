# SPDX-License-Identifier: Apache-2.0
"""A local copy of some objects that follows the API server.

    list ──▶ store ──▶ watch ──(ends, breaks)──▶ watch again from the last resourceVersion
      ▲                  └──(410: too old)──┐
      └─────────────────────────────────────┘  what was deleted meanwhile is reported as such

Handlers are called as `on_change(old, new)`: no old is an addition, no new a deletion, and both the
same object a resync. They must be fast and must not raise: they put keys into a queue.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

from lokeys.clock import utc_now
from lokeys.errors import LokeysError, Transient
from lokeys.kube.client import Api, Expired, Object, WatchEvent
from lokeys.kube.resources import Resource

LASTING_S = 1.0
"""A watch that ends sooner has failed, whatever its answer."""

OnChange = Callable[[Object | None, Object | None], None]
ObjectKey = tuple[str, str]
"""Namespace ("" if the kind has none) and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which objects an informer watches, and how much of each it gets."""

    resource: Resource
    namespace: str | None = None
    fields: str | None = None
    labels: str | None = None
    metadata_only: bool = False

    @classmethod
    def one(
        cls, resource: Resource, name: str, *, namespace: str, metadata_only: bool = False
    ) -> Self:
        """Return the scope of a single named object."""
        return cls(
            resource=resource,
            namespace=namespace,
            fields=f"metadata.name={name}",
            metadata_only=metadata_only,
        )

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        which = f" ({self.fields or self.labels})" if self.fields or self.labels else ""
        return f"{self.resource}{where}{which}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why an informer cannot watch, and since when."""

    error: LokeysError
    since: datetime


def without_managed_fields(obj: Object) -> Object:
    """Drop the records of field managers, often the larger half of an object."""
    obj.get("metadata", {}).pop("managedFields", None)
    return obj


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """An informer's delays; `resync_s` calls the handlers for all objects that often."""

    first_delay_s: float = 0.5
    max_delay_s: float = 30.0
    resync_s: float | None = None
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)
    now: Callable[[], datetime] = field(default=utc_now, repr=False)


class Informer:
    """Watches one scope while `run` runs."""

    __slots__ = (
        "_api",
        "_failures",
        "_handlers",
        "_pace",
        "_resource_version",
        "_resync",
        "_store",
        "_trim",
        "scope",
        "settled",
        "synced",
        "trouble",
    )

    def __init__(
        self,
        api: Api,
        scope: Scope,
        *,
        trim: Callable[[Object], Object] = without_managed_fields,
        pace: Pace | None = None,
    ) -> None:
        self.scope = scope
        self.synced = asyncio.Event()
        """Set once the store has had a complete list."""
        self.settled = asyncio.Event()
        """Set once that is so, or the first attempt has failed: more waiting may be useless."""
        self.trouble: Trouble | None = None
        """Set while the API server cannot be watched."""
        self._api = api
        self._trim = trim
        self._pace = pace or Pace()
        self._store: dict[ObjectKey, Object] = {}
        self._handlers: list[OnChange] = []
        self._resource_version: str | None = None
        self._resync: asyncio.TimerHandle | None = None
        self._failures = 0

    def get(self, namespace: str | None, name: str) -> Object | None:
        """Return the object as last seen. Do not change it."""
        return self._store.get((namespace or "", name))

    def items(self) -> Iterator[Object]:
        """Return every object as last seen. Do not change them."""
        return iter(tuple(self._store.values()))

    def __len__(self) -> int:
        return len(self._store)

    def add_handler(self, on_change: OnChange, *, replay: bool = True) -> None:
        """Call `on_change` for each change from now on, and first for what is known already."""
        self._handlers.append(on_change)
        for obj in self.items() if replay else ():
            on_change(None, obj)

    def remove_handler(self, on_change: OnChange) -> None:
        """Stop calling `on_change`."""
        self._handlers.remove(on_change)

    async def run(self) -> None:
        """Watch the scope until cancelled."""
        self._plan_resync()
        try:
            while True:
                try:
                    await self._follow()
                except Expired as exc:
                    self._resource_version = None
                    # The first 410 is routine; a server that repeats it is not.
                    if self._failures:
                        await self._wait_out(exc)
                    self._failures += 1
                except LokeysError as exc:
                    await self._wait_out(exc)
        finally:
            if self._resync:
                self._resync.cancel()

    async def _follow(self) -> None:
        """List if needed, then watch until the watch ends."""
        if self._resource_version is None:
            await self._list()
        now = asyncio.get_running_loop().time
        started = now()
        try:
            await self._watch()
        finally:
            if self.trouble is None and now() - started >= LASTING_S:
                self._failures = 0
        if now() - started < LASTING_S:
            raise Transient(f"the watch of {self.scope} ended at once")

    async def _watch(self) -> None:
        scope = self.scope
        events = self._api.watch(
            scope.resource,
            resource_version=self._resource_version or "",
            namespace=scope.namespace,
            labels=scope.labels,
            fields=scope.fields,
            metadata_only=scope.metadata_only,
            on_open=self._see,
        )
        async with aclosing(events):
            async for event in events:
                self._take(event)

    async def _list(self) -> None:
        scope = self.scope
        listing = await self._api.list(
            scope.resource,
            namespace=scope.namespace,
            labels=scope.labels,
            fields=scope.fields,
            metadata_only=scope.metadata_only,
        )
        fresh = {_key(obj): self._trim(obj) for obj in listing.items}
        vanished = self._store.keys() - fresh.keys()
        for key in vanished:
            self._tell(self._store.pop(key), None)
        for key, obj in fresh.items():
            self._put(key, obj)
        self._resource_version = listing.resource_version
        self.synced.set()
        self.settled.set()

    def _take(self, event: WatchEvent) -> None:
        obj = event.object
        if event.type == "DELETED":
            self._tell(self._store.pop(_key(obj), None) or self._trim(obj), None)
        elif event.type in ("ADDED", "MODIFIED"):
            self._put(_key(obj), self._trim(obj))
        self._resource_version = obj["metadata"]["resourceVersion"]

    def _put(self, key: ObjectKey, obj: Object) -> None:
        old = self._store.get(key)
        if old is None or _version(old) != _version(obj):
            self._store[key] = obj
            self._tell(old, obj)

    def _tell(self, old: Object | None, new: Object | None) -> None:
        for handler in tuple(self._handlers):
            handler(old, new)

    def _see(self) -> None:
        self.trouble = None

    async def _wait_out(self, error: LokeysError) -> None:
        """Note that the watch failed, and wait longer each time."""
        since = self.trouble.since if self.trouble else self._pace.now()
        self.trouble = Trouble(error=error, since=since)
        self.settled.set()
        ceiling = min(
            self._pace.first_delay_s * 2 ** min(self._failures, 16), self._pace.max_delay_s
        )
        self._failures += 1
        await self._pace.sleep(ceiling * (0.5 + self._pace.jitter() / 2))

    def _plan_resync(self) -> None:
        if self._pace.resync_s:
            delay_s = self._pace.resync_s * (1 + self._pace.jitter() / 10)
            self._resync = asyncio.get_running_loop().call_later(delay_s, self._resync_all)

    def _resync_all(self) -> None:
        for obj in self.items():
            self._tell(obj, obj)
        self._plan_resync()


def _key(obj: Object) -> ObjectKey:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _version(obj: Object) -> str:
    version: str = obj["metadata"]["resourceVersion"]
    return version


class Subscription:
    """One reader's use of an informer; close it with the reader."""

    __slots__ = ("_close", "informer")

    def __init__(self, informer: Informer, *, close: Callable[[], None]) -> None:
        self.informer = informer
        self._close: Callable[[], None] | None = close

    def close(self) -> None:
        """Receive no more changes; the informer ends with its last reader. May be called twice."""
        if self._close:
            self._close()
            self._close = None


@dataclass(slots=True)
class _Shared:
    informer: Informer
    task: asyncio.Task[None]
    readers: int = 0


class InformerSet:
    """Informers shared by scope. An async context manager: all informers end with it."""

    def __init__(
        self,
        api: Api,
        *,
        trim: Callable[[Object], Object] = without_managed_fields,
        pace: Pace | None = None,
    ) -> None:
        self._api = api
        self._trim = trim
        self._pace = pace
        self._shared: dict[Scope, _Shared] = {}
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for shared in self._shared.values():
            shared.task.cancel()
        self._shared.clear()
        if isinstance(exc, Exception):
            exc_type = exc = traceback = None  # the body's own error is raised unchanged
        await self._tasks.__aexit__(exc_type, exc, traceback)

    def __len__(self) -> int:
        return len(self._shared)

    def subscribe(self, scope: Scope, on_change: OnChange, *, replay: bool = True) -> Subscription:
        """Watch `scope`, starting now if nobody does yet; `replay` as in `add_handler`."""
        shared = self._shared.get(scope)
        if shared is None:
            informer = Informer(self._api, scope, trim=self._trim, pace=self._pace)
            task = self._tasks.create_task(informer.run(), name=f"informer {scope}")
            shared = self._shared[scope] = _Shared(informer, task)
        shared.readers += 1
        shared.informer.add_handler(on_change, replay=replay)
        return Subscription(shared.informer, close=lambda: self._leave(scope, on_change))

    def troubles(self) -> dict[Scope, Trouble]:
        """Return which scopes cannot be watched now, and why."""
        return {
            scope: shared.informer.trouble
            for scope, shared in self._shared.items()
            if shared.informer.trouble
        }

    @property
    def synced(self) -> bool:
        """Tell whether every informer has had a complete list."""
        return all(shared.informer.synced.is_set() for shared in self._shared.values())

    def _leave(self, scope: Scope, on_change: OnChange) -> None:
        shared = self._shared.get(scope)
        if shared is None:
            return
        shared.informer.remove_handler(on_change)
        shared.readers -= 1
        if not shared.readers:
            shared.task.cancel()
            del self._shared[scope]
