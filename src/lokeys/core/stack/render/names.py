# SPDX-License-Identifier: Apache-2.0
"""Names, labels, ports and paths that the objects of one stack share."""

from __future__ import annotations

from lokeys.core.stack.resource.model import Component, LokiStack, TenancyMode

HTTP_PORT, GRPC_PORT, GOSSIP_PORT = 3100, 9095, 7946
GATEWAY_PORT, GATEWAY_STATUS_PORT, OPA_PORT, OPA_STATUS_PORT = 8080, 8081, 8082, 8083

CONFIG_FOLDER = "/etc/loki/config"
DATA_FOLDER, WAL_FOLDER, RULES_FOLDER = "/tmp/loki", "/tmp/wal", "/tmp/rules"  # noqa: S108 - volumes
SECRET_FOLDER, CA_FOLDER = "/etc/storage/secrets", "/etc/storage/ca"
MANAGED_FOLDER = "/etc/storage/token-auth"
TOKEN_FOLDER = "/var/run/secrets/storage/serviceaccount"
TOKEN_FILE = f"{TOKEN_FOLDER}/token"

MANAGED_BY = "lokistack-controller"
OPENSHIFT_TENANTS = {
    TenancyMode.OPENSHIFT_LOGGING: ("application", "infrastructure", "audit"),
    TenancyMode.OPENSHIFT_NETWORK: ("network",),
}

COMPONENT_LABEL = "app.kubernetes.io/component"
GOSSIP_LABEL = "loki.grafana.com/gossip"
CONFIG_HASH = "loki.grafana.com/config-hash"
STORE_HASH = "loki.grafana.com/object-store-hash"
MANAGED_HASH = "loki.grafana.com/token-cco-auth-hash"
TENANTS_HASH = "lokeys.dev/tenants-hash"
ZONE_AWARE_LABEL = "loki.grafana.com/zone-aware"
ZONE_LABELS = "loki.grafana.com/availability-zone-labels"
ZONE = "loki.grafana.com/availability-zone"

STATEFUL = (Component.COMPACTOR, Component.INDEX_GATEWAY, Component.INGESTER, Component.RULER)
WITH_STORAGE = (*STATEFUL, Component.QUERIER)
IN_RING = (Component.DISTRIBUTOR, Component.INGESTER, Component.QUERIER, Component.RULER)


def components(stack: LokiStack) -> tuple[Component, ...]:
    """Return the stack's components of Loki itself; with the ruler if rules are enabled."""
    return tuple(
        component
        for component in Component
        if component is not Component.GATEWAY
        and (component is not Component.RULER or stack.rules_enabled)
    )


def name(stack: LokiStack, component: Component, suffix: str = "") -> str:
    """Return the name of a component's object."""
    return f"{stack.name}-{component.value}{suffix}"


def host(stack: LokiStack, service: str) -> str:
    """Return the full host name of a Service of the stack."""
    return f"{service}.{stack.namespace}.svc.cluster.local"


def grpc_address(stack: LokiStack, component: Component) -> str:
    """Return a component's gRPC address."""
    return f"{host(stack, name(stack, component, '-grpc'))}:{GRPC_PORT}"


def http_url(stack: LokiStack, component: Component) -> str:
    """Return a component's HTTP URL."""
    return f"http://{host(stack, name(stack, component, '-http'))}:{HTTP_PORT}"


def config_name(stack: str) -> str:
    """Return the name of the ConfigMap with Loki's configuration."""
    return f"{stack}-config"


def gossip_service(stack: LokiStack) -> str:
    """Return the name of the Service through which the rings' members find each other."""
    return f"{stack.name}-gossip-ring"


def labels(stack: LokiStack) -> dict[str, str]:
    """Return the labels of every object of the stack."""
    return {
        "app.kubernetes.io/created-by": MANAGED_BY,
        "app.kubernetes.io/instance": stack.name,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        "app.kubernetes.io/name": "lokistack",
    }


def component_labels(stack: LokiStack, component: Component) -> dict[str, str]:
    """Return the labels of a component's objects."""
    gateway = component is Component.GATEWAY
    word = "lokistack-gateway" if gateway else component.value
    return {COMPONENT_LABEL: word, **labels(stack)}


def pod_labels(stack: LokiStack, component: Component) -> dict[str, str]:
    """Return the labels by which a component's pods are selected."""
    own = component_labels(stack, component)
    return own if component is Component.GATEWAY else {**own, GOSSIP_LABEL: "true"}


def gateway_labels(stack: LokiStack) -> dict[str, str]:
    """Return the labels of the gateway's Deployment, by which it also selects its pods."""
    own = component_labels(stack, Component.GATEWAY)
    return {**own, ZONE_AWARE_LABEL: "enabled"} if stack.zones else own


def service_account(stack: LokiStack, component: Component) -> str:
    """Return the account of a component's pods; the ruler always has its own."""
    match component:
        case Component.RULER:
            return f"{stack.name}-ruler"
        case Component.GATEWAY:
            return f"{stack.name}-gateway"
    return stack.name


def metadata(stack: LokiStack, object_name: str, own: dict[str, str]) -> dict[str, object]:
    """Return the metadata of an object of the stack."""
    return {"labels": own, "name": object_name, "namespace": stack.namespace}
