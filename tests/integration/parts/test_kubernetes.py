# SPDX-License-Identifier: Apache-2.0
"""The control plane that tests run on."""

from pathlib import Path

import pytest

from parts.api import ApiError
from parts.kubernetes import Kubernetes


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_objects_survive_a_restart_of_the_api_server(
    kubernetes: Kubernetes, namespace: str
) -> None:
    """What was written before the API server was killed can be read afterwards."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    kubernetes.api.post(path, config_map("kept"))
    kubernetes.restart_api_server(kill=True)
    assert kubernetes.api.get(f"{path}/kept")["metadata"]["name"] == "kept"


def test_a_service_account_may_only_what_a_role_allows(
    kubernetes: Kubernetes, namespace: str
) -> None:
    """RBAC is on: a new service account is refused, and the audit log says so."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}
    kubernetes.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    kubeconfig = kubernetes.user_kubeconfig(namespace, "reader")
    said = kubernetes.kubectl(
        f"--kubeconfig={kubeconfig}", "get", "secrets", "-n", namespace, check=False
    )
    assert "forbidden" in said.lower()
    codes = {
        event["responseStatus"]["code"]
        for event in kubernetes.audit_events(f"system:serviceaccount:{namespace}:reader")
        if event.get("objectRef", {}).get("resource") == "secrets"
    }
    assert codes == {403}


def test_controllers_make_pods_of_a_stateful_set(kubernetes: Kubernetes, namespace: str) -> None:
    """kube-controller-manager is at work: a StatefulSet's first pod appears."""
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "web"}]},
    }
    spec = {
        "serviceName": "web",
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": template,
    }
    kubernetes.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "web", "namespace": namespace},
            "spec": spec,
        }
    )
    kubernetes.kubectl("wait", "-n", namespace, "--for=create", "pod/web-0", "--timeout=20s")


def test_nobody_without_a_token_is_let_in(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """A kubeconfig with a wrong token is refused."""
    kubeconfig = tmp_path / "kubeconfig"
    text = kubernetes.kubeconfig.read_text().replace('"token": "', '"token": "x')
    kubeconfig.write_text(text)
    said = kubernetes.kubectl(f"--kubeconfig={kubeconfig}", "get", "ns", check=False)
    assert "Unauthorized" in said or "logged in" in said


def test_an_unknown_path_is_an_error_with_its_status(kubernetes: Kubernetes) -> None:
    """The parts' own client tells a missing object from other errors."""
    assert kubernetes.api.find("/api/v1/namespaces/nobody") is None
    with pytest.raises(ApiError) as refused:
        kubernetes.api.post(
            "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": "A B"}}
        )
    assert refused.value.status == 422
