# SPDX-License-Identifier: Apache-2.0
"""A real node: kubelet, containerd, runc, CNI, kube-proxy and CoreDNS.

It is one tree of processes in mounts, processes and a network of its own, and ends, with all its
pods, when its first process is killed. It has the face of the stand-in `parts.kubelet.node`.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpx2

from parts.api import ApiError, Json
from parts.build import built_program
from parts.debian import find
from parts.kubelet.network import Network, ip
from parts.kubernetes import KUBELET
from parts.process import Folder, Process, guard, wait_for
from parts.real_node.cluster import LEFT_ALONE, NOBODY, RealNodesKubernetes
from parts.real_node.images import Program, write_all
from parts.real_node.settings import AUTHORITIES, CLUSTER_DNS, write_settings
from parts.real_node.volumes import Binder, Volumes

HERE = Path(__file__).parent
GROUPS = Path("/sys/fs/cgroup")
# What runc wants of control groups; `systemd` is a hierarchy for names alone.
HIERARCHIES = (
    *("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"),
    "systemd",
)
SEPARATE = ("--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL", "--mount-proc")


class NodeNetwork(Network):
    """The stand-in's bridge, with the node behind it: host .1, node .2, pods 10.87.NUMBER.0/24."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.namespace = f"{self._bridge}-node"
        self.node = f"{self._prefix}.2"
        self.pods = f"10.87.{number}.0/24"

    def start(self) -> None:
        super().start()
        link = f"lk{self._number}node"
        self._join(self.namespace, link, self.node, self.address)
        # A namespace goes some time after its last process, and its link with it.
        self._promise("link", "del", link)
        ip("link", "set", link, "master", self._bridge)
        ip("link", "set", link, "up")
        ip("route", "add", self.pods, "via", self.node)


class RealNode:
    """The only node of a cluster.

    `loki` is the program in the image of that name; `archives` and `programs` are images beside
    those of tests. Each container sees the folders that are `shared`, at their own places.
    """

    def __init__(
        self,
        kubernetes: RealNodesKubernetes,
        loki: Path,
        *,
        archives: Sequence[Path] = (),
        programs: Sequence[Program] = (),
        shared: Sequence[Path] = (),
    ) -> None:
        self.name = f"node-{kubernetes.number}"
        self.network = NodeNetwork(kubernetes.number)
        self.address = self.network.address
        self._kubernetes = kubernetes
        self._loki = loki
        self._archives = archives
        self._programs = programs
        self._shared = shared
        self._api = kubernetes.client(KUBELET)
        self._folder = Folder("node")
        self.folder = self._folder.path
        self._group = f"lokeys{kubernetes.number}"
        self._process: Process | None = None
        self._volumes = Volumes(self._api, node=self.name, folder=self.folder / "claims")
        self._binder = Binder(self._api, node=self.name)

    def start(self) -> None:
        """Bring the node up, and wait until it is Ready."""
        self.network.start()
        self.network.relay(self._kubernetes.port)
        guard().tell("run", self._clean_up)
        self._write_files()
        self._make_groups()
        self._define()
        self._process = Process(self._words(), log=self.folder / "init.out")
        wait_for(self._ready, "the node is Ready", timeout_s=120, processes=[self._process])
        self._volumes.start()
        self._binder.start()

    def stop(self) -> None:
        """End it with all its pods, and leave nothing behind."""
        self._binder.close()
        self._volumes.close()
        if self._process:
            self._process.kill()
        with contextlib.suppress(ApiError, httpx2.HTTPError):
            self._api.delete(f"/api/v1/nodes/{self.name}")
        self.network.stop()
        self._api.close()
        subprocess.run(self._clean_up, check=False)
        guard().tell("gone", "run", self._clean_up)
        self._folder.remove()

    # --- the face of the stand-in ---------------------------------------------------------------

    def take(self, namespace: str) -> None:
        """Run the pods of this namespace, as of every other: also if its scheduler may not."""
        self._binder.namespaces.add(namespace)

    def relay(self, port: int) -> str:
        """Let pods reach a port of this host's loopback; return HOST:PORT for both to use."""
        return self.network.relay(port)

    def lead(self, names: Iterable[str], address: str, *, trusting: Path | None = None) -> None:
        """Let pods find host names of the world outside at an address, and trust a CA file there.

        It is the only CA that pods started from now on trust.
        """
        if trusting is not None:
            # In place: containers have this very file, and read it when they begin.
            (self.folder / AUTHORITIES).write_bytes(trusting.read_bytes())
        with (self.folder / "hosts").open("a") as hosts:
            hosts.writelines(f"{address} {name}\n" for name in names)

    def logs(self, namespace: str, pod: str, container: str) -> str:
        """Return all that the container's present run has written."""
        arguments = ("logs", "-n", namespace, pod, "-c", container)
        return self._kubernetes.kubectl(*arguments, check=False)

    def pod_address(self, namespace: str, pod: str) -> str | None:
        """Return the address of the pod that runs under this name now."""
        found = self._pod(namespace, pod)
        return found["status"].get("podIP") if found else None

    def volume(self, namespace: str, pod: str, volume: str) -> Path | None:
        """Return the folder that a pod's volume is, as this host sees it."""
        found = self._pod(namespace, pod)
        if found is None:
            return None
        # What is mounted there shows only from inside.
        pods = Path(f"/proc/{self._first_process()}/root/var/lib/kubelet/pods")
        return next((pods / found["metadata"]["uid"] / "volumes").glob(f"*/{volume}"), None)

    def processes(self, container_id: str) -> list[int]:
        """Return the processes of a container, whose object may be gone, as this host sees them."""
        name = container_id.rpartition("/")[2]
        found = (GROUPS / "pids" / self._group).glob(f"**/{name}/cgroup.procs")
        return [int(pid) for path in found for pid in path.read_text().split()]

    def _pod(self, namespace: str, name: str) -> Json | None:
        return self._api.find(f"/api/v1/namespaces/{namespace}/pods/{name}")

    # --- how it is made -------------------------------------------------------------------------

    @property
    def _clean_up(self) -> list[str]:
        return [sys.executable, "-I", str(HERE / "cleanup.py"), self._group, str(self.folder)]

    def _words(self) -> list[str]:
        """Return the command: into the control groups, the network, and what is its own."""
        join = "; ".join(f"echo $$ > {group}/cgroup.procs" for group in self._groups("node"))
        programs = [
            str(built_program(part, name).parent)
            for part, name in (("node", "containerd"), ("kubernetes-node", "kubelet"))
        ]
        words = [str(HERE / "init.sh"), str(self.folder), self.network.node, self.name, *programs]
        # `ip netns exec` would cover /sys, and the control groups with it.
        apart = ["nsenter", f"--net=/run/netns/{self.network.namespace}", "unshare", *SEPARATE]
        return ["bash", "-c", f'{join}; exec "$@"', "node", *apart, *words]

    def _first_process(self) -> int:
        assert self._process is not None
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def _ready(self) -> bool:
        node = self._api.find(f"/api/v1/nodes/{self.name}") or {}
        conditions = node.get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def _groups(self, below: str = "") -> list[Path]:
        places = (GROUPS / name for name in HIERARCHIES)
        return [place / self._group / below for place in places if place.is_dir()]

    def _make_groups(self) -> None:
        for group in self._groups():
            for path in (group, group / "node"):
                path.mkdir(exist_ok=True)
                for name in ("cpuset.cpus", "cpuset.mems"):
                    if (path / name).exists():
                        (path / name).write_text((path.parent / name).read_text())

    def _write_files(self) -> None:
        write_settings(
            self.folder,
            name=self.name,
            address=self.network.node,
            pods=self.network.pods,
            group=self._group,
            ca=self._kubernetes.kubelets_ca,
            shared=self._shared,
        )
        kubeconfig = self._kubernetes.kubeconfig_of(KUBELET).read_text()
        server = f"https://{self.address}:{self._kubernetes.port}"
        (self.folder / "kubelet.kubeconfig").write_text(
            kubeconfig.replace(self._kubernetes.server, server)
        )
        (self.folder / "images").mkdir()
        write_all(self.folder / "images", self._loki, self._programs)
        for archive in self._archives:
            (self.folder / "images" / archive.name).symlink_to(archive)

    def _define(self) -> None:
        """Make Service kube-dns, which leads to the node's CoreDNS, and pull no image."""
        ports = [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ]
        metadata = {"name": "kube-dns", "namespace": "kube-system"}
        labels = {"kubernetes.io/service-name": "kube-dns"}
        endpoints = [{"addresses": [self.network.node], "conditions": {"ready": True}}]
        self._kubernetes.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"clusterIP": CLUSTER_DNS, "ports": ports},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "addressType": "IPv4",
                "ports": ports,
                "metadata": metadata | {"labels": labels},
                "endpoints": endpoints,
            },
            *_pull_nothing(),
            *_leave_alone(),
        )


