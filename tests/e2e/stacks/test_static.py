# SPDX-License-Identifier: Apache-2.0
"""A rendered stack with static keys really runs: the real Loki on the real RGW."""

import re
from datetime import timedelta

from e2e.stacks.world import TENANT, Stack
from lokeys.clock import utc_now
from parts.process import wait_for

ONLY_STORE = timedelta(days=2)
"""How old a line is that queriers ask no ingester for, in an index that nobody has read yet."""


def test_a_line_travels_through_every_component(static_stack: Stack) -> None:
    """Pushed, flushed, read from memory and, when the ingester has gone, from object storage.

    In the end the compactor has made one index a tenant of what the ingester shipped.
    """
    stack = static_stack
    now = utc_now()
    then = now - ONLY_STORE
    stack.push("fresh")
    stack.push("old", at=then, labels={"app": "test", "age": "old"})
    hour = timedelta(hours=1)
    wait_for(lambda: stack.lines(since=now - hour, until=now + hour) == ["fresh"], "the fresh line")
    stack.flush()
    wait_for(lambda: len(stack.chunks()) >= 2, "both chunks in the bucket")
    stack.restart("ingester")  # which ships its index as it goes
    wait_for(lambda: any(name.startswith("index/") for name in stack.objects()), "an index")
    wait_for(
        lambda: stack.lines(since=then - hour, until=then + hour) == ["old"],
        "the old line, of the store alone",
        timeout_s=60,
    )
    compacted = re.compile(rf"index/index_\d+/{TENANT}/.*-compactor-.*")
    wait_for(
        lambda: any(map(compacted.match, stack.objects())), "the tenant's own index", timeout_s=60
    )
    name = "loki_boltdb_shipper_compact_tables_operation_total"
    assert stack.metric("compactor", name, status="success") > 0
    assert stack.metric("compactor", name, status="failure") == 0
