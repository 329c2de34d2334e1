# SPDX-License-Identifier: Apache-2.0
"""The Job of a probe: like Loki's pods in all that decides what they reach, and without a value."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lokeys.core.route.probe_job import probe_job
from lokeys.core.route.resource.parse import parse
from manifests.storagecredential import MINIMAL, Case

SPEC = parse(Case("", True, {}, MINIMAL).manifest())
POD = {
    "serviceAccountName": "loki",
    "nodeSelector": {"zone": "a"},
    "tolerations": [{"key": "x"}],
    "securityContext": {"runAsUser": 10001},
    "containers": [{"name": "loki", "env": [{"name": "SECRET", "value": "canary"}]}],
    "volumes": [{"name": "data"}],
}
LABELS = {"app.kubernetes.io/name": "loki", "team": "logs"}
WORKLOAD = {"spec": {"template": {"metadata": {"labels": LABELS}, "spec": POD}}}


def made(workload: Any = WORKLOAD, **changes: Any) -> dict[str, Any]:
    """Return the Job of a route."""
    bucket = replace(SPEC.bucket, **changes)
    spec = replace(SPEC, bucket=bucket)
    return probe_job(spec, workload, image="example.com/lokeys:1", name="lokeys-probe-1")


def test_it_stands_where_loki_stands() -> None:
    """Its account, labels, nodes and user; not its volumes, its variables or its containers."""
    template = made()["spec"]["template"]
    pod = template["spec"]
    assert template["metadata"]["labels"] == {**LABELS, "lokeys.dev/probe": "lokeys-probe-1"}
    for key in ("serviceAccountName", "nodeSelector", "tolerations", "securityContext"):
        assert pod[key] == POD[key]
    assert "volumes" not in pod
    assert "canary" not in json.dumps(template)


def test_no_value_of_a_key_is_in_it() -> None:
    """The container takes both halves from the Secret by name; its words are no secret."""
    (container,) = made()["spec"]["template"]["spec"]["containers"]
    taken = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"]}
    assert {each["name"] for each in taken.values()} == {SPEC.secret.name}
    assert taken["AWS_SECRET_ACCESS_KEY"]["key"] == SPEC.secret.keys.secret_access_key
    assert not any("value" in each for each in container["env"])
    assert container["command"][:3] == ["lokeys", "probe", "s3"]


def test_no_service_sends_it_anything_and_it_ends() -> None:
    """It is never ready, runs once, has no token, and goes by itself if nobody removes it."""
    spec = made()["spec"]
    pod = spec["template"]["spec"]
    assert pod["readinessGates"]
    assert (spec["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
    assert pod["automountServiceAccountToken"] is False
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0


@pytest.mark.parametrize(
    ("region", "path_style", "more"),
    [
        pytest.param("", False, [], id="neither"),
        pytest.param("eu-west-1", True, ["--region", "eu-west-1", "--path-style"], id="both"),
    ],
)
def test_region_and_style_are_said_where_they_are_set(
    region: str, path_style: bool, more: list[str]
) -> None:
    """As the route has them."""
    (container,) = made(region=region, path_style=path_style)["spec"]["template"]["spec"][
        "containers"
    ]
    words = container["command"][3:-2]
    assert words == ["--bucket", SPEC.bucket.name, "--endpoint", SPEC.bucket.endpoint, *more]


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        pytest.param({"runAsUser": 0, "fsGroup": 1}, {"fsGroup": 1}, id="root"),
        pytest.param({"runAsUser": 10001}, {"runAsUser": 10001}, id="somebody"),
    ],
)
def test_it_is_never_root(own: dict[str, Any], kept: dict[str, Any]) -> None:
    """As Pod Security's level restricted asks: where Loki is root, the image's user runs it."""
    pod = POD | {"securityContext": own}
    workload = {"spec": {"template": {"metadata": {}, "spec": pod}}}
    spec = made(workload)["spec"]["template"]["spec"]
    assert spec["securityContext"] == kept
    context = spec["containers"][0]["securityContext"]
    assert (context["runAsNonRoot"], context["capabilities"]) == (True, {"drop": ["ALL"]})
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(
    "workload", [{}, {"spec": {"template": {"metadata": {"labels": {"a": 1}}}}}]
)
def test_an_odd_workload_gives_a_plain_job(workload: dict[str, Any]) -> None:
    """Nothing of it is taken that has another type."""
    template = made(workload)["spec"]["template"]
    assert template["metadata"]["labels"] == {"lokeys.dev/probe": "lokeys-probe-1"}
