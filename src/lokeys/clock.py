# SPDX-License-Identifier: Apache-2.0
"""The only place that asks what time it is; everything else is told."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one permitted call
