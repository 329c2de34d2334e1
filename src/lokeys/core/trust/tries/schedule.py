# SPDX-License-Identifier: Apache-2.0
"""When a stack's credentials are next tested on schedule.

A change of a Secret, or another 403 that a pod counts, causes a test at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

OPEN_AGAIN_AFTER = timedelta(seconds=5)
"""A test without an answer, or before the stack's accounts existed, is soon repeated; each time
after twice as long, up to the interval."""
_MOST_DOUBLINGS = 16
_SPREAD = 0.2
"""A fifth of the interval, so that a thousand stacks are not tested at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The last test of a stack: when, and how many in a row were inconclusive by then."""

    at: datetime
    open: int = 0

    def after(self, at: datetime, *, left_open: bool) -> Tried:
        """Return the test that followed this one."""
        return Tried(at=at, open=self.open + 1 if left_open else 0)


def due_at(last: Tried, *, every: timedelta, jitter: float) -> datetime:
    """Return when the next scheduled test is due; `jitter`, from 0 to 1, is the stack's own."""
    soon = OPEN_AGAIN_AFTER * 2 ** min(last.open - 1, _MOST_DOUBLINGS) if last.open else every
    return last.at + min(every, soon) * (1 + _SPREAD * (jitter - 0.5))
