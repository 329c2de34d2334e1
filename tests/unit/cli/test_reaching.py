# SPDX-License-Identifier: Apache-2.0
"""Which host names are Services, and which port of a pod stands behind one of theirs."""

from typing import Any

import pytest

from lokeys.cli.reach import ServiceName, is_ready, service_name, target_port
from lokeys.errors import NotFound


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("rgw.storage.svc", ("rgw", "storage", True)),
        ("rgw.storage.svc.cluster.local", ("rgw", "storage", True)),
        ("rgw.storage.svc.cluster.local.", ("rgw", "storage", True)),
        ("loki.rgw.storage.svc", ("rgw", "storage", True)),
        ("rgw.storage", ("rgw", "storage", False)),
        ("example.com", ("example", "com", False)),
        ("s3.eu-west-1.amazonaws.com", None),
        ("localhost", None),
        ("rgw.", None),
    ],
    ids=[
        "a Service, short",
        "a Service, whole",
        "a Service with the root's dot",
        "a bucket's own host before a Service",
        "two labels: perhaps a Service",
        "two labels: perhaps a domain",
        "a host of the outside",
        "one label",
        "one label and a dot",
    ],
)
def test_service_names_are_told_apart(host: str, named: tuple[str, str, bool] | None) -> None:
    """A name under svc is a Service's for certain; two labels are only perhaps."""
    wanted = ServiceName(name=named[0], namespace=named[1], certain=named[2]) if named else None
    assert service_name(host) == wanted


POD: dict[str, Any] = {
    "metadata": {"name": "rgw-0"},
    "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
}


@pytest.mark.parametrize(
    ("ports", "wanted"),
    [
        ([{"port": 80, "targetPort": 7480}], 7480),
        ([{"port": 80, "targetPort": "http"}], 8080),
        ([{"port": 80}], 80),
        ([{"port": 443, "targetPort": 1}], 80),
    ],
    ids=["a number", "a name", "the same port", "another port: as asked"],
)
def test_a_services_port_leads_to_the_pods(ports: list[dict[str, Any]], wanted: int) -> None:
    """The target port is a number, a name of the pod's, or the port itself."""
    assert target_port(ports, 80, POD) == wanted


def test_a_port_name_that_the_pod_lacks_is_told() -> None:
    """A name that no container has leads nowhere."""
    with pytest.raises(NotFound, match="no port named grpc"):
        target_port([{"port": 80, "targetPort": "grpc"}], 80, POD)


@pytest.mark.parametrize(
    ("changes", "ready"),
    [
        ({}, True),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, False),
        ({"status": {}}, False),
        ({"metadata": {"name": "a", "deletionTimestamp": "now"}}, False),
    ],
    ids=["ready", "not ready", "says nothing", "going"],
)
def test_only_ready_pods_are_asked(changes: dict[str, Any], ready: bool) -> None:
    """A Service sends nothing to a pod that is not ready, or going."""
    pod = {**POD, "status": {"conditions": [{"type": "Ready", "status": "True"}]}} | changes
    assert is_ready(pod) is ready
