# SPDX-License-Identifier: Apache-2.0
"""A line's way into a store and back, whatever the store is."""

from datetime import timedelta

import httpx2

from e2e.stacks.world import Stack
from lokeys.clock import utc_now
from parts.process import wait_for

OLD = timedelta(days=2)
"""How old a line is that Loki looks for in its store alone."""
HOUR = timedelta(hours=1)


def travel(stack: Stack, *streams: str) -> None:
    """Push old lines, a stream each, and read them back from the store after a restart."""
    then = utc_now() - OLD
    stack.apply()
    stack.wait_pushed("to wait", labels={"app": "early"})
    for name in streams:
        stack.push(name, at=then, labels={"app": "test", "name": name})
    stack.flush()
    stack.restart("ingester")  # which ships its index as it goes
    wait_for(lambda: found(stack) == sorted(streams), "the lines, of the store", timeout_s=60)


def found(stack: Stack) -> list[str]:
    """Return the old lines, none while nobody answers."""
    then = utc_now() - OLD
    try:
        return stack.lines(since=then - HOUR, until=then + HOUR)
    except (httpx2.TransportError, AssertionError, IndexError):
        return []
