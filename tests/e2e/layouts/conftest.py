# SPDX-License-Identifier: Apache-2.0
"""Clusters for layouts, one a module: lokeys looks at all users that there are."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from e2e.layouts import watched
from e2e.layouts.foreign import definitions
from e2e.layouts.world import Layout
from lokeys.core.route.resource.crd import crd
from lokeys.demo.parts.crds import rook_crds
from parts import debian
from parts.build import program
from parts.kubelet import network
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.plugin import need, run_kubernetes
from parts.real_node.cluster import RealNodesKubernetes
from parts.real_node.images import Program
from parts.real_node.node import RealNode

LOKI, TAGS = "docker.io/grafana/loki", ("3.6.3", "3.5.7")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def cluster(pytestconfig: pytest.Config) -> Iterator[Kubernetes]:
    """Run a control plane that knows the kinds of Rook, Flux and others, and ours."""
    for kubernetes in run_kubernetes(pytestconfig):
        kinds = (crd(), *rook_crds(), *definitions())
        kubernetes.apply(*kinds)
        kubernetes.wait_served(*(kind["metadata"]["name"] for kind in kinds))
        yield kubernetes


@pytest.fixture(scope="module")
def shows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder that says what pods show."""
    folder = tmp_path_factory.mktemp("shows")
    folder.chmod(0o755)  # pods read it as whoever they are
    return folder


@pytest.fixture(scope="module")
def node(pytestconfig: pytest.Config, cluster: Kubernetes, shows: Path) -> Iterator[Kubelet]:
    """Run a node on which Loki shows what a test says, or is the real one."""
    need(pytestconfig, "kubelet", debian.missing("kubelet") or network.unavailable())
    loki = str(program("loki", "loki") or "no-loki-was-built")
    words = [sys.executable, str(Path(watched.__file__)), str(shows), loki]
    made: Kubelet | RealNode
    if isinstance(cluster, RealNodesKubernetes):
        lokis = Program(names=[f"{LOKI}:{tag}" for tag in TAGS], words=words, files=[Path(loki)])
        made = RealNode(cluster, Path(loki), programs=[lokis], shared=[shows])
    else:
        lokeys = (str(Path(sys.executable).with_name("lokeys")), "/usr/local/bin/lokeys")
        made = Kubelet(cluster, images={"loki": words}, files={"lokeys": [lokeys]})
    try:
        made.start()
        yield cast("Kubelet", made)
    finally:
        made.stop()


@pytest.fixture
def layout(cluster: Kubernetes, node: Kubelet, shows: Path) -> Iterator[Layout]:
    """Make an empty layout; a test says what is in it."""
    made = Layout(cluster, node, shows, str(next(_numbers)))
    try:
        yield made
    finally:
        made.close()
