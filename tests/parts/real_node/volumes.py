# SPDX-License-Identifier: Apache-2.0
"""Makes a local volume for each claim, as a provisioner would; it outlives its pods."""

import threading
from pathlib import Path

import httpx2

from parts.api import Api, ApiError, Json

LOOK_EVERY_S = 0.2


class Volumes:
    """Provides for the claims of a cluster with one node, in folders of that node."""

    def __init__(self, api: Api, *, node: str, folder: Path) -> None:
        self._api = api
        self._node = node
        self._folder = folder
        self._done: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="volumes", daemon=True)

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                # From the API server's memory: this is asked five times a second.
                path = "/api/v1/persistentvolumeclaims?resourceVersion=0"
                for claim in self._api.get(path)["items"]:
                    self._provide(claim)
            except (ApiError, httpx2.HTTPError):
                continue  # the API server is away: the next look asks again

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
