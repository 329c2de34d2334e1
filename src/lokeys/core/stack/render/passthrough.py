# SPDX-License-Identifier: Apache-2.0
"""The gateway that checks nobody: the client in front of it names the tenant.

It is another program than the gateway of the other tenancies. If the stack names a CA, clients need
a certificate from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.stack.render import names
from lokeys.core.stack.render import serving as certificates
from lokeys.core.stack.render.limits import longest_query_s
from lokeys.core.stack.render.pods import (
    CONTAINER_SECURITY,
    Manifest,
    PodPlan,
    in_order,
    resources,
)
from lokeys.core.stack.render.probes import status_probes
from lokeys.core.stack.render.serving import Serving, serving
from lokeys.core.stack.render.tenants import mounts, path_of
from lokeys.core.stack.resource.model import Component, LokiStack, Tenants

PREFIX = "/"
"""Paths are Loki's own: writes go to the distributor, everything else to the querying side."""


def container(plan: PodPlan, tenants: Tenants) -> Manifest:
    """Return the gateway's container."""
    port = names.GATEWAY_STATUS_PORT
    served = serving(plan, tenants)
    arguments = dict(_arguments(plan.stack, tenants, served))
    by_cluster = served is not None and served.by_cluster
    return in_order(
        {
            "args": [f"--{name}={value}" for name, value in sorted(arguments.items())],
            "image": plan.options.images.passthrough,
            "imagePullPolicy": "IfNotPresent",
            "name": "gateway",
            "ports": [
                {"containerPort": names.GATEWAY_PORT, "name": "public", "protocol": "TCP"},
                {"containerPort": port, "name": "metrics", "protocol": "TCP"},
            ],
            # With a certificate its other port also speaks TLS, and requires none from clients.
            **status_probes(port, secure=served is not None),
            "securityContext": CONTAINER_SECURITY,
            "volumeMounts": [
                *mounts(tenants),
                *(certificates.certificate_mount() if by_cluster else ()),
            ],
            **resources(plan.stack, Component.GATEWAY),
        }
    )


def _arguments(
    stack: LokiStack, tenants: Tenants, served: Serving | None
) -> Iterator[tuple[str, str]]:
    yield "admin-addr", f":{names.GATEWAY_STATUS_PORT}"
    yield "listen-addr", f":{names.GATEWAY_PORT}"
    yield "loki-distributor-endpoint", names.http_url(stack, Component.DISTRIBUTOR)
    yield "loki-query-frontend-endpoint", names.http_url(stack, Component.QUERY_FRONTEND)
    yield "loki-timeout", f"{round(longest_query_s(stack) + 60)}s"
    if tenants.default_tenant:
        # The kubelet would expand $(NAME) as a variable.
        yield "default-tenant", tenants.default_tenant.replace("$(", "$$(")
    if served is not None:
        yield "tls-cert-file", served.certificate
        yield "tls-key-file", served.private_key
    if tenants.client_ca is not None:
        yield "tls-client-auth", "RequireAndVerifyClientCert"
        yield "tls-client-ca-file", path_of(tenants, tenants.client_ca)
