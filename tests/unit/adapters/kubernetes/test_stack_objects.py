# SPDX-License-Identifier: Apache-2.0
"""What is read of live objects and pods, and how a former manager's fields become ours."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lokeys.adapters.kubernetes.stack_objects import (
    SEEN,
    STACK,
    inherited,
    live_of,
    pod_of,
    trimmed,
)
from lokeys.core.operate.live import LivePodState
from lokeys.core.operate.meaning import meaning_of
from lokeys.core.place import Ref


def a_pod(phase: str = "Running", *, ready: bool = False, waits: str = "") -> dict[str, Any]:
    since = "2026-11-27T10:00:00Z"
    status: dict[str, Any] = {
        "phase": phase,
        "podIP": "10.0.0.1",
        "conditions": [
            {"type": "Ready", "status": str(ready), "lastTransitionTime": since},
        ],
    }
    if waits:
        status["containerStatuses"] = [{"state": {"waiting": {"reason": waits}}}]
    return {
        "kind": "Pod",
        "metadata": {
            "name": "s-ingester-0",
            "namespace": "logging",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {
                "app.kubernetes.io/component": "ingester",
                "app.kubernetes.io/instance": "s",
                "controller-revision-hash": "s-ingester-abc",
            },
        },
        "status": status,
    }


@pytest.mark.parametrize(
    ("pod", "state", "reason"),
    [
        pytest.param(a_pod(ready=True), LivePodState.READY, "", id="ready"),
        pytest.param(a_pod(), LivePodState.RUNNING, "", id="runs, not ready"),
        pytest.param(a_pod("Pending"), LivePodState.PENDING, "", id="not scheduled"),
        pytest.param(
            a_pod("Pending", waits="ContainerCreating"),
            LivePodState.PENDING,
            "ContainerCreating",
            id="being made",
        ),
        pytest.param(
            a_pod("Pending", waits="CreateContainerConfigError"),
            LivePodState.FAILED,
            "CreateContainerConfigError",
            id="a key of the Secret is missing",
        ),
        pytest.param(
            a_pod(waits="CrashLoopBackOff"), LivePodState.FAILED, "CrashLoopBackOff", id="crashes"
        ),
        pytest.param(a_pod("Failed"), LivePodState.FAILED, "", id="failed"),
        pytest.param(a_pod("Unknown"), LivePodState.UNKNOWN, "", id="its node is lost"),
    ],
)
def test_a_pod_has_a_state(pod: dict[str, Any], state: LivePodState, reason: str) -> None:
    """And the reason for which its container waits."""
    found = pod_of(pod)
    assert (found.state, found.reason) == (state, reason)
    assert (found.component, found.revision) == ("ingester", "s-ingester-abc")
    unready = None if state is LivePodState.READY else datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert found.unready_since == unready


def test_little_is_kept_of_an_object() -> None:
    """Its name and version, whose it is, and what was read of it."""
    kept = trimmed(a_pod())
    assert kept.keys() == {"metadata", STACK, SEEN}
    assert kept["metadata"] == {
        "name": "s-ingester-0",
        "namespace": "logging",
        "resourceVersion": "7",
    }
    assert kept[STACK] == ("logging", "s")


def test_an_object_without_a_namespace_names_its_stack() -> None:
    """In annotations: it cannot refer to an owner that has one."""
    role: dict[str, Any] = {
        "kind": "ClusterRole",
        "metadata": {
            "name": "logging-s-gateway",
            "uid": "u",
            "resourceVersion": "7",
            "annotations": {"lokeys.dev/owner": "logging/s", "lokeys.dev/owner-uid": "stack"},
        },
    }
    assert trimmed(role)[STACK] == ("logging", "s")
    assert live_of(role).owners == {"stack": Ref("LokiStack", "s", "logging")}
    assert live_of(role).ref == Ref("ClusterRole", "logging-s-gateway")
    del role["metadata"]["annotations"]["lokeys.dev/owner"]
    assert live_of(role).owners == {"stack": Ref("LokiStack", "stack")}
    del role["metadata"]["annotations"]
    assert trimmed(role)[STACK] == ("", "")
    assert live_of(role).owners == {}


def test_the_former_managers_fields_become_ours() -> None:
    """Of several who wrote it, whoever has set most; the status's writer is left alone."""
    large: dict[str, Any] = {"f:spec": {"f:a": {}, "f:b": {}}}
    entries = [
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {}}},
        {"manager": "loki-operator", "operation": "Update", "fieldsV1": large},
        {"manager": "kcm", "operation": "Update", "subresource": "status", "fieldsV1": large | {}},
    ]
    found = inherited({"metadata": {"managedFields": entries}})
    assert found is not None
    assert [each["manager"] for each in found] == ["kubectl", "kcm", "lokeys"]
    assert (found[-1]["operation"], found[-1]["fieldsV1"]) == ("Apply", large)
    assert inherited({"metadata": {}}) is None


