# SPDX-License-Identifier: Apache-2.0
"""The pods of Loki's components: what they run, mount and may do, and where they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lokeys.core.stack.render import names
from lokeys.core.stack.render.config import AVAILABILITY_ZONE, RING_ADDRESS
from lokeys.core.stack.render.names import DATA_FOLDER, RULES_FOLDER, WAL_FOLDER
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.probes import probe
from lokeys.core.stack.render.rules import rules_volume
from lokeys.core.stack.render.sizes import requests
from lokeys.core.stack.render.store import (
    MANAGED_SUFFIX,
    audience_of,
    environment,
    mode_of,
    uses_managed_secret,
)
from lokeys.core.stack.resource.model import Component, LokiStack, Placement
from lokeys.core.stack.storage.model import S3, CredentialMode, Storage, Swift

TOKEN_VOLUME, MANAGED_VOLUME, CA_VOLUME = "bound-sa-token", "token-auth-config", "storage-tls"
SECRET_VOLUME = "object-storage-secret"
LOKI_GROUP = 10001
TOKEN_S = 3600
_VOLUME_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_TAKEN = frozenset(
    {"config", "storage", "wal", "rules", SECRET_VOLUME, TOKEN_VOLUME, MANAGED_VOLUME, CA_VOLUME}
)
_KNOWN_TO_PODS = {
    "kubernetes.io/hostname": "spec.nodeName",
    **{
        label: f"metadata.labels['{label}']"
        for label in ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
    },
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlan:
    """One stack with everything that its pods share."""

    stack: LokiStack
    storage: Storage
    options: RenderOptions
    config_hash: str

    @property
    def has_token(self) -> bool:
        """Tell whether pods identify themselves by a token."""
        return mode_of(self.storage) is not CredentialMode.STATIC

    @property
    def on_openshift(self) -> bool:
        """Tell whether pods run on OpenShift: by option, or by the mode of tenancy."""
        tenants = self.stack.tenants
        asked = tenants is not None and tenants.mode.on_openshift
        return asked or self.options.environment.openshift

    @property
    def has_ca(self) -> bool:
        """Tell whether pods must be given the store's CA."""
        return self.stack.ca is not None and isinstance(self.storage, S3 | Swift)


def pod_template(plan: PodPlan, component: Component) -> Manifest:
    """Return the template of a component's pods."""
    stack = plan.stack
    labels = names.pod_labels(stack, component)
    if stack.zones:
        labels = {**labels, names.ZONE_AWARE_LABEL: "enabled"}
    return {
        "metadata": {
            "annotations": dict(sorted(_annotations(plan, component))),
            "labels": dict(sorted(labels.items())),
            "name": names.name(stack, component),
        },
        "spec": in_order(
            {
                "affinity": {"podAntiAffinity": apart(stack, component)},
                "automountServiceAccountToken": False,
                "containers": [_container(plan, component)],
                **where(stack, component),
                "securityContext": security(plan),
                "serviceAccountName": names.service_account(stack, component),
                "volumes": sorted(_volumes(plan, component), key=_by_name),
            }
        ),
    }


def security(plan: PodPlan) -> Manifest:
    """Return the pods' security context. OpenShift gives each namespace its own group."""
    context: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return context if plan.on_openshift else {"fsGroup": LOKI_GROUP, **context}


def _annotations(plan: PodPlan, component: Component) -> Iterator[tuple[str, str]]:
    yield names.CONFIG_HASH, plan.config_hash
    if component in names.WITH_STORAGE:
        if plan.options.store_hash:
            yield names.STORE_HASH, plan.options.store_hash
        if plan.options.managed_hash and mode_of(plan.storage) is CredentialMode.TOKEN_CCO:
            yield names.MANAGED_HASH, plan.options.managed_hash
    if plan.stack.zones:
        yield names.ZONE_LABELS, ",".join(zone.topology_key for zone in plan.stack.zones)


def _placement(stack: LokiStack, component: Component) -> Placement:
    return stack.placements.get(component, Placement())


