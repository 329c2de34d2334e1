# SPDX-License-Identifier: Apache-2.0
"""Clusters for layouts, one a module: lokeys looks at all users that there are."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

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

_numbers = itertools.count(1)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave these to the stand-in for a node, which can put another program in Loki's place."""
    item.add_marker(pytest.mark.stand_in("pods show what Lokis showed that somebody watched"))


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
    return tmp_path_factory.mktemp("shows")


@pytest.fixture(scope="module")
def node(pytestconfig: pytest.Config, cluster: Kubernetes, shows: Path) -> Iterator[Kubelet]:
    """Run a node on which Loki shows what a test says, or is the real one."""
    need(pytestconfig, "kubelet", debian.missing("kubelet") or network.unavailable())
    loki = str(program("loki", "loki") or "no-loki-was-built")
    words = [sys.executable, str(Path(watched.__file__)), str(shows), loki]
    made = Kubelet(cluster, images={"loki": words})
    try:
        made.start()
        yield made
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
