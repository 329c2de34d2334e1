# SPDX-License-Identifier: Apache-2.0
"""Wording of findings about storage: commands only if a name can be an object's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lokeys.core.findings.finding import Finding, Remedy, Rule
from lokeys.core.place import Ref
from lokeys.core.text.words import shown

_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")


def tell(  # noqa: PLR0913 - a finding has many facets, all named at the call
    rule: Rule,
    place: Ref,
    *,
    stack: Ref,
    field: str | None = None,
    words: Mapping[str, Any] | None = None,
    remedy: tuple[Remedy, ...] | None = None,
) -> Finding:
    """Return a finding of `rule` at `place`, without commands if an unusual name would break them.

    `remedy` replaces the rule's own; its texts are also templates.
    """
    known: dict[str, Any] = {
        "value": "VALUE",
        "namespace": place.namespace or stack.namespace or "default",
        "name": place.name,
    }
    known["stack"] = stack.name
    clean = all(_NAME.fullmatch(known[name]) for name in ("namespace", "name", "stack"))
    in_object = place.kind in ("Secret", "ConfigMap") and field is not None
    if in_object and not _DATA_KEY.fullmatch(str(field)):
        clean = False
    if remedy is not None:
        rule = replace(rule, remedy=remedy)
    known |= words or {}
    named = shown(field) if field is not None else None
    route = f"{stack.namespace}/{stack.name}"
    finding = rule.at(place, route=route, field=named, **known)
    if clean:
        return finding
    plain = tuple(replace(each, command=None) for each in finding.remedy)
    return replace(finding, remedy=plain)
