# SPDX-License-Identifier: Apache-2.0
"""Which findings a log's counts come to, best explanation first, symptoms folded into causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from lokeys.core.findings.catalogue.complaints import RULE_OF_CAUSE
from lokeys.core.findings.complaint import Complaint
from lokeys.core.findings.doctor.lines import read_line
from lokeys.core.findings.doctor.programs import JUDGED, Program
from lokeys.core.findings.doctor.tally import Count, Tally
from lokeys.core.findings.finding import Confidence, Finding, Location, Symptom, ranked
from lokeys.core.place import Ref
from lokeys.core.text.redaction import redacted
from lokeys.core.text.words import one_line, printable

EVIDENCE = 400
"""So much of a line is shown as evidence."""

Seen = Mapping[str, tuple[Complaint, Count]]


def verdict(tallies: Sequence[Tally]) -> tuple[Finding, ...]:
    """Return what some logs show, best explanation first."""
    return ranked(finding for tally in tallies for finding in _findings(tally))


def causes_in_order(tallies: Sequence[Tally]) -> list[str]:
    """Return the causes that findings name, first explanations first, then what else may be."""
    found = verdict(tallies)
    seen = {cause: row for tally in tallies for cause, (row, _) in tally.complaints.items()}
    named = [str(finding.cause) for finding in found]
    others = [other for cause in named for other in seen[cause].alternatives]
    return list(dict.fromkeys((*named, *others)))


def _findings(tally: Tally) -> Iterator[Finding]:
    if tally.program not in JUDGED:
        return
    explained = _explained(tally.complaints)
    for cause, (row, count) in tally.complaints.items():
        if cause in explained:
            continue
        effects = [name for name, by in explained.items() if by == cause]
        yield _finding(tally, row, count).with_symptoms(
            _symptom(name, tally.complaints[name][1]) for name in (cause, *effects)
        )


def _explained(seen: Seen) -> dict[str, str]:
    """Return which of the causes seen is only an effect, and of which other."""
    found: dict[str, str] = {}
    for cause, (row, _) in seen.items():
        for effect in row.explains:
            if effect in seen and effect != cause and cause not in found:
                found.setdefault(effect, cause)
    return found


def _symptom(cause: str, count: Count) -> Symptom:
    return Symptom(
        code=RULE_OF_CAUSE[cause].code,
        count=count.count,
        first_seen=count.first_at,
        last_seen=count.last_at,
    )


def _finding(tally: Tally, row: Complaint, count: Count) -> Finding:
    confidence = row.confidence
    if tally.program is Program.UNKNOWN:
        confidence = Confidence.POSSIBLE
    return row.rule.at(
        Ref("Log", printable(tally.name.lstrip("/"))),
        location=Location(file=tally.name, line=count.number),
        confidence=confidence,
        evidence=_evidence(row, count),
        remedy=None if not row.apart else (*row.rule.remedy, *row.apart),
        detail=f" ({_often(count)})",
        user="the store's user",
    )


def _evidence(row: Complaint, count: Count) -> Iterator[str]:
    yield shown_line(count.line)
    if row.alternatives:
        yield f"the same words may also mean: {', '.join(row.alternatives)}"


def shown_line(text: str) -> str:
    """Return what one record says as it may be shown: no secret, no words of people, and short."""
    line = read_line(text)
    repeated = line.said in line.message or line.message in line.said
    said = line.said if repeated else f"{line.message}: {line.said}"
    said = one_line(redacted(f"{line.time} {said}".strip()))
    return said if len(said) <= EVIDENCE else f"{said[:EVIDENCE]}…"


def _often(count: Count) -> str:
    lines = f"{count.count} line{'s' if count.count > 1 else ''}"
    return f"{lines}{span(count.first_at, count.last_at)}"


def span(first: datetime | None, last: datetime | None) -> str:
    """Return from when to when, as a sentence goes on with it; nothing where it is not known."""
    if first is None or last is None:
        return ""
    form = "%Y-%m-%d %H:%M:%S"
    if f"{first:{form}}" == f"{last:{form}}":
        return f", {first:{form}} UTC"
    end = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:{form}}"
    return f", {first:{form}} to {end} UTC"
