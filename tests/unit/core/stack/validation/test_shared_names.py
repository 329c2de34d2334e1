# SPDX-License-Identifier: Apache-2.0
"""Stacks that need objects of one name are told before either is applied."""

from typing import Any

import pytest

from lokeys.core.findings.finding import Finding
from lokeys.core.validation.validate import validate
from unit.core.validation.manifests import NOW, Given, Object, secret, stack

GATEWAY = {"tenants": {"mode": "openshift-logging"}}
RULES = {"rules": {"enabled": True}}


def made(name: str, spec: dict[str, Any], namespace: str = "logging") -> Object:
    found = stack(name)
    found["spec"] |= spec
    found["metadata"]["namespace"] = namespace
    return found


def shared(*stacks: Object) -> list[Finding]:
    findings = validate([Given(each) for each in (*stacks, secret())], now=NOW).findings
    return [finding for finding in findings if finding.fault == "shared_names"]


@pytest.mark.parametrize(
    ("one", "other", "objects"),
    [
        pytest.param(
            ("a", {}),
            ("a-index", GATEWAY),
            "PodDisruptionBudget a-index-gateway, Service a-index-gateway-http",
            id="an index gateway and a gateway",
        ),
        pytest.param(("a", RULES), ("a-ruler", {}), "ServiceAccount a-ruler", id="a ruler"),
        pytest.param(("a", GATEWAY), ("a-gateway", {}), "ServiceAccount a-gateway", id="a gateway"),
    ],
)
def test_names_that_two_stacks_need(
    one: tuple[str, Any], other: tuple[str, Any], objects: str
) -> None:
    """An error at the longer name, whichever comes first, with the objects and a place."""
    for pair in ((one, other), (other, one)):
        (finding,) = shared(*(made(*each) for each in pair))
        assert finding.is_error
        assert finding.message == (
            f"LokiStack logging/{other[0]} and LokiStack logging/{one[0]} both need {objects}"
        )
        assert finding.location is not None


@pytest.mark.parametrize(
    "stacks",
    [
        pytest.param([made("a", {}), made("a-ruler", RULES)], id="no rules, no account of a ruler"),
        pytest.param([made("a", {}), made("a-index", RULES)], id="no gateway, no names of it"),
        pytest.param([made("a", GATEWAY), made("a-b", GATEWAY)], id="a word that names nothing"),
        pytest.param([made("a", RULES), made("aruler", RULES)], id="no dash between"),
        pytest.param([made("a", {}), made("a-index", GATEWAY, "other")], id="in two namespaces"),
        pytest.param([made("a", RULES), made("a", RULES)], id="one stack twice"),
    ],
)
def test_healthy_neighbours(stacks: list[Object]) -> None:
    """Stacks with like names that need no object of one name get no finding."""
    assert shared(*stacks) == []


def test_of_many_objects_few_are_named() -> None:
    """Three, and how many more there are."""
    stacks = [made("a", GATEWAY | RULES), made("a-index", GATEWAY), made("a-gateway", {})]
    found = shared(*stacks, made("a-index-gateway", {}))
    assert len(found) == 3
    assert all(" more" not in finding.message for finding in found)
