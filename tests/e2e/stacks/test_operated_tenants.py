# SPDX-License-Identifier: Apache-2.0
"""What an operated gateway is given for its tenants rolls the gateway, and nothing else."""

import base64
from collections.abc import Callable, Iterator

import pytest

from e2e.operators import Installation, wait_led
from e2e.stacks.cases import STEP_S, Case
from e2e.stacks.operated import Hands
from lokeys.core.stack.render.names import TENANTS_HASH
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from manifests.lokistack import AUTHORITY, CANARY, NAME, Choice
from parts.kubernetes import Kubernetes
from parts.process import wait_for

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def case(
    kubernetes: Kubernetes,
    hands: Hands,
    make_namespace: Callable[[str], str],
    installation: Installation,
) -> Iterator[Case]:
    """Run an operator with the rights of one stack, whose tenants are said in its spec."""
    kubernetes.apply(lokistack_crd())
    made = Case(
        kubernetes, installation, make_namespace("tenants"), choice=Choice(tenancy="static")
    )
    hands.take(made.namespace)
    made.grant()
    wait_led(installation.replica().start())
    made.declare()
    made.wait_main("Ready", timeout_s=STEP_S)
    yield made
    made.go()


def generations(case: Case) -> dict[str, int]:
    """Return how often each workload was changed."""
    workloads = (*case.every("Deployment"), *case.every("StatefulSet"))
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in workloads}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        ("Secret", "client-123", {"clientSecret": encoded("another")}),
        ("ConfigMap", "tenants-ca", {"service-ca.crt": f"# new\n{AUTHORITY}"}),
    ],
    ids=["a client's secret", "a CA"],
)
def test_what_the_gateway_reads_once_rolls_it_alone(
    case: Case, kind: str, name: str, data: dict[str, str]
) -> None:
    """Its pods wear another hash; no other workload is touched, and the stack is Ready again."""
    worn, before = case.hashes(TENANTS_HASH), generations(case)
    (gateway,) = (component for component, mark in worn.items() if mark)
    case.patch(kind, name, {"data": data})
    wait_for(
        lambda: case.hashes(TENANTS_HASH)[gateway] != worn[gateway],
        "the gateway is rolled",
        timeout_s=STEP_S,
    )
    case.wait_main("Ready", timeout_s=STEP_S)
    after = generations(case)
    assert {each for each in after if after[each] != before[each]} == {f"{NAME}-gateway"}


def test_a_client_that_is_none_is_told_and_rolls_nothing(case: Case) -> None:
    """Degraded, with the reason; the pods keep what they have until it is mended."""
    before = generations(case)
    case.patch("Secret", "client-123", {"data": {"clientID": None}})
    case.wait_main("Degraded", "InvalidGatewayTenantSecret", timeout_s=STEP_S)
    assert generations(case) == before
    case.patch("Secret", "client-123", {"data": {"clientID": encoded("the-gateway")}})
    case.wait_main("Ready", timeout_s=STEP_S)
    assert CANARY not in str(case.status)
