# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's attributes: what holds for all, for one tenant, and what Loki adds itself."""

from typing import Any

import pytest

from lokeys.core.stack.render.otlp import names_labels, otlp_for_all, otlp_for_tenant
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.resource.parse import parse
from manifests.lokistack import Choice

OPENSHIFTS = [
    *("k8s.namespace.name", "kubernetes.namespace_name", "log_source", "log_type"),
    *("openshift.cluster.uid", "openshift.log.source", "openshift.log.type"),
]


def labels(*names: str) -> dict[str, Any]:
    """Return attributes that are to be labels; one with a star is a pattern."""
    return {"streamLabels": {"resourceAttributes": [attribute(name) for name in names]}}


def drop(place: str, *names: str) -> dict[str, Any]:
    """Return attributes that are to be left away."""
    return {"drop": {place: [attribute(name) for name in names]}}


def attribute(name: str) -> dict[str, Any]:
    return {"name": name, "regex": True} if "*" in name else {"name": name}


def a_stack(
    everybody: dict[str, Any], tenant: dict[str, Any], mode: str | None = None
) -> LokiStack:
    manifest = Choice().manifest
    spec = manifest["spec"] | {
        "limits": {"global": {"otlp": everybody}, "tenants": {"a": {"otlp": tenant}}}
    }
    if mode:
        spec["tenants"] = {"mode": mode}
    found, findings = parse(manifest | {"spec": spec})
    assert found, findings
    return found


def as_labels(*names: str) -> dict[str, Any]:
    return {
        "resource_attributes": {
            "attributes_config": [{"action": "index_label", "attributes": list(names)}]
        }
    }


def test_a_tenants_list_is_everybodys_and_its_own() -> None:
    """Loki takes a tenant's list instead of everybody's: what all drop it would keep."""
    everybody = labels("k8s.b", "c.*") | drop("logAttributes", "secret", "tmp.*")
    stack = a_stack(everybody, labels("a", "k8s.b") | drop("logAttributes", "own"))
    assert otlp_for_tenant(stack, stack.tenant_limits["a"].otlp) == {
        "log_attributes": [
            {"action": "drop", "attributes": ["own", "secret"]},
            {"action": "drop", "regex": "tmp.*"},
        ],
        "resource_attributes": {
            "attributes_config": [
                {"action": "index_label", "attributes": ["a", "k8s.b"]},
                {"action": "index_label", "regex": "c.*"},
            ]
        },
    }


def test_a_tenant_without_a_list_has_everybodys() -> None:
    """So nothing is said of it a second time."""
    stack = a_stack(labels("a"), {})
    assert otlp_for_tenant(stack, stack.tenant_limits["a"].otlp) == {}
    assert otlp_for_all(stack) == as_labels("a")


@pytest.mark.parametrize(
    ("everybody", "tenant", "mode", "goes"),
    [
        pytest.param({}, {}, None, False, id="nothing is said"),
        pytest.param(drop("resourceAttributes", "a"), {}, None, False, id="attributes are dropped"),
        pytest.param(labels("a"), {}, None, True, id="labels for everybody"),
        pytest.param({}, labels("a"), None, True, id="labels for one tenant"),
        pytest.param({}, {}, "openshift-logging", True, id="OpenShift's logs"),
        pytest.param({}, {}, "openshift-network", False, id="OpenShift's network flows"),
    ],
)
def test_lokis_own_labels_go_where_the_stack_names_any(
    everybody: dict[str, Any], tenant: dict[str, Any], mode: str | None, *, goes: bool
) -> None:
    """For all tenants: what is a label must not hang on who else has a list."""
    assert names_labels(a_stack(everybody, tenant, mode)) == goes


def test_openshifts_labels_are_there_whatever_else_is_asked() -> None:
    """Its console finds lines by them, also those of a tenant with a list of its own."""
    stack = a_stack({}, labels("own"), "openshift-logging")
    assert otlp_for_all(stack) == as_labels(*OPENSHIFTS)
    own = otlp_for_tenant(stack, stack.tenant_limits["a"].otlp)
    assert own == as_labels(*sorted([*OPENSHIFTS, "own"]))
