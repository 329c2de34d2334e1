# SPDX-License-Identifier: Apache-2.0
"""Running stacks. One stack takes most of a minute to become ready: tests of a module share it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.operators import Installation, Operator, wait_led
from e2e.stacks.operated import Hands, Operated
from e2e.stacks.world import Stack
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw

MakeStack = Callable[..., Stack]
"""Makes a Stack that nothing of is applied yet; keywords are Stack's fields."""

SOON = {"compaction_interval": "20s"}
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


@pytest.fixture(scope="session")
def with_stacks(defined: Kubernetes) -> Kubernetes:
    """Run a control plane that knows LokiStacks, too."""
    file = Path(__file__).parents[3] / "deploy/chart/files/lokistack-crd/lokistacks.yaml"
    defined.apply(*yaml.safe_load_all(file.read_text()))
    return defined


@pytest.fixture(scope="session")
def hands(with_stacks: Kubernetes) -> Iterator[Hands]:
    """Make pods ready that no node runs."""
    made = Hands(with_stacks)
    yield made
    made.close()


@pytest.fixture(scope="module")
def operated_installation(
    with_stacks: Kubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Install the operator: its account and roles, and no replica yet."""
    made = Installation(with_stacks, tmp_path_factory.mktemp("operator"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def stack_operator(operated_installation: Installation) -> Operator:
    """Run one replica for all tests of a module."""
    replica = operated_installation.replica().start()
    wait_led(replica)
    return replica


@pytest.fixture(scope="module")
def make_operated(
    operated_installation: Installation,
    hands: Hands,
    make_namespace: Callable[[str], str],
) -> Iterator[Callable[..., Operated]]:
    """Make stacks for an operator, each in a namespace of its own, of which nothing is there.

    They go with the module: the next one's operator may do nothing in their namespaces.
    """
    made: list[Operated] = []

    def make(**fields: object) -> Operated:
        given: Any = {"namespace": fields.get("namespace") or make_namespace("operated")} | fields
        hands.take(given["namespace"])
        hands.held.clear()
        kubernetes = operated_installation.kubernetes
        made.append(Operated(kubernetes, operated_installation, **given))
        return made[-1]

    yield make
    for stack in made:
        stack.go()
