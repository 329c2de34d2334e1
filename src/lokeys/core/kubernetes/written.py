# SPDX-License-Identifier: Apache-2.0
"""When somebody last wrote to an object, as far as its `managedFields` show."""

from __future__ import annotations

from datetime import datetime

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, moment_at, text_at


def data_written_at(obj: Json) -> datetime | None:
    """Return the latest time at which a manager of a Secret's or ConfigMap's data wrote.

    Writes of managers that own no data do not count. External Secrets owns annotations too, under
    the same entry, so its time is an upper bound.
    """
    entries = [each for each in _entries(obj) if at(each, "fieldsV1", "f:data") is not None]
    return _latest(entries)


def written_at(obj: Json) -> datetime | None:
    """Return the latest time at which anybody wrote; data without an owner has no better bound."""
    return _latest(_entries(obj))


def _entries(obj: Json) -> list[Json]:
    entries = mappings_at(obj, "metadata", "managedFields")
    return [each for each in entries if not text_at(each, "subresource")]


def _latest(entries: list[Json]) -> datetime | None:
    times = (moment_at(entry, "time") for entry in entries)
    return max((time for time in times if time is not None), default=None)
