# SPDX-License-Identifier: Apache-2.0
"""What a pod's manifest means for its containers: their environment and their volumes."""

import base64
import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

from parts.api import Api, Json

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NotYetError(Exception):
    """The container cannot start as things are; `reason` is the one that a kubelet gives."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Objects:
    """The Secrets and ConfigMaps of a pod's namespace, read afresh each time."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._root = f"/api/v1/namespaces/{namespace}"

    def data(self, resource: str, name: str, *, optional: bool) -> dict[str, bytes] | None:
        """Return what a Secret or ConfigMap holds; None where it is missing and may be."""
        found = self._api.find(f"{self._root}/{resource}/{name}")
        if found is None:
            if optional:
                return None
            kind = resource.removesuffix("s")
            raise NotYetError("CreateContainerConfigError", f'{kind} "{name}" not found')
        if resource == "configmaps":
            return {key: text.encode() for key, text in (found.get("data") or {}).items()}
        return {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}

    def token(self, account: str, *, audience: str | None, pod: Json, lifetime_s: int) -> bytes:
        """Ask the API server for a token of the service account, bound to the pod."""
        bound = {"kind": "Pod", "apiVersion": "v1"} | {
            key: pod["metadata"][key] for key in ("name", "uid")
        }
        spec: Json = {"expirationSeconds": max(600, lifetime_s), "boundObjectRef": bound}
        if audience:
            spec["audiences"] = [audience]
        path = f"{self._root}/serviceaccounts/{account}/token"
        kind = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
        token: str = self._api.post(path, kind | {"spec": spec})["status"]["token"]
        return token.encode()

    def claim_uid(self, name: str, folder: Path) -> str:
        """Return the claim's uid, and give it the volume that it waits for."""
        claim = self._api.find(f"{self._root}/persistentvolumeclaims/{name}")
        if claim is None:
            raise NotYetError("ContainerCreating", f'persistentvolumeclaim "{name}" not found')
        uid: str = claim["metadata"]["uid"]
        if claim.get("status", {}).get("phase") != "Bound":
            volume = persistent_volume(claim, folder / uid)
            self._api.apply(f"/api/v1/persistentvolumes/{volume['metadata']['name']}", volume)
        return uid


def persistent_volume(claim: Json, path: Path) -> Json:
    """Return a volume for just this claim, which the volume controller then binds."""
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{metadata['uid']}"},
        "spec": {
            "capacity": spec["resources"]["requests"],
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName", ""),
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(path)},
            "claimRef": {key: metadata[key] for key in ("namespace", "name", "uid")},
        },
    }


def expand(text: str, environment: dict[str, str]) -> str:
    """Replace $(NAME) as Kubernetes does: unknown names stay, $$ is one dollar sign."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return environment.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([A-Za-z_][\w.-]*)\)", value, text)


def field(pod: Json, path: str) -> str:
    """Return a field of the pod's, as the downward API gives it."""
    labelled = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if labelled:
        return str(pod["metadata"].get(labelled[1], {}).get(labelled[2], ""))
    found = pod
    for name in path.split("."):
        found = found.get(name, {})
    return str(found or "")


def environment(
    container: Json, pod: Json, objects: Objects, server: tuple[str, int]
) -> dict[str, str]:
    """Return the container's whole environment; NotYetError where a source is missing."""
    result = {
        "PATH": PATH,
        "HOME": "/root",
        "HOSTNAME": pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": server[0],
        "KUBERNETES_SERVICE_PORT": str(server[1]),
    }
    for source in container.get("envFrom", []):
        resource = "secrets" if "secretRef" in source else "configmaps"
        reference = source.get("secretRef") or source["configMapRef"]
        optional = reference.get("optional", False)
        data = objects.data(resource, reference["name"], optional=optional) or {}
        prefix = source.get("prefix", "")
        result |= {prefix + key: text.decode() for key, text in data.items()}
    for entry in container.get("env", []):
        value = _value(entry, pod, objects, result)
        if value is not None:
            result[entry["name"]] = value
    return result


def _value(entry: Json, pod: Json, objects: Objects, known: dict[str, str]) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return expand(entry.get("value", ""), known)
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    for kind, resource in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
        if kind in source:
            return _key(source[kind], resource, objects)
    raise NotYetError("CreateContainerConfigError", f"{entry['name']}: this node knows no {source}")


def _key(reference: Json, resource: str, objects: Objects) -> str | None:
    optional = reference.get("optional", False)
    data = objects.data(resource, reference["name"], optional=optional)
    if data is not None and reference["key"] in data:
        return data[reference["key"]].decode()
    if optional:
        return None
    where = f"{resource.removesuffix('s')} {reference['name']}"
    message = f"couldn't find key {reference['key']} in {where}"
    raise NotYetError("CreateContainerConfigError", message)


