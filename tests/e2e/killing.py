# SPDX-License-Identifier: Apache-2.0
"""The writes of a heal as they go by, and where it stands still until its healer is dead.

    operator ─▶ proxies ─▶ API server, Connect, RGW
                   │
                   └─ Course: at one of its writes the route's heal stands still. That write, and
                      whatever else the route would write, arrives nowhere until the healer is
                      killed; then none of it ever arrives.

What is only read between two writes, or whether the answer to the last one came, changes nothing
outside of the process that is killed: so before each write is everywhere.
"""

import asyncio
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from e2e.operators import Installation, Operator
from e2e.proxy import Proxy, kubeconfig_through
from e2e.world import Homelab, Loop
from lokeys.http_server import Handler, Hangup, HttpRequest, Response
from parts.kubernetes import Kubernetes
from parts.process import wait_for

LEASE = "/apis/coordination.k8s.io/v1/namespaces/monitoring/leases/lokeys-loki"
_CHOSEN = re.compile(r"(?<=lokeys-probe/)[0-9a-f]+|[a-z0-9]{26}")
"""Ids of Connect's, and the name of the probe object."""

StopsAt = Callable[[Sequence[str], str], bool]
"""Told what has arrived and what comes next, tells whether the heal stands still there."""


def nowhere(_arrived: Sequence[str], _coming: str) -> bool:
    return False


def at_each(writes: Sequence[str]) -> Iterator[StopsAt]:
    """Yield, for each write of a heal, what stops another heal there: at the same one of its kind.

    How often the status is written between two steps differs from heal to heal.
    """
    for number, write in enumerate(writes):
        yield functools.partial(_stops, write, writes[:number].count(write))


def _stops(write: str, before: int, arrived: Sequence[str], coming: str) -> bool:
    return coming == write and arrived.count(write) == before


def at_the_first_unlike(known: set[str]) -> StopsAt:
    """Stop at the first write that is none of these."""
    return lambda _, coming: coming not in known


@dataclass(eq=False)
class Course:
    """One route's heal, as far as it can be seen from outside."""

    home: Homelab
    stops_at: StopsAt = nowhere
    counts: bool = False
    """Whether the heal has begun."""
    stopped_at: str = ""
    arrived: list[str] = field(default_factory=list)
    """Every write of the heal that has arrived, from whomever."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first healer is dead."""

    def __post_init__(self) -> None:
        self._mine = re.compile(rf"-{re.escape(self.home.name)}(?![0-9])")
        self.home.on_connect = self.by

    def concerns(self, request: HttpRequest) -> bool:
        """Tell whether a request is about this route's objects."""
        return self._mine.search(request.path) is not None

    async def by(self, request: HttpRequest, answer: Handler) -> Response:
        """Let a request pass, unless the heal stands still."""
        coming = self.named(request)
        if not coming or not self.counts:
            return await answer(request)
        if not self.over.is_set() and (self.stopped_at or self.stops_at(self.arrived, coming)):
            self.stopped_at = self.stopped_at or coming
            await self.over.wait()
            raise Hangup
        self.arrived.append(coming)
        return await answer(request)

    def named(self, request: HttpRequest) -> str:
        """Return a write as it is called in any homelab; nothing if it writes nothing."""
        if request.method == "GET":
            return ""
        path = _CHOSEN.sub("*", self._mine.sub("", request.path))
        if "/leases" not in path:
            return f"{request.method} {path}"
        spec = json.loads(request.body)["spec"]
        if not spec["holderIdentity"]:
            return f"give back {LEASE}"
        # A Lease that is only kept is renewed by the clock: a heal has no place for that.
        return f"take {LEASE}" if spec["acquireTime"] == spec["renewTime"] else ""


@dataclass
class Toll:
    """Sends each request by the course of its route."""

    courses: list[Course] = field(default_factory=list)

    async def by(self, request: HttpRequest, answer: Handler) -> Response:
        for course in self.courses:
            if course.concerns(request):
                return await course.by(request, answer)
        return await answer(request)

    @staticmethod
    async def let_go(courses: Iterable[Course]) -> None:
        """Say that the healer of these is dead."""
        for course in courses:
            course.over.set()


@dataclass
class Replicas:
    """Two replicas: one leads, the other stands by; a dead one is replaced by a third."""

    installation: Installation
    kubernetes: Kubernetes
    api: Proxy
    loop: Loop

    def two(self) -> tuple[Operator, Operator]:
        """Return the leader and the one that stands by."""
        alive = [replica for replica in self.installation.replicas if replica.running]
        while len(alive) < 2:
            alive.append(self._start())
        wait_for(lambda: any(replica.leads for replica in alive), "one leads", timeout_s=30)
        alive.sort(key=lambda replica: not replica.leads)
        return alive[0], alive[1]

    def _start(self) -> Operator:
        own = self.kubernetes.user_kubeconfig(self.installation.namespace, "lokeys")
        config = kubeconfig_through(self.api, self.kubernetes, own)
        replica = self.installation.replica(kubeconfig=config).start()
        wait_for(lambda: "pages on" in replica.said, "a replica is up", timeout_s=30)
        return replica
