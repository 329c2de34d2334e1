# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicies, if the stack asks for them: no traffic except what Loki needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from lokeys.core.stack.render import names
from lokeys.core.stack.render.options import RenderOptions
from lokeys.core.stack.render.pods import Manifest
from lokeys.core.stack.render.store import mode_of
from lokeys.core.stack.resource.model import Component, LokiStack, Tenants
from lokeys.core.stack.storage.model import S3, AlibabaCloud, CredentialMode, Storage, Swift

HTTPS_PORT, PLAIN_PORT = 443, 80
API_PORTS = (HTTPS_PORT, 6443)
DNS_PORTS = (53, 5353)
OPERATOR = {"app.kubernetes.io/component": "operator", "app.kubernetes.io/name": "lokeys"}
"""The labels of the operator's pods, as deploy/operator has them."""
_NAMESPACE = "kubernetes.io/metadata.name"


def network_policies(
    stack: LokiStack, storage: Storage, options: RenderOptions
) -> Iterator[Manifest]:
    """Yield the policies of a stack that restricts its traffic."""
    if not stack.restrict_network:
        return
    ours = {"matchLabels": names.labels(stack)}
    yield _policy(stack, "default-deny", ours, {"policyTypes": ["Egress", "Ingress"]})
    within = _tcp((names.HTTP_PORT, names.GRPC_PORT, names.GOSSIP_PORT))
    peers = [{"podSelector": ours}]
    yield _policy(
        stack,
        "within",
        ours,
        {
            "egress": [{"ports": within, "to": peers}],
            "ingress": [{"from": peers, "ports": within}],
            "policyTypes": ["Egress", "Ingress"],
        },
    )
    dns = [{"port": port, "protocol": word} for port in DNS_PORTS for word in ("TCP", "UDP")]
    yield _egress(stack, "dns", ours, dns)
    pods = _components(names.WITH_STORAGE)
    ports = _tcp(egress_ports(stack, storage))
    spec = {"egress": [{"ports": ports}, *_inside(stack, storage)], "policyTypes": ["Egress"]}
    yield _policy(stack, "object-storage", pods, spec)
    yield from _doors(stack, options)


def _inside(stack: LokiStack, storage: Storage) -> Iterator[Manifest]:
    """Yield the namespaces of addresses that are, or may be, Services of this cluster.

    A policy sees the port of the pod behind a Service, which is not in the Service's address.
    """
    return _within(_hosts(stack, storage), stack)


def _within(hosts: Iterable[str], stack: LokiStack) -> Iterator[Manifest]:
    found = (_namespace(host, stack.namespace) for host in hosts)
    for namespace in sorted(set(filter(None, found))):
        named = {"matchLabels": {_NAMESPACE: namespace}}
        yield {"to": [{"namespaceSelector": named}]}


def _hosts(stack: LokiStack, storage: Storage) -> Iterator[str]:
    urls: tuple[str, ...] = ()
    match storage:
        case S3():
            urls = (f"//{storage.endpoint_host}", storage.sts_endpoint)
        case Swift():
            urls = (storage.auth_url,)
    if stack.proxy:
        urls += (stack.proxy.http, stack.proxy.https)
    return (urlsplit(url).hostname or "" for url in urls)


def _namespace(host: str, own: str) -> str:
    """Return the namespace of a Service's host; empty if it is not a Service's."""
    match host.split("."):
        case [name]:
            return own if name and ":" not in name else ""
        case [_, namespace] | [_, namespace, "svc", *_]:
            return namespace
    return ""


