# SPDX-License-Identifier: Apache-2.0
"""The real External Secrets Operator, unmodified, beside the test's control plane."""

from pathlib import Path

import httpx2

from parts.build import built
from parts.kubernetes import EXTERNAL_SECRETS, Kubernetes
from parts.process import Folder, PartError, Process, free_ports, wait_for

# Without generatorstates every `dataFrom` fails; the cluster-wide kinds are switched off below.
KINDS = ("externalsecrets", "secretstores", "clustersecretstores", "pushsecrets", "generatorstates")


class ExternalSecrets:
    """The operator's controllers; `log` is what they say."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._folder = Folder("eso")
        self.log = self._folder.path / "external-secrets.log"
        self.metrics_port, self._live_port = free_ports(2)
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Apply the CRDs, start the controllers and wait until they are alive."""
        apply_crds(self._kubernetes)
        argv = [
            _folder() / "external-secrets",
            "--enable-cluster-external-secret-reconciler=false",
            "--enable-cluster-push-secret-reconciler=false",
            f"--metrics-addr=127.0.0.1:{self.metrics_port}",
            f"--live-addr=127.0.0.1:{self._live_port}",
        ]
        kubeconfig = self._kubernetes.kubeconfig_of(EXTERNAL_SECRETS)
        environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(self._folder.path)}
        self._process = Process(argv, log=self.log, env=environment)
        wait_for(self._alive, "external-secrets is alive", processes=[self._process])

    def stop(self) -> None:
        """Stop the controllers; CRDs and objects stay, as when somebody scales it to zero."""
        if self._process:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """Stop it for good and remove its folder."""
        self.stop()
        self._folder.remove()

    def _alive(self) -> bool:
        try:
            answer = httpx2.get(f"http://127.0.0.1:{self._live_port}/healthz", trust_env=False)
        except httpx2.TransportError:
            return False
        return answer.is_success


def apply_crds(kubernetes: Kubernetes) -> None:
    """Make the kinds known, and wait until they are served."""
    files = [path for path in (_folder() / "crds").iterdir() if _kind(path) in KINDS]
    arguments = [word for path in files for word in ("-f", str(path))]
    # Server-side, because the CRDs are too large for kubectl's annotation.
    names = kubernetes.kubectl("apply", "--server-side", *arguments, "-o", "name").split()
    kubernetes.wait_served(*(name.partition("/")[2] for name in names))


def _kind(crd: Path) -> str:
    return crd.stem.rpartition("_")[2]


def _folder() -> Path:
    found = built("external-secrets")
    if found is None:
        raise PartError("external-secrets is not built here: run `make parts`")
    return found
