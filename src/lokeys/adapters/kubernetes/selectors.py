# SPDX-License-Identifier: Apache-2.0
"""Label selectors of objects, as text for list calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at

Labels = Mapping[str, str]


def labels_of(obj: Json) -> Labels:
    """Return an object's labels."""
    found = at(obj, "metadata", "labels")
    return found if isinstance(found, Mapping) else {}


def as_text(selector: Any) -> str:
    """Return a selector in the form for a list call."""
    exact = at(selector, "matchLabels")
    terms = [f"{key}={value}" for key, value in sorted(exact.items())] if exact else []
    for expression in mappings_at(selector, "matchExpressions"):
        key, values = text_at(expression, "key"), ",".join(_values(expression))
        terms.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[text_at(expression, "operator")]
        )
    return ",".join(terms)


def _values(expression: Json) -> list[str]:
    found = at(expression, "values")
    return [str(value) for value in found] if isinstance(found, list) else []
