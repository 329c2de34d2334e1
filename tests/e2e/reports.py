# SPDX-License-Identifier: Apache-2.0
"""Reading what lokeys reports, as JSON and as people see it."""

from typing import Any

Json = dict[str, Any]

NOT_READY, PROBES_FAIL, RESTARTS = "LK0610", "LK0611", "LK0612"
FAILED_FLUSHES, REFUSED, UNKNOWN_KEY = "LK0613", "LK0614", "LK0801"


def first_finding(report: Json) -> Json:
    """Return the best explanation."""
    found: Json = report["findings"][0]
    return found


def symptoms(finding: Json) -> set[str]:
    """Return the codes of what a finding explains."""
    return {symptom["code"] for symptom in finding["symptoms"]}


def hop(route: Json, name: str) -> Json:
    """Return one hop of a route."""
    found: Json = next(each for each in route["hops"] if each["name"] == name)
    return found


def assert_told_to_people(out: str, *, pod: str) -> None:
    """Hold what doctor shows a person to what the runbook's reader must find out."""
    assert "the vault does not hold the source's key: here it goes stale" in out
    assert pod in out
    findings = out[out.index("LK0401") :]
    assert "the vault has an older key than the source" in findings
    for words in ("Loki cannot flush", "the store refuses Loki's requests", "lokeys heal"):
        assert words in findings
