# SPDX-License-Identifier: Apache-2.0
"""The real parts as pytest fixtures. A test says what it needs by naming the fixture.

A part that cannot be had here skips its tests by name, and the run's summary says why; with
`CI=true` it fails them. With `--real-node` pods run on a real node instead of its stand-in.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from parts import debian, older, packages
from parts.build import built_program, program
from parts.clouds.world import Clouds
from parts.external_secrets import ExternalSecrets
from parts.kubelet import network
from parts.kubelet.network import Outpost
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.moto_iam import MotoIam
from parts.process import wait_for
from parts.real_node import node as real
from parts.real_node.cluster import RealNodesKubernetes
from parts.rgw import Rgw

NOT_HAD = pytest.StashKey[dict[str, str]]()
REAL_NODES = pytest.StashKey[dict[int, real.RealNode]]()
OPTION = "--real-node"
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the real node."""
    parser.addoption(OPTION, action="store_true", help="run pods on a real node: needs root")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with every part had."""
    config.stash[NOT_HAD] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that sums up, where tests run in several."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["parts not had"] = session.config.stash[NOT_HAD]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what one of several processes went without."""
    node.config.stash[NOT_HAD].update(getattr(node, "workeroutput", {}).get("parts not had", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the parts that this run went without."""
    not_had = config.stash[NOT_HAD]
    if not_had:
        terminalreporter.section("parts not had here: their tests did not run")
        for part, why in sorted(not_had.items()):
            terminalreporter.line(f"{part}: {why}")


def need(config: pytest.Config, part: str, why_not: str | None, *, anywhere: bool = True) -> None:
    """Go on where the part can be had; else skip by name, or fail where nothing may be skipped.

    A part that is not to be had `anywhere` skips its tests in CI, too.
    """
    if why_not is None:
        return
    config.stash[NOT_HAD][part] = why_not
    if os.environ.get("CI") == "true" and anywhere:
        pytest.fail(f"{part} cannot be had here, and CI skips nothing: {why_not}", pytrace=False)
    pytest.skip(f"{part} cannot be had here: {why_not}")


def not_built(part: str, *names: str) -> str | None:
    """Say which programs of a Go part are missing, and what to do; None when all are there."""
    lost = [name for name in names if not (found := program(part, name)) or not found.exists()]
    return f"{', '.join(lost)} not built, run `make parts`" if lost else None


@pytest.fixture(scope="session")
def kubernetes(pytestconfig: pytest.Config) -> Iterator[Kubernetes]:
    """Run one real control plane, with RBAC and an audit log, for all tests."""
    yield from run_kubernetes(pytestconfig)


def run_kubernetes(config: pytest.Config) -> Iterator[Kubernetes]:
    """Run a control plane of a test's own: for what looks at all that a cluster has."""
    programs = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
    need(config, "kubernetes", debian.missing("kubernetes"))
    need(config, "kubernetes", not_built("kubernetes", *programs))
    if config.getoption(OPTION):
        need_real_node(config)
    cluster = RealNodesKubernetes() if config.getoption(OPTION) else Kubernetes()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def need_real_node(config: pytest.Config) -> None:
    """Go on where a real node can be had."""
    need(config, "real node", debian.missing("node"))
    need(config, "real node", real.unavailable(), anywhere=False)
    need(config, "real node", not_built("kubernetes-node", "kubelet", "kube-proxy"))
    need(config, "real node", not_built("node", "containerd", "ctr", "coredns", "pause"))


@pytest.fixture(scope="module")
def make_namespace(kubernetes: Kubernetes) -> Iterator[Callable[[str], str]]:
    """Make namespaces that nobody had before; they go when the module's tests are done."""
    made: list[str] = []

    def make(prefix: str = "test") -> str:
        name = f"{prefix}-{os.getpid()}-{next(_numbers)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        kubernetes.api.post("/api/v1/namespaces", body)
        made.append(name)
        # Until the controller has made it, no pod is taken.
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_for(lambda: kubernetes.api.find(account), f"{name} has its account")
        return name

    yield make
    for name in made:
        kubernetes.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def namespace(make_namespace: Callable[[str], str]) -> str:
    """Make a namespace of the test's own."""
    return make_namespace("test")


@pytest.fixture(scope="session")
def loki_binary(pytestconfig: pytest.Config) -> Path:
    """Find the real Loki."""
    need(pytestconfig, "loki", not_built("loki", "loki"))
    found = program("loki", "loki")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def external_secrets(
    pytestconfig: pytest.Config, kubernetes: Kubernetes
) -> Iterator[ExternalSecrets]:
    """Run the real External Secrets Operator on the control plane."""
    yield from run_external_secrets(pytestconfig, kubernetes)


def run_external_secrets(
    config: pytest.Config, kubernetes: Kubernetes
) -> Iterator[ExternalSecrets]:
    """Run one on a control plane of a test's own."""
    need(config, "external-secrets", not_built("external-secrets", "external-secrets"))
    operator = ExternalSecrets(kubernetes)
    try:
        operator.start()
        yield operator
    finally:
        operator.close()


@pytest.fixture(scope="session")
def rgw(pytestconfig: pytest.Config) -> Iterator[Rgw]:
    """Run a real Ceph RGW that tells a wrong key from a wrong secret."""
    yield from _rgw(pytestconfig, sts_first=False)


@pytest.fixture(scope="module")
def rgw_sts_first(pytestconfig: pytest.Config) -> Iterator[Rgw]:
    """Run a real Ceph RGW in its default order of authentication: AccessDenied for all."""
    yield from _rgw(pytestconfig, sts_first=True)


@pytest.fixture(scope="module")
def rgw_as_aws(pytestconfig: pytest.Config) -> Iterator[Rgw]:
    """Run a real Ceph RGW that answers to the name of AWS's S3 in Frankfurt."""
    yield from _rgw(pytestconfig, sts_first=False, host="s3.dualstack.eu-central-1.amazonaws.com")


def _rgw(config: pytest.Config, *, sts_first: bool, host: str = "") -> Iterator[Rgw]:
    need(config, "rgw", debian.missing("rgw"))
    ceph = Rgw(sts_first=sts_first, host=host)
    try:
        ceph.start()
        yield ceph
    finally:
        ceph.stop()


@pytest.fixture(scope="session")
def promtool(pytestconfig: pytest.Config) -> Path:
    """Find Prometheus' tool that tests rules."""
    need(pytestconfig, "promtool", debian.missing("promtool"))
    found = debian.find("promtool")
    assert found is not None
    return Path(found)


@pytest.fixture(scope="session")
def helm_binary(pytestconfig: pytest.Config) -> Path:
    """Find Helm."""
    need(pytestconfig, "helm", not_built("helm", "helm"))
    return built_program("helm", "helm")


@pytest.fixture(scope="module")
def moto_iam(pytestconfig: pytest.Config) -> Iterator[MotoIam]:
    """Run what stands in for AWS's IAM, with an administrator."""
    need(pytestconfig, "moto", packages.missing("moto"))
    iam = MotoIam()
    try:
        iam.start()
        yield iam
    finally:
        iam.stop()


@pytest.fixture(scope="session")
def junit_schema(pytestconfig: pytest.Config) -> Path:
    """Find the schema of JUnit's XML that Jenkins published."""
    need(pytestconfig, "junit-schema", packages.missing("junit-schema"))
    found = packages.junit_schema()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def kubelet(
    pytestconfig: pytest.Config, kubernetes: Kubernetes, loki_binary: Path
) -> Iterator[Kubelet]:
    """Run a node that starts pods as host processes, for the namespaces it is told to take."""
    yield from run_kubelet(pytestconfig, kubernetes, loki_binary)


def run_kubelet(
    config: pytest.Config,
    kubernetes: Kubernetes,
    loki_binary: Path,
    *,
    token_hurry: float = 1,
    files: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> Iterator[Kubelet]:
    """Run a node with options of its own. There is one at a time: its network has one name.

    A real node has no options, and is the same for all tests of a cluster.
    """
    if isinstance(kubernetes, RealNodesKubernetes):
        # It has the face of the stand-in, and no other heir.
        yield cast("Kubelet", _real_node(config, kubernetes, loki_binary))
        return
    need(config, "kubelet", debian.missing("kubelet") or network.unavailable())
    images = {"loki": [str(loki_binary)]}
    gateway = program("gateway", "observatorium-api")
    if gateway is not None:
        images["api"] = [sys.executable, "-I", older.__file__, str(gateway)]
    node = Kubelet(kubernetes, images=images, token_hurry=token_hurry, files=files)
    try:
        node.start()
        yield node
    finally:
        node.stop()


def _real_node(
    config: pytest.Config, kubernetes: RealNodesKubernetes, loki_binary: Path
) -> real.RealNode:
    nodes = config.stash.setdefault(REAL_NODES, {})
    if kubernetes.number not in nodes:
        node = nodes[kubernetes.number] = real.RealNode(kubernetes, loki_binary)
        kubernetes.before_it_stops.callback(node.stop)
        node.start()
    return nodes[kubernetes.number]


@pytest.fixture(scope="module")
def clouds(
    pytestconfig: pytest.Config,
    kubernetes: Kubernetes,
    kubelet: Kubelet,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Clouds]:
    """Run what stands in for Azure and Google, where pods find it by the clouds' own names."""
    for store in ("azurite", "fake-gcs"):
        need(pytestconfig, store, packages.missing(store))
    made = Clouds(kubernetes, kubelet, tmp_path_factory.mktemp("clouds"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def outpost(kubernetes: Kubernetes, kubelet: Kubelet) -> Outpost:
    """Make a network namespace that reaches the API server and nothing else, like a laptop."""
    return kubelet.network.add_outpost(kubernetes.port)
