# SPDX-License-Identifier: Apache-2.0
"""The gateway: who may read and write which tenant's lines, in front of Loki.

On OpenShift a second container asks the cluster; its account may review tokens and access, and
nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.stack.render import names, openshift, passthrough
from lokeys.core.stack.render import serving as certificates
from lokeys.core.stack.render.limits import longest_query_s
from lokeys.core.stack.render.login import login_of, with_way_back
from lokeys.core.stack.render.pods import (
    CONTAINER_SECURITY,
    Manifest,
    PodPlan,
    apart,
    in_order,
    resources,
    security,
    where,
)
from lokeys.core.stack.render.policy import POLICY, POLICY_FILE
from lokeys.core.stack.render.probes import status_probes
from lokeys.core.stack.render.services import service
from lokeys.core.stack.render.serving import Serving, asking, authority, serving
from lokeys.core.stack.render.sizes import replicas
from lokeys.core.stack.render.tenants import (
    FOLDER,
    filling,
    is_filled,
    mounts,
    tenant_entries,
    tenants_file,
    volumes,
)
from lokeys.core.stack.resource.model import Component, LokiStack, TenancyMode, Tenants
from lokeys.core.text.yaml import to_yaml

_GATEWAY = Component.GATEWAY
_READ_MORE_S, _WRITE_MORE_S = 30, 120


def gateway_objects(plan: PodPlan, tenants: Tenants) -> Iterator[Manifest]:
    """Yield the gateway's objects."""
    stack = plan.stack
    name = names.name(stack, _GATEWAY)
    labels = names.component_labels(stack, _GATEWAY)
    files = dict(_files(plan, tenants))
    if files:
        yield {
            "apiVersion": "v1",
            "data": files,
            "kind": "ConfigMap",
            "metadata": names.metadata(stack, name, labels),
        }
    account = {
        "apiVersion": "v1",
        "automountServiceAccountToken": tenants.mode.on_openshift,
        "kind": "ServiceAccount",
        "metadata": names.metadata(stack, name, labels),
    }
    yield with_way_back(account, stack, tenants)
    served = serving(plan, tenants)
    door = service(stack, f"{name}-http", labels, labels, list(_service_ports(tenants)))
    if served and served.by_cluster:
        door = asking(door)
        yield authority(stack)
    yield door
    yield _deployment(plan, tenants, files)
    if not tenants.disable_ingress:
        if tenants.mode.on_openshift:
            yield openshift.route(stack, tenants, answer_s=_answer_s(stack))
        else:
            yield _ingress(stack, tenants)
    if tenants.mode.on_openshift:
        yield from openshift.reviewer(stack)


def _files(plan: PodPlan, tenants: Tenants) -> Iterator[tuple[str, str]]:
    """Yield the files that gateways read from the ConfigMap; the passthrough one reads none."""
    if tenants.mode is TenancyMode.STATIC:
        yield POLICY_FILE, POLICY
    if tenants.mode is not TenancyMode.PASSTHROUGH:
        yield "rbac.yaml", to_yaml(_access(tenants))
        entries = tenant_entries(plan.stack, tenants, login_of(plan, tenants))
        yield "tenants.yaml", to_yaml({"tenants": list(entries)})


def _access(tenants: Tenants) -> dict[str, Any]:
    return {
        "roleBindings": [in_order(dict(each)) for each in tenants.role_bindings],
        "roles": [in_order(dict(each)) for each in tenants.roles],
    }


def _service_ports(tenants: Tenants) -> Iterator[Manifest]:
    ports = {"public": names.GATEWAY_PORT, "metrics": names.GATEWAY_STATUS_PORT}
    if tenants.mode.on_openshift:
        ports["opa-metrics"] = names.OPA_STATUS_PORT
    for name, number in ports.items():
        yield {"name": name, "port": number, "protocol": "TCP", "targetPort": name}


def _deployment(plan: PodPlan, tenants: Tenants, files: Mapping[str, str]) -> Manifest:
    stack = plan.stack
    labels, login = names.gateway_labels(stack), login_of(plan, tenants)
    pod: Manifest = {
        "affinity": {"podAntiAffinity": apart(stack, _GATEWAY)},
        "automountServiceAccountToken": tenants.mode.on_openshift,
        "containers": list(_containers(plan, tenants)),
        **where(stack, _GATEWAY),
        "securityContext": security(plan),
        "serviceAccountName": names.service_account(stack, _GATEWAY),
        "volumes": list(volumes(tenants, login)),
    }
    served = serving(plan, tenants)
    if served and served.by_cluster:
        pod["volumes"] += certificates.volumes(stack, tenants)
    if files:
        source = {"defaultMode": 0o644, "name": names.name(stack, _GATEWAY)}
        pod["volumes"] = [{"configMap": source, "name": "access"}, *pod["volumes"]]
    if is_filled(tenants, login):
        pod["initContainers"] = [in_order(_like_the_gateway(plan) | filling(tenants, login))]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": names.metadata(stack, names.name(stack, _GATEWAY), labels),
        "spec": {
            "replicas": replicas(stack, _GATEWAY),
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {
                    "annotations": dict(_annotations(plan, files)),
                    "labels": labels,
                    "name": names.name(stack, _GATEWAY),
                },
                "spec": in_order(pod),
            },
        },
    }


