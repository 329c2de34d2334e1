# SPDX-License-Identifier: Apache-2.0
"""The reports that other programs read: the contract's JSON, made of what the core knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lokeys.core.findings.finding import (
    Finding,
    Rule,
    Severity,
    at_or_above,
    finding_to_json,
    ranked,
    readable,
    readable_remedy,
    remedy_to_json,
)
from lokeys.exit_codes import ExitCode

if TYPE_CHECKING:  # what judges manifests alone starts without routes and plans
    from lokeys.core.findings.link import Link

API_VERSION = "lokeys.dev/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """What a person does not want to hear of: a code, everywhere or at one object."""

    code: str
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None

    def covers(self, finding: Finding) -> bool:
        """Tell whether this is about `finding`."""
        if finding.code != self.code:
            return False
        place = finding.object
        return self.kind is None or (
            place is not None
            and (place.kind.lower(), place.namespace or "", place.name)
            == (self.kind.lower(), self.namespace or "", self.name)
        )


def ignore_of(word: str) -> Ignore:
    """Return what `CODE` or `CODE=KIND/NAMESPACE/NAME` ignores."""
    code, _, place = word.partition("=")
    if not place:
        return Ignore(code=code)
    kind, namespace, name = place.split("/", 2)
    return Ignore(code=code, kind=kind, namespace=namespace or None, name=name)


def heeded(findings: Iterable[Finding], ignored: Sequence[Ignore]) -> tuple[Finding, ...]:
    """Return the findings that are not ignored, best explanation first, none twice."""
    by_id = {f.id: f for f in findings if not any(rule.covers(f) for rule in ignored)}
    return ranked(by_id.values())


def exit_code(findings: Iterable[Finding], *, complete: bool, fail_on: Severity) -> ExitCode:
    """Return the exit code for findings at or above the threshold, for a gap, or for neither."""
    if any(at_or_above(finding.severity, fail_on) for finding in findings):
        return ExitCode.FINDINGS
    return ExitCode.NOTHING_TO_REPORT if complete else ExitCode.INCOMPLETE


def probe_report(
    route: str | None, links: Sequence[Link], findings: Sequence[Finding] = ()
) -> dict[str, Any]:
    """Return the report of `probe`."""
    return report(
        "ProbeReport",
        route=route,
        links=[_link(link) for link in links],
        findings=[finding_to_json(finding) for finding in findings],
    )


def _link(link: Link) -> dict[str, Any]:
    told = {"name": link.name, "ok": link.ok, "detail": link.said, "cause": link.blamed}
    return told | ({"account": link.account} if link.account else {})


def explanation(
    rules: Sequence[Rule],
    *,
    cause: str | None = None,
    meaning: str | None = None,
    printed_by: Callable[[Rule], Sequence[str]] = lambda _: (),
) -> dict[str, Any]:
    """Return what `explain` says of a code, or of a cause or a reason with its rules.

    `printed_by` says what logs print of a rule's cause.
    """
    return report(
        "Explanation",
        cause=cause,
        meaning=meaning,
        rules=[
            {
                "code": rule.code,
                "cause": rule.cause,
                "otherCauses": list(rule.other_causes),
                "severity": rule.severity.value,
                "title": readable(rule.title),
                "meaning": rule.meaning,
                "why": rule.why,
                "printed": list(printed_by(rule)),
                "remedy": [remedy_to_json(readable_remedy(each)) for each in rule.remedy],
            }
            for rule in rules
        ],
    )


def report(kind: str, **fields: Any) -> dict[str, Any]:
    """Return a document of the contract."""
    return {"apiVersion": API_VERSION, "kind": kind, **fields}
