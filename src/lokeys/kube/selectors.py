# SPDX-License-Identifier: Apache-2.0
"""Label selectors, as the API server understands them, for objects that are here already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TERM = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<gone>[\w./-]+)
      | (?P<key>[\w./-]+)\s*(?:
            (?P<set>in|notin)\s*\((?P<values>[^)]*)\)
          | (?P<operator>==|!=|=)\s*(?P<value>[\w.-]*)
        )?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


def matches(obj: Mapping[str, Any], selector: str | None) -> bool:
    """Tell whether the object's labels fit `selector`; an empty one fits all.

    Raises ValueError for a selector that is none.
    """
    labels = obj.get("metadata", {}).get("labels") or {}
    place = 0
    text = selector or ""
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None or term.end() == place:
            raise ValueError(f"not a label selector: {text[place:]!r}")
        if not _fits(labels, term):
            return False
        place = term.end()
    return True


def _fits(labels: Mapping[str, str], term: re.Match[str]) -> bool:
    if term["absent"]:
        return term["gone"] not in labels
    held = labels.get(term["key"])
    if term["set"]:
        wanted = {value.strip() for value in term["values"].split(",")}
        return (held in wanted) if term["set"] == "in" else (held not in wanted)
    if term["operator"] is None:
        return held is not None
    return (held == term["value"]) != (term["operator"] == "!=")