def files(source: Json, pod: Json, objects: Objects) -> dict[str, bytes]:
    """Return the files of a Secret, ConfigMap, downward API or projected volume source."""
    if "projected" in source:
        merged: dict[str, bytes] = {}
        for part in source["projected"].get("sources", []):
            merged |= files(part, pod, objects)
        return merged
    if "serviceAccountToken" in source:
        wanted = source["serviceAccountToken"]
        token = objects.token(
            pod["spec"].get("serviceAccountName", "default"),
            audience=wanted.get("audience"),
            pod=pod,
            lifetime_s=wanted.get("expirationSeconds", 3600),
        )
        return {wanted["path"]: token}
    if "downwardAPI" in source:
        return dict(_downward(source["downwardAPI"], pod))
    for kind, resource in (("secret", "secrets"), ("configMap", "configmaps")):
        if kind in source:
            wanted = source[kind]
            name = wanted.get("secretName") or wanted["name"]
            data = objects.data(resource, name, optional=wanted.get("optional", False)) or {}
            return _chosen(data, wanted.get("items"))
    raise NotYetError("ContainerCreating", f"this node knows no volume of {sorted(source)}")


def token_life_s(volume: Json) -> int | None:
    """Return how long the shortest token of a projected volume lives; None without tokens."""
    sources = volume.get("projected", {}).get("sources", [])
    wanted = [each["serviceAccountToken"] for each in sources if "serviceAccountToken" in each]
    return min((each.get("expirationSeconds", 3600) for each in wanted), default=None)


def _chosen(data: dict[str, bytes], items: list[Json] | None) -> dict[str, bytes]:
    if items is None:
        return data
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _downward(source: Json, pod: Json) -> Iterator[tuple[str, bytes]]:
    for item in source.get("items", []):
        if "fieldRef" in item:
            yield item["path"], field(pod, item["fieldRef"]["fieldPath"]).encode()


RENEWED_AT = 0.8
"""After which part of its life a kubelet replaces a token."""
FILES_FOLLOW_AFTER_S = 60.0
"""How late files of Secrets follow: a kubelet looks once a minute, and at what it has cached."""


class Volumes:
    """A pod's volumes as folders on this host.

    `hurry` is how much faster than clocks a token ages here: the API server gives none for less
    than ten minutes.
    """

    def __init__(
        self, pod: Json, objects: Objects, *, folder: Path, claims: Path, hurry: float = 1
    ) -> None:
        self._pod = pod
        self._objects = objects
        self._folder = folder
        self._claims = claims
        self._paths: dict[str, Path] = {}
        self._contents: dict[str, dict[str, bytes]] = {}
        self._hurry = hurry
        self._renewals: dict[str, float] = {}

    def prepare(self) -> None:
        """Make every volume; NotYetError while one of their objects is missing."""
        for volume in self._pod["spec"].get("volumes", []):
            if volume["name"] not in self._paths:
                self._paths[volume["name"]] = self._make(volume)

    def refresh(self) -> None:
        """Write what has changed since, and tokens that have lived long, as a kubelet does."""
        for volume in self._pod["spec"].get("volumes", []):
            name = volume["name"]
            follows = {"secret", "configMap", "projected"} & volume.keys()
            if follows and name in self._paths and time.monotonic() >= self._renewals.get(name, 0):
                # What has gone meanwhile leaves its files behind.
                with contextlib.suppress(NotYetError):
                    self._write(volume, self._paths[name])

    def path(self, name: str) -> Path | None:
        """Return the folder of a volume, once it has been made."""
        return self._paths.get(name)

    def mounts(self, container: Json) -> list[tuple[str, str]]:
        """Return what the container mounts: a path of this host, a path of its own."""
        result = []
        for wanted in container.get("volumeMounts", []):
            source = self._paths[wanted["name"]] / wanted.get("subPath", "")
            if not source.exists():
                source.mkdir(parents=True)
            result.append((str(source), wanted["mountPath"].rstrip("/")))
        return result

    def _make(self, volume: Json) -> Path:
        path: Path = self._folder / volume["name"]
        if "hostPath" in volume:
            return Path(str(volume["hostPath"]["path"]))
        if "persistentVolumeClaim" in volume:
            name = volume["persistentVolumeClaim"]["claimName"]
            path = self._claims / self._objects.claim_uid(name, self._claims)
        path.mkdir(parents=True, exist_ok=True)
        if "persistentVolumeClaim" not in volume and "emptyDir" not in volume:
            self._write(volume, path)
        return path

    def _write(self, volume: Json, folder: Path) -> None:
        contents = files(volume, self._pod, self._objects)
        life_s = token_life_s(volume)
        late_s = FILES_FOLLOW_AFTER_S if life_s is None else life_s * RENEWED_AT / self._hurry
        self._renewals[volume["name"]] = time.monotonic() + late_s
        before = self._contents.get(volume["name"], {})
        for name in before.keys() - contents.keys():
            (folder / name).unlink()
        for name, content in contents.items():
            if before.get(name) != content:
                replace_file(folder / name, content)
        self._contents[volume["name"]] = contents


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.rename(path)
