# SPDX-License-Identifier: Apache-2.0
"""`lokeys render --diff cluster` against the real API server, with all that it adds by itself."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from manifests.lokistack import CANARY, Choice
from parts.kubernetes import Kubernetes
from parts.openshift import credentials_request_crd, define, route_crd

CHOICES = (
    Choice(store="s3-token-rgw", size="1x.small", tenancy="static", extra="everything"),
    Choice(store="azure", size="1x.demo", extra="rules"),
)
OPENSHIFT = Choice(store="s3-cco", tenancy="openshift-logging")


@dataclass
class Rendering:
    """A stack in a namespace of its own, rendered by the command line."""

    kubernetes: Kubernetes
    file: Path
    choice: Choice
    namespace: str

    def write(self, **spec: Any) -> None:
        stack = self.choice.manifest
        stack["spec"] |= spec
        items = [stack, self.choice.secret, *self.choice.beside]
        for each in items:
            each["metadata"]["namespace"] = self.namespace
        self.file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lokeys", "render", "-f", str(self.file), *words],
            env={"KUBECONFIG": str(self.kubernetes.kubeconfig), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def diff(self) -> tuple[int, str]:
        done = self.run("--diff", "cluster")
        assert done.stderr == ""
        return done.returncode, done.stdout


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_stack_is_compared_with_what_runs(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path, choice: Choice
) -> None:
    """All is new; nothing differs once it is applied; then only what somebody changed."""
    stack = Rendering(kubernetes, tmp_path / "stack.json", choice, namespace)
    stack.write()
    code, text = stack.diff()
    assert code == 3
    assert all(line.startswith(("+", "@@", "--- /dev/null")) for line in text.splitlines())
    kubernetes.apply(*json.loads(stack.run("-o", "json").stdout)["items"])
    assert stack.diff() == (0, "")
    ingester = ("-n", namespace, "statefulset", "my-stack-ingester")
    kubernetes.kubectl("scale", *ingester, "--replicas=9")
    kubernetes.kubectl("set", "env", *ingester, f"LEFT_BEHIND_SECRET={CANARY}")
    code, text = stack.diff()
    assert code == 3
    assert "-  replicas: 9" in text
    assert CANARY not in text


def test_what_is_left_out_of_the_manifest_is_told(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    """Nobody renders the selector any more: applying would take it away."""
    stack = Rendering(kubernetes, tmp_path / "stack.json", Choice(), namespace)
    stack.write(template={"ingester": {"nodeSelector": {"disk": "fast"}}})
    kubernetes.apply(*json.loads(stack.run("-o", "json").stdout)["items"])
    stack.write()
    code, text = stack.diff()
    changed = [line for line in text.splitlines() if line[0] in "+-" and line[1:3] != line[0] * 2]
    assert code == 3
    (line,) = changed
    assert line.startswith('-        disk: "(not shown, r:')


def test_kinds_that_the_cluster_does_not_know_are_new(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    """A Route on a cluster that is no OpenShift is no failure: it would be made."""
    stack = Rendering(kubernetes, tmp_path / "stack.json", OPENSHIFT, namespace)
    stack.write()
    done = stack.run("--diff", "cluster", "--token-cco")
    assert (done.returncode, done.stderr) == (3, "")
    assert f"+++ rendered/Route {namespace}/my-stack" in done.stdout
    assert f"+++ rendered/CredentialsRequest {namespace}/my-stack" in done.stdout


def test_the_host_of_a_live_route_is_where_browsers_come_back_to(
    kubernetes: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    """OpenShift has chosen it. A Route among the files says the same as that of the cluster."""
    define(kubernetes, route_crd(), credentials_request_crd())
    stack = Rendering(
        kubernetes, tmp_path / "stack.json", Choice(tenancy="openshift-logging"), namespace
    )
    stack.write()
    try:
        kubernetes.apply(*json.loads(stack.run("-o", "json").stdout)["items"])
        assert stack.diff() == (0, "")
        chosen = {"spec": {"host": "logs.apps.example"}}
        route = ("-n", namespace, "route.route.openshift.io", "my-stack")
        kubernetes.kubectl("patch", *route, "--type=merge", "-p", json.dumps(chosen))
        code, text = stack.diff()
        assert code == 3
        assert "https://logs.apps.example/openshift/audit/callback" in text
        file = tmp_path / "route.json"
        file.write_text(kubernetes.kubectl("get", *route, "-o", "json"))
        kubernetes.apply(*json.loads(stack.run("-f", str(file), "-o", "json").stdout)["items"])
        assert stack.diff() == (0, "")
    finally:
        kubernetes.kubectl("delete", "crd", "routes.route.openshift.io")