def egress_ports(stack: LokiStack, storage: Storage) -> tuple[int, ...]:
    """Return the ports on which the store, its token service and the proxy are reached."""
    ports = {HTTPS_PORT}
    match storage:
        case S3():
            ports = {_port(storage.endpoint_host, insecure=storage.insecure)}
            if mode_of(storage) is not CredentialMode.STATIC:
                ports.add(_url_port(storage.sts_endpoint) if storage.sts_endpoint else HTTPS_PORT)
        case Swift():
            # The service catalogue may name any other port; https is likely.
            ports.add(_url_port(storage.auth_url))
        case AlibabaCloud():
            # Its client uses plain HTTP for a host without a scheme.
            plain = "://" not in storage.endpoint
            ports = {_url_port(f"http://{storage.endpoint}" if plain else storage.endpoint)}
    if stack.proxy:
        ports |= {_url_port(url) for url in (stack.proxy.http, stack.proxy.https) if url}
    return tuple(sorted(ports))


def _doors(stack: LokiStack, options: RenderOptions) -> Iterator[Manifest]:
    """Yield who may connect: to the gateway if there is one, otherwise to Loki itself.

    The operator always may: it reads from Loki's metrics how the store answers its requests.
    """
    tenants = stack.tenants
    if tenants is None:
        every = {"matchLabels": {**names.labels(stack), names.GOSSIP_LABEL: "true"}}
        yield _ingress(stack, "clients", every, (names.HTTP_PORT,))
        return
    pods = _components((Component.GATEWAY,))
    ports = [names.GATEWAY_PORT, names.GATEWAY_STATUS_PORT]
    if tenants.mode.on_openshift:
        ports.append(names.OPA_STATUS_PORT)
        yield _egress(stack, "gateway-reviews", pods, _tcp(API_PORTS))
    asked = _asked(tenants)
    if asked:
        allowed = [{"ports": _tcp(sorted({_url_port(url) for url in asked}))}]
        hosts = (urlsplit(url).hostname or "" for url in asked)
        spec = {"egress": [*allowed, *_within(hosts, stack)], "policyTypes": ["Egress"]}
        yield _policy(stack, "gateway-judges", pods, spec)
    yield _ingress(stack, "gateway", pods, ports)
    operator = {
        "namespaceSelector": {"matchLabels": {_NAMESPACE: options.operators_namespace}},
        "podSelector": {"matchLabels": OPERATOR},
    }
    door = {"from": [operator], "ports": _tcp((names.HTTP_PORT,))}
    spec = {"ingress": [door], "policyTypes": ["Ingress"]}
    yield _policy(stack, "operator", _components(names.WITH_STORAGE), spec)


def _asked(tenants: Tenants) -> tuple[str, ...]:
    """Return the addresses from which the gateway learns who a user is and what they may do."""
    issuers = (each.issuer_url for each in tenants.issued)
    return (*issuers, *filter(None, (tenants.opa_url,)))


def _components(components: Iterable[Component]) -> Manifest:
    words = ["lokistack-gateway" if c is Component.GATEWAY else c.value for c in components]
    return {
        "matchExpressions": [
            {"key": names.COMPONENT_LABEL, "operator": "In", "values": sorted(words)}
        ]
    }


def _policy(stack: LokiStack, suffix: str, pods: Manifest, spec: Manifest) -> Manifest:
    selector = {**pods, "matchLabels": pods.get("matchLabels", names.labels(stack))}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": names.metadata(stack, f"{stack.name}-{suffix}", names.labels(stack)),
        "spec": dict(sorted({**spec, "podSelector": selector}.items())),
    }


def _egress(stack: LokiStack, suffix: str, pods: Manifest, ports: list[Manifest]) -> Manifest:
    spec = {"egress": [{"ports": ports}], "policyTypes": ["Egress"]}
    return _policy(stack, suffix, pods, spec)


def _ingress(stack: LokiStack, suffix: str, pods: Manifest, ports: Iterable[int]) -> Manifest:
    spec = {"ingress": [{"ports": _tcp(ports)}], "policyTypes": ["Ingress"]}
    return _policy(stack, suffix, pods, spec)


def _tcp(ports: Iterable[int]) -> list[Manifest]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _port(host: str, *, insecure: bool) -> int:
    return _url_port(f"{'http' if insecure else 'https'}://{host}")


def _url_port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (PLAIN_PORT if parts.scheme == "http" else HTTPS_PORT)
