# SPDX-License-Identifier: Apache-2.0
"""What a spec says twice of one of OpenTelemetry's attributes is found, wherever it says it."""

from typing import Any

import pytest

from lokeys.core.stack.resource.parse import parse
from manifests.lokistack import Choice

SAID = "spec.limits.{}.resourceAttributes[0]"


def told(everybody: Any, tenant: Any, mode: str | None = None) -> list[tuple[str, str | None]]:
    """Return code and field of what is said of a stack's attributes."""
    manifest = Choice().manifest
    limits = {"global": {"otlp": everybody}, "tenants": {"a": {"otlp": tenant}}}
    spec = manifest["spec"] | {"limits": limits} | ({"tenants": {"mode": mode}} if mode else {})
    _, findings = parse(manifest | {"spec": spec})
    return [(each.code, each.field) for each in findings]


def rules(word: str, name: str, *, regex: bool = False) -> dict[str, Any]:
    """Return a list of one attribute of resources."""
    return {word: {"resourceAttributes": [{"name": name, "regex": regex}]}}


LABEL, DROP = "streamLabels", "drop"


@pytest.mark.parametrize(
    ("everybody", "tenant", "mode", "expected"),
    [
        pytest.param(
            rules(LABEL, "a") | rules(DROP, "a"),
            {},
            None,
            [("LK0219", SAID.format("global.otlp.drop"))],
            id="in one list",
        ),
        pytest.param(
            rules(LABEL, "a"),
            rules(DROP, "a"),
            None,
            [("LK0219", SAID.format("tenants.a.otlp.drop"))],
            id="everybody's label, dropped by one",
        ),
        pytest.param(
            rules(DROP, "a"),
            rules(LABEL, "a"),
            None,
            [("LK0219", SAID.format("tenants.a.otlp.streamLabels"))],
            id="dropped by all, a label of one",
        ),
        pytest.param(
            {},
            rules(DROP, "log_type"),
            "openshift-logging",
            [("LK0218", SAID.format("tenants.a.otlp.drop"))],
            id="a label that OpenShift needs",
        ),
        pytest.param(
            {}, rules(DROP, "log_type"), "openshift-network", [], id="one that it does not need"
        ),
        pytest.param(rules(LABEL, "a"), rules(DROP, "b"), None, [], id="two attributes"),
        pytest.param(
            rules(LABEL, "a"), rules(DROP, "a", regex=True), None, [], id="a pattern is no name"
        ),
        pytest.param({}, {}, "openshift-logging", [], id="nothing is said"),
    ],
)
def test_an_attribute_that_is_dropped_and_a_label(
    everybody: Any, tenant: Any, mode: str | None, expected: Any
) -> None:
    """Both places count, for a tenant's list is added to everybody's."""
    assert told(everybody, tenant, mode) == expected
