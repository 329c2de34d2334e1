# SPDX-License-Identifier: Apache-2.0
"""References from one object to another, and to parts of objects."""

from __future__ import annotations

from dataclasses import dataclass

from lokeys.core.kubernetes.json_fields import Json, mappings_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeyRef:
    """One data key of a Secret."""

    name: str
    key: str


def controller_of(obj: Json) -> Json | None:
    """Return the ownerReference of the controller, if there is one."""
    owners = mappings_at(obj, "metadata", "ownerReferences")
    return next((owner for owner in owners if owner.get("controller")), None)
