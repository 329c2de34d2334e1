# SPDX-License-Identifier: Apache-2.0
"""What was read of a log, for programs and in sentences: how much, from when to when, whose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokeys.core.findings.doctor.kinds import Kind
from lokeys.core.findings.doctor.programs import JUDGED, Program
from lokeys.core.findings.doctor.tally import Tally
from lokeys.core.findings.doctor.verdict import shown_line, span
from lokeys.core.findings.finding import time_to_json
from lokeys.core.text.words import printable


def log_to_json(tally: Tally) -> dict[str, Any]:
    """Return what a DiagnosisReport says of one log."""
    share = tally.share
    return {
        "name": printable(tally.name),
        "kind": tally.kind.value,
        "program": tally.program.value,
        "lines": tally.lines,
        "linesCut": tally.cut,
        "firstSeen": time_to_json(tally.first_at),
        "lastSeen": time_to_json(tally.last_at),
        "warnings": tally.bad,
        "understood": None if share is None else round(share, 4),
        "ignored": [
            {"what": what, "count": count.count} for what, count in sorted(tally.ignored.items())
        ],
    }


def log_sentences(tally: Tally, *, verbose: bool) -> Iterator[str]:
    """Yield what was read of a log; `verbose`: with each kind of trouble that was ignored."""
    name = printable(tally.name)
    if tally.kind is Kind.EMPTY:
        yield f"{name} is empty: it says nothing, neither good nor bad"
        return
    if tally.kind is not Kind.LOG:
        yield f"{name} is {tally.kind.value}, and no log"
        return
    if tally.program is Program.OTHER:
        yield f"{name} is a log of another program: nothing in it is about Loki's storage"
        return
    times = span(tally.first_at, tally.last_at)
    lines = f"{tally.lines:,} line{'s' if tally.lines != 1 else ''}"
    yield f"{name}: {lines} of {tally.program.value}{times}{_share(tally)}"
    if tally.cut:
        yield f"{tally.cut} too long to be read to the end"
    yield from _ignored(tally, verbose=verbose)


def _share(tally: Tally) -> str:
    if tally.share is None:
        return "; none is a warning or worse"
    return f"; {tally.bad:,} warn or worse, {tally.share:.0%} of them understood"


def _ignored(tally: Tally, *, verbose: bool) -> Iterator[str]:
    count = sum(each.count for each in tally.ignored.values())
    if verbose:
        for what, each in sorted(tally.ignored.items(), key=lambda item: -item[1].count):
            yield f"ignored {each.count:,}: {what}, such as {shown_line(each.line)}"
    elif count:
        yield f"{count:,} ignored as not about storage credentials (-v lists them)"
    if tally.unknown.count and (verbose or not tally.complaints):
        example = shown_line(tally.unknown.line)
        yield f"not understood {tally.unknown.count:,}, such as {example}"


def is_judged(tally: Tally) -> bool:
    """Tell whether findings, or their absence, mean something for this log."""
    known = tally.program in JUDGED and tally.program is not Program.UNKNOWN
    return tally.kind is Kind.LOG and known and tally.lines > 0
