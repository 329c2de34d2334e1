# SPDX-License-Identifier: Apache-2.0
"""The real API server takes every rendered object, strictly, and its pods as restricted ones."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from lokeys.core.stack.render.render import RenderOptions, render
from manifests.lokistack import NAMESPACE, NOW, Choice, pairwise
from parts.api import ApiError
from parts.kubernetes import Kubernetes
from parts.openshift import (
    CLOUD_CREDENTIALS,
    ROUTES,
    credentials_request_crd,
    define,
    route_crd,
)

CHOICES = pairwise()
ON_OPENSHIFT = Choice(tenancy="openshift-logging")
AWS, AZURE, GCP = (Choice(store=f"{each}-cco") for each in ("s3", "azure", "gcs"))
_PATHS = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "CredentialsRequest": f"/apis/{CLOUD_CREDENTIALS}/v1/namespaces/{{ns}}/credentialsrequests",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
    "Pod": "/api/v1/namespaces/{ns}/pods",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
    "Route": f"/apis/{ROUTES}/v1/namespaces/{{ns}}/routes",
    "Service": "/api/v1/namespaces/{ns}/services",
    "ServiceAccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "StatefulSet": "/apis/apps/v1/namespaces/{ns}/statefulsets",
}


@pytest.fixture(scope="module")
def restricted(kubernetes: Kubernetes) -> Iterator[str]:
    """Make the stacks' namespace, which takes restricted pods only, with a stack's accounts."""
    define(kubernetes, route_crd(), credentials_request_crd())
    stack, storage = Choice(tenancy="static", extra="everything").read()
    with kubernetes.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"}):
        for each in render(stack, storage, options=RenderOptions(now=NOW)):
            if each["kind"] == "ServiceAccount":
                path = _PATHS["ServiceAccount"].format(ns=NAMESPACE)
                kubernetes.api.post(path, each)
        yield NAMESPACE
    kubernetes.kubectl("delete", "crd", "routes.route.openshift.io")


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
    options = RenderOptions(now=NOW, environment=choice.environment, gateway_host="logs.example")
    objects = render(stack, storage, options=options)
    assert restricted == stack.namespace
    for item in objects:
        made = applied(kubernetes, item)
        assert made["metadata"]["name"] == item["metadata"]["name"]
        if "template" in item.get("spec", {}):
            applied(kubernetes, pod_of(item))


def rendered(choice: Choice, kind: str) -> dict[str, Any]:
    """Return a stack's one object of a kind, to be changed."""
    stack, storage = choice.read()
    found = render(stack, storage, options=RenderOptions(now=NOW, environment=choice.environment))
    (item,) = (each for each in found if each["kind"] == kind)
    return copy.deepcopy(item)


WRONG: list[tuple[Choice, str, str, Any, str]] = [
    (ON_OPENSHIFT, "Route", "spec.tls.terminations", "edge", "not declared in schema"),
    (ON_OPENSHIFT, "Route", "spec.tls.termination", "plain", "Unsupported value"),
    (ON_OPENSHIFT, "Route", "spec.to.weight", "100", "expected numeric"),
    (ON_OPENSHIFT, "Route", "spec.to", None, "Required value"),
    (AWS, "CredentialsRequest", "spec.serviceAccounts", ["a"], "not declared in schema"),
    (AWS, "CredentialsRequest", "spec.cloudTokenPath", 1, "expected string"),
    (AWS, "CredentialsRequest", "spec.providerSpec.stsIamRoleARN", "a", "not declared in schema"),
    (AWS, "CredentialsRequest", "spec.providerSpec.audience", "a", "is of GCPProviderSpec"),
    (AWS, "CredentialsRequest", "spec.providerSpec.kind", "AWS", "Unsupported value"),
    (GCP, "CredentialsRequest", "spec.providerSpec.predefinedRoles", "a", "expected list"),
    (AZURE, "CredentialsRequest", "spec.providerSpec.azureTenantId", "a", "not declared in schema"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong[2]} {wrong[4]}")
def test_openshifts_objects_are_held_to_their_fields(
    kubernetes: Kubernetes, restricted: str, wrong: tuple[Choice, str, str, Any, str]
) -> None:
    """A misspelt field, another type, a value that is none: each is refused, and the rest taken."""
    choice, kind, path, value, says = wrong
    item = rendered(choice, kind)
    applied(kubernetes, item)
    *above, last = path.split(".")
    place = item
    for name in above:
        place = place[name]
    place[last] = value
    if value is None:
        del place[last]
    with pytest.raises(ApiError, match=says):
        applied(kubernetes, item)
    assert restricted


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
