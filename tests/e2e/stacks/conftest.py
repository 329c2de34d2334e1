# SPDX-License-Identifier: Apache-2.0
"""Running stacks. One stack takes most of a minute to become ready: tests of a module share it."""

from collections.abc import Callable, Iterator

import pytest

from e2e.stacks.world import Stack
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw

MakeStack = Callable[..., Stack]
"""Makes a Stack that nothing of is applied yet; keywords are Stack's fields."""

SOON = {"compaction_interval: 2h": "compaction_interval: 20s"}
"""A compactor waits for one interval before it begins."""


@pytest.fixture(scope="module")
def make_stack(
    kubernetes: Kubernetes,
    kubelet: Kubelet,
    rgw: Rgw,
    make_namespace: Callable[[str], str],
) -> Iterator[MakeStack]:
    """Make stacks, each in a namespace and with a user of RGW of its own."""
    made: list[Stack] = []

    def make(**fields: object) -> Stack:
        given = {"rgw": rgw, "namespace": make_namespace("stack")} | fields
        stack = Stack(kubernetes=kubernetes, kubelet=kubelet, **given)  # type: ignore[arg-type]
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.close()


@pytest.fixture(scope="module")
def static_stack(make_stack: MakeStack) -> Stack:
    """Run a stack with static keys on RGW, all components of it ready."""
    stack = make_stack()
    stack.make_bucket()
    stack.secret = stack.static_secret()
    stack.apply(paces=SOON)
    stack.wait_ready()
    return stack
