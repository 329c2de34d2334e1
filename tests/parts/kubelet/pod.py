# SPDX-License-Identifier: Apache-2.0
"""One pod's life on the node, in a thread of its own."""

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from lokeys.clock import utc_now
from parts.api import Api, ApiError, Json
from parts.kubelet.container import Container, Say, keep_log, timestamp
from parts.kubelet.manifest import NotYetError, Objects, Volumes, environment, expand
from parts.kubelet.network import Network, PodNetwork
from parts.process import Process

TICK_S = 0.2
REFRESH_S = 5.0
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
SANDBOX = Path(__file__).with_name("sandbox.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What pods share: the API, the network, the folder, and what each image runs."""

    name: str
    api: Api
    network: Network
    folder: Path
    images: Mapping[str, Sequence[str]]
    server: tuple[str, int]
    backoff_s: float = 1.0
    token_hurry: float = 1
    files: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    trusted: list[Path] = field(default_factory=list)
    """The file of CAs that containers find where images have theirs, if it is not the host's."""
    tags: dict[str, str] = field(default_factory=dict)

    def shown(self, image: str) -> str:
        """Return how an image is called in a status: by its whole name, and the first tag seen.

        All tags of a name are one image here, and a runtime knows one by any of its tags.
        """
        first, _, rest = image.partition("/")
        named = "." in first or ":" in first
        path = image if named else f"docker.io/{image if rest else f'library/{image}'}"
        whole = path if ":" in path.rpartition("/")[2] else f"{path}:latest"
        return self.tags.setdefault(whole.rpartition(":")[0], whole)


class Pod:
    """Runs one pod until it is gone; `latest` is what the API server says of it, if anything."""

    def __init__(self, manifest: Json, node: Node) -> None:
        metadata = manifest["metadata"]
        self.uid: str = metadata["uid"]
        self.pod_name: str = metadata["name"]
        self.namespace: str = metadata["namespace"]
        self.labels = metadata.get("labels", {}).items()
        self.latest: Json | None = manifest
        self.containers: dict[str, Container] = {}
        self._first: list[Container] = []
        """Those that run to their end, one after the other, before any of the others."""
        self.network: PodNetwork | None = None
        self._node = node
        self._path = f"/api/v1/namespaces/{self.namespace}/pods/{self.pod_name}"
        self._own_grace_s: int = manifest["spec"].get("terminationGracePeriodSeconds", 30)
        self._folder = node.folder / "pods" / self.uid
        self._objects = Objects(node.api, self.namespace)
        self._volumes = Volumes(
            manifest,
            self._objects,
            folder=self._folder / "volumes",
            claims=node.folder / "claims",
            hurry=node.token_hurry,
        )
        self._events = Events(node.api, manifest)
        self._sent: Json = {}
        self._since: dict[str, tuple[str, str]] = {}
        self._started = timestamp(utc_now())
        self._deadline: float | None = None
        """When what still runs is killed, once it is told to stop."""
        self._refreshed = time.monotonic()
        self._closing = threading.Event()
        name = f"pod {self.namespace}/{self.pod_name}"
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether Services lead here: every container is ready, and nobody has told it to end."""
        containers = list(self.containers.values())
        return self._deadline is None and all(container.ready for container in containers)

    def volume(self, name: str) -> Path | None:
        """Return the folder that a volume is on this host, once it has been made."""
        return self._volumes.path(name)

    def start(self) -> None:
        self._thread.start()

    def _live(self) -> None:
        """Live: start what is to run, report, and go when told."""
        self._folder.mkdir(parents=True)
        self.network = self._node.network.add_pod()
        self._prepare(self.network)
        try:
            while not self._closing.wait(TICK_S):
                try:
                    if self._tick():
                        return
                except (ApiError, httpx2.HTTPError):
                    continue  # the API server is away: the next tick asks again
        finally:
            for container in (*self._first, *self.containers.values()):
                container.kill()
            self._node.network.remove_pod(self.network)

    def close(self) -> None:
        """End it without a word to the API server, as when the node dies."""
        self._closing.set()

    def join(self) -> None:
        """Wait until its processes are gone."""
        self._thread.join()

    def _prepare(self, network: PodNetwork) -> None:
        assert self.latest is not None
        spec = self.latest["spec"]
        for container in spec.get("initContainers", ()):
            self._first.append(self._made(container, "OnFailure", network))
        for container in spec["containers"]:
            made = self._made(container, spec.get("restartPolicy", "Always"), network)
            self.containers[made.name] = made

    def _made(self, container: Json, policy: str, network: PodNetwork) -> Container:
        made = Container(
            container,
            policy=policy,
            address=network.address,
            folder=self._folder,
            launch=self._launch,
            say=self._events.about(container["name"]),
            image=self._node.shown(container["image"]),
        )
        made.backoff_s = self._node.backoff_s
        return made

    def _tick(self) -> bool:
        """Do what is due; True when the pod is gone for good."""
        if self.latest is None:
            # Its object was removed by force: its containers have their grace all the same.
            return self._end(self._own_grace_s)
        metadata = self.latest["metadata"]
        if "deletionTimestamp" in metadata:
            return self._end(metadata.get("deletionGracePeriodSeconds", self._own_grace_s))
        for container in self._first:
            container.step()
            if not container.succeeded:
                break
        else:
            for container in self.containers.values():
                container.step()
        if time.monotonic() - self._refreshed > REFRESH_S:
            self._refreshed = time.monotonic()
            self._volumes.refresh()
        self._report()
        return False

    def _end(self, grace_s: int) -> bool:
        """Let it stop within the grace that was seen first: a later word shortens nothing."""
        if self._deadline is None:
            self._deadline = time.monotonic() + max(grace_s, 1)
            for container in self.containers.values():
                container.stop()
        late = time.monotonic() >= self._deadline
        for container in self.containers.values():
            if late:
                container.kill()
            container.notice_end()
        if self.latest is not None:
            self._report()
        if any(container.running for container in self.containers.values()):
            return False
        if self.latest is not None:
            self._node.api.delete(
                self._path, {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
            )
        return True

    def _launch(self, container: Json, log: Path) -> Process:
        """Start a container's process; NotYetError while something that it needs is missing."""
        assert self.network is not None
        assert self.latest is not None
        manifest = self.latest | {
            "status": {"podIP": self.network.address, "hostIP": self._node.network.address}
        }
        self._volumes.prepare()
        variables = environment(container, manifest, self._objects, self._node.server)
        words = container.get("command") or self._image(container["image"])
        folder = log.with_suffix(".layer")
        folder.mkdir()
        resolver = self._folder / "resolv.conf"
        search = f"search {self.namespace}.svc.cluster.local svc.cluster.local cluster.local"
        resolver.write_text(f"nameserver {self._node.network.address}\n{search}\noptions ndots:5\n")
        sandbox = {
            "network": self.network.name,
            "host": self.pod_name,
            "folder": str(folder),
            "mounts": [
                *self._volumes.mounts(container),
                (str(resolver), "/etc/resolv.conf"),
                *((str(each), CA_FILE) for each in self._node.trusted),
                *self._node.files.get(_name_of(container["image"]), ()),
            ],
            "argv": [expand(word, variables) for word in (*words, *container.get("args", []))],
            "directory": container.get("workingDir", "/"),
            "read_only": container.get("securityContext", {}).get("readOnlyRootFilesystem", False),
        }
        path = log.with_suffix(".json")
        path.write_text(json.dumps(sandbox))
        source, target = os.pipe()
        keep_log(source, log)
        try:
            return Process([sys.executable, "-I", SANDBOX, path], log=target, env=variables)
        finally:
            os.close(target)

    def _image(self, image: str) -> Sequence[str]:
        name = _name_of(image)
        if name not in self._node.images:
            raise NotYetError("ImagePullBackOff", f'Back-off pulling image "{image}"')
        return self._node.images[name]

    def _report(self) -> None:
        assert self.network is not None
        status = self._status(self.network)
        if status != self._sent:
            body = {"metadata": {"uid": self.uid}, "status": status}
            kind = "strategic-merge-patch+json"
            try:
                self._node.api.call("PATCH", f"{self._path}/status", body, kind=kind)
            except ApiError as error:
                if error.status not in (404, 409):  # gone, or another of the same name
                    raise
            self._sent = status

    def _status(self, network: PodNetwork) -> Json:
        every = list(self.containers.values())
        unready = [container.name for container in every if not container.ready]
        conditions = [
            self._condition("Initialized", good=all(each.succeeded for each in self._first)),
            self._condition("ContainersReady", good=not unready, unready=unready),
            self._condition("Ready", good=not unready, unready=unready),
        ]
        return {
            "phase": self._phase(every),
            "conditions": conditions,
            "initContainerStatuses": [container.status() for container in self._first],
            "containerStatuses": [container.status() for container in every],
            "hostIP": self._node.network.address,
            "podIP": network.address,
            "podIPs": [{"ip": network.address}],
            "startTime": self._started,
        }

    @staticmethod
    def _phase(containers: list[Container]) -> str:
        if all(container.finished_for_good for container in containers):
            good = all(container.succeeded for container in containers)
            return "Succeeded" if good else "Failed"
        started = all(container.run is not None for container in containers)
        return "Running" if started else "Pending"

    def _condition(self, kind: str, *, good: bool, unready: Sequence[str] = ()) -> Json:
        status = "True" if good else "False"
        if self._since.get(kind, ("", ""))[0] != status:
            self._since[kind] = (status, timestamp(utc_now()))
        result: Json = {
            "type": kind,
            "status": status,
            "lastTransitionTime": self._since[kind][1],
            "reason": None,
            "message": None,
        }
        if not good:
            names = " ".join(unready)
            result["reason"] = "ContainersNotReady"
            result["message"] = f"containers with unready status: [{names}]"
        return result


def _name_of(image: str) -> str:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


class Events:
    """Tells of a pod as a kubelet does: the same event again only counts up."""

    def __init__(self, api: Api, manifest: Json) -> None:
        metadata = manifest["metadata"]
        self._api = api
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        self._object = {"kind": "Pod", "apiVersion": "v1"} | {
            key: metadata[key] for key in ("namespace", "name", "uid")
        }
        self._known: dict[tuple[str, ...], tuple[str, int]] = {}

    def about(self, container: str) -> Say:
        """Return what tells of one of the pod's containers."""
        place = {"fieldPath": f"spec.containers{{{container}}}"}

        def say(kind: str, reason: str, message: str) -> None:
            self._say(place, (kind, reason, message))

        return say

    def _say(self, place: Json, words: tuple[str, str, str]) -> None:
        """Make the event, or count it up; one that cannot be told is lost, as a kubelet's is."""
        moment = timestamp(utc_now())
        key = (place["fieldPath"], *words)
        name, count = self._known.get(key, ("", 0))
        try:
            if count:
                body = {"count": count + 1, "lastTimestamp": moment}
                self._api.patch(f"{self._path}/{name}", body)
            else:
                name = self._create(place, words, moment)
        except (ApiError, httpx2.HTTPError):
            return
        self._known[key] = (name, count + 1)

    def _create(self, place: Json, words: tuple[str, str, str], moment: str) -> str:
        kind, reason, message = words
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{self._object['name']}."},
            "involvedObject": self._object | place,
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "source": {"component": "kubelet"},
        }
        name: str = self._api.post(self._path, body)["metadata"]["name"]
        return name
