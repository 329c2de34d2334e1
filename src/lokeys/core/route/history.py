# SPDX-License-Identifier: Apache-2.0
"""What was done on a route, as its status keeps it, within the limits of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lokeys.core.findings.finding import time_to_json
from lokeys.core.route.receipts.model import Receipt

INCIDENTS_AT_MOST = 10
STEPS_AT_MOST = 50
"""Limit for one incident."""


def with_step(steps: Sequence[str], step: str) -> list[str]:
    """Return the steps of an incident with one more: the latest fifty.

    A step that is repeated, such as a flush without an answer, is listed once.
    """
    again = [*steps[-1:]] == [step]
    return [*steps, *([] if again else [step])][-STEPS_AT_MOST:]


def with_incident(
    history: Iterable[Mapping[str, Any]], incident: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the history with an incident as it is now, newest first: the latest ten."""
    others = (dict(row) for row in history if row["time"] != incident["time"])
    return [dict(incident), *others][:INCIDENTS_AT_MOST]


def incident_of(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt in short."""
    steps: list[str] = []
    for deed in receipt.deeds:
        steps = with_step(steps, deed.step)
    return {"time": time_to_json(receipt.began_at), "cause": receipt.cause, "steps": steps}


def united(
    one: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return two versions of one history as one, newest first: a person may have added to it."""
    rows = {row["time"]: dict(row) for row in (*one, *other)}
    return sorted(rows.values(), key=lambda row: str(row["time"]), reverse=True)
