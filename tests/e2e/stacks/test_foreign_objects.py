# SPDX-License-Identifier: Apache-2.0
"""What bears the name of a stack's object and is somebody else's stays theirs."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.operators import Installation, wait_led
from e2e.stacks.cases import STEP_S, Case
from e2e.stacks.operated import Hands
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from parts.kubernetes import Kubernetes
from parts.process import wait_for

pytestmark = pytest.mark.timeout(200)

FOREIGN: dict[str, dict[str, Any]] = {
    "ConfigMap": {"apiVersion": "v1", "data": {"mine": "1"}},
    "ServiceAccount": {"apiVersion": "v1"},
}
"""A ConfigMap with data of its own, and an account in which nobody has set a field."""
NAMES = {"ConfigMap": "my-stack-config", "ServiceAccount": "my-stack"}


@pytest.fixture(scope="module")
def case(
    kubernetes: Kubernetes,
    hands: Hands,
    make_namespace: Callable[[str], str],
    installation: Installation,
) -> Case:
    """Make namesakes and a stack's rights, then run an operator; the stack is not declared yet."""
    kubernetes.apply(lokistack_crd())
    made = Case(kubernetes, installation, make_namespace("foreign"))
    hands.take(made.namespace)
    for kind, body in FOREIGN.items():
        metadata = {"name": NAMES[kind], "namespace": made.namespace}
        kubernetes.api.post(made.path(kind), {**body, "kind": kind, "metadata": metadata})
    made.grant()
    wait_led(installation.replica().start())
    return made


def test_a_namesake_is_neither_changed_nor_taken(case: Case) -> None:
    """The stack says whose way it is in; nothing of the namesake is touched, before or after."""

    def namesake(kind: str) -> dict[str, Any]:
        found: dict[str, Any] = case.get(kind, NAMES[kind])
        for name in ("managedFields", "resourceVersion"):
            found["metadata"].pop(name, None)
        return found

    before = {kind: namesake(kind) for kind in FOREIGN}
    case.declare()
    case.wait_main("Degraded", "ObjectNotApplied")
    said = case.condition("Degraded")["message"]
    assert all(name in said for name in NAMES.values()), said
    assert {kind: namesake(kind) for kind in FOREIGN} == before
    for kind in FOREIGN:
        case.delete(kind, NAMES[kind])
    case.wait_main("Ready")
    case.delete("LokiStack", case.name)
    namesakes = [
        {**body, "kind": kind, "metadata": {"name": NAMES[kind], "namespace": case.namespace}}
        for kind, body in FOREIGN.items()
    ]
    wait_for(lambda: not case.found(namesakes), "what is the stack's goes", timeout_s=STEP_S)
