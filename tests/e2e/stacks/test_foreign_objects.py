# SPDX-License-Identifier: Apache-2.0
"""What bears the name of a stack's object: another's stays theirs, nobody's becomes the stack's."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from e2e.operators import Installation, Operator, wait_led
from e2e.stacks.cases import STEP_S, Case
from e2e.stacks.operated import Hands, Requests
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from manifests.lokistack import Choice
from parts.api import Json
from parts.kubernetes import Kubernetes
from parts.process import wait_for

pytestmark = pytest.mark.timeout(200)

RULES = Choice(extra="rules")
ROLE_ARN = "arn:aws:iam::123456789012:role/logs"
FOREIGN = {
    "Service": ("my-stack-querier-http", "LokiStack"),
    "ConfigMap": ("my-stack-config", "ConfigMap"),
    "ServiceAccount": ("my-stack", "LokiStack"),
}
"""What is there already, and of what kind its owner is, which is not its controller."""
BODIES: dict[str, Json] = {
    "Service": {"spec": {"ports": [{"name": "mine", "port": 9}], "selector": {"app": "mine"}}},
    "ConfigMap": {"data": {"mine": "1"}},
    "ServiceAccount": {},
}


@pytest.fixture(scope="module")
def leading(kubernetes: Kubernetes, installation: Installation) -> Operator:
    """Run an operator."""
    kubernetes.apply(lokistack_crd())
    replica = installation.replica().start()
    wait_led(replica)
    return replica


@pytest.fixture
def case(
    kubernetes: Kubernetes,
    hands: Hands,
    make_namespace: Callable[[str], str],
    installation: Installation,
    leading: Operator,
) -> Case:
    """Make a stack's rights, beside an operator that runs; the stack is not declared yet."""
    assert leading.running
    made = Case(kubernetes, installation, make_namespace("foreign"), choice=RULES)
    hands.take(made.namespace)
    made.grant()
    return made


def make(case: Case, kind: str, **metadata: Any) -> None:
    """Make an object as a person does."""
    place = {"namespace": case.namespace} | metadata
    body = {"apiVersion": "v1", "kind": kind, **BODIES[kind], "metadata": place}
    case.kubernetes.api.post(case.path(kind), body)


def theirs(case: Case, kind: str, name: str) -> dict[str, Any]:
    """Return an object but for what a write that changes nothing may leave."""
    found: dict[str, Any] = case.get(kind, name)
    for word in ("managedFields", "resourceVersion"):
        found["metadata"].pop(word, None)
    return found


def owner_of(case: Case, kind: str) -> Json:
    """Make an owner that nobody operates; return how others refer to it."""
    body = {"apiVersion": "v1", "data": {}} if kind == "ConfigMap" else {**case.manifest}
    metadata = {"name": "my-stack-index", "namespace": case.namespace}
    path = case.path(kind)
    made = case.kubernetes.api.find(f"{path}/my-stack-index") or case.kubernetes.api.post(
        path, {**body, "kind": kind, "metadata": metadata}
    )
    uid = made["metadata"]["uid"]
    return {"apiVersion": made["apiVersion"], "kind": kind, "name": "my-stack-index", "uid": uid}


def test_what_another_owns_is_neither_changed_nor_taken(case: Case) -> None:
    """An owner need not be the controller. The stack says whose it is, and gets well without it."""
    for kind, (name, owner) in FOREIGN.items():
        make(case, kind, name=name, ownerReferences=[owner_of(case, owner)])
    before = {kind: theirs(case, kind, name) for kind, (name, _) in FOREIGN.items()}
    case.declare()
    case.wait_main("Degraded", "ObjectOwnedByAnother")

    def named() -> bool:
        said = case.condition("Degraded").get("message", "")
        place = f"{case.namespace}/my-stack-index"
        return all(
            f"{kind} {case.namespace}/{name} belongs to {owner} {place}" in said
            for kind, (name, owner) in FOREIGN.items()
        )

    wait_for(named, "each of them is named with its owner", timeout_s=STEP_S)
    requests = Requests(case.installation)
    requests.restart()
    time.sleep(12.0)  # longer than the pause after which it is tried again
    paths = [case.path(kind, name) for kind, (name, _) in FOREIGN.items()]
    assert [w for w in requests.writes() if any(f"{path}?" in w for path in paths)] == []
    assert {kind: theirs(case, kind, name) for kind, (name, _) in FOREIGN.items()} == before
    for kind, (name, _) in FOREIGN.items():
        case.delete(kind, name)
    case.wait_main("Ready")


def test_what_nobody_owns_is_adopted(case: Case) -> None:
    """An account made beforehand keeps its role; one without any field is adopted, too."""
    role = {"eks.amazonaws.com/role-arn": ROLE_ARN}
    make(case, "ServiceAccount", name="my-stack", annotations=role)
    make(case, "ServiceAccount", name="my-stack-ruler")
    make(case, "ConfigMap", name="my-stack-config")
    case.declare()
    case.wait_main("Ready")
    names = {"ServiceAccount": ["my-stack", "my-stack-ruler"], "ConfigMap": ["my-stack-config"]}
    adopted = [case.get(kind, name) for kind, found in names.items() for name in found]
    assert all(case.owns(each) for each in adopted)
    assert adopted[0]["metadata"]["annotations"] == role
    assert adopted[-1]["data"].keys() > {"mine"}
    case.delete("LokiStack", case.name)
    wait_for(lambda: not case.found(adopted), "they go with the stack", timeout_s=STEP_S)


def test_what_a_person_has_set_otherwise_is_not_overwritten(case: Case) -> None:
    """The stack says which field it is; once that is gone, the object becomes the stack's."""
    make(case, "Service", name="my-stack-querier-http")
    case.declare()
    case.wait_main("Degraded", "ObjectNotApplied")
    said = case.condition("Degraded")["message"]
    assert "my-stack-querier-http" in said
    assert ".spec.selector" in said
    assert case.get("Service", "my-stack-querier-http")["spec"]["selector"] == {"app": "mine"}
    case.delete("Service", "my-stack-querier-http")
    case.wait_main("Ready")
