# SPDX-License-Identifier: Apache-2.0
"""What a stack has from the Loki Operator and would lose, because lokeys does not support it.

Each kind of loss has a name, by which a person accepts it. Losses are found in the live objects: a
part of the spec for which no object exists is not a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lokeys.core.kubernetes.json_fields import at, mappings_at, text_at
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from lokeys.core.stack.render.rules import rules_name
from lokeys.core.stack.resource.model import Component, LokiStack

Objects = Mapping[Ref, Mapping[str, Any]]
RULES, ALERTS, POD_TLS = "rules", "alerts", "pod-tls"
MONITORS, ZONES = "monitors", "zones"
WHAT = {
    RULES: "AlertingRules and RecordingRules are not read: the ruler evaluates none of them",
    ALERTS: "RulerConfigs are not read: alerts and recorded samples go nowhere",
    POD_TLS: "Loki's pods speak plain HTTP and gRPC with each other: while old ones still speak "
    "TLS, old and new do not understand each other",
    MONITORS: "nobody keeps the stack's monitors and alerts: they ask for metrics over HTTPS",
    ZONES: "pods learn their zone from a label that Kubernetes gives them from 1.35 on, of "
    "topology.kubernetes.io alone: others do not know theirs",
}
"""What happens, by the name of the loss."""
_MONITORED = "-monitor"
_ALERTS = "-prometheus-rule"
_ZONE_CHECK = "az-annotation-check"
ZONES_SINCE = 35
"""The minor version of Kubernetes 1 since which pods have their node's zone as a label."""
_KNOWN_ZONES = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One kind of loss, and where it was seen."""

    name: str
    place: Ref

    @property
    def what(self) -> str:
        """Return what happens."""
        return WHAT[self.name]


def looked_at(stack: LokiStack) -> tuple[Ref, ...]:
    """Return the objects that may show a loss, in addition to those that lokeys makes itself."""
    home = stack.namespace
    components = (*names.components(stack), Component.GATEWAY)
    monitors = (names.name(stack, each, _MONITORED) for each in components)
    return (
        Ref("ConfigMap", rules_name(stack), home),
        Ref("PrometheusRule", f"{stack.name}{_ALERTS}", home),
        *(Ref("ServiceMonitor", name, home) for name in monitors),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStack:
    """What exists of a stack in the cluster; the former operator's fields count as applied.

    `config` is Loki's live configuration, `minor` the version of Kubernetes 1, None if unknown;
    `not_read` lists what could not be read, and may hide a loss.
    """

    objects: Objects
    config: Mapping[str, Any] = field(default_factory=dict)
    minor: int | None = None
    not_read: tuple[str, ...] = ()


def losses(stack: LokiStack, live: LiveStack) -> Iterator[Loss]:
    """Yield each kind of loss once, at the first object that shows it."""
    seen: set[str] = set()
    for loss in _found(stack, live):
        if loss.name not in seen:
            seen.add(loss.name)
            yield loss


def _found(stack: LokiStack, live: LiveStack) -> Iterator[Loss]:
    there = live.objects
    rules, home = Ref("ConfigMap", rules_name(stack), stack.namespace), stack.namespace
    if at(there.get(rules), "data"):
        yield Loss(name=RULES, place=rules)
    ruler = live.config.get("ruler")
    if isinstance(ruler, Mapping) and (ruler.get("alertmanager_url") or ruler.get("remote_write")):
        yield Loss(name=ALERTS, place=Ref("ConfigMap", names.config_name(stack.name), home))
    gateway = names.name(stack, Component.GATEWAY)
    for ref, manifest in sorted(there.items(), key=lambda pair: pair[0]):
        if ref.kind in ("ServiceMonitor", "PrometheusRule"):
            yield Loss(name=MONITORS, place=ref)
        if ref.kind in ("Deployment", "StatefulSet") and ref.name != gateway:
            yield from _of_pods(stack, ref, manifest, live.minor)


def _of_pods(
    stack: LokiStack, ref: Ref, manifest: Mapping[str, Any], minor: int | None
) -> Iterator[Loss]:
    pod = at(manifest, "spec", "template", "spec")
    for container in mappings_at(pod, "containers"):
        scheme = text_at(container, "readinessProbe", "httpGet", "scheme")
        if scheme == "HTTPS":
            yield Loss(name=POD_TLS, place=ref)
    checked = any(
        text_at(each, "name") == _ZONE_CHECK for each in mappings_at(pod, "initContainers")
    )
    known = all(zone.topology_key in _KNOWN_ZONES for zone in stack.zones)
    if checked and not (known and minor is not None and minor >= ZONES_SINCE):
        yield Loss(name=ZONES, place=ref)
