# SPDX-License-Identifier: Apache-2.0
"""What was done on a route, as its status keeps it: within what the resource's definition takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

INCIDENTS_AT_MOST = 10
STEPS_AT_MOST = 50
"""Of one incident."""


def with_step(steps: Sequence[str], step: str) -> list[str]:
    """Return the steps of an incident with one more: the latest fifty.

    A step that is done again and again, such as a flush that nobody answers, stands there once.
    """
    again = [*steps[-1:]] == [step]
    return [*steps, *([] if again else [step])][-STEPS_AT_MOST:]


def with_incident(
    history: Iterable[Mapping[str, Any]], incident: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the history with an incident as it is now, newest first: the latest ten."""
    others = (dict(row) for row in history if row["time"] != incident["time"])
    return [dict(incident), *others][:INCIDENTS_AT_MOST]
