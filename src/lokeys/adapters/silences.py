# SPDX-License-Identifier: Apache-2.0
"""Addresses that gave no answer in time, and how long they are not contacted again.

    asked ─▶ no answer ─▶ a pause: not asked ─▶ one request ─▶ no answer ─▶ a longer pause
      ▲     in time                                  └─▶ any answer, a refusal too ─┐
      └──────────────────────────────────────────────────────────────────────────────┘

A request without an answer takes ten seconds. Hundreds of routes with the same silent address would
wait for it in turn; so one of them waits, and the others get the result.

Each namespace has its own results: otherwise somebody who makes a shared store slow for one request
could keep everybody from it, and would learn what others request.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import httpx2

from lokeys.adapters.http import ON_END, NoAnswer, Reason, port_of
from lokeys.core.findings.finding import time_to_json
from lokeys.ports import Clock

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=30)
MOST_TIMES = 8
"""A pause doubles at most this often; it has reached its limit by then."""
ONE_ASKS_FOR = timedelta(seconds=15)
"""Longer than any request may take: by then its result is known."""
MOST_ADDRESSES = 1024
"""The least recently contacted one is forgotten first: it is only contacted again."""

Address = tuple[Hashable, str, str, int]
"""Who asks (a namespace), scheme, host and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    since: datetime
    asked_at: datetime
    pause: timedelta = timedelta(0)
    times: int = 0

    def lasts(self, now: datetime) -> bool:
        """Tell whether the address is in a pause; a time in the future shows a wrong clock."""
        return timedelta(0) <= now - self.asked_at < self.pause


class Silences:
    """What is known about silent addresses, for everything in one process."""

    def __init__(self, *, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._known: dict[Address, _Silence] = {}

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, address: Address) -> Callable[[bool], None]:
        """Return the function that takes whether there was no answer; raise NoAnswer in a pause.

        After a pause the first request is sent, and the others wait for its result.
        """
        now, known = self._clock(), self._known.get(address)
        if known is not None:
            if known.lasts(now):
                raise _not_asked(address, known)
            self._keep(address, replace(known, asked_at=now, pause=ONE_ASKS_FOR))
        return partial(self._end, address, now)

    def _end(self, address: Address, began: datetime, silent: bool) -> None:
        known = self._known.get(address)
        if not silent:
            self._known.pop(address, None)
        elif known is None or known.asked_at <= began:  # else another has reported it meanwhile
            now = self._clock()
            known = known or _Silence(since=now, asked_at=now)
            ceiling = min(FIRST_PAUSE * 2.0**known.times, LONGEST_PAUSE)
            pause = ceiling * (0.5 + self._jitter() / 2)
            times = min(known.times + 1, MOST_TIMES)
            self._keep(address, replace(known, asked_at=now, pause=pause, times=times))

    def _keep(self, address: Address, silence: _Silence) -> None:
        self._known.pop(address, None)
        self._known[address] = silence
        if len(self._known) > MOST_ADDRESSES:
            del self._known[next(iter(self._known))]


def _not_asked(address: Address, known: _Silence) -> NoAnswer:
    """Return the refusal to ask; its text stays the same as long as the silence lasts."""
    _, _, host, port = address
    most = f"{LONGEST_PAUSE.total_seconds():.0f} s"
    note = f"no answer since {time_to_json(known.since)}; asked again within {most}"
    return NoAnswer(f"{host}:{port}", Reason.NOT_ASKED, note=note)


class Heeding(httpx2.AsyncBaseTransport):
    """Sends no request to an address in a pause, and reports the results of others."""

    def __init__(
        self, wire: httpx2.AsyncBaseTransport, silences: Silences, asker: Hashable
    ) -> None:
        self._wire = wire
        self._silences = silences
        self._asker = asker

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; raises NoAnswer in a pause."""
        url = request.url
        address = (self._asker, url.scheme, url.host, port_of(url))
        request.extensions[ON_END] = self._silences.begin(address)
        return await self._wire.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._wire.aclose()
