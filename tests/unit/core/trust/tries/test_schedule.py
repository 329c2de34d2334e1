# SPDX-License-Identifier: Apache-2.0
"""When a stack's credentials are tried again by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.trust.tries.schedule import OPEN_AGAIN_AFTER, Tried, due_at

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVERY = timedelta(minutes=5)


def wait(left_open: int, *, every: timedelta = EVERY) -> timedelta:
    """Return how long is waited after so many tries in a row that were left open."""
    return due_at(Tried(at=NOON, open=left_open), every=every, jitter=0.5) - NOON


@pytest.mark.parametrize(
    ("waited", "expected"),
    [
        pytest.param(wait(0), EVERY, id="by the clock"),
        pytest.param(wait(1), OPEN_AGAIN_AFTER, id="left open: soon"),
        pytest.param(wait(3), OPEN_AGAIN_AFTER * 4, id="not so soon each time"),
        pytest.param(wait(99), EVERY, id="and never later than by the clock"),
        pytest.param(wait(1, every=timedelta(seconds=2)), timedelta(seconds=2), id="a short clock"),
    ],
)
def test_a_try_that_was_left_open_is_soon_made_again(
    waited: timedelta, expected: timedelta
) -> None:
    """A stack's accounts come a moment after its first try."""
    assert waited == expected


def test_an_answer_ends_the_hurry() -> None:
    """Open tries are counted in a row."""
    tried = Tried(at=NOON).after(NOON, left_open=True).after(NOON, left_open=True)
    assert tried.open == 2
    assert tried.after(NOON + EVERY, left_open=False) == Tried(at=NOON + EVERY)


@given(st.floats(0, 1), st.timedeltas(timedelta(seconds=1), timedelta(hours=1)))
def test_the_clock_is_spread_by_a_tenth_either_way(jitter: float, every: timedelta) -> None:
    """No two stacks need be tried in step, and none much later than was asked."""
    due = due_at(Tried(at=NOON), every=every, jitter=jitter)
    assert every * 0.89 <= due - NOON <= every * 1.11
