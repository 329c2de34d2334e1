# SPDX-License-Identifier: Apache-2.0
"""What the status keeps of what was done."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.route.history import with_incident, with_step


@given(st.lists(st.sampled_from(["flush:Pod/loki-0", "evict:Pod/loki-0"]), max_size=200))
def test_the_steps_of_an_incident_fit_into_the_definition(done: list[str]) -> None:
    """Fifty at most, the latest; the same step over and over stands there once."""
    steps: list[str] = []
    for step in done:
        steps = with_step(steps, step)
    assert len(steps) <= 50
    assert steps[-1:] == done[-1:]
    assert all(one != other for one, other in itertools.pairwise(steps))


def test_an_incident_stands_in_the_history_once_and_first() -> None:
    """As it is now; the oldest of more than ten goes."""
    history = [{"time": str(number), "steps": []} for number in range(10)]
    now = {"time": "3", "steps": ["evict:Pod/loki-0"]}
    assert with_incident(history, now)[0] == now
    assert len(with_incident(history, now)) == 10
    assert with_incident(history, {"time": "new", "steps": []})[-1]["time"] == "8"
