# SPDX-License-Identifier: Apache-2.0
"""Every kind of store, as it is rendered: one process is all components, to be quick."""

from datetime import timedelta

import httpx2

from e2e.stacks.conftest import MakeStack
from e2e.stacks.world import Stack
from lokeys.clock import utc_now
from parts.process import wait_for
from parts.rgw import Rgw

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


def test_two_buckets_are_both_written_and_read(make_stack: MakeStack) -> None:
    """Several names in `bucketnames`: Loki's older client spreads its chunks over all of them."""
    stack = make_stack(in_one=True)
    buckets = (stack.namespace, f"{stack.namespace}-more")
    stack.make_bucket(*buckets)
    stack.secret = stack.static_secret(*buckets)
    travel(stack, *(f"line {number}" for number in range(12)))
    written = [len(stack.chunks(bucket)) for bucket in buckets]
    assert sum(written) >= 12
    assert all(written), written


def test_tokens_open_a_bucket_where_rgw_asks_its_sts_first(
    make_stack: MakeStack, rgw_sts_first: Rgw
) -> None:
    """RGW's default order of authentication takes the sessions, too."""
    stack = make_stack(in_one=True, rgw=rgw_sts_first)
    stack.make_bucket()
    stack.secret = stack.token_secret(stack.make_role())
    travel(stack, "without a key")
