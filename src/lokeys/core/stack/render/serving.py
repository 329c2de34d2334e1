# SPDX-License-Identifier: Apache-2.0
"""The gateway's TLS certificate: the stack's own, or on OpenShift the cluster's.

    Service, annotated ──▶ service CA ──▶ Secret <stack>-gateway-http ─────────▶ the gateway's pods
    ConfigMap <stack>-gateway-ca-bundle, annotated ──▶ service CA adds its own certificate ──────▶

OpenShift's service CA signs for Services that ask, and renews in time. Clients in the cluster have
the address `https://<stack>-gateway-http.<namespace>.svc:8080` built in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lokeys.core.stack.render import names
from lokeys.core.stack.render.pods import Manifest, PodPlan
from lokeys.core.stack.render.tenants import path_of
from lokeys.core.stack.resource.model import Component, LokiStack, TenancyMode, Tenants

SERVING_SECRET = "service.beta.openshift.io/serving-cert-secret-name"
INJECT_CA = "service.beta.openshift.io/inject-cabundle"
_CERTIFICATE_FOLDER, _CA_FOLDER = "/var/run/tls/http/server", "/var/run/ca/server"
_CA_KEY = "service-ca.crt"
_CERTIFICATE, _CA = "serving-certificate", "serving-ca"
CA_BUNDLE = "-ca-bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Paths of the TLS files in the gateway's containers. An empty `ca`: it trusts nobody."""

    certificate: str
    private_key: str
    ca: str = ""
    by_cluster: bool = False
    """Whether it is the cluster's: then the status ports and the second container also serve it."""


def serving(plan: PodPlan, tenants: Tenants) -> Serving | None:
    """Return a gateway's TLS files; None if it uses plain HTTP."""
    tls = tenants.tls
    if tls.certificate and tls.private_key:
        return Serving(
            certificate=path_of(tenants, tls.certificate),
            private_key=path_of(tenants, tls.private_key),
            ca=path_of(tenants, tls.ca) if tls.ca else "",
        )
    if not plan.on_openshift:
        return None
    return Serving(
        certificate=f"{_CERTIFICATE_FOLDER}/tls.crt",
        private_key=f"{_CERTIFICATE_FOLDER}/tls.key",
        ca=f"{_CA_FOLDER}/{_CA_KEY}",
        by_cluster=True,
    )


def asking(service: Manifest) -> Manifest:
    """Return a Service that requests a certificate from the cluster, in a Secret of its name."""
    metadata = service["metadata"]
    return {**service, "metadata": {"annotations": {SERVING_SECRET: metadata["name"]}, **metadata}}


def authority(stack: LokiStack) -> Manifest:
    """Return the ConfigMap into which the cluster puts the CA of its certificates."""
    labels = names.component_labels(stack, Component.GATEWAY)
    metadata = names.metadata(stack, names.name(stack, Component.GATEWAY, CA_BUNDLE), labels)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"annotations": {INJECT_CA: "true"}, **metadata},
    }


def volumes(stack: LokiStack, tenants: Tenants) -> Iterator[Manifest]:
    """Yield the volumes with the cluster's certificate and its CA; pods wait for them.

    The passthrough gateway does not call itself, and needs no CA.
    """
    if tenants.mode is not TenancyMode.PASSTHROUGH:
        bundle = names.name(stack, Component.GATEWAY, CA_BUNDLE)
        items = [{"key": _CA_KEY, "path": _CA_KEY}]
        yield {"configMap": {"defaultMode": 0o644, "items": items, "name": bundle}, "name": _CA}
    secret = names.name(stack, Component.GATEWAY, "-http")
    yield {"name": _CERTIFICATE, "secret": {"defaultMode": 0o644, "secretName": secret}}


def mounts() -> Iterator[Manifest]:
    """Yield the mounts of these volumes in the gateway's containers."""
    yield {"mountPath": _CA_FOLDER, "name": _CA, "readOnly": True}
    yield from certificate_mount()


def certificate_mount() -> Iterator[Manifest]:
    """Yield the certificate's mount in a container that makes no TLS requests."""
    yield {"mountPath": _CERTIFICATE_FOLDER, "name": _CERTIFICATE, "readOnly": True}


def status_arguments(served: Serving) -> Iterator[tuple[str, str]]:
    """Yield the arguments with which a container's status port serves the cluster's certificate."""
    yield "tls.internal.server.cert-file", served.certificate
    yield "tls.internal.server.key-file", served.private_key
    yield "tls.min-version", "VersionTLS12"
