# SPDX-License-Identifier: Apache-2.0
"""References to parts of objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeyRef:
    """One data key of a Secret."""

    name: str
    key: str
