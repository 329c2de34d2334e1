# SPDX-License-Identifier: Apache-2.0
"""How OpenTelemetry's attributes are handled: which are labels, and which are dropped.

    OpenShift's list + the stack's ─▶ limits_config.otlp_config
                    + a tenant's own ─▶ its override, which Loki uses instead of the global one

Loki makes some attributes labels by default. As soon as the spec names any, for all tenants or for
one, none of Loki's own apply to any: the spec's lists are then complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.resource.otlp import required_labels

_DROPPED = {
    "logAttributes": "log_attributes",
    "resourceAttributes": "resource_attributes",
    "scopeAttributes": "scope_attributes",
}
Attributes = Sequence[Mapping[str, Any]]


def otlp_for_all(stack: LokiStack) -> dict[str, Any]:
    """Return the rules for tenants without their own list; empty if there are none."""
    return _config(_of_openshift(stack), stack.limits.otlp)


def otlp_for_tenant(stack: LokiStack, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules for a tenant: the stack's, and its own; empty if it has none."""
    return _config(_of_openshift(stack), stack.limits.otlp, own) if own else {}


def names_labels(stack: LokiStack) -> bool:
    """Tell whether the stack names attributes as labels, which replaces Loki's default."""
    said = (
        _of_openshift(stack),
        stack.limits.otlp,
        *(limits.otlp for limits in stack.tenant_limits.values()),
    )
    return any(_labels(each) for each in said)


def _of_openshift(stack: LokiStack) -> Mapping[str, Any]:
    names = required_labels(stack.tenants.mode if stack.tenants else None)
    return {"streamLabels": {"resourceAttributes": [{"name": name} for name in names]}}


def _labels(otlp: Mapping[str, Any]) -> Attributes:
    found: Attributes = otlp.get("streamLabels", {}).get("resourceAttributes", ())
    return found


def _config(*said: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name, theirs in _DROPPED.items():
        lists = [otlp.get("drop", {}).get(name, ()) for otlp in said]
        rules = list(_rules("drop", lists))
        if name == "resourceAttributes":
            rules += _rules("index_label", [_labels(otlp) for otlp in said])
        if rules and name == "resourceAttributes":
            config[theirs] = {"attributes_config": rules}
        elif rules:
            config[theirs] = rules
    return config


def _rules(action: str, lists: Iterable[Attributes]) -> Iterator[dict[str, Any]]:
    """Yield the rules for all attributes of some lists: each once, names before patterns."""
    attributes = [attribute for each in lists for attribute in each]
    names = {each["name"] for each in attributes if not each.get("regex")}
    patterns = dict.fromkeys(each["name"] for each in attributes if each.get("regex"))
    if names:
        yield {"action": action, "attributes": sorted(names)}
    for pattern in patterns:
        yield {"action": action, "regex": pattern}
