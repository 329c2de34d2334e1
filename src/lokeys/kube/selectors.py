# SPDX-License-Identifier: Apache-2.0
"""Label selectors with the API server's semantics, for objects that were already read."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
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
    """Tell whether the object's labels match `selector`; an empty one matches all.

    Raises ValueError for an invalid selector.
    """
    labels = obj.get("metadata", {}).get("labels") or {}
    return all(term.fits(labels) for term in _terms(selector or ""))


@dataclass(frozen=True, slots=True)
class _Term:
    """One condition. `values` None: the label exists, with any value."""

    key: str
    values: frozenset[str] | None
    negated: bool

    def fits(self, labels: Mapping[str, str]) -> bool:
        if self.values is None:
            return (self.key in labels) != self.negated
        return (labels.get(self.key) in self.values) != self.negated


@functools.lru_cache(maxsize=4096)
def _terms(selector: str) -> tuple[_Term, ...]:
    """Return a selector's conditions; cached, as each is compared with every object of a kind."""
    terms: list[_Term] = []
    place = 0
    while place < len(selector):
        found = _TERM.match(selector, place)
        if found is None or found.end() == place:
            raise ValueError(f"not a label selector: {selector[place:]!r}")
        terms.append(_term(found))
        place = found.end()
    return tuple(terms)


def _term(found: re.Match[str]) -> _Term:
    if found["absent"]:
        return _Term(found["gone"], None, negated=True)
    if found["set"]:
        values = frozenset(value.strip() for value in found["values"].split(","))
        return _Term(found["key"], values, negated=found["set"] == "notin")
    if found["operator"] is None:
        return _Term(found["key"], None, negated=False)
    return _Term(found["key"], frozenset({found["value"]}), negated=found["operator"] == "!=")
