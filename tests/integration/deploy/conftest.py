# SPDX-License-Identifier: Apache-2.0
"""The definition of the StorageCredential on the real API server."""

import pytest

from lokeys.core.storagecredential.crd import crd
from parts.kubernetes import Kubernetes


@pytest.fixture(scope="session")
def defined(kubernetes: Kubernetes) -> Kubernetes:
    """Return the control plane once it serves StorageCredentials."""
    kubernetes.apply(crd())
    name = f"crd/{crd()['metadata']['name']}"
    kubernetes.kubectl("wait", "--for=condition=Established", name, "--timeout=30s")
    return kubernetes
