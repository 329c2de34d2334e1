# SPDX-License-Identifier: Apache-2.0
"""What could not be read, where no other check says so better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lokeys.core.catalogue import reading as rules
from lokeys.core.checks.store import bucket_ref
from lokeys.core.finding import Finding, Rule
from lokeys.core.model import Hop
from lokeys.core.snapshot import Answer, Snapshot, Unreadable, Why

RULE_OF_REASON: Mapping[Why, Rule] = {
    Why.FORBIDDEN: rules.NOT_ALLOWED_TO_READ,
    Why.NOT_FOUND: rules.NOT_FOUND,
    Why.UNREACHABLE: rules.UNREACHABLE_FROM_HERE,
    Why.NOT_SUPPORTED: rules.CANNOT_BE_READ,
    Why.GARBLED: rules.GARBLED,
}


def gaps(snapshot: Snapshot) -> Iterator[Finding]:
    """Each thing that could not be read."""
    for gap in snapshot.unreadable:
        rule = RULE_OF_REASON.get(gap.why)
        if rule is None or _told_elsewhere(gap):
            continue
        detail = gap.detail
        if gap.why is Why.NOT_FOUND:
            detail = f": {detail}" if detail else ""
        yield rule.at(
            gap.ref,
            route=snapshot.spec.route,
            hop=gap.hop,
            detail=detail or "no reason given",
            namespace=snapshot.spec.namespace,
            name=snapshot.spec.name,
        )


def store_not_reached(snapshot: Snapshot) -> Iterator[Finding]:
    """The store did not answer lokeys; whether Loki reaches it is another question."""
    silent = [v for v in snapshot.verdicts.values() if v.answer is Answer.UNREACHABLE]
    if silent:
        yield rules.UNREACHABLE_FROM_HERE.at(
            bucket_ref(snapshot),
            route=snapshot.spec.route,
            hop=Hop.STORE,
            detail=silent[0].detail or "no answer",
        )


def _told_elsewhere(gap: Unreadable) -> bool:
    if gap.why is not Why.NOT_FOUND:
        return gap.why is Why.NOT_ALLOWED
    return gap.hop in {Hop.SOURCE, Hop.SECRET} or gap.ref.kind == "ExternalSecret"


CHECKS = (gaps, store_not_reached)