def _pull_nothing() -> list[Json]:
    """Return a policy for images that are here and nowhere else: one without a tag means Always."""
    each = (
        "object.spec.?%s.orValue([]).map(c, "
        'Object.spec.%s{name: c.name, imagePullPolicy: "IfNotPresent"})'
    )
    containers, first = each % (("containers",) * 2), each % (("initContainers",) * 2)
    expression = f"Object{{spec: Object.spec{{containers: {containers}, initContainers: {first}}}}}"
    return _policy("pull-nothing", expression)


def _leave_alone() -> list[Json]:
    """Return a policy by which no scheduler takes pods that a test plays the node for."""
    expression = f'Object{{spec: Object.spec{{schedulerName: "{NOBODY}"}}}}'
    selector = {"matchLabels": {LEFT_ALONE: ""}}
    return _policy("leave-alone", expression, namespaceSelector=selector)


def _policy(name: str, expression: str, **constraints: Json) -> list[Json]:
    """Return a policy that changes pods when they are made."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    mutation = {
        "patchType": "ApplyConfiguration",
        "applyConfiguration": {"expression": expression},
    }
    spec = {
        "matchConstraints": {"resourceRules": [rule], **constraints},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [mutation],
    }
    common = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    return [
        common | {"kind": "MutatingAdmissionPolicy", "spec": spec},
        common | {"kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": name}},
    ]


def unavailable() -> str | None:
    """Say what a real node lacks on this machine; None where it has everything."""
    if sys.platform != "linux":
        return "a node needs Linux"
    if os.geteuid() != 0:
        return "namespaces, mounts and control groups need root"
    lost = [name for name in HIERARCHIES[:-1] if not os.access(GROUPS / name, os.W_OK)]
    if lost:
        return f"control groups (version 1) cannot be made in {', '.join(map(str, lost))}"
    apart = [find("unshare") or "unshare", "--net", *SEPARATE]
    tries = {
        "namespaces of its own": [*apart, "true"],
        "nftables": [*apart, find("nft") or "nft", "add", "table", "ip", "lokeys"],
    }
    for what, command in tries.items():
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            return f"{what}: {' '.join(command)}: {done.stderr.strip()}"
    return None
