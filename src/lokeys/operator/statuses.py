# SPDX-License-Identifier: Apache-2.0
"""Writes the status of a resource, and separates our own echo from other changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokeys.errors import Conflict, NotFound
from lokeys.kube.client import Api
from lokeys.kube.resources import Resource


def concerns_us(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    """Tell whether a change of a resource is more than an echo of our own status."""
    if old is None or new is None:
        return True
    parts = ("generation", "labels", "annotations", "deletionTimestamp", "uid")
    return any(old["metadata"].get(part) != new["metadata"].get(part) for part in parts)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch from `before` to `now`."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - now.keys())
    for name, value in now.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = changes(old, value)
            if inner:
                patch[name] = inner
        elif value != old:
            patch[name] = value
    return patch


async def patch_status(
    api: Api, resource: Resource, manifest: Mapping[str, Any], patch: Mapping[str, Any]
) -> None:
    """Patch the status of the object that was read, not of a later one with the same name."""
    metadata = manifest["metadata"]
    try:
        await api.merge_patch(
            resource,
            metadata["name"],
            {"metadata": {"uid": metadata["uid"]}, "status": patch},
            namespace=metadata["namespace"],
            subresource="status",
        )
    except (NotFound, Conflict):
        return  # deleted or recreated meanwhile: there is nothing to report to
