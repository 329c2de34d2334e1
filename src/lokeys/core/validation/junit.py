# SPDX-License-Identifier: Apache-2.0
"""Findings as JUnit XML: one suite per stack or StorageCredential, one failed case per finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from lokeys.core.findings.finding import Finding, Severity, at_or_above
from lokeys.core.text.words import printable

if TYPE_CHECKING:  # the doctor does not need manifests
    from lokeys.core.validation.validate import Validation

Suite = tuple[str, Sequence[Finding]]
"""What a suite is about, and its findings."""


def junit(validation: Validation, *, fail_on: Severity) -> str:
    """Return the XML of a judgement of manifests."""
    suites: list[Suite] = [(str(view.ref), view.findings) for view in validation.views]
    if validation.findings:
        suites.append(("shared objects", validation.findings))
    return junit_of(suites, fail_on=fail_on)


def junit_of(suites: Sequence[Suite], *, fail_on: Severity) -> str:
    """Return the XML; findings below `fail_on` are cases that pass, with their text as output."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{_counts(suites, fail_on)}>"]
    for name, findings in suites:
        lines += _suite(name, findings, fail_on)
    return "\n".join((*lines, "</testsuites>"))


def _counts(suites: Sequence[Suite], fail_on: Severity) -> str:
    findings = [finding for _, told in suites for finding in told]
    failures = sum(at_or_above(finding.severity, fail_on) for finding in findings)
    tests = sum(len(told) or 1 for _, told in suites)
    return f' tests="{tests}" failures="{failures}" errors="0"'


def _suite(name: str, findings: Sequence[Finding], fail_on: Severity) -> Iterator[str]:
    title = quoteattr(_clean(name))
    yield f"  <testsuite name={title}{_counts([(name, findings)], fail_on)}>"
    if not findings:
        yield f'    <testcase classname={title} name="nothing to report" time="0"/>'
    for finding in findings:
        case = " ".join(filter(None, (finding.code, finding.title, finding.field)))
        yield f'    <testcase classname={title} name={quoteattr(_clean(case))} time="0">'
        yield _told(finding, failed=at_or_above(finding.severity, fail_on))
        yield "    </testcase>"
    yield "  </testsuite>"


def _told(finding: Finding, *, failed: bool) -> str:
    text = escape(_clean("\n".join(_lines(finding))))
    if not failed:
        return f"      <system-out>{text}</system-out>"
    message, kind = quoteattr(_clean(finding.message)), quoteattr(finding.severity.value)
    return f"      <failure message={message} type={kind}>{text}</failure>"


def _lines(finding: Finding) -> Iterator[str]:
    if finding.location:
        yield f"{finding.location.file}:{finding.location.line or 1}"
    yield f"{finding.severity.value}: {finding.message}"
    for remedy in finding.remedy:
        yield remedy.text
        if remedy.command:
            yield f"  {remedy.command}"
    yield finding.docs


def _clean(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
