# SPDX-License-Identifier: Apache-2.0
"""What was counted in one log. Its size is bounded by the tables, whatever the log's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from lokeys.core.findings.complaint import Complaint
from lokeys.core.findings.doctor.kinds import Kind
from lokeys.core.findings.doctor.lines import moment, time_of
from lokeys.core.findings.doctor.programs import Program


@dataclass(slots=True)
class Count:
    """How often something was seen, its first and last lines as they came, and what one says."""

    count: int = 0
    first: bytes = b""
    last: bytes = b""
    line: str = ""
    number: int = 0
    """In which line of the log it was seen first, from 1."""

    def add(self, raw: bytes, number: int) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or raw
        self.number = self.number or number
        self.last = raw

    @property
    def first_at(self) -> datetime | None:
        """Return when it was seen first."""
        return moment(time_of(self.first))

    @property
    def last_at(self) -> datetime | None:
        """Return when it was seen last."""
        return moment(time_of(self.last))


@dataclass(slots=True, kw_only=True)
class Tally:
    """One log.

    `bad` counts lines of level warn or worse, `understood` those of them that mean something that
    is known: a complaint, or a trouble that is somebody else's.
    """

    name: str
    kind: Kind = Kind.LOG
    program: Program = Program.UNKNOWN
    lines: int = 0
    bad: int = 0
    understood: int = 0
    cut: int = 0
    """Lines that were too long to be read to their end."""
    first: str = ""
    last: str = ""
    complaints: dict[str, tuple[Complaint, Count]] = field(default_factory=dict)
    ignored: dict[str, Count] = field(default_factory=dict)
    unknown: Count = field(default_factory=Count)

    @property
    def share(self) -> float | None:
        """Return which share of the bad lines was understood; None where there was none."""
        return self.understood / self.bad if self.bad else None

    @property
    def first_at(self) -> datetime | None:
        """Return the time of the first line that has one."""
        return moment(self.first)

    @property
    def last_at(self) -> datetime | None:
        """Return the time of the last line that has one."""
        return moment(self.last)
