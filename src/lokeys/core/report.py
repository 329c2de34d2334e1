# SPDX-License-Identifier: Apache-2.0
"""The reports that other programs read: the contract's JSON, made of what the core knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lokeys.core.finding import (
    Finding,
    Rule,
    Severity,
    at_or_above,
    finding_to_json,
    ranked,
    readable,
    readable_remedy,
    ref_to_json,
    remedy_to_json,
)
from lokeys.core.place import Ref

if TYPE_CHECKING:  # what judges manifests alone starts without routes and plans
    from lokeys.core.diagnosis import Diagnosis
    from lokeys.core.plan import Plan
    from lokeys.core.trust.verification import Link

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """One diagnosed route and the object that describes it."""

    owner: Ref
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of a healing: planned, or done and how long it took."""

    step: Mapping[str, Any]
    done: bool
    took_s: float | None = None
    note: str = ""


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


def exit_code(findings: Iterable[Finding], *, complete: bool, fail_on: Severity) -> int:
    """Return 3 for findings at or above the threshold, 5 for a gap, else 0."""
    if any(at_or_above(finding.severity, fail_on) for finding in findings):
        return 3
    return 0 if complete else 5


def diagnosis_report(
    routes: Sequence[RouteView], findings: Sequence[Finding], not_read: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the report of `doctor`; `not_read` is what no route could be made of."""
    unread = [*not_read, *(gap for route in routes for gap in route.diagnosis.not_read)]
    return report(
        "DiagnosisReport",
        complete=not not_read and all(route.diagnosis.complete for route in routes),
        notRead=list(dict.fromkeys(unread)),
        routes=[_route(route) for route in routes],
        findings=[finding_to_json(finding) for finding in findings],
    )


def route_report(route: RouteView, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the report of `trace`: one route and what is wrong with it."""
    return report(
        "RouteReport",
        complete=route.diagnosis.complete,
        notRead=list(route.diagnosis.not_read),
        route=_route(route),
        findings=[finding_to_json(finding) for finding in findings],
    )


def plan_report(route: str, plan: Plan, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the report of `heal --dry-run`."""
    from lokeys.core.plan.steps import plan_to_json  # noqa: PLC0415

    return report(
        "Plan",
        route=route,
        **plan_to_json(plan),
        findings=[finding_to_json(finding) for finding in findings],
    )


def heal_report(
    route: str,
    steps: Sequence[StepView],
    *,
    ending: str,
    proof: str | None,
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Return the report of `heal`: what was done, what was left, and what proves it."""
    return report(
        "HealReport",
        route=route,
        ending=ending,
        steps=[
            {**step.step, "done": step.done, "took": step.took_s, "note": step.note}
            for step in steps
        ],
        proof=proof,
        findings=[finding_to_json(finding) for finding in findings],
    )


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


def explanation(rules: Sequence[Rule], *, meaning: str | None = None) -> dict[str, Any]:
    """Return what `explain` says of some rules, or of a reason that is no finding's."""
    return report(
        "Explanation",
        meaning=meaning,
        rules=[
            {
                "code": rule.code,
                "cause": rule.cause,
                "severity": rule.severity.value,
                "title": readable(rule.title),
                "meaning": rule.meaning,
                "why": rule.why,
                "remedy": [remedy_to_json(readable_remedy(each)) for each in rule.remedy],
            }
            for rule in rules
        ],
    )


def report(kind: str, **fields: Any) -> dict[str, Any]:
    """Return a document of the contract."""
    return {"apiVersion": API_VERSION, "kind": kind, **fields}


def _route(route: RouteView) -> dict[str, Any]:
    from lokeys.core.route import hop_to_json  # noqa: PLC0415

    return {
        "kind": "static",
        "owner": ref_to_json(route.owner),
        "hops": [hop_to_json(view) for view in route.diagnosis.hops],
    }
