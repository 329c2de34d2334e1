# SPDX-License-Identifier: Apache-2.0
"""The whole world for the end-to-end tests; each test has a homelab of its own."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.world import Homelab, Loop, Operator
from lokeys.core.storagecredential.crd import crd
from parts.external_secrets import ExternalSecrets
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    """Run the stand-ins' event loop."""
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def homelab(
    kubernetes: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[Homelab]:
    """Make a homelab that is not built yet: a test says how."""
    name = f"{os.getpid()}-{next(_numbers)}"
    home = Homelab(kubernetes, external_secrets, rgw, kubelet, loop, name)
    kubernetes.apply(crd())
    yield home
    home.close()


@pytest.fixture
def operator(homelab: Homelab, tmp_path: Path) -> Callable[[], Operator]:
    """Return a maker of operators for the homelab, as the admin."""
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lokeys-system"}}

    def make() -> Operator:
        homelab.kubernetes.apply(json.loads(json.dumps(system)))
        return Operator(homelab, homelab.kubernetes.kubeconfig, tmp_path / "operator.log")

    return make
