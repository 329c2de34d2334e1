# SPDX-License-Identifier: Apache-2.0
"""When a stack's credentials are tried again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.trust.schedule import AT_MOST_EVERY, Tried, due_at, is_due, moved

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVERY = timedelta(minutes=5)
LAST = Tried(at=NOON, secrets="one", refused={"ingester-0": 3})


def due(
    after: timedelta,
    *,
    last: Tried | None = LAST,
    secrets: str = "one",
    refused: Mapping[str, int] | None = None,
    every: timedelta = EVERY,
) -> bool:
    counted = LAST.refused if refused is None else refused
    return is_due(last, now=NOON + after, every=every, jitter=0.5, secrets=secrets, refused=counted)


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        pytest.param(due(timedelta(0), last=None), True, id="never tried"),
        pytest.param(due(timedelta(seconds=1)), False, id="just tried"),
        pytest.param(due(timedelta(minutes=5)), True, id="by the clock"),
        pytest.param(due(timedelta(seconds=1), secrets="two"), True, id="another Secret: at once"),
        pytest.param(due(AT_MOST_EVERY, refused={"ingester-0": 4}), True, id="a new 403"),
        pytest.param(
            due(timedelta(seconds=1), refused={"ingester-0": 4}), False, id="403s not too often"
        ),
        pytest.param(
            due(timedelta(seconds=2), refused={"ingester-0": 4}, every=timedelta(seconds=2)),
            True,
            id="an interval shorter than that",
        ),
        pytest.param(due(AT_MOST_EVERY), False, id="the same 403s"),
    ],
)
def test_a_try_is_due_by_the_clock_a_403_or_another_secret(tried: bool, expected: bool) -> None:
    """A change of a Secret is tried at once; 403s at most every half minute."""
    assert tried is expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({}, {}, False),
        ({"a": 1}, {"a": 1}, False),
        ({"a": 1}, {"a": 2}, True),
        ({"a": 5}, {"a": 2}, True),
        ({"a": 5}, {"a": 0}, False),
        ({"a": 5}, {}, False),
        ({}, {"b": 0}, False),
        ({}, {"b": 1}, True),
    ],
)
def test_a_counter_moves_up_or_starts_anew(
    before: Mapping[str, int], now: Mapping[str, int], expected: bool
) -> None:
    """A restarted pod counts from nothing; one that cannot be read says nothing."""
    assert moved(before, now) is expected


@given(st.floats(0, 1), st.timedeltas(timedelta(seconds=1), timedelta(hours=1)))
def test_the_clock_is_spread_by_a_tenth_either_way(jitter: float, every: timedelta) -> None:
    """No two stacks need be tried in step, and none much later than was asked."""
    due = due_at(LAST, now=NOON, every=every, jitter=jitter)
    assert every * 0.89 <= due - NOON <= every * 1.11
    assert due_at(None, now=NOON, every=every, jitter=jitter) == NOON
