# SPDX-License-Identifier: Apache-2.0
"""The definitions of lokeys' resources on the real API server."""

from pathlib import Path

import pytest

from lokeys.core.route.resource.crd import crd
from parts.kubernetes import Kubernetes
from parts.process import wait_for

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def defined(kubernetes: Kubernetes) -> Kubernetes:
    """Return the control plane once it serves StorageCredentials."""
    kubernetes.apply(crd())
    wait_served(kubernetes, crd()["metadata"]["name"])
    return kubernetes


@pytest.fixture(scope="session")
def stacks(kubernetes: Kubernetes) -> Kubernetes:
    """Return the control plane once it serves LokiStacks, as deploy/ defines them."""
    kubernetes.kubectl("apply", "--server-side", "-k", str(ROOT / "deploy/crd/lokistack"))
    wait_served(kubernetes, "lokistacks.loki.grafana.com")
    return kubernetes


def wait_served(kubernetes: Kubernetes, name: str) -> None:
    """Wait for a definition; `kubectl wait` fails at one that has no condition yet."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"

    def served() -> bool:
        conditions = kubernetes.api.get(path).get("status", {}).get("conditions") or ()
        return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)

    wait_for(served, f"{name} is served")
