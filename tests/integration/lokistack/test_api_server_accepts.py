# SPDX-License-Identifier: Apache-2.0
"""The real API server takes every rendered object, strictly, and its pods as restricted ones."""

from collections.abc import Iterator
from typing import Any

import pytest

from lokeys.core.loki.render import RenderOptions, render
from manifests.lokistack import NAMESPACE, NOW, Choice, pairwise
from parts.kubernetes import Kubernetes

CHOICES = pairwise()
FOREIGN = {"Route", "CredentialsRequest"}
_PATHS = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
    "Pod": "/api/v1/namespaces/{ns}/pods",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
    "Service": "/api/v1/namespaces/{ns}/services",
    "ServiceAccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "StatefulSet": "/apis/apps/v1/namespaces/{ns}/statefulsets",
}


@pytest.fixture(scope="module")
def restricted(kubernetes: Kubernetes) -> Iterator[str]:
    """Make the stacks' namespace, which takes restricted pods only, with a stack's accounts."""
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": NAMESPACE, "labels": level}
    kubernetes.api.post(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    )
    stack, storage = Choice(tenancy="static", extra="everything").read()
    for each in render(stack, storage, options=RenderOptions(now=NOW)):
        if each["kind"] == "ServiceAccount":
            path = _PATHS["ServiceAccount"].format(ns=NAMESPACE)
            kubernetes.api.post(path, each)
    yield NAMESPACE
    kubernetes.api.delete(f"/api/v1/namespaces/{NAMESPACE}")


def applied(kubernetes: Kubernetes, item: dict[str, Any]) -> dict[str, Any]:
    """Apply on the server's side, strictly, keeping nothing."""
    path = f"{_PATHS[item['kind']].format(ns=NAMESPACE)}/{item['metadata']['name']}"
    query = "?fieldManager=lokeys&dryRun=All&fieldValidation=Strict&force=true"
    return kubernetes.api.call("PATCH", path + query, item, kind="apply-patch+yaml")


def pod_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return a pod as the workload would make it."""
    template = item["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    claims = [claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", ())]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return {**pod, "spec": {**pod["spec"], "volumes": [*pod["spec"]["volumes"], *volumes]}}


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_api_server_takes_all_objects(
    kubernetes: Kubernetes, restricted: str, choice: Choice
) -> None:
    """Strict field validation, a dry run, and Pod Security `restricted` refuse nothing."""
    stack, storage = choice.read()
    objects = render(stack, storage, options=RenderOptions(now=NOW, environment=choice.environment))
    assert restricted == stack.namespace
    for item in objects:
        if item["kind"] in FOREIGN:
            continue
        made = applied(kubernetes, item)
        assert made["metadata"]["name"] == item["metadata"]["name"]
        if "template" in item.get("spec", {}):
            applied(kubernetes, pod_of(item))


def test_a_bound_pod_is_told_its_zone(kubernetes: Kubernetes, namespace: str) -> None:
    """The labels that a pod's environment reads are copied from its node, before it starts."""
    zone = {"topology.kubernetes.io/zone": "a1", "topology.kubernetes.io/region": "a"}
    node = {"name": f"node-{namespace}", "labels": zone}
    pods = f"/api/v1/namespaces/{namespace}/pods"
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": node["name"]}}
    kubernetes.api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": node})
    try:
        kubernetes.api.post(pods, {"apiVersion": "v1", "kind": "Pod", **pod})
        kubernetes.api.post(f"{pods}/p/binding", {"apiVersion": "v1", "kind": "Binding", **target})
        labels = kubernetes.api.get(f"{pods}/p")["metadata"]["labels"]
        assert zone.items() <= labels.items()
    finally:
        kubernetes.api.delete(f"/api/v1/nodes/{node['name']}")
