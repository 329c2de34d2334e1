# SPDX-License-Identifier: Apache-2.0
"""The whole world for the end-to-end tests; each test has a homelab of its own."""

import base64
import itertools
import os
import secrets
from collections.abc import Iterator

import pytest

from e2e.bridges import RgwLab
from e2e.canary import assert_no_secret_shows
from e2e.operators import Installation, Operator, wait_led
from e2e.world import Homelab, Loop
from lokeys.adapters.kubernetes.fingerprints import SECRET_NAME, SYSTEM_NAMESPACE
from lokeys.core.route.resource.crd import crd
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


@pytest.fixture(scope="session")
def defined(kubernetes: Kubernetes) -> Kubernetes:
    """Run a control plane that knows StorageCredentials."""
    kubernetes.apply(crd())
    return kubernetes


@pytest.fixture
def fingerprints(defined: Kubernetes) -> Iterator[None]:
    """Keep the key of the fingerprints where an operator would: `heal` can remember then."""
    place = {"name": SYSTEM_NAMESPACE}
    defined.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": place})
    metadata = {"name": SECRET_NAME, "namespace": SYSTEM_NAMESPACE}
    data = {"key": base64.b64encode(secrets.token_bytes(32)).decode()}
    defined.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    yield
    defined.api.delete(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/{SECRET_NAME}")


@pytest.fixture
def homelab(
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[Homelab]:
    """Make a homelab that is not built yet: a test says how."""
    name = f"{os.getpid()}-{next(_numbers)}"
    home = Homelab(defined, external_secrets, rgw, kubelet, loop, name)
    home.secrets.add(rgw.admin_secret_key)
    yield home
    home.close()


@pytest.fixture
def rgw_lab(
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[RgwLab]:
    """Make a homelab of RGW's own user, on which a bridge is allowed; it is not built yet."""
    name = f"bridged-{os.getpid()}-{next(_numbers)}"
    made = RgwLab(defined, external_secrets, rgw, kubelet, loop, name)
    made.has_rook, made.bridge = False, "1h"
    made.secrets.add(rgw.admin_secret_key)
    yield made
    made.close()


@pytest.fixture
def plain_lab(
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[RgwLab]:
    """Make a homelab of RGW's own user, whose owner allows no bridge; it is not built yet."""
    name = f"rotated-{os.getpid()}-{next(_numbers)}"
    made = RgwLab(defined, external_secrets, rgw, kubelet, loop, name)
    made.has_rook = False
    made.secrets.add(rgw.admin_secret_key)
    yield made
    made.close()


@pytest.fixture
def neighbour(
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[Homelab]:
    """Make one more homelab that is not built yet, beside the test's own."""
    made = Homelab(defined, external_secrets, rgw, kubelet, loop, f"{os.getpid()}-{next(_numbers)}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def outage(
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[Homelab]:
    """Make a homelab whose key was replaced and whose Loki is refused, for tests that look."""
    made = Homelab(defined, external_secrets, rgw, kubelet, loop, f"{os.getpid()}-{next(_numbers)}")
    made.secrets.add(rgw.admin_secret_key)
    try:
        made.build()
        made.break_it()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def installation(
    defined: Kubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Install the operator: its account and roles, and no replica yet."""
    made = Installation(defined, tmp_path_factory.mktemp("operator"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def operator(installation: Installation) -> Operator:
    """Run one replica for all tests of a module."""
    replica = installation.replica().start()
    wait_led(replica)
    return replica


@pytest.fixture
def home(homelab: Homelab, installation: Installation) -> Iterator[Homelab]:
    """Make a homelab that an operator looks after; no secret of it may be seen afterwards."""
    yield homelab
    assert_no_secret_shows(homelab, installation)
