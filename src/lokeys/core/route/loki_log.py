# SPDX-License-Identifier: Apache-2.0
"""Storage complaints in a pod's log, as causes. `findings.doctor` reads the lines."""

from __future__ import annotations

from collections.abc import Iterable

from lokeys.core.findings.complaint import Complaint
from lokeys.core.findings.doctor.judging import judged
from lokeys.core.findings.doctor.layouts import unwrapped
from lokeys.core.findings.doctor.lines import moment, read_line
from lokeys.core.route.snapshot import LogLine


def complaints(lines: Iterable[str]) -> tuple[LogLine, ...]:
    """Return the storage complaints in some lines of a log, the most frequent first."""
    found: dict[str, LogLine] = {}
    for text in lines:
        line = read_line(unwrapped(text).text)
        complaint = judged(line)
        if not isinstance(complaint, Complaint):
            continue
        cause, at = complaint.cause, moment(line.time)
        before = found.get(cause)
        found[cause] = LogLine(
            cause=cause,
            count=before.count + 1 if before else 1,
            first_at=(before.first_at if before else None) or at,
            last_at=at or (before.last_at if before else None),
        )
    return tuple(sorted(found.values(), key=lambda each: (-each.count, each.cause)))
