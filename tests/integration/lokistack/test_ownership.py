# SPDX-License-Identifier: Apache-2.0
"""What the API server keeps as ours of every rendered object is what was applied, to the value.

On this hangs that a stack at rest is never written, and that each change of it is seen.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fakes.stacks import UID
from lokeys.adapters.kubernetes.stack_objects import live_of
from lokeys.core.operate.intents import MANAGER, Intent, intent_of, intents_of
from lokeys.core.stack.render.render import RenderOptions
from manifests.lokistack import NAMESPACE, NOW, Choice, pairwise
from parts.kubernetes import Kubernetes
from parts.openshift import (
    CLOUD_CREDENTIALS,
    ROUTES,
    credentials_request_crd,
    define,
    route_crd,
)

API = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "CredentialsRequest": f"/apis/{CLOUD_CREDENTIALS}/v1/namespaces/{{ns}}/credentialsrequests",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
    "Route": f"/apis/{ROUTES}/v1/namespaces/{{ns}}/routes",
    "Service": "/api/v1/namespaces/{ns}/services",
    "ServiceAccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "StatefulSet": "/apis/apps/v1/namespaces/{ns}/statefulsets",
}


@pytest.fixture(scope="module")
def place(kubernetes: Kubernetes, make_namespace: Callable[[str], str]) -> Iterator[str]:
    """Make a namespace for dry runs."""
    define(kubernetes, route_crd(), credentials_request_crd())
    yield make_namespace("owned")
    kubernetes.kubectl("delete", "crd", "routes.route.openshift.io")


def applied(kubernetes: Kubernetes, intent: Intent) -> dict[str, Any]:
    """Return the object as the API server would keep it."""
    path = API[intent.ref.kind].format(ns=intent.ref.namespace) + f"/{intent.ref.name}"
    query = f"?fieldManager={MANAGER}&dryRun=All&force=true"
    return kubernetes.api.call("PATCH", path + query, intent.manifest, kind="apply-patch+yaml")


def moved(intent: Intent, place: str) -> Intent:
    """Return the intent in another namespace."""
    text = json.dumps(intent.manifest).replace(f'"{NAMESPACE}"', f'"{place}"')
    return intent_of(json.loads(text))


@pytest.mark.parametrize("choice", pairwise(), ids=str)
def test_what_is_kept_as_ours_is_what_was_applied(
    kubernetes: Kubernetes, place: str, choice: Choice
) -> None:
    """The digest of the part that we own is the intent's; so are template and fixed fields."""
    stack, storage = choice.read()
    options = RenderOptions(
        now=NOW,
        environment=choice.environment,
        store_hash="k:1",
        managed_hash="k:2",
        gateway_host="logs.apps.example",
    )
    found = intents_of(replace(stack, uid=UID), storage, options=options)
    for intent in (moved(each, place) for each in found):
        live = live_of(applied(kubernetes, intent))
        assert live.content == intent.digest, intent.ref
        assert live.owners.keys() == {UID}
        if live.workload is not None:
            assert live.workload.template == intent.template
            assert live.workload.marks == intent.marks
            assert live.workload.fixed == intent.fixed
