# SPDX-License-Identifier: Apache-2.0
"""The control plane for a real node: with a scheduler, and a way to the kubelet that it believes.

API server ── client certificate of node-ca ──▶ kubelet
pods ── 10.96.0.1 ── kube-proxy ── 10.88.NUMBER.1 ──▶ API server
"""

import contextlib

from parts.build import built_program
from parts.kubernetes import CONTROLLER_MANAGER, HOST, SELF_SIGNED, Kubernetes
from parts.process import Process, free_ports

LEFT_ALONE = "tests/left-alone"
"""The label of a namespace whose pods run once a test says so, or never: it plays the node."""
NOBODY = "nobody"
"""The scheduler of its pods."""


class RealNodesKubernetes(Kubernetes):
    """A control plane whose pods are bound by a scheduler and run by `parts.real_node.node`."""

    def __init__(self) -> None:
        super().__init__()
        self.kubelets_ca = self.folder / "node-ca.crt"
        self.before_it_stops = contextlib.ExitStack()
        """What needs the API server at its own end."""
        self._scheduler: Process | None = None

    def stop(self) -> None:
        """Stop it, after its node."""
        self.before_it_stops.close()
        super().stop()

    def _processes(self) -> list[Process]:
        return [*([self._scheduler] if self._scheduler else []), *super()._processes()]

    def _api_server_flags(self) -> list[str]:
        return [
            *super()._api_server_flags(),
            f"--advertise-address=10.88.{self.number}.1",
            f"--kubelet-client-certificate={self.folder / 'to-kubelet.crt'}",
            f"--kubelet-client-key={self.folder / 'to-kubelet.key'}",
        ]

    def _manager_flags(self) -> list[str]:
        return []

    def _start_manager(self) -> None:
        super()._start_manager()
        (port,) = free_ports(1)
        argv = [
            built_program("kubernetes-node", "kube-scheduler"),
            f"--kubeconfig={self.kubeconfig_of(CONTROLLER_MANAGER)}",
            "--leader-elect=false",
            f"--bind-address={HOST}",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / 'scheduler-certs'}",
        ]
        log = self.folder / "kube-scheduler.log"
        self._scheduler = Process(argv, log=log, cwd=self.folder)

    def _write_files(self) -> None:
        super()._write_files()
        ca = ["-subj", "/CN=node-ca", "-keyout", "node-ca.key", "-out", str(self.kubelets_ca)]
        self._openssl("req", *SELF_SIGNED, *ca)
        who = ["-subj", "/O=system:masters/CN=api-server", "-newkey", "rsa:2048", "-nodes"]
        self._openssl("req", *who, "-keyout", "to-kubelet.key", "-out", "to-kubelet.csr")
        (self.folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
        by = ["-CA", str(self.kubelets_ca), "-CAkey", "node-ca.key", "-CAcreateserial"]
        what = ["-in", "to-kubelet.csr", "-extfile", "client.ext", "-days", "30"]
        self._openssl("x509", "-req", *what, *by, "-out", "to-kubelet.crt")
