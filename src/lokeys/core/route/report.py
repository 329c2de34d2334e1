# SPDX-License-Identifier: Apache-2.0
"""The reports about routes that other programs read: the contract's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lokeys.core.findings.doctor.summary import log_to_json
from lokeys.core.findings.doctor.tally import Tally
from lokeys.core.findings.finding import Finding, finding_to_json, ref_to_json
from lokeys.core.place import Ref

if TYPE_CHECKING:  # what judges manifests alone starts without routes and plans
    from lokeys.core.route.diagnosis import Diagnosis
    from lokeys.core.route.plan import Plan
from lokeys.core.findings.report import report


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """One diagnosed route and the object that describes it."""

    owner: Ref
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of a heal: planned, or done and how long it took."""

    step: Mapping[str, Any]
    done: bool
    took_s: float | None = None
    note: str = ""


def diagnosis_report(
    routes: Sequence[RouteView],
    findings: Sequence[Finding],
    not_read: Sequence[str] = (),
    *,
    logs: Sequence[Tally] = (),
) -> dict[str, Any]:
    """Return the report of `doctor`; `not_read` lists Lokis without a route."""
    unread = [*not_read, *(gap for route in routes for gap in route.diagnosis.not_read)]
    return report(
        "DiagnosisReport",
        complete=not not_read and all(route.diagnosis.complete for route in routes),
        notRead=list(dict.fromkeys(unread)),
        routes=[_route(route) for route in routes],
        logs=[log_to_json(tally) for tally in logs],
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
    from lokeys.core.route.plan.steps import plan_to_json  # noqa: PLC0415

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


def _route(route: RouteView) -> dict[str, Any]:
    from lokeys.core.route.hops import hop_to_json  # noqa: PLC0415

    return {
        "kind": "static",
        "owner": ref_to_json(route.owner),
        "hops": [hop_to_json(view) for view in route.diagnosis.hops],
    }
