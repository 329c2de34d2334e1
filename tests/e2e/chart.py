# SPDX-License-Identifier: Apache-2.0
"""lokeys as people install it: its chart, by Helm, with its own image."""

import subprocess
from datetime import datetime
from pathlib import Path

from lokeys.clock import utc_now
from parts.helm import CHART, Helm
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from release.source import ROOT, git

SYSTEM = "lokeys-system"
REPLICAS = 2
READY_S = 3
_HERE = ("--namespace", SYSTEM)
_WAITED_FOR = ("--wait", "--timeout", "4m")
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PODS = f"/api/v1/namespaces/{SYSTEM}/pods"


class InstalledChart:
    """The release `lokeys` in its namespace; `tag` is its image's."""

    def __init__(self, kubernetes: Kubernetes, helm: Helm, *, tag: str) -> None:
        self._kubernetes = kubernetes
        self._helm = helm
        self._image = ("--set", f"image.tag={tag}")

    def install(self, chart: Path) -> None:
        """Install it in a namespace that enforces the restricted Pod Security level."""
        self._kubernetes.kubectl("create", "namespace", SYSTEM)
        label = "pod-security.kubernetes.io/enforce=restricted"
        self._kubernetes.kubectl("label", "namespace", SYSTEM, label)
        self._helm.run("install", "lokeys", str(chart), *_HERE, *self._image, *_WAITED_FOR)
        self._check_ready()

    def ready_after_s(self) -> float:
        """Return how long a new pod takes from its start until /readyz says so.

        A pod says its start in whole seconds: it is one second less, at most.
        """
        before = {pod["metadata"]["name"] for pod in self._pods()}
        self._kubernetes.api.delete(f"{_PODS}/{min(before)}")
        ready: dict[str, datetime] = {}

        def seen() -> bool:
            for pod in self._pods():
                name = pod["metadata"]["name"]
                if name not in before and self._says_ready(name):
                    ready.setdefault(name, utc_now())
            return bool(ready)

        wait_for(seen, "the new pod's /readyz", timeout_s=60)
        ((name, at),) = ready.items()
        state = self._kubernetes.api.get(f"{_PODS}/{name}")["status"]["containerStatuses"][0]
        return (at - datetime.fromisoformat(state["state"]["running"]["startedAt"])).total_seconds()

    def test(self) -> None:
        """Run the chart's own test."""
        said = self._helm.run("test", "lokeys", *_HERE)
        assert "Phase:          Succeeded" in said, said

    def upgrade(self) -> None:
        """Bring it to the chart of this commit."""
        self._helm.run("upgrade", "lokeys", str(CHART), *_HERE, *self._image, *_WAITED_FOR)
        self._check_ready()

    def uninstall(self) -> None:
        """Take it away; its definition stays."""
        self._helm.run("uninstall", "lokeys", *_HERE, "--wait")
        wait_for(lambda: self._pods() == [], "no pod is left", timeout_s=60)
        assert self._kubernetes.api.find(f"{_DEFINITIONS}/storagecredentials.lokeys.dev")

    def _check_ready(self) -> None:
        path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/lokeys"

        def all_are() -> bool:
            status = self._kubernetes.api.get(path)["status"]
            return bool(status.get("readyReplicas") == status.get("updatedReplicas") == REPLICAS)

        wait_for(all_are, f"{REPLICAS} replicas are ready", timeout_s=60)

    def _pods(self) -> list[dict[str, dict[str, str]]]:
        found: list[dict[str, dict[str, str]]] = self._kubernetes.api.get(_PODS)["items"]
        return found

    def _says_ready(self, pod: str) -> bool:
        page = f"{_PODS}/{pod}:8080/proxy/readyz"
        return self._kubernetes.kubectl("get", "--raw", page, check=False).strip() == "ok"


def chart_before(folder: Path) -> Path | None:
    """Return the chart of the commit before, unpacked into a folder; None where it had none."""
    if not git("ls-tree", "HEAD~1", "deploy/chart/Chart.yaml"):
        return None
    words = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "archive", "HEAD~1"]
    packed = subprocess.run([*words, "deploy/chart"], check=True, capture_output=True).stdout
    subprocess.run(["tar", "--extract", "--directory", str(folder)], input=packed, check=True)
    return folder / "deploy/chart"
