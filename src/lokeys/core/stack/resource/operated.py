# SPDX-License-Identifier: Apache-2.0
"""Whose a LokiStack is, where another operator of the same kind is in the cluster.

`managementState: Unmanaged` makes every operator leave a stack. So a stack that was taken over is
Unmanaged for the others, and says by a label and an annotation of ours that lokeys goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MANAGED_LABEL = "lokeys.dev/managed"
TAKEN_OVER = "lokeys.dev/taken-over"
FORMER_STATE = "lokeys.dev/former-management-state"
"""On a stack that was taken over: the `managementState` that it gets back."""
YES = "true"
MANAGED, UNMANAGED = "Managed", "Unmanaged"


def is_operated(manifest: Mapping[str, Any]) -> bool:
    """Tell whether lokeys writes a stack's objects, if the stack is one of those that it takes."""
    spec = manifest.get("spec")
    said = spec.get("managementState", MANAGED) if isinstance(spec, Mapping) else MANAGED
    return bool(said == MANAGED) or is_taken_over(manifest)


def is_taken_over(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a stack says, by both, that lokeys has taken it from another operator."""
    return (
        _at(manifest, "labels", MANAGED_LABEL) == YES
        and _at(manifest, "annotations", TAKEN_OVER) == YES
    )


def _at(manifest: Mapping[str, Any], word: str, name: str) -> object:
    metadata = manifest.get("metadata")
    found = metadata.get(word) if isinstance(metadata, Mapping) else None
    return found.get(name) if isinstance(found, Mapping) else None
