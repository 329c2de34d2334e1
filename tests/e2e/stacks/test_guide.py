# SPDX-License-Identifier: Apache-2.0
"""The guide to operated LokiStacks: every command block is run, in order, on what it names."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.operators import Operator, running, wait_led
from e2e.pages import blocks
from e2e.stacks.cases import Json, create_as_former, listed
from e2e.stacks.operated import Hands
from manifests.former import Former
from manifests.lokistack import Choice
from parts.build import program
from parts.kubernetes import Kubernetes

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).parents[3]
PAGE = "docs/guides/lokistack.md"
SYSTEM, NEW, OLD = "lokeys-system", "logging", "audit"


@dataclass
class Place:
    """A cluster of its own, as the guide finds it, and a folder to type in."""

    kubernetes: Kubernetes
    folder: Path

    def run(self, text: str) -> str:
        """Type a block; fail where it does."""
        kubectl = program("kubernetes", "kubectl")
        assert kubectl is not None
        path = os.pathsep.join((str(Path(sys.executable).parent), str(kubectl.parent), os.defpath))
        words = {"PATH": path, "KUBECONFIG": str(self.kubernetes.kubeconfig), "NO_COLOR": "1"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=os.environ | words,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{text}{done.stdout}{done.stderr}"
        return done.stdout

    def make_old_stack(self) -> None:
        """Make a stack as a Loki Operator leaves it: its ruler has no account of its own."""
        self.kubernetes.apply(*reversed(stack(OLD, "audit", "audit-bucket")))
        path = f"/apis/loki.grafana.com/v1/namespaces/{OLD}/lokistacks/audit"
        former = Former(name="audit", namespace=OLD, secret="audit-bucket", rules=True)
        create_as_former(self.kubernetes, self.kubernetes.api.get(path), former.objects())

    @property
    def rulers_account(self) -> str:
        path = f"/apis/apps/v1/namespaces/{OLD}/statefulsets/audit-ruler"
        pod: Json = self.kubernetes.api.get(path)["spec"]["template"]["spec"]
        return str(pod.get("serviceAccountName", ""))

    def versions(self) -> dict[str, str]:
        """Return the versions of the old stack's workloads."""
        path = f"/apis/apps/v1/namespaces/{OLD}"
        return {
            each["metadata"]["name"]: str(each["metadata"]["generation"])
            for kind in ("statefulsets", "deployments")
            for each in self.kubernetes.api.get(f"{path}/{kind}")["items"]
        }


def stack(namespace: str, name: str, secret: str) -> tuple[Json, Json]:
    """Return a LokiStack and its Secret."""
    choice = Choice(extra="rules")
    manifest, data = choice.manifest, choice.secret
    manifest["metadata"] = {"name": name, "namespace": namespace}
    manifest["spec"]["storage"]["secret"]["name"] = secret
    del manifest["spec"]["hashRing"]
    data["metadata"] = {"name": secret, "namespace": namespace}
    return manifest, data


@pytest.fixture
def place(kubernetes: Kubernetes, tmp_path: Path) -> Iterator[Place]:
    """Start a cluster that nobody else has touched, beside the one that the other tests share."""
    assert kubernetes.api.get("/version")
    fresh = Kubernetes()
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "stack.yaml").write_text(listed(stack(NEW, "my-stack", "loki-bucket")))
    try:
        fresh.start()
        yield Place(fresh, tmp_path)
    finally:
        fresh.stop()


@pytest.fixture
def fresh_hands(place: Place) -> Iterator[Hands]:
    """Make pods of the cluster of its own ready."""
    made = Hands(place.kubernetes)
    yield made
    made.close()


def test_the_guide_does_what_it_says(place: Place, fresh_hands: Hands) -> None:
    """A new stack becomes ready, an old one is taken over by one roll and given back untouched."""
    kubernetes = place.kubernetes
    for name in (NEW, OLD):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        kubernetes.api.post("/api/v1/namespaces", body)
    place.run("kubectl apply -k deploy && kubectl -n lokeys-system wait sa/lokeys --for=create")
    log = place.folder / "operator.log"
    log.touch()
    operator = Operator(kubernetes.user_kubeconfig(SYSTEM, "lokeys"), log, SYSTEM)
    for namespace in (NEW, OLD):
        fresh_hands.take(namespace)
    with running(operator):
        wait_led(operator)
        kept: dict[str, str] = {}
        for block in blocks(PAGE):
            said = place.run(block.text)
            if "create -k deploy/crd/lokistack" in block.text:
                kubernetes.wait_served("lokistacks.loki.grafana.com")
                place.make_old_stack()
            if block.text.startswith("kubectl -n logging get lokistack"):
                assert said.splitlines()[1].split()[:4] == ["my-stack", "1x.demo", "static", "True"]
            if "rbac stack -n audit audit | kubectl apply" in block.text:
                assert place.rulers_account == ""
            if block.text.strip() == "lokeys takeover -n audit audit":
                assert place.rulers_account == "audit-ruler"
                kept = place.versions()
        assert place.versions() == kept
