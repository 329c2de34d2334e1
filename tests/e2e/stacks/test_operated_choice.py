# SPDX-License-Identifier: Apache-2.0
"""Which stacks are lokeys': those that say so, or all of the cluster."""

import json
from collections.abc import Callable, Iterator

import pytest

from e2e.operators import Installation, running, wait_led
from e2e.rights import forbidden
from e2e.stacks.cases import Case
from e2e.stacks.operated import Hands, Operated, Requests, quiet
from lokeys.core.rbac import StackWish
from manifests.lokistack import Choice
from parts.api import Json
from parts.kubernetes import Kubernetes
from parts.process import wait_for

MakeOperated = Callable[..., Operated]
GATEWAY = {"tenants": {"mode": "openshift-logging", "disableIngress": True}}
LABEL = "lokeys.dev/managed"
LEFT_BEHIND: Json = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {
        "name": "somewhere.gone-gateway",
        "labels": {"app.kubernetes.io/managed-by": "lokistack-controller"},
        "annotations": {"lokeys.dev/owner": "somewhere/gone", "lokeys.dev/owner-uid": "u"},
    },
    "rules": [],
}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def left_behind(kubernetes: Kubernetes) -> Iterator[None]:
    """Make a role of a stack that went."""
    words = ("apply", "--server-side", "--field-manager=lokeys", "-f", "-")
    kubernetes.kubectl(*words, stdin=json.dumps(LEFT_BEHIND))
    yield
    kubernetes.kubectl("delete", "clusterrole", LEFT_BEHIND["metadata"]["name"])


@pytest.mark.usefixtures("left_behind")
def test_a_stack_is_left_alone_when_its_label_goes(
    operated_installation: Installation, make_operated: MakeOperated
) -> None:
    """Nothing of it is written or deleted any more; with the label it is lokeys' again.

    Nor is asked for again and again what may not be deleted: the role of a stack that went.
    """
    stack = make_operated(spec=GATEWAY)
    with running(operated_installation.replica()) as replica:
        wait_led(replica)
        stack.start()
        requests = Requests(operated_installation)
        stack.patch("LokiStack", stack.name, {"metadata": {"labels": {LABEL: None}}})
        quiet(requests)
        requests.restart()
        stack.delete("Service", "logs-gossip-ring")
        quiet(requests)
        assert requests.writes() == []
        assert len(stack.unowned()) == 2
        assert "gone is gone and leaves ClusterRole/somewhere.gone-gateway behind" in replica.said
        stack.patch("LokiStack", stack.name, {"metadata": {"labels": {LABEL: "true"}}})
        wait_for(lambda: stack.find("Service", "logs-gossip-ring"), "it is mended")
        stack.wait_main("Ready")


def test_a_stack_whose_store_would_move_is_not_taken_over(
    operated_installation: Installation,
    hands: Hands,
    make_namespace: Callable[[str], str],
) -> None:
    """Its former operator passed over `endpoint`: nothing is written but what is in the way."""
    case = Case(
        operated_installation.kubernetes,
        operated_installation,
        make_namespace("former"),
        choice=Choice(store="s3-token-rgw"),
    )
    hands.take(case.namespace)
    case.grant()
    case.declare(label=False)
    case.make_as_former()
    with running(operated_installation.replica()) as replica:
        wait_led(replica)
        requests = Requests(operated_installation)
        quiet(requests)  # the first replica of all makes the fingerprints' key
        requests.restart()
        case.label()
        case.wait_main("Degraded", "InvalidObjectStorageSecret")
        assert "(LK0222)" in case.condition("Degraded")["message"]
        quiet(requests)
        written = {write.partition("?")[0] for write in requests.writes()}
        events = f"create {case.path('Event')}"
        assert written - {events} == {f"patch {case.path('LokiStack', case.name)}/status"}
        secret = case.choice.secret
        elsewhere = {"endpoint", "sts_endpoint"}
        data = {key: text for key, text in secret["stringData"].items() if key not in elsewhere}
        case.delete("Secret", secret["metadata"]["name"])
        case.kubernetes.apply(case.moved({**secret, "stringData": data}))
        case.wait_main("Ready", timeout_s=60)
        case.go()


@pytest.fixture
def rights_for_all(operated_installation: Installation) -> Iterator[None]:
    """Let the operator operate every stack, for this test alone."""
    with operated_installation.all_stacks_allowed(StackWish(openshift=True, secrets=True)):
        yield


@pytest.mark.usefixtures("rights_for_all")
def test_all_stacks_are_operated_with_the_rights_for_all(
    operated_installation: Installation, make_operated: MakeOperated
) -> None:
    """Without a label or Roles of their own; nothing is forbidden, and one that goes is gone."""
    stacks = [make_operated(spec=GATEWAY, labels={}) for _ in range(2)]
    requests = Requests(operated_installation)
    requests.restart()
    replica = operated_installation.replica()
    replica.options = ("--lokistacks=all",)
    with running(replica):
        wait_led(replica)
        for stack in stacks:
            stack.put_secret()
            stack.apply()
        for stack in stacks:
            stack.wait_main("Ready", timeout_s=60)
        gone, kept = stacks
        gone.delete("LokiStack", gone.name)
        wait_for(lambda: not (gone.owned() or gone.unowned()), "all of it goes", timeout_s=60)
        assert len(kept.unowned()) == 2
        kept.wait_main("Ready")
    places = {stack.namespace for stack in stacks}
    where = {None, *places}
    ours = [e for e in requests.made() if e.get("objectRef", {}).get("namespace") in where]
    assert ours
    assert not forbidden(ours)
