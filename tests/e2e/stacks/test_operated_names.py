# SPDX-License-Identifier: Apache-2.0
"""Two stacks that need objects of one name, and two writers of one object, on a real API server."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from e2e.operators import Operator
from e2e.stacks.operated import Operated, Requests
from parts.process import wait_for

MakeOperated = Callable[..., Operated]
GATEWAY = {"tenants": {"mode": "passthrough"}}
SHARED = ("Service", "a-index-gateway-http")
BUDGET = ("PodDisruptionBudget", "a-index-gateway")

pytestmark = pytest.mark.timeout(240)


def writes_to(requests: Requests, path: str) -> list[str]:
    return [each for each in requests.writes() if f"{path}?" in each]


@pytest.fixture(scope="module")
def first(stack_operator: Operator, make_operated: MakeOperated) -> Operated:
    """Run the stack `a`; its index gateway has the names of a gateway of `a-index`."""
    assert stack_operator.running
    made = make_operated(name="a", spec={"size": "1x.small", "rules": {"enabled": False}})
    made.start()
    return made


def test_an_object_of_another_stack_is_left_to_it(
    first: Operated, make_operated: MakeOperated
) -> None:
    """The second is Degraded and names it; the first stays Ready, and nothing is written for it."""
    before = {each: first.get(*each) for each in (SHARED, BUDGET)}
    requests = Requests(first.installation)
    second = make_operated(
        name="a-index", namespace=first.namespace, spec=GATEWAY | {"size": "1x.small"}
    )
    second.allow()
    requests.restart()
    second.apply()
    second.wait_main("Degraded", "ObjectOwnedByAnother")
    time.sleep(15.0)  # longer than the pause after which it is tried again
    said = second.condition("Degraded")["message"]
    assert f"{SHARED[0]} {first.namespace}/{SHARED[1]} belongs to LokiStack" in said
    assert BUDGET[1] in said
    for place, former in before.items():
        now = first.get(*place)
        assert now["metadata"]["resourceVersion"] == former["metadata"]["resourceVersion"]
        assert writes_to(requests, first.path(*place)) == []
    assert first.main[0] == "Ready"


@pytest.fixture
def rival(stack_operator: Operator, make_operated: MakeOperated) -> Iterator[Operated]:
    """Run a stack whose gossip Service somebody changes ten times a second."""
    assert stack_operator.running
    stack = make_operated()
    stack.start()
    over = threading.Event()

    def change() -> None:
        while not over.wait(0.1):
            body = {"spec": {"publishNotReadyAddresses": False}}
            stack.patch("Service", "logs-gossip-ring", body)

    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    yield stack
    over.set()
    thread.join(10)


def test_a_rival_is_answered_three_times(rival: Operated) -> None:
    """Then the object is named and left; what else is changed is still put right."""
    requests = Requests(rival.installation)
    rival.wait_main("Degraded", "ObjectContested")
    assert "logs-gossip-ring was changed back" in rival.condition("Degraded")["message"]
    requests.restart()
    time.sleep(10.0)
    assert writes_to(requests, rival.path("Service", "logs-gossip-ring")) == []
    rival.delete("Service", "logs-querier-http")
    wait_for(lambda: rival.find("Service", "logs-querier-http") is not None, "it comes back")
