# SPDX-License-Identifier: Apache-2.0
"""The contract's ValidationReport."""

from __future__ import annotations

from typing import Any

from lokeys.core.findings.finding import finding_to_json
from lokeys.core.findings.report import report
from lokeys.core.stack.storage.resolved import resolved_to_json
from lokeys.core.stack.validation.stacks import StackView
from lokeys.core.validation.passed_over import passed_over_to_json
from lokeys.core.validation.validate import Validation


def validation_report(validation: Validation) -> dict[str, Any]:
    """Return the report of `validate`."""
    return report(
        "ValidationReport",
        ok=validation.ok,
        stacks=[_stack(view) for view in validation.stacks],
        credentials=[
            {
                "namespace": view.ref.namespace,
                "name": view.ref.name,
                "ok": view.ok,
                "findings": [finding_to_json(finding) for finding in view.findings],
            }
            for view in validation.credentials
        ],
        findings=[finding_to_json(finding) for finding in validation.findings],
        notJudged=[passed_over_to_json(each) for each in validation.passed_over],
    )


def _stack(view: StackView) -> dict[str, Any]:
    return {
        "namespace": view.ref.namespace,
        "name": view.ref.name,
        "ok": view.ok,
        "storage": {
            "type": view.storage_type,
            "credentialMode": view.mode.value if view.mode else None,
            "secretName": view.secret_name,
            "resolved": resolved_to_json(view.storage) if view.storage else None,
        },
        "findings": [finding_to_json(finding) for finding in view.findings],
    }
