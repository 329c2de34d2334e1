# SPDX-License-Identifier: Apache-2.0
"""Every kubectl command that a finding about a route prints is done by a real API server.

Typed as printed, by a shell, where the objects that it names are: with the kinds of Rook, External
Secrets, Flux and 1Password as definitions, and what the kubelet or Rook would make by hand.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.layouts.foreign import definitions
from golden.cases import HERE
from lokeys.demo.parts.crds import rook_crds
from parts.build import program
from parts.external_secrets import apply_crds
from parts.kubernetes import Kubernetes
from trust.tools import Shell

Json = dict[str, Any]
ROUTES = ("LK03", "LK04", "LK05", "LK06", "LK09")
NAMED = re.compile(
    r"kubectl -n (?P<namespace>[-a-z0-9]+) (?:\S+) (?P<kind>[a-z]+)(?: (?P<name>[-a-z0-9]+))?"
)
CONTAINER = {"name": "loki", "image": "loki:3"}
SPECS: dict[str, tuple[str, str, Json]] = {
    "secret": ("v1", "Secret", {"stringData": {"AccessKey": "id"}}),
    "configmap": ("v1", "ConfigMap", {"data": {"id": "id"}}),
    "pod": ("v1", "Pod", {"spec": {"containers": [CONTAINER]}}),
    "pdb": ("policy/v1", "PodDisruptionBudget", {"spec": {"maxUnavailable": 1}}),
    "cephobjectstoreuser": (
        "ceph.rook.io/v1",
        "CephObjectStoreUser",
        {"spec": {"store": "store", "displayName": "loki"}},
    ),
    "cephobjectstore": ("ceph.rook.io/v1", "CephObjectStore", {"spec": {}}),
    "externalsecret": (
        "external-secrets.io/v1",
        "ExternalSecret",
        {"spec": {"refreshInterval": "1h", "secretStoreRef": {"name": "s"}}},
    ),
    "secretstore": (
        "external-secrets.io/v1",
        "SecretStore",
        {"spec": {"provider": {"fake": {"data": [{"key": "a", "value": "b"}]}}}},
    ),
    "onepassworditem": ("onepassword.com/v1", "OnePasswordItem", {"spec": {"itemPath": "a"}}),
    "helmrelease": ("helm.toolkit.fluxcd.io/v2", "HelmRelease", {"spec": {}}),
}
"""What stands for each kind: as little as the API server takes."""


def commands() -> Iterator[tuple[str, str]]:
    """Yield each case's kubectl commands; nothing is left to a person in them."""
    for folder in sorted(HERE.glob("LK0*")):
        if folder.name.startswith(ROUTES):
            remedies = json.loads((folder / "expected.json").read_text())["remedy"]
            for each in remedies:
                if (each["command"] or "").startswith("kubectl -n"):
                    yield folder.name, each["command"]


COMMANDS = dict(commands())


@pytest.fixture(scope="module")
def shell(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Return a shell at an API server that knows the kinds of routes."""
    known = [each for each in definitions() if each["spec"]["names"]["kind"] != "LokiStack"]
    kubernetes.apply(*known, *rook_crds())
    kubernetes.wait_served(*(each["metadata"]["name"] for each in (*known, *rook_crds())))
    apply_crds(kubernetes)
    kubectl, folder = program("kubernetes", "kubectl"), tmp_path_factory.mktemp("typed")
    assert kubectl is not None
    environment = {
        "PATH": os.pathsep.join((str(kubectl.parent), os.environ["PATH"])),
        "KUBECONFIG": str(kubernetes.kubeconfig),
        "HOME": str(folder),
        "KUBE_EDITOR": "true",
    }
    return Shell(folder=Path(folder), environment=environment)


def made(kubernetes: Kubernetes, namespace: str, kind: str, name: str) -> None:
    """Make the object that a command names, with an account where a pod needs one."""
    version, word, body = SPECS[kind]
    metadata = {"name": namespace}
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    place = {"name": "default", "namespace": namespace}
    kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})
    place = {"name": name, "namespace": namespace}
    kubernetes.apply({"apiVersion": version, "kind": word, "metadata": place, **body})


@pytest.mark.parametrize("case", COMMANDS)
def test_what_a_finding_of_a_route_prints_is_done(
    kubernetes: Kubernetes, shell: Shell, case: str
) -> None:
    """No flag, patch or name that kubectl or the API server does not take."""
    found = NAMED.match(COMMANDS[case])
    assert found is not None, COMMANDS[case]
    made(kubernetes, found["namespace"], found["kind"], found["name"] or "any")
    done = shell.run(COMMANDS[case])
    assert (done.returncode, done.stderr.strip()) in (
        (0, ""),
        (0, "Edit cancelled, no changes made."),
    )
