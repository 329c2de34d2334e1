# SPDX-License-Identifier: Apache-2.0
"""What decides whether a rotation is due, from a resource and this machine's time zones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from lokeys.core.kubernetes.json_fields import text_at
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.rotation.age import key_since
from lokeys.core.route.rotation.triggers import Occasion

ROTATE = "lokeys.dev/rotate"
_LONGEST_ASKED = 1024
"""The part of the annotation in the status; two values are compared by this many characters."""


def occasion_of(
    spec: RouteSpec, manifest: Mapping[str, Any], memory: Memory, *, now: datetime
) -> Occasion:
    """Return what decides about a rotation of this resource now."""
    created = text_at(manifest, "metadata", "creationTimestamp")
    try:
        since = datetime.fromisoformat(created).astimezone(UTC)
    except ValueError:
        since = now
    return Occasion(
        now=now,
        since=since,
        uid=text_at(manifest, "metadata", "uid"),
        asked=text_at(manifest, "metadata", "annotations", ROTATE)[:_LONGEST_ASKED],
        handled=text_at(manifest, "status", "lastHandled", "rotate"),
        key_since=key_since(memory),
        zone=_zone(spec),
    )


def _zone(spec: RouteSpec) -> tzinfo | None:
    """Return the window's time zone; None if this machine does not know it."""
    window = spec.rotation.window if spec.rotation is not None else None
    if window is None or window.time_zone == "UTC":
        return UTC
    try:
        return ZoneInfo(window.time_zone)
    except (OSError, ValueError, LookupError):
        return None
