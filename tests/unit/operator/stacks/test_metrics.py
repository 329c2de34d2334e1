# SPDX-License-Identifier: Apache-2.0
"""The metrics of stacks say what the status says, and no more."""

from typing import Any

from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from lokeys.operator.metric_names import METRICS
from lokeys.operator.stacks.metrics import StackMetrics

KEY = ("logging", "logs")


def page(metrics: StackMetrics) -> list[str]:
    registry = CollectorRegistry()
    registry.register(metrics)
    text = generate_latest(registry).decode()
    return sorted(line for line in text.splitlines() if not line.startswith("#"))


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": "never shown"}


def test_a_status_is_told_in_numbers() -> None:
    """The condition that holds, the mode, the verdict on the credentials, and the pods by state."""
    metrics = StackMetrics()
    metrics.show(
        KEY,
        {
            "conditions": [
                condition("Degraded", "True", "CredentialsRefused"),
                condition("Ready", "False", "CredentialsRefused"),
                condition("Pending", "False", "PendingComponents"),
                condition("CredentialsVerified", "False", "RoleMissing"),
            ],
            "storage": {"credentialMode": "token"},
            "components": {
                "ingester": {"Ready": ["a", "b"], "Pending": ["c"]},
                "querier": {"Ready": ["d"]},
            },
        },
    )
    of = 'name="logs",namespace="logging"'
    assert page(metrics) == sorted(
        [
            f'lokeys_stack_credential_mode{{mode="token",{of}}} 1.0',
            f'lokeys_stack_credentials_verified{{mode="token",{of},reason="RoleMissing"}} 0.0',
            f'lokeys_stack_pods{{{of},state="Pending"}} 1.0',
            f'lokeys_stack_pods{{{of},state="Ready"}} 3.0',
            f"lokeys_stack_ready{{{of}}} 0.0",
            f'lokeys_stack_state{{{of},reason="CredentialsRefused",type="Degraded"}} 1.0',
        ]
    )


def test_what_is_not_known_is_absent() -> None:
    """An empty status, and a trial that could not be made, say nothing."""
    metrics = StackMetrics()
    metrics.show(KEY, {})
    assert page(metrics) == []
    metrics.show(KEY, {"conditions": [condition("CredentialsVerified", "Unknown", "NotPermitted")]})
    assert page(metrics) == []


def test_a_stack_that_is_gone_is_shown_no_more() -> None:
    """Its series end with it."""
    metrics = StackMetrics()
    metrics.show(KEY, {"storage": {"credentialMode": "static"}})
    assert page(metrics)
    metrics.forget(KEY)
    metrics.forget(KEY)
    assert page(metrics) == []


def test_each_family_is_one_that_the_reference_names() -> None:
    """No metric of stacks is served that the page of metrics leaves out."""
    served = {family.name for family in StackMetrics().collect()}
    assert served == {m.name for m in METRICS if m.name.startswith("lokeys_stack_")}
