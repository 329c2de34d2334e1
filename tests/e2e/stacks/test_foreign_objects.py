# SPDX-License-Identifier: Apache-2.0
"""What bears the name of a stack's object and is somebody else's stays theirs."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.operators import Installation, wait_led
from e2e.stacks.podless import STEP_S, Case
from lokeys.core.lokistack.crd import crd as lokistack_crd
from manifests.lokistack import Choice
from parts.kubernetes import Kubernetes
from parts.process import wait_for

pytestmark = pytest.mark.timeout(200)

FOREIGN: dict[str, dict[str, Any]] = {
    "ConfigMap": {"apiVersion": "v1", "data": {"mine": "1"}},
    "ServiceAccount": {"apiVersion": "v1", "automountServiceAccountToken": True},
}
NAMES = {"ConfigMap": "my-stack-config", "ServiceAccount": "my-stack"}
PATHS = {"ConfigMap": "configmaps", "ServiceAccount": "serviceaccounts"}


@pytest.fixture(scope="module")
def case(
    kubernetes: Kubernetes, make_namespace: Callable[[str], str], installation: Installation
) -> Case:
    """Run an operator, and grant it a stack that is not declared yet."""
    kubernetes.apply(lokistack_crd())
    wait_led(installation.replica().start())
    made = Case(kubernetes, make_namespace("foreign"), Choice())
    made.grant(installation)
    return made


def test_a_namesake_is_neither_changed_nor_taken(case: Case) -> None:
    """The stack says whose way it is in; nothing of the namesake is touched, before or after."""

    def namesake(kind: str) -> dict[str, Any]:
        found: dict[str, Any] = case.kubernetes.api.get(path(kind))
        del found["metadata"]["managedFields"], found["metadata"]["resourceVersion"]
        return found

    def path(kind: str) -> str:
        return f"/api/v1/namespaces/{case.namespace}/{PATHS[kind]}/{NAMES[kind]}"

    for kind, body in FOREIGN.items():
        metadata = {"name": NAMES[kind], "namespace": case.namespace, "labels": {"of": "another"}}
        case.kubernetes.api.post(
            path(kind).rpartition("/")[0], {**body, "kind": kind, "metadata": metadata}
        )
    before = {kind: namesake(kind) for kind in FOREIGN}
    case.declare()
    case.wait_condition("Degraded", "True", "ObjectNotApplied")
    assert {kind: namesake(kind) for kind in FOREIGN} == before
    for kind in FOREIGN:
        case.kubernetes.api.delete(path(kind))
    case.wait_ready()
    case.kubernetes.kubectl("delete", "lokistack", "my-stack", "-n", case.namespace)
    namesakes = [
        {**body, "kind": kind, "metadata": {"name": NAMES[kind], "namespace": case.namespace}}
        for kind, body in FOREIGN.items()
    ]
    wait_for(lambda: not case.found(namesakes), "what is the stack's goes", timeout_s=STEP_S)
