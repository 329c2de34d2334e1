# SPDX-License-Identifier: Apache-2.0
"""The gateway if OpenShift decides: the container that asks it, its permissions, the Route.

    client ──token──▶ gateway ──who, which tenant, which namespaces, the token──▶ opa ──▶ OpenShift

A user who may not read all of a tenant reads the namespaces that the query names and OpenShift
allows. So the gateway extracts the namespaces from the query, and passes on the token, without
which the second container refuses.
"""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.stack.render import names
from lokeys.core.stack.render import serving as certificates
from lokeys.core.stack.render.pods import (
    CONTAINER_SECURITY,
    Manifest,
    PodPlan,
    in_order,
)
from lokeys.core.stack.render.probes import status_probes
from lokeys.core.stack.render.serving import serving
from lokeys.core.stack.resource.model import Component, LokiStack, TenancyMode, Tenants

_GATEWAY = Component.GATEWAY
_ROUTE_MORE_S = 15
_SELECTORS = {
    TenancyMode.OPENSHIFT_LOGGING: "kubernetes_namespace_name,k8s_namespace_name",
    TenancyMode.OPENSHIFT_NETWORK: "SrcK8S_Namespace,DstK8S_Namespace",
}
"""The labels with a line's namespace: one of the two for logs, depending on the collector."""
_MATCHING = {
    TenancyMode.OPENSHIFT_LOGGING: (
        "--opa.skip-tenants=audit,infrastructure",  # lines of nodes and auditors have no namespace
        "--opa.viaq-to-otel-migration=true",
    ),
    TenancyMode.OPENSHIFT_NETWORK: ("--opa.matcher-op=or",),
}


def extraction(stack: LokiStack, tenants: Tenants) -> Iterator[tuple[str, str]]:
    """Yield the gateway's arguments that extract namespaces from queries and rules."""
    selectors = _SELECTORS[tenants.mode]
    yield "logs.auth.extract-selectors", selectors
    if stack.rules_enabled and tenants.mode is TenancyMode.OPENSHIFT_LOGGING:
        yield "logs.rules.label-filters", f"application:{selectors}"


def opa(plan: PodPlan, tenants: Tenants) -> Manifest:
    """Return the container that asks OpenShift; only the gateway in its pod can reach it."""
    mode, port, served = tenants.mode, names.OPA_STATUS_PORT, serving(plan, tenants)
    by_cluster = served is not None and served.by_cluster
    arguments = [
        "--log.level=warn",
        f"--opa.matcher={_SELECTORS[mode]}",
        *_MATCHING[mode],
        "--opa.package=lokistack",
        *(
            f"--openshift.mappings={name}=loki.grafana.com"
            for name in names.OPENSHIFT_TENANTS[mode]
        ),
        f"--web.healthchecks.url=http://localhost:{names.OPA_PORT}",
        f"--web.internal.listen=:{port}",
        f"--web.listen=127.0.0.1:{names.OPA_PORT}",
    ]
    if tenants.admin_groups:
        arguments.append(f"--opa.admin-groups={','.join(tenants.admin_groups)}")
    container = {
        "args": arguments,
        "image": plan.options.images.opa,
        "imagePullPolicy": "IfNotPresent",
        "name": "opa",
        "ports": [_port("public-opa", names.OPA_PORT), _port("opa-metrics", port)],
        **status_probes(port, secure=by_cluster),
        "securityContext": CONTAINER_SECURITY,
    }
    if served and by_cluster:
        arguments += (f"--{name}={value}" for name, value in certificates.status_arguments(served))
        container["volumeMounts"] = list(certificates.certificate_mount())
    return in_order(container)


def route(stack: LokiStack, tenants: Tenants, *, answer_s: float) -> Manifest:
    """Return the Route from outside; the router waits longer than the gateway may take."""
    # The router trusts the cluster's own certificates; with another it must not end TLS.
    own = tenants.tls.serves
    patience = {"haproxy.router.openshift.io/timeout": f"{round(answer_s + _ROUTE_MORE_S)}s"}
    metadata = names.metadata(stack, stack.name, names.component_labels(stack, _GATEWAY))
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"annotations": patience, **metadata},
        "spec": {
            "port": {"targetPort": "public"},
            "tls": {
                "insecureEdgeTerminationPolicy": "Redirect",
                "termination": "passthrough" if own else "reencrypt",
            },
            "to": {"kind": "Service", "name": names.name(stack, _GATEWAY, "-http"), "weight": 100},
            "wildcardPolicy": "None",
        },
    }


def reviewer(stack: LokiStack) -> Iterator[Manifest]:
    """Yield the permissions to ask whose a token is, and what its owner may do."""
    # With a dot, which neither name can contain: otherwise two stacks could get the same name.
    name = f"{stack.namespace}.{names.name(stack, _GATEWAY)}"
    metadata = {"labels": names.component_labels(stack, _GATEWAY), "name": name}
    reviews = (
        ("authentication.k8s.io", "tokenreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
    )
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": ["create"]}
            for group, resource in reviews
        ],
    }
    account = names.service_account(stack, _GATEWAY)
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": name,
        },
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": stack.namespace}],
    }


def _port(name: str, number: int) -> Manifest:
    return {"containerPort": number, "name": name, "protocol": "TCP"}