def test_every_owner_counts() -> None:
    """Whether it is the controller or not."""
    pod = a_pod()
    assert live_of(pod).owners == {}
    owner = {"apiVersion": "v1", "kind": "Thing", "name": "t", "uid": "t"}
    stack = owner | {"kind": "LokiStack", "name": "s-index", "uid": "s", "controller": True}
    pod["metadata"]["ownerReferences"] = [owner, stack]
    assert live_of(pod).owners == {
        "t": Ref("Thing", "t", "logging"),
        "s": Ref("LokiStack", "s-index", "logging"),
    }


def a_config(text: str, **entry: Any) -> dict[str, Any]:
    """Return the configuration of a stack as another operator has written it."""
    fields: dict[str, Any] = {"f:data": {"f:config.yaml": {}}}
    written = {"manager": "manager", "operation": "Update", "fieldsV1": fields} | entry
    return {
        "kind": "ConfigMap",
        "metadata": {"name": "s-config", "namespace": "logging", "managedFields": [written]},
        "data": {"config.yaml": text},
    }


WHEN = "2026-11-27T10:00:00Z"


def test_a_configuration_of_anothers_has_a_meaning_and_a_time() -> None:
    """As Loki reads it, once its variables are expanded."""
    found = live_of(a_config('{"a": "60s", "b": "x\\\\\\\\d"}', time=WHEN)).config
    assert found is not None
    assert found.since == datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert found.means == meaning_of({"a": "1m", "b": r"x\d"})


@pytest.mark.parametrize("text", ["[]", "a: &a [*a]", "\t", "a: " + "x" * (1 << 19)])
def test_a_configuration_that_is_none_means_nothing_of_ours(text: str) -> None:
    """Whatever somebody has put there: pods that have read it must go."""
    found = live_of(a_config(text, time=WHEN)).config
    assert found is not None
    assert found.means == ""


@pytest.mark.parametrize(
    "obj",
    [
        a_config("a: 1"),
        a_config("", time=WHEN),
        {"kind": "ConfigMap", "metadata": {"name": "s-config"}, "data": {"config.yaml": "a: 1"}},
    ],
    ids=["nobody can say when", "nothing", "nobody has written it"],
)
def test_a_configuration_without_a_time_or_text_says_nothing(obj: dict[str, Any]) -> None:
    """Nobody can tell which pods have read it."""
    assert live_of(obj).config is None


def test_a_workload_of_anothers_has_its_template() -> None:
    """As far as the other operator owns it; what others have added stays theirs."""
    fields: dict[str, Any] = {"f:spec": {"f:template": {"f:metadata": {"f:name": {}}}}}
    obj = {
        "kind": "Deployment",
        "metadata": {
            "name": "s-querier",
            "namespace": "logging",
            "managedFields": [
                {"manager": "m", "operation": "Update", "time": WHEN, "fieldsV1": fields}
            ],
        },
        "spec": {"template": {"metadata": {"name": "q", "annotations": {"restarted": "now"}}}},
    }
    workload = live_of(obj).workload
    assert workload is not None
    assert workload.kept is not None
    assert json.loads(workload.kept.text) == {"metadata": {"name": "q"}}
    assert workload.kept.stands_for is None
    bare = live_of({**obj, "metadata": {"name": "s-querier", "namespace": "logging"}}).workload
    assert bare is not None
    assert bare.kept is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("my-stack-logging.apps.example", "my-stack-logging.apps.example"),
        ("logs.example/\n  clientSecret: x", ""),
        ("x" * 300, ""),
        (None, ""),
        ({"a": "b"}, ""),
    ],
    ids=["as OpenShift has chosen it", "more than a host", "too long", "none", "no text"],
)
def test_a_routes_host_is_a_name_or_nothing(host: Any, expected: str) -> None:
    """Whoever may edit the Route could write anything into the gateway's list of tenants."""
    route = {"kind": "Route", "metadata": {"name": "r", "namespace": "n"}, "spec": {"host": host}}
    assert live_of(route).host == expected
    assert live_of({**route, "kind": "Service"}).host == ""
