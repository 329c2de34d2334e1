# SPDX-License-Identifier: Apache-2.0
"""The definitions of lokeys' resources on the real API server."""

from pathlib import Path

import pytest

from lokeys.core.storagecredential.crd import crd
from parts.kubernetes import Kubernetes

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def defined(kubernetes: Kubernetes) -> Kubernetes:
    """Return the control plane once it serves StorageCredentials."""
    kubernetes.apply(crd())
    name = f"crd/{crd()['metadata']['name']}"
    kubernetes.kubectl("wait", "--for=condition=Established", name, "--timeout=30s")
    return kubernetes


@pytest.fixture(scope="session")
def stacks(kubernetes: Kubernetes) -> Kubernetes:
    """Return the control plane once it serves LokiStacks, as deploy/ defines them."""
    kubernetes.kubectl("apply", "--server-side", "-k", str(ROOT / "deploy/crd/lokistack"))
    name = "crd/lokistacks.loki.grafana.com"
    kubernetes.kubectl("wait", "--for=condition=Established", name, "--timeout=30s")
    return kubernetes
