# SPDX-License-Identifier: Apache-2.0
"""The CronJob that deploy/ ships: its account may do what its command asks, and no more."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e import hands
from e2e.rights import forbidden, granted, used
from e2e.sight import Json
from e2e.world import Homelab, Loop, Said
from lokeys.core.route.resource.crd import crd
from parts.external_secrets import ExternalSecrets
from parts.plugin import run_kubelet, run_kubernetes
from parts.rgw import Rgw

FOLDER = Path(__file__).parents[2] / "deploy/doctor-cronjob"
SYSTEM = "lokeys-system"
ACCOUNT = {"kind": "ServiceAccount", "name": "lokeys-doctor", "namespace": SYSTEM}
USER = f"system:serviceaccount:{SYSTEM}:lokeys-doctor"


@pytest.fixture
def homelab(
    pytestconfig: pytest.Config,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    loki_binary: Path,
    loop: Loop,
) -> Iterator[Homelab]:
    """Make a homelab on a cluster of its own: the doctor looks at all that a cluster has."""
    assert external_secrets.running
    with contextlib.ExitStack() as stack:
        cluster = contextlib.contextmanager(run_kubernetes)
        kubernetes = stack.enter_context(cluster(pytestconfig))
        kubernetes.apply(crd())
        operator = ExternalSecrets(kubernetes)
        stack.callback(operator.close)
        operator.start()
        node = contextlib.contextmanager(run_kubelet)
        kubelet = stack.enter_context(node(pytestconfig, kubernetes, loki_binary))
        home = Homelab(kubernetes, operator, rgw, kubelet, loop, "by-the-clock")
        home.secrets.add(rgw.admin_secret_key)
        stack.callback(home.close)
        yield home


@pytest.fixture
def command(homelab: Homelab) -> list[str]:
    """Ship what the folder has, but for the CronJob itself, whose command is returned."""
    shipped = list(yaml.safe_load_all(homelab.kubernetes.kubectl("kustomize", str(FOLDER))))
    (cron_job,) = (each for each in shipped if each["kind"] == "CronJob")
    others = [each for each in shipped if each["kind"] != "CronJob"]
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
    homelab.kubernetes.apply(space, *others)
    (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    words: list[str] = container["command"]
    return words


def read_through_a_cluster_secret_store(home: Homelab) -> None:
    """Let the ExternalSecret read through a store that is for all namespaces."""
    token = {"name": "onepassword-token", "key": "token", "namespace": home.monitoring}
    provider = {
        "connectHost": home.connect_url,
        "vaults": {"homelab": 1},
        "auth": {"secretRef": {"connectTokenSecretRef": token}},
    }
    name = f"store-{home.name}"
    spec = {"provider": {"onepassword": provider}}
    home.apply(hands.ESO, "ClusterSecretStore", name, None, spec=spec)
    home.apply_external_secret(secretStoreRef={"name": name, "kind": "ClusterSecretStore"})


def test_the_doctor_by_the_clock_ends_well_with_its_own_rights(
    homelab: Homelab, command: list[str], tmp_path: Path
) -> None:
    """Exit 0 without a route and with a healthy one; no right is missing, and none unused."""
    home, kubernetes = homelab, homelab.kubernetes
    kubeconfig = kubernetes.user_kubeconfig(SYSTEM, "lokeys-doctor")

    def examine() -> Said:
        # A pod of the cluster reaches Services and pods by itself.
        words = home.command("--reach", "direct", *command[1:], kubeconfig=kubeconfig)
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        return Said(done.returncode, done.stdout, done.stderr)

    def asked() -> list[Json]:
        return kubernetes.audit_events(USER)

    assert command[:2] == ["lokeys", "doctor"]
    empty = examine()
    assert empty.code == 0, empty.out + empty.err
    assert "no StorageCredential and no Loki in any namespace" in empty.err
    home.build(with_loki=False)
    read_through_a_cluster_secret_store(home)
    route = home.route(mode="Observe")
    file = str(home.file(tmp_path, route))
    roles = home.lokeys("rbac", "-f", file, "--service-account", f"{SYSTEM}/lokeys-doctor")
    kubernetes.kubectl("apply", "-f", "-", stdin=roles.out)
    kubernetes.apply(route)
    healthy = examine()
    assert healthy.code == 0, healthy.out + healthy.err
    assert sorted(map(str, forbidden(asked()))) == []
    own, done = granted(kubernetes, ACCOUNT, [SYSTEM]), used(asked())
    assert sorted(str(right) for right in own if not any(map(right.covers, done))) == []