def apart(stack: LokiStack, component: Component) -> Manifest:
    """Return which pods a component's avoid: each other, unless the user sets something else."""
    chosen = _placement(stack, component).pod_anti_affinity
    if chosen is not None:
        return dict(chosen)
    own = names.component_labels(stack, component)
    keys = (names.COMPONENT_LABEL, "app.kubernetes.io/instance")
    term = {
        "labelSelector": {"matchLabels": {key: own[key] for key in keys}},
        "topologyKey": "kubernetes.io/hostname",
    }
    weighted = {"podAffinityTerm": term, "weight": 100}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}


def where(stack: LokiStack, component: Component) -> Manifest:
    """Return on which nodes the pods may run."""
    chosen = _placement(stack, component)
    found: Manifest = {"nodeSelector": _node_selector(chosen)}
    if chosen.tolerations:
        found["tolerations"] = [dict(each) for each in chosen.tolerations]
    if stack.zones:
        selector = {"matchLabels": names.pod_labels(stack, component)}
        found["topologySpreadConstraints"] = [
            {
                "labelSelector": selector,
                "maxSkew": zone.max_skew,
                "topologyKey": zone.topology_key,
                "whenUnsatisfiable": "DoNotSchedule",
            }
            for zone in stack.zones
        ]
    return found


def _node_selector(chosen: Placement) -> dict[str, str]:
    return dict(sorted({"kubernetes.io/os": "linux", **chosen.node_selector}.items()))


def in_order(manifest: Manifest) -> Manifest:
    """Return a mapping with its names sorted."""
    return dict(sorted(manifest.items()))


def _container(plan: PodPlan, component: Component) -> Manifest:
    stack = plan.stack
    container: Manifest = {
        "args": [
            f"-target={component.value}",
            f"-config.file={names.CONFIG_FOLDER}/config.yaml",
            f"-runtime-config.file={names.CONFIG_FOLDER}/runtime-config.yaml",
            "-config.expand-env=true",
        ],
        "env": sorted(_environment(plan, component), key=_by_name),
        "image": plan.options.images.loki,
        "imagePullPolicy": "IfNotPresent",
        "livenessProbe": probe("/loki/api/v1/status/buildinfo", period_s=30, timeout_s=2, tries=10),
        "name": f"loki-{component.value}",
        "ports": list(_ports(component)),
        "readinessProbe": in_order(
            {**probe("/ready", period_s=10, timeout_s=1, tries=3), "initialDelaySeconds": 15}
        ),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": sorted(_mounts(plan, component), key=_by_name),
    }
    if not container["env"]:
        del container["env"]
    return in_order(container | resources(stack, component))


def resources(stack: LokiStack, component: Component) -> Manifest:
    """Return a container's resource requests; nothing for the smallest size."""
    asked = requests(stack.size, component)
    if asked is None:
        return {}
    both = ("limits", "requests") if stack.requests_as_limits else ("requests",)
    return {"resources": {word: asked.manifest() for word in both}}


def _ports(component: Component) -> Iterator[Manifest]:
    yield {"containerPort": names.HTTP_PORT, "name": "metrics", "protocol": "TCP"}
    yield {"containerPort": names.GRPC_PORT, "name": "grpclb", "protocol": "TCP"}
    if component in names.IN_RING:
        yield {"containerPort": names.GOSSIP_PORT, "name": "gossip-ring", "protocol": "TCP"}


def _environment(plan: PodPlan, component: Component) -> Iterator[Manifest]:
    stack = plan.stack
    # One configuration serves all components, and uses these variables for all of them.
    if stack.pod_ip_in_ring or stack.ipv6:
        yield {
            "name": RING_ADDRESS,
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}},
        }
    yield from _zone(stack)
    yield from proxy_environment(stack)
    if component in names.WITH_STORAGE:
        yield from environment(stack, plan.storage)


