# SPDX-License-Identifier: Apache-2.0
"""The only place that reads the clock; everything else gets the time as an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time in UTC, with its time zone."""
    return datetime.now(UTC)  # noqa: TID251 - the one permitted call
