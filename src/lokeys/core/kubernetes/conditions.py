# SPDX-License-Identifier: Apache-2.0
"""The condition Ready, as most controllers write it."""

from __future__ import annotations

from lokeys.core.kubernetes.json_fields import Json, mappings_at, text_at


def condition_of(obj: Json, kind: str = "Ready") -> Json | None:
    """Return an object's condition of this type."""
    conditions = mappings_at(obj, "status", "conditions")
    return next((each for each in conditions if text_at(each, "type") == kind), None)


def truth_of(condition: Json | None) -> bool | None:
    """Return what a condition says; None for Unknown, and if there is no condition."""
    return {"True": True, "False": False}.get(text_at(condition, "status"))


def ready_of(obj: Json) -> tuple[bool | None, str]:
    """Return whether an object says that it is ready, and its message."""
    ready = condition_of(obj)
    return truth_of(ready), text_at(ready, "message")
