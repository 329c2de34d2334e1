# SPDX-License-Identifier: Apache-2.0
"""Findings as SARIF 2.1.0, which code hosts show beside the changed line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from lokeys.core.findings.finding import Finding, Rule, Severity
from lokeys.core.findings.pages import SITE, address_of
from lokeys.core.findings.rules import RULES

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(findings: Iterable[Finding], *, version: str) -> dict[str, Any]:
    """Return one run with every finding once, even if several stacks share its object."""
    once = {(each.code, each.object, each.message, each.location): each for each in findings}
    told = list(once.values())
    codes = sorted({finding.code for finding in told})
    places = {code: place for place, code in enumerate(codes)}
    driver = {
        "name": "lokeys",
        "version": version,
        "rules": [_rule(RULES[code]) for code in codes],
    } | ({"informationUri": SITE} if SITE else {})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, places[finding.code]) for finding in told],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    address = address_of(rule.code)
    said = {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.meaning},
        "help": {"text": rule.why},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }
    return said | ({"helpUri": address} if address else {})


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    remedies = (
        f"{each.text}: {each.command}" if each.command else each.text for each in finding.remedy
    )
    told = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join((finding.message, *remedies))},
        "partialFingerprints": {"lokeys/v1": finding.id},
    }
    return told | _locations(finding)


def _locations(finding: Finding) -> dict[str, Any]:
    if finding.location is None:
        return {}
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.location.file)}}
    if finding.location.line is not None:
        region = {"startLine": finding.location.line, "startColumn": finding.location.column or 1}
        place["region"] = region
    found: dict[str, Any] = {"physicalLocation": place}
    if finding.object is not None:
        found["logicalLocations"] = [{"fullyQualifiedName": str(finding.object), "kind": "object"}]
    return {"locations": [found]}
