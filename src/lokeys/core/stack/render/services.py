# SPDX-License-Identifier: Apache-2.0
"""Services, accounts, and the ConfigMap with Loki's configuration."""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.stack.render import names
from lokeys.core.stack.render.pods import Manifest
from lokeys.core.stack.resource.model import Component, LokiStack


def services(stack: LokiStack) -> Iterator[Manifest]:
    """Yield two Services per component, and the one that the rings use for gossip."""
    for component in names.components(stack):
        labels = names.component_labels(stack, component)
        selector = names.pod_labels(stack, component)
        http = [_port("metrics", names.HTTP_PORT)]
        yield service(stack, names.name(stack, component, "-http"), labels, selector, http)
        grpc = [_port("grpclb", names.GRPC_PORT)]
        name = names.name(stack, component, "-grpc")
        headless = _headless(service(stack, name, labels, selector, grpc))
        # A query frontend is ready only once a querier has found it.
        found = component is Component.QUERY_FRONTEND
        yield _for_unready(headless) if found else headless
    ring = [_port("gossip-ring", names.GOSSIP_PORT)]
    labels = names.labels(stack)
    selector = {**labels, names.GOSSIP_LABEL: "true"}
    gossip = _headless(service(stack, names.gossip_service(stack), labels, selector, ring))
    # Pods must find each other before they can be ready: otherwise no ring ever forms.
    yield _for_unready(gossip)


def service(
    stack: LokiStack,
    name: str,
    labels: dict[str, str],
    selector: dict[str, str],
    ports: list[Manifest],
) -> Manifest:
    """Return a Service with its own address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": names.metadata(stack, name, labels),
        "spec": {"ports": ports, "selector": selector, "type": "ClusterIP"},
    }


def service_accounts(stack: LokiStack) -> Iterator[Manifest]:
    """Yield the stack's account, and the ruler's if there is a ruler."""
    accounts = stack.service_accounts if stack.rules_enabled else stack.service_accounts[:1]
    for account in accounts:
        ruler = account != stack.name
        labels = names.component_labels(stack, Component.RULER) if ruler else names.labels(stack)
        yield {
            "apiVersion": "v1",
            # Loki does not use the API server; the store's token is projected separately.
            "automountServiceAccountToken": False,
            "kind": "ServiceAccount",
            "metadata": names.metadata(stack, account, labels),
        }


def config_map(stack: LokiStack, *, config: str, runtime: str) -> Manifest:
    """Return the ConfigMap that all of Loki's pods mount."""
    return {
        "apiVersion": "v1",
        "data": {"config.yaml": config, "runtime-config.yaml": runtime},
        "kind": "ConfigMap",
        "metadata": names.metadata(stack, names.config_name(stack.name), names.labels(stack)),
    }


def _headless(manifest: Manifest) -> Manifest:
    return {**manifest, "spec": {"clusterIP": "None", **manifest["spec"]}}


def _for_unready(manifest: Manifest) -> Manifest:
    spec = {**manifest["spec"], "publishNotReadyAddresses": True}
    return {**manifest, "spec": dict(sorted(spec.items()))}


def _port(name: str, number: int) -> Manifest:
    return {"name": name, "port": number, "protocol": "TCP", "targetPort": name}
