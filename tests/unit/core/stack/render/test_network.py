# SPDX-License-Identifier: Apache-2.0
"""Who reaches what of a stack that restricts its traffic, judged as Kubernetes judges policies."""

from typing import Any

import pytest

from lokeys.core.stack.render.names import WITH_STORAGE
from lokeys.core.stack.render.render import RenderOptions, render
from manifests.lokistack import NOW, TENANCIES, Choice

Caller = tuple[str, dict[str, str]]
"""A pod's namespace and labels."""


@pytest.mark.parametrize("tenancy", TENANCIES)
@pytest.mark.parametrize(
    ("namespace", "labels", "may"),
    [
        ("ops", {"app.kubernetes.io/name": "lokeys"}, True),
        ("ops", {"app.kubernetes.io/name": "other"}, False),
        ("lokeys-system", {"app.kubernetes.io/name": "lokeys"}, False),
    ],
)
def test_the_operator_may_read_how_the_store_answers(
    tenancy: str | None, namespace: str, labels: dict[str, str], *, may: bool
) -> None:
    """From every pod that uses it, behind a gateway too; of others only where all may come in."""
    choice = Choice(tenancy=tenancy, extra="everything")
    stack, storage = choice.read()
    options = RenderOptions(now=NOW, environment=choice.environment, operators_namespace="ops")
    found = render(stack, storage, options=options)
    policies = [each["spec"] for each in found if each["kind"] == "NetworkPolicy"]
    pods = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in found
        if each["kind"] in ("Deployment", "StatefulSet")
    ]
    with_storage = {component.value for component in WITH_STORAGE}
    asked = [pod for pod in pods if pod["app.kubernetes.io/component"] in with_storage]
    assert len(asked) == len(with_storage)
    caller = namespace, {"app.kubernetes.io/component": "operator", **labels}
    let_in = {lets_in(policies, pod, 3100, caller) for pod in asked}
    assert let_in == {may or tenancy is None}


def lets_in(policies: list[dict[str, Any]], pod: dict[str, str], port: int, caller: Caller) -> bool:
    """Tell whether a pod of another namespace reaches a port of a pod, as Kubernetes would."""
    doors = [
        door
        for policy in policies
        if selects(policy["podSelector"], pod)
        for door in policy.get("ingress", ())
        if port in [each["port"] for each in door["ports"]]
    ]
    return any(
        "from" not in door or any(is_from(e, caller) for e in door["from"]) for door in doors
    )


def is_from(peer: dict[str, Any], caller: Caller) -> bool:
    namespace, labels = caller
    if "namespaceSelector" not in peer:  # pods of the stack's own namespace only
        return False
    name = {"kubernetes.io/metadata.name": namespace}
    return selects(peer["namespaceSelector"], name) and selects(peer["podSelector"], labels)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Tell whether a selector of the kinds that we render selects what wears these labels."""
    wanted = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in among)
    return wanted.items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in among
    )
