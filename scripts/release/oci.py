# SPDX-License-Identifier: Apache-2.0
"""Writes images as OCI archives, without a registry and without a tool for them."""

import dataclasses
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_BLOCK = 1 << 20
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: its names, its layers as tar files, and what a container of it runs."""

    names: Sequence[str]
    layers: Sequence[Path]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Sequence[str] = ()
    user: str = ""
    directory: str = "/"

    def write(self, archive: Path) -> None:
        """Write it where a container runtime can import it from."""
        layers = [_of_file(layer) for layer in self.layers]
        config = _Blob.of_json(self._config([layer.digest for layer in layers]))
        kind = "application/vnd.oci.image"
        manifest = _Blob.of_json(
            {
                "schemaVersion": 2,
                "mediaType": f"{kind}.manifest.v1+json",
                "config": config.described(f"{kind}.config.v1+json"),
                "layers": [each.described(f"{kind}.layer.v1.tar") for each in layers],
            }
        )
        told = manifest.described(f"{kind}.manifest.v1+json")
        named = [told | {"annotations": {"io.containerd.image.name": name}} for name in self.names]
        index = _Blob.of_json({"schemaVersion": 2, "manifests": named})
        with tarfile.open(archive, "w") as tar:
            _Blob.of_json({"imageLayoutVersion": "1.0.0"}).add_to(tar, "oci-layout")
            index.add_to(tar, "index.json")
            for blob in (config, manifest, *layers):
                blob.add_to(tar, f"blobs/sha256/{blob.digest}")

    def _config(self, digests: Sequence[str]) -> Json:
        return {
            "architecture": _MACHINES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {
                "Env": [_PATH, *self.environment],
                "Entrypoint": list(self.entrypoint),
                "Cmd": list(self.command),
                "User": self.user,
                "WorkingDir": self.directory,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{each}" for each in digests]},
        }


@dataclasses.dataclass(frozen=True, slots=True)
class _Blob:
    """A piece of an image by its digest: bytes, or a file."""

    digest: str
    size: int
    content: bytes | Path

    @staticmethod
    def of_json(value: Json) -> "_Blob":
        data = json.dumps(value).encode()
        return _Blob(hashlib.sha256(data).hexdigest(), len(data), data)

    def described(self, kind: str) -> Json:
        return {"mediaType": kind, "digest": f"sha256:{self.digest}", "size": self.size}

    def add_to(self, tar: tarfile.TarFile, name: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = self.size
        if isinstance(self.content, bytes):
            tar.addfile(entry, io.BytesIO(self.content))
        else:
            with self.content.open("rb") as file:
                tar.addfile(entry, file)


def _of_file(path: Path) -> _Blob:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return _Blob(digest.hexdigest(), path.stat().st_size, path)
