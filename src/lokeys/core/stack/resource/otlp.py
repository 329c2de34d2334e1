# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's attributes as a spec names them, and where it contradicts itself.

OpenShift's list is that of its data model (rhobs/observability-data-model, `cluster-logging.md`):
what it calls a required stream label. Its console and its users' permissions depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.findings.catalogue import lokistacks
from lokeys.core.findings.finding import Finding, Rule
from lokeys.core.stack.resource.model import LokiStack, TenancyMode
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.words import shown

_REQUIRED = (
    "k8s.namespace.name",
    "kubernetes.namespace_name",
    "log_source",
    "log_type",
    "openshift.cluster.uid",
    "openshift.log.source",
    "openshift.log.type",
)


def required_labels(mode: TenancyMode | None) -> tuple[str, ...]:
    """Return the resource attributes that are labels in a tenancy, whatever the spec says."""
    return _REQUIRED if mode is TenancyMode.OPENSHIFT_LOGGING else ()


def otlp_findings(stack: LokiStack) -> Iterator[Finding]:
    """Yield the resource attributes that are dropped and labels at once.

    Names are compared. Patterns are not compared with names: only Loki knows how it matches them.
    """
    required = frozenset(required_labels(stack.tenants.mode if stack.tenants else None))
    everybody = stack.limits.otlp
    labels, dropped = frozenset(_labels(everybody)), frozenset(_dropped(everybody))
    yield from _clashes(stack, "global", _dropped(everybody), labels, required)
    for tenant, limits in stack.tenant_limits.items():
        place, own = f"tenants.{shown(tenant)}", limits.otlp
        both = labels | frozenset(_labels(own))
        yield from _clashes(stack, place, _dropped(own), both, required)
        for name, path in _labels(own).items():
            if name in dropped:
                yield _clash(lokistacks.LABEL_DROPPED, stack, f"{place}.{path}", name)


def _clashes(
    stack: LokiStack,
    place: str,
    dropped: Mapping[str, str],
    labels: frozenset[str],
    required: frozenset[str],
) -> Iterator[Finding]:
    for name, path in dropped.items():
        if name in required:
            yield _clash(lokistacks.REQUIRED_LABEL_DROPPED, stack, f"{place}.{path}", name)
        elif name in labels:
            yield _clash(lokistacks.LABEL_DROPPED, stack, f"{place}.{path}", name)


def _clash(rule: Rule, stack: LokiStack, path: str, name: str) -> Finding:
    words = {"attribute": shown(name)}
    return tell(rule, stack.ref, stack=stack.ref, field=f"spec.limits.{path}", words=words)


def _labels(otlp: Mapping[str, Any]) -> dict[str, str]:
    return _named(otlp, "streamLabels")


def _dropped(otlp: Mapping[str, Any]) -> dict[str, str]:
    return _named(otlp, "drop")


def _named(otlp: Mapping[str, Any], word: str) -> dict[str, str]:
    """Return the names in a list of resource attributes, each with its path below the limits."""
    listed = otlp.get(word, {}).get("resourceAttributes", ())
    return {
        each["name"]: f"otlp.{word}.resourceAttributes[{place}]"
        for place, each in enumerate(listed)
        if not each.get("regex")
    }