def _annotations(plan: PodPlan, files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what rolls the gateway: changes of its own files. It reads none of Loki's."""
    whole = "\0".join(files.values())
    yield names.CONFIG_HASH, hashlib.sha256(whole.encode()).hexdigest()
    if plan.options.tenants_hash:
        yield names.TENANTS_HASH, plan.options.tenants_hash


def _containers(plan: PodPlan, tenants: Tenants) -> Iterator[Manifest]:
    if tenants.mode is TenancyMode.PASSTHROUGH:
        yield passthrough.container(plan, tenants)
        return
    yield _gateway(plan, tenants)
    if tenants.mode.on_openshift:
        yield openshift.opa(plan, tenants)


def _gateway(plan: PodPlan, tenants: Tenants) -> Manifest:
    stack, served, login = plan.stack, serving(plan, tenants), login_of(plan, tenants)
    by_cluster = served is not None and served.by_cluster
    reader = names.http_url(stack, Component.QUERY_FRONTEND)
    longest_s = longest_query_s(stack)
    arguments = {
        "log.level": "warn",
        "logs.read.endpoint": reader,
        "logs.tail.endpoint": reader,
        "logs.write.endpoint": names.http_url(stack, Component.DISTRIBUTOR),
        "logs.write-timeout": f"{round(longest_s + 60)}s",
        "rbac.config": f"{FOLDER}/rbac.yaml",
        "server.read-timeout": f"{round(longest_s / 10 + _READ_MORE_S)}s",
        "server.write-timeout": f"{round(_answer_s(stack))}s",
        "tenants.config": tenants_file(tenants, login),
        "web.internal.listen": f"0.0.0.0:{names.GATEWAY_STATUS_PORT}",
        "web.listen": f"0.0.0.0:{names.GATEWAY_PORT}",
        **dict(_tls(stack, served)),
    }
    if stack.rules_enabled:
        # The gateway must not write the ruler's files: rules come from the cluster's objects.
        arguments["logs.rules.endpoint"] = names.http_url(stack, Component.RULER)
        arguments["logs.rules.read-only"] = "true"
    if tenants.mode.on_openshift:
        arguments |= openshift.extraction(stack, tenants)
    port = names.GATEWAY_STATUS_PORT
    container = _like_the_gateway(plan) | {
        "args": [f"--{name}={value}" for name, value in sorted(arguments.items())],
        "name": "gateway",
        "ports": [_port("public", names.GATEWAY_PORT), _port("metrics", port)],
        **status_probes(port, secure=by_cluster),
        "volumeMounts": [
            {"mountPath": FOLDER, "name": "access", "readOnly": True},
            *mounts(tenants, login),
            *(certificates.mounts() if by_cluster else ()),
        ],
    }
    return in_order(container)


def _answer_s(stack: LokiStack) -> float:
    """Return how long the gateway may take to answer."""
    return longest_query_s(stack) + 60 + _WRITE_MORE_S


def _like_the_gateway(plan: PodPlan) -> Manifest:
    """Return what every container of the gateway's image has in common."""
    return {
        "image": plan.options.images.gateway,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": CONTAINER_SECURITY,
        **resources(plan.stack, _GATEWAY),
    }


def _tls(stack: LokiStack, served: Serving | None) -> Iterator[tuple[str, str]]:
    """Yield the arguments for how the gateway serves TLS, and how its liveness check reaches it."""
    if served is None:
        yield "web.healthchecks.url", f"http://localhost:{names.GATEWAY_PORT}"
        return
    if served.by_cluster:
        yield from certificates.status_arguments(served)
    yield "tls.min-version", "VersionTLS12"
    yield "tls.server.cert-file", served.certificate
    yield "tls.server.key-file", served.private_key
    if not served.ca:
        # It could not trust its own certificate, and would be restarted for that.
        yield "web.healthchecks.url", ""
        return
    service_name = names.name(stack, _GATEWAY, "-http")
    yield "tls.healthchecks.server-ca-file", served.ca
    yield "tls.healthchecks.server-name", names.host(stack, service_name)
    yield "web.healthchecks.url", f"https://localhost:{names.GATEWAY_PORT}"


def _port(name: str, number: int) -> Manifest:
    return {"containerPort": number, "name": name, "protocol": "TCP"}


def _ingress(stack: LokiStack, tenants: Tenants) -> Manifest:
    backend = {
        "service": {"name": names.name(stack, _GATEWAY, "-http"), "port": {"name": "public"}}
    }
    through = tenants.mode is TenancyMode.PASSTHROUGH
    prefix = passthrough.PREFIX if through else "/api/logs/v1"
    path = {"backend": backend, "path": prefix, "pathType": "Prefix"}
    # An issuer redirects a browser to a path of the gateway's own, outside of the prefix.
    elsewhere = {} if through else {"defaultBackend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": names.metadata(stack, stack.name, names.component_labels(stack, _GATEWAY)),
        "spec": {**elsewhere, "rules": [{"http": {"paths": [path]}}]},
    }