def proxy_environment(stack: LokiStack) -> Iterator[Manifest]:
    """Yield a container's proxy variables; hosts in the cluster are reached directly."""
    if stack.proxy:
        words = {"HTTP_PROXY": stack.proxy.http, "HTTPS_PROXY": stack.proxy.https}
        for name, value in (*words.items(), ("NO_PROXY", stack.proxy.exceptions)):
            if value:
                yield {"name": name, "value": value}


def _zone(stack: LokiStack) -> Iterator[Manifest]:
    """Yield where a pod gets its zone: from its own labels, which a binding copies from the node.

    Kubernetes does so since 1.35, for zone and region. Other labels have to be set by somebody.
    """
    keys = [zone.topology_key for zone in stack.zones]
    paths = [_KNOWN_TO_PODS.get(key, "") for key in keys]
    if not keys:
        return
    if not all(paths):
        paths = [f"metadata.annotations['{names.ZONE}']"]
    sources = [{"fieldRef": {"apiVersion": "v1", "fieldPath": path}} for path in paths]
    if len(sources) == 1:
        yield {"name": AVAILABILITY_ZONE, "valueFrom": sources[0]}
        return
    parts = [f"AVAILABILITY_{number}" for number in range(len(sources))]
    for part, source in zip(parts, sources, strict=True):
        yield {"name": part, "valueFrom": source}
    yield {"name": AVAILABILITY_ZONE, "value": "_".join(f"$({part})" for part in parts)}


def _mounts(plan: PodPlan, component: Component) -> Iterator[Manifest]:
    def mount(volume: str, path: str) -> Manifest:
        return {"mountPath": path, "name": volume, "readOnly": True}

    yield mount("config", names.CONFIG_FOLDER)
    yield {"mountPath": DATA_FOLDER, "name": "storage"}
    if component in (Component.INGESTER, Component.RULER):
        yield {"mountPath": WAL_FOLDER, "name": "wal"}
    if component is Component.RULER:
        yield mount("rules", RULES_FOLDER)
    if component in names.WITH_STORAGE:
        yield mount(secret_volume(plan.stack), names.SECRET_FOLDER)
        if plan.has_token:
            yield mount(TOKEN_VOLUME, names.TOKEN_FOLDER)
        if uses_managed_secret(plan.storage):
            yield mount(MANAGED_VOLUME, names.MANAGED_FOLDER)
        if plan.has_ca:
            yield mount(CA_VOLUME, names.CA_FOLDER)


def secret_volume(stack: LokiStack) -> str:
    """Return the volume's name: the Secret's, if that is valid for a volume and is not taken."""
    name = stack.storage_secret_name
    return name if _VOLUME_NAME.fullmatch(name) and name not in _TAKEN else SECRET_VOLUME


def _volumes(plan: PodPlan, component: Component) -> Iterator[Manifest]:
    stack = plan.stack
    yield {
        "configMap": {"defaultMode": 0o644, "name": names.config_name(stack.name)},
        "name": "config",
    }
    if component not in names.STATEFUL:
        yield {"emptyDir": {}, "name": "storage"}
    if component is Component.RULER:
        yield rules_volume(stack)
    if component not in names.WITH_STORAGE:
        return
    yield {
        "name": secret_volume(stack),
        "secret": {"defaultMode": 0o644, "secretName": stack.storage_secret_name},
    }
    if plan.has_token:
        token = {
            "audience": audience_of(plan.storage),
            "expirationSeconds": TOKEN_S,
            "path": "token",
        }
        sources = [{"serviceAccountToken": token}]
        yield {"name": TOKEN_VOLUME, "projected": {"defaultMode": 0o644, "sources": sources}}
    if uses_managed_secret(plan.storage):
        name = f"{stack.name}{MANAGED_SUFFIX}"
        yield {"name": MANAGED_VOLUME, "secret": {"defaultMode": 0o644, "secretName": name}}
    if plan.has_ca and stack.ca:
        source = {"defaultMode": 0o644, "name": stack.ca.name}
        yield {"configMap": source, "name": CA_VOLUME}


def _by_name(entry: Manifest) -> str:
    return str(entry["name"])
