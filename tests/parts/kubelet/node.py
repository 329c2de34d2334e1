# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a node: scheduler and kubelet of the namespaces that it is given.

Pods are host processes, each pod with a network namespace and each container with a file system
layer of its own. The API server reaches their logs and ports through `parts.kubelet.server`.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx2

from parts.api import ApiError, Json
from parts.kubelet.container import Container
from parts.kubelet.dns import Dns
from parts.kubelet.network import Network
from parts.kubelet.pod import TICK_S, Node, Pod
from parts.kubelet.server import Server
from parts.kubernetes import KUBELET, Kubernetes
from parts.process import Folder


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes that a process has begun, and those that these have."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)


class Kubelet:
    """The only node of a test's cluster.

    `images` says what an image without a command runs, by the last part of its name. Only pods of
    namespaces given to `take` are bound and run; all others stay as the tests made them. With
    `token_hurry` projected tokens are renewed that many times sooner than their life asks for.
    `files` are what an image has beside this host's own: paths of the host, and of the container.
    """

    def __init__(
        self,
        kubernetes: Kubernetes,
        images: Mapping[str, Sequence[str]],
        *,
        token_hurry: float = 1,
        files: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    ) -> None:
        self.name = f"node-{kubernetes.number}"
        self.network = Network(kubernetes.number)
        self.address = self.network.address
        self._kubernetes = kubernetes
        self._folder = Folder("kubelet")
        self._node = Node(
            name=self.name,
            api=kubernetes.client(KUBELET),
            network=self.network,
            folder=self._folder.path,
            images=images,
            server=(self.address, kubernetes.port),
            token_hurry=token_hurry,
            files=files or {},
        )
        self._pods: dict[str, Pod] = {}
        self._namespaces: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="kubelet", daemon=True)
        self._server: Server | None = None
        self._dns: Dns | None = None

    def start(self) -> None:
        """Make the network, register the node and begin to look for pods."""
        self.network.start()
        self.network.relay(self._kubernetes.port)
        self._dns = Dns(self.address, self._service)
        self._server = Server(self, self._folder.path)
        self._register(self._server.port)
        self._thread.start()

    def stop(self) -> None:
        """End all pods at once, and take the node and what it ran out of the cluster."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for pod in self._pods.values():
            pod.close()
        for pod in self._pods.values():
            pod.join()
            with contextlib.suppress(ApiError, httpx2.HTTPError):
                self._remove(pod)
        if self._server:
            self._server.close()
        if self._dns:
            self._dns.close()
        with contextlib.suppress(ApiError, httpx2.HTTPError):
            self._node.api.delete(f"/api/v1/nodes/{self.name}")
        self._node.api.close()
        self.network.stop()
        self._folder.remove()

    def take(self, namespace: str) -> None:
        """Bind and run the pods of this namespace from now on."""
        self._namespaces.add(namespace)

    def lead(self, names: Iterable[str], address: str, *, trusting: Path | None = None) -> None:
        """Let pods find host names of the world outside at an address, and trust a CA file there.

        It is the only CA that pods started from now on trust.
        """
        assert self._dns is not None
        self._dns.hosts.update(dict.fromkeys(names, address))
        if trusting is not None:
            self._node.trusted[:] = [trusting]

    def relay(self, port: int) -> str:
        """Let pods reach a port of this host's loopback; return HOST:PORT for both to use."""
        return self.network.relay(port)

    def processes(self, container_id: str) -> list[int]:
        """Return the processes of a container, whose object may be gone, as this host sees them."""
        first = int(container_id.rpartition("/")[2])
        return list(descendants(first))

    def container(self, namespace: str, pod: str, container: str) -> Container | None:
        """Return a container of the pod that runs under this name now."""
        found = self._find(namespace, pod)
        return found.containers.get(container) if found else None

    def logs(self, namespace: str, pod: str, container: str) -> str:
        """Return all that the container's present run has written."""
        found = self.container(namespace, pod, container)
        if found is None or found.run is None or not found.run.log.exists():
            return ""
        lines = found.run.log.read_text(errors="replace").splitlines()
        return "\n".join(line.partition(" ")[2] for line in lines)

    def pod_address(self, namespace: str, pod: str) -> str | None:
        """Return the address of the pod that runs under this name now."""
        found = self._find(namespace, pod)
        return found.network.address if found and found.network else None

    def volume(self, namespace: str, pod: str, volume: str) -> Path | None:
        """Return the folder of this host that a pod's volume is, once it has been made."""
        found = self._find(namespace, pod)
        return found.volume(volume) if found else None

    def _service(self, name: str, namespace: str) -> list[str] | None:
        """Return the addresses behind a Service: of its ready pods, of all where it says so."""
        path = f"/api/v1/namespaces/{namespace}/services/{name}"
        try:
            service = self._node.api.find(path)
        except (ApiError, httpx2.HTTPError):
            return None
        if service is None:
            return None
        wanted = service["spec"].get("selector", {}).items()
        unready_too = service["spec"].get("publishNotReadyAddresses", False)
        return [
            pod.network.address
            for pod in list(self._pods.values())
            if pod.alive and pod.namespace == namespace and pod.network and wanted <= pod.labels
            if unready_too or pod.ready
        ]

    def _find(self, namespace: str, name: str) -> Pod | None:
        # The newest first: one that was removed by force may still run under the same name.
        for pod in reversed(list(self._pods.values())):
            if (pod.namespace, pod.pod_name) == (namespace, name) and pod.alive:
                return pod
        return None

    def _register(self, port: int) -> None:
        path = "/api/v1/nodes"
        labels = {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux"}
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
        }
        self._node.api.apply(f"{path}/{self.name}", body)
        status = {
            "addresses": [{"type": "InternalIP", "address": self.address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "capacity": {"cpu": "2", "memory": "8Gi", "pods": "250"},
        }
        self._node.api.patch(f"{path}/{self.name}/status", {"status": status})

    def _loop(self) -> None:
        while not self._closing.wait(TICK_S):
            for namespace in list(self._namespaces):
                try:
                    self._sync(namespace)
                except (ApiError, httpx2.HTTPError):
                    continue  # the API server is away: pods run on, as on a real node

    def _sync(self, namespace: str) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods"
        seen = {}
        # From the API server's memory: this is asked five times a second.
        for manifest in self._node.api.get(f"{path}?resourceVersion=0").get("items", []):
            if not manifest["spec"].get("nodeName"):
                self._bind(path, manifest["metadata"]["name"])
            elif manifest["spec"]["nodeName"] == self.name:
                seen[manifest["metadata"]["uid"]] = manifest
        for uid, manifest in seen.items():
            if uid not in self._pods:
                self._pods[uid] = Pod(manifest, self._node)
                self._pods[uid].start()
            self._pods[uid].latest = manifest
        for uid, pod in self._pods.items():
            if pod.namespace == namespace and uid not in seen:
                pod.latest = None

    def _bind(self, path: str, name: str) -> None:
        body: Json = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self.name},
        }
        with contextlib.suppress(ApiError):  # deleted meanwhile
            self._node.api.post(f"{path}/{name}/binding", body)

    def _remove(self, pod: Pod) -> None:
        """Delete a pod whose processes are gone already."""
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.pod_name}"
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        self._node.api.delete(path, body)
