# SPDX-License-Identifier: Apache-2.0
"""What looks after a real node: a local volume for each claim, and pods that nobody schedules."""

import contextlib
import threading
from abc import ABC, abstractmethod
from pathlib import Path

import httpx2

from parts.api import Api, ApiError, Json
from parts.real_node.cluster import NOBODY

LOOK_EVERY_S = 0.2


class Looking(ABC):
    """Looks again and again, until it is closed."""

    def __init__(self, api: Api, *, node: str) -> None:
        self._api = api
        self._node = node
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    @abstractmethod
    def look(self) -> None:
        """Do what is to be done now."""

    def _loop(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            # The API server may be away: the next look asks again.
            with contextlib.suppress(ApiError, httpx2.HTTPError):
                self.look()


class Binder(Looking):
    """Binds the pods of some namespaces that no scheduler takes."""

    def __init__(self, api: Api, *, node: str) -> None:
        super().__init__(api, node=node)
        self.namespaces: set[str] = set()

    def look(self) -> None:
        """Bind those that are there."""
        for namespace in tuple(self.namespaces):
            path = f"/api/v1/namespaces/{namespace}/pods"
            for pod in self._api.get(f"{path}?resourceVersion=0")["items"]:
                if pod["spec"].get("schedulerName") == NOBODY and "nodeName" not in pod["spec"]:
                    target = {"apiVersion": "v1", "kind": "Node", "name": self._node}
                    name = pod["metadata"]["name"]
                    body = {"metadata": {"name": name}, "target": target}
                    with contextlib.suppress(ApiError):  # it is bound already, or gone
                        self._api.post(f"{path}/{name}/binding", body)


class Volumes(Looking):
    """Provides for the claims of a cluster with one node, in folders of that node."""

    def __init__(self, api: Api, *, node: str, folder: Path) -> None:
        super().__init__(api, node=node)
        self._folder = folder
        self._done: set[str] = set()

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        super().start()

    def look(self) -> None:
        """Provide for those that are there."""
        # From the API server's memory: this is asked five times a second.
        path = "/api/v1/persistentvolumeclaims?resourceVersion=0"
        for claim in self._api.get(path)["items"]:
            self._provide(claim)

    def _provide(self, claim: Json) -> None:
        metadata, spec = claim["metadata"], claim["spec"]
        uid = metadata["uid"]
        if uid in self._done or spec.get("volumeName") or "deletionTimestamp" in metadata:
            return
        folder = self._folder / uid
        folder.mkdir(exist_ok=True)
        # As provisioners of local folders do it: Loki's image runs as 10001.
        folder.chmod(0o777)
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [self._node]}
        terms = [{"matchExpressions": [here]}]
        volume = {
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": spec.get("storageClassName") or "",
            "local": {"path": str(folder)},
            "claimRef": {key: metadata[key] for key in ("namespace", "name", "uid")},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        }
        body = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"pv-{uid}"},
            "spec": volume,
        }
        self._api.apply(f"/api/v1/persistentvolumes/pv-{uid}", body)
        self._done.add(uid)
