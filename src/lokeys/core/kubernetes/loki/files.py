# SPDX-License-Identifier: Apache-2.0
"""Which data key of which Secret or ConfigMap a file in a container is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lokeys.core.kubernetes.data_keys import DataKey, keys_of
from lokeys.core.kubernetes.json_fields import Json, mappings_at, text_at
from lokeys.core.place import Ref

_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """An object whose data keys are files of a volume; `items` are the paths of some of them."""

    ref: Ref
    items: Mapping[str, str]

    def key_of(self, path: str) -> str | None:
        """Return the data key that is the file at a path below the volume."""
        return self.items.get(path) if self.items else path


def projected(volume: Json, namespace: str | None) -> Iterator[Projected]:
    """Yield the ConfigMaps and Secrets that a volume shows as files."""
    for source in (volume, *mappings_at(volume, "projected", "sources")):
        for kind, place in (("ConfigMap", "configMap"), ("Secret", "secret")):
            name = text_at(source, place, "name") or text_at(source, place, "secretName")
            if name:
                items = mappings_at(source, place, "items")
                paths = {text_at(item, "path"): text_at(item, "key") for item in items}
                yield Projected(ref=Ref(kind, name, namespace), items=paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of one container that come from Secrets and ConfigMaps."""

    container: Json
    volumes: Mapping[str, Json]
    namespace: str | None

    def candidates(self, path: str) -> tuple[DataKey, ...] | None:
        """Return the data keys that the file at `path` may be, whether or not they exist.

        None: nothing that can be read is mounted there.
        """
        home = "" if path.startswith("/") else text_at(self.container, "workingDir")
        file = _parts(f"{home}/{path}")
        mount = self._mount_of(file)
        if mount is None:
            return None
        inside = file[len(_parts(text_at(mount, "mountPath"))) :]
        wanted = "/".join((*_parts(text_at(mount, "subPath")), *inside))
        volume = self.volumes.get(text_at(mount, "name"), {})
        found = [*projected(volume, self.namespace)]
        if not found:
            return None
        keys = ((each.ref, each.key_of(wanted)) for each in found)
        return tuple(DataKey(ref, key) for ref, key in keys if key)

    def sources(self) -> Iterator[Projected]:
        """Yield all that the container has mounted."""
        names = {text_at(mount, "name") for mount in mappings_at(self.container, "volumeMounts")}
        for name, volume in self.volumes.items():
            if name in names:
                yield from projected(volume, self.namespace)

    def any_yaml(self, held: Mapping[Ref, Json]) -> Iterator[DataKey]:
        """Yield their YAML files, for the case that no argument says which one Loki reads."""
        for source in self.sources():
            for key in source.items.values() or keys_of(held.get(source.ref)):
                if key.endswith(_YAML):
                    yield DataKey(source.ref, key)

    def _mount_of(self, file: tuple[str, ...]) -> Json | None:
        """Return the mount that holds a file: the innermost one."""
        mounts = {
            _parts(text_at(mount, "mountPath")): mount
            for mount in mappings_at(self.container, "volumeMounts")
        }
        holding = [path for path in mounts if path and file[: len(path)] == path]
        return mounts[max(holding, key=len)] if holding else None


def _parts(path: str) -> tuple[str, ...]:
    """Return the parts of a path."""
    return tuple(name for name in path.split("/") if name not in ("", "."))


def files_of(pod_spec: Json, container: Json, namespace: str | None) -> Files:
    """Return the files of a container of a pod."""
    volumes = {text_at(volume, "name"): volume for volume in mappings_at(pod_spec, "volumes")}
    return Files(container=container, volumes=volumes, namespace=namespace)
