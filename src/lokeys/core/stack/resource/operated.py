# SPDX-License-Identifier: Apache-2.0
"""Which operator runs a LokiStack, if another one of the same kind is in the cluster.

`managementState: Unmanaged` makes every operator leave a stack alone. So a stack that was taken
over is Unmanaged for the others, and a label and an annotation of ours say that lokeys runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MANAGED_LABEL = "lokeys.dev/managed"
TAKEN_OVER = "lokeys.dev/taken-over"
FORMER_STATE = "lokeys.dev/former-management-state"
"""On a stack that was taken over: the `managementState` to restore."""
YES = "true"
MANAGED, UNMANAGED = "Managed", "Unmanaged"


def is_operated(manifest: Mapping[str, Any]) -> bool:
    """Tell whether lokeys writes a stack's objects, if it is one of those that it operates."""
    spec = manifest.get("spec")
    said = spec.get("managementState", MANAGED) if isinstance(spec, Mapping) else MANAGED
    return bool(said == MANAGED) or is_taken_over(manifest)


def is_taken_over(manifest: Mapping[str, Any]) -> bool:
    """Tell whether both marks say that lokeys has taken a stack over from another operator."""
    return (
        _at(manifest, "labels", MANAGED_LABEL) == YES
        and _at(manifest, "annotations", TAKEN_OVER) == YES
    )


def _at(manifest: Mapping[str, Any], word: str, name: str) -> object:
    metadata = manifest.get("metadata")
    found = metadata.get(word) if isinstance(metadata, Mapping) else None
    return found.get(name) if isinstance(found, Mapping) else None
