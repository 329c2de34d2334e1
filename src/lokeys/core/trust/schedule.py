# SPDX-License-Identifier: Apache-2.0
"""When a stack's credentials are tried again: by the clock, at a new 403, at another Secret.

A 403 that a pod counts is news at once, but a store that refuses everything counts them for ever:
by 403s alone a stack is tried at most every `AT_MOST_EVERY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

AT_MOST_EVERY = timedelta(seconds=30)
_SPREAD = 0.2
"""A fifth of the interval, so that a thousand stacks are not tried at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The last try of a stack: when, with what, and what its pods had counted by then.

    `secrets` is whatever changes when one of the stack's Secrets does; `refused` the 403s by pod,
    as far as they could be read.
    """

    at: datetime
    secrets: str
    refused: Mapping[str, int] = field(default_factory=dict)


def due_at(last: Tried | None, *, now: datetime, every: timedelta, jitter: float) -> datetime:
    """Return when the next try by the clock is due; `jitter` is of 0 to 1, the stack's own."""
    if last is None:
        return now
    return last.at + every * (1 + _SPREAD * (jitter - 0.5))


def is_due(  # noqa: PLR0913 - what a try hangs on, all named at the call
    last: Tried | None,
    *,
    now: datetime,
    every: timedelta,
    jitter: float,
    secrets: str,
    refused: Mapping[str, int],
) -> bool:
    """Tell whether the stack's credentials are to be tried now."""
    if last is None or last.secrets != secrets:
        return True
    if now >= due_at(last, now=now, every=every, jitter=jitter):
        return True
    soon = last.at + min(AT_MOST_EVERY, every)
    return now >= soon and moved(last.refused, refused)


def moved(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Tell whether any pod was refused since; a pod that is new, or restarted, counts from 0."""
    for pod, count in now.items():
        known = before.get(pod, 0)
        if count > (known if known <= count else 0):
            return True
    return False
