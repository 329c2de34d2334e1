# SPDX-License-Identifier: Apache-2.0
"""What could not be read, where no other check says so better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lokeys.core.findings.catalogue import reading as rules
from lokeys.core.findings.catalogue import store as store_rules
from lokeys.core.findings.finding import Finding, Rule
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks.source import gaps_of_source
from lokeys.core.route.checks.store import bucket_ref
from lokeys.core.route.snapshot import Snapshot, Unreadable, Why

RULE_OF_REASON: Mapping[Why, Rule] = {
    Why.FORBIDDEN: rules.NOT_ALLOWED_TO_READ,
    Why.NOT_FOUND: rules.NOT_FOUND,
    Why.UNREACHABLE: rules.UNREACHABLE_FROM_HERE,
    Why.NOT_SUPPORTED: rules.CANNOT_BE_READ,
    Why.GARBLED: rules.GARBLED,
    Why.MISROUTED: store_rules.RGW_MISROUTE,
}


def gaps(snapshot: Snapshot) -> Iterator[Finding]:
    """Each thing that could not be read, once."""
    details: dict[tuple[Why, Hop, Ref], set[str]] = {}
    for gap in snapshot.unreadable:
        details.setdefault((gap.why, gap.hop, gap.ref), set()).add(gap.detail)
    told = {(gap.why, gap.hop, gap.ref) for gap in told_elsewhere(snapshot)}
    for (why, hop, ref), said in details.items():
        rule = RULE_OF_REASON.get(why)
        if rule is None or (why, hop, ref) in told:
            continue
        detail = "; ".join(sorted(said - {""}))
        if why is Why.NOT_FOUND:
            detail = f": {detail}" if detail else ""
        else:
            detail = detail or "no reason given"
        yield rule.at(
            ref,
            route=snapshot.spec.route,
            hop=hop,
            detail=detail,
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
    """Return the gaps that are faults of their own, told by another check."""
    missing = [gap for gap in snapshot.unreadable if gap.why is Why.NOT_FOUND]
    return (
        *gaps_of_source(replace(snapshot, unreadable=tuple(missing))),
        *(gap for gap in missing if gap.hop is Hop.SECRET or gap.ref.kind == "ExternalSecret"),
    )


CHECKS = (gaps, store_not_reached)
