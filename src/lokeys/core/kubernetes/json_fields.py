# SPDX-License-Identifier: Apache-2.0
"""Fields of an object that somebody else wrote, if they have the requested type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


def at(obj: Any, *path: str) -> Any:
    """Return the value at `path`, None if a step is missing, null or not an object."""
    for step in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(step)
    return obj


def mappings_at(obj: Any, *path: str) -> list[Json]:
    """Return the objects of the list at `path`; an empty list if there is none."""
    found = at(obj, *path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def text_at(obj: Any, *path: str) -> str:
    """Return the text at `path`, or an empty one."""
    found = at(obj, *path)
    return found if isinstance(found, str) else ""


def number_at(obj: Any, *path: str, default: int = 0) -> int:
    """Return the whole number at `path`, or `default`."""
    found = at(obj, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def moment_at(obj: Any, *path: str) -> datetime | None:
    """Return the RFC 3339 time at `path` in UTC, None if there is none."""
    try:
        found = datetime.fromisoformat(text_at(obj, *path))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
