# SPDX-License-Identifier: Apache-2.0
"""Every kind of store, as it is rendered: one process is all components, to be quick."""

from e2e.stacks.conftest import MakeStack
from e2e.stacks.travel import travel
from parts.rgw import Rgw


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
