# SPDX-License-Identifier: Apache-2.0
"""What could not be read, if no other check reports it better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from lokeys.core.findings.catalogue import reading as rules
from lokeys.core.findings.catalogue import store as store_rules
from lokeys.core.findings.finding import Finding, Rule
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks.grouping import listed
from lokeys.core.route.checks.source import gaps_of_source
from lokeys.core.route.checks.store import bucket_ref
from lokeys.core.route.snapshot import PodState, Snapshot, Unreadable, Why

RULE_OF_REASON: Mapping[Why, Rule] = {
    Why.FORBIDDEN: rules.NOT_ALLOWED_TO_READ,
    Why.NOT_FOUND: rules.NOT_FOUND,
    Why.UNREACHABLE: rules.UNREACHABLE_FROM_HERE,
    Why.NOT_SUPPORTED: rules.CANNOT_BE_READ,
    Why.GARBLED: rules.GARBLED,
    Why.MISROUTED: store_rules.RGW_MISROUTE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What could not be read for one reason: an object, or several pods of one workload."""

    place: Ref
    hop: Hop
    why: Why
    details: tuple[str, ...]
    pods: tuple[Ref, ...]
    hides: bool
    """Whether this hides something that may exist."""

    def __str__(self) -> str:
        """Return it as reports list it."""
        return f"{self.place}{f' ({len(self.pods)} pods)' if self.pods else ''}: {self.why}"


def grouped(snapshot: Snapshot) -> list[Gap]:
    """Return what could not be read, in the snapshot's order; pods by their workload."""
    return grouped_of(snapshot.unreadable, snapshot.pods)


def grouped_of(unreadable: Iterable[Unreadable], pods: Iterable[PodState]) -> list[Gap]:
    """Return what could not be read, in the given order; pods by their workload."""
    workloads = {pod.ref: pod.workload for pod in pods}
    groups: dict[tuple[Why, Hop, Ref], list[Unreadable]] = {}
    for gap in unreadable:
        groups.setdefault((gap.why, gap.hop, workloads.get(gap.ref, gap.ref)), []).append(gap)
    return [_gap(key, found, known=workloads) for key, found in groups.items()]


def _gap(key: tuple[Why, Hop, Ref], found: list[Unreadable], *, known: Mapping[Ref, Ref]) -> Gap:
    why, hop, place = key
    refs = tuple(dict.fromkeys(gap.ref for gap in found))
    details = tuple(sorted({gap.detail for gap in found} - {""}))
    pods = tuple(ref for ref in refs if ref in known) if len(refs) > 1 else ()
    return Gap(
        place=place if pods else refs[0],
        hop=hop,
        why=why,
        details=details,
        pods=pods,
        hides=any(gap.hides for gap in found),
    )


def gaps(snapshot: Snapshot) -> Iterator[Finding]:
    """Each thing that could not be read, once."""
    told = {(gap.why, gap.hop, gap.ref) for gap in told_elsewhere(snapshot)}
    for gap in grouped(snapshot):
        rule = RULE_OF_REASON.get(gap.why)
        if rule is None or (gap.why, gap.hop, gap.place) in told:
            continue
        detail = "; ".join(gap.details if not gap.pods else gap.details[:1])
        if gap.why is Why.NOT_FOUND:
            detail = f": {detail}" if detail else ""
        else:
            detail = detail or "no reason given"
        yield rule.at(
            gap.place,
            route=snapshot.spec.route,
            hop=gap.hop,
            detail=detail,
            evidence=listed([ref.name for ref in gap.pods]),
            namespace=snapshot.spec.namespace,
            name=snapshot.spec.name,
        )


def store_not_reached(snapshot: Snapshot) -> Iterator[Finding]:
    """The store did not answer lokeys; whether Loki reaches it is another question."""
    silent = [v.detail for v in snapshot.verdicts.values() if v.answer is Answer.UNREACHABLE]
    if silent:
        yield rules.UNREACHABLE_FROM_HERE.at(
            bucket_ref(snapshot),
            route=snapshot.spec.route,
            hop=Hop.STORE,
            detail=max(silent) or "no answer",
        )


def told_elsewhere(snapshot: Snapshot) -> tuple[Unreadable, ...]:
    """Return what could not be read and is a fault that another check reports."""
    missing = [gap for gap in snapshot.unreadable if gap.why is Why.NOT_FOUND]
    return (
        *gaps_of_source(replace(snapshot, unreadable=tuple(missing))),
        *(gap for gap in missing if gap.hop is Hop.SECRET or gap.ref.kind == "ExternalSecret"),
    )


CHECKS = (gaps, store_not_reached)
