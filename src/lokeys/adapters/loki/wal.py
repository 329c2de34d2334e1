# SPDX-License-Identifier: Apache-2.0
"""Whether a pod holds lines that only it can flush, and whether they outlive it.

A Loki writes if its target has an ingester. Its write-ahead log outlives the pod if its folder is
on a volume with a claim of its own. If that is not known the answer is no: a pod whose lines might
be lost is never replaced automatically.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.data_keys import value_at
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.kubernetes.loki.arguments import arguments_of
from lokeys.core.kubernetes.loki.environment import ContainerEnvironment
from lokeys.core.kubernetes.loki.files import Files, files_of
from lokeys.core.kubernetes.loki.marks import Marks
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_BYTES, MAX_LOKI_CONFIG_VALUES
from lokeys.core.place import Ref
from lokeys.errors import LokeysError

_WRITING = frozenset({"all", "write", "ingester"})
# Values of app.kubernetes.io/component in the charts and of LokiStack.
_WRITING_COMPONENTS = frozenset({"single-binary", "write", "ingester"})
_READING_COMPONENTS = frozenset(
    {
        "read",
        "backend",
        "distributor",
        "querier",
        "query-frontend",
        "query-scheduler",
        "compactor",
        "index-gateway",
        "ruler",
        "bloom-builder",
        "bloom-planner",
        "bloom-gateway",
        "pattern-ingester",
        "gateway",
        "lokistack-gateway",
    }
)
# Default folders of WALs in image and chart, if the configuration cannot be read.
_LIKELY = (PurePosixPath("/loki/wal"), PurePosixPath("/var/loki/wal"))
_VARIABLE = re.compile(r"\$\{?\w")

Get = Callable[[Ref], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiSettings:
    """What decides about the WAL: Loki's flags, which override its configuration file.

    `config` None: there is a file, and it could not be read.
    """

    flags: Mapping[str, str]
    config: Mapping[str, Any] | None

    def value(self, flag: str, *path: str) -> str | None:
        """Return the value of a flag or in the file, None if neither has it."""
        if flag in self.flags:
            return self.flags[flag]
        found = at(self.config, *path)
        return None if found is None else str(found)


async def wal_persistent(pod: Json, container: Json, get: Get) -> bool | None:
    """Tell whether the pod's WAL outlives it; None: it does not write."""
    settings = await settings_of(pod, container, get)
    if not _writes(pod, settings):
        return None
    enabled = settings.value("ingester.wal-enabled", "ingester", "wal", "enabled")
    if (enabled or "true").lower() == "false":
        return False
    folders = _folders(settings, container)
    return any(_outlives_pod(pod, container, folder) for folder in folders)


async def settings_of(pod: Json, container: Json, get: Get) -> LokiSettings:
    """Return a Loki container's flags, and its configuration file as far as it can be read."""
    marks = Marks()
    arguments = arguments_of(container, ContainerEnvironment(), marks)
    if "config.file" not in arguments.flags:  # it is the image's own, which cannot be read
        return LokiSettings(flags=arguments.flags, config={} if arguments.flags else None)
    files = files_of(at(pod, "spec") or {}, container, text_at(pod, "metadata", "namespace"))
    text = await _text_of_first(files, arguments.files, get)
    return LokiSettings(flags=arguments.flags, config=_parsed(text) if text is not None else None)


async def _text_of_first(files: Files, paths: tuple[str, ...], get: Get) -> str | None:
    """Return the first of some files that exists; None if it cannot be read."""
    for key in (key for path in paths for key in files.candidates(path) or ()):
        try:
            text = value_at(key, {key.ref: await get(key.ref)})
        except LokeysError:
            return None
        if text is not None:
            return text
    return None


def _writes(pod: Json, settings: LokiSettings) -> bool:
    component = text_at(pod, "metadata", "labels", "app.kubernetes.io/component")
    target = settings.value("target", "target")
    if target is None and component in _READING_COMPONENTS:
        return False
    if target is None and component in _WRITING_COMPONENTS:
        return True
    return bool(_WRITING & {word.strip() for word in (target or "all").split(",")})


def _folders(settings: LokiSettings, container: Json) -> tuple[PurePosixPath, ...]:
    """Return where the WAL is, or may be; nothing if that is not known."""
    named = settings.value("ingester.wal-dir", "ingester", "wal", "dir")
    if named is None:
        prefix = settings.value("common.path-prefix", "common", "path_prefix")
        if prefix is None and settings.config is None:
            return (*_LIKELY, *_mounts_named_wal(container))
        named = "wal" if prefix is None else f"{prefix.rstrip('/')}/wal"
    if _VARIABLE.search(named):
        return ()
    folder = PurePosixPath(text_at(container, "workingDir") or ".", named)
    return (folder,) if folder.is_absolute() and ".." not in folder.parts else ()


def _mounts_named_wal(container: Json) -> Iterator[PurePosixPath]:
    paths = (PurePosixPath(text_at(m, "mountPath")) for m in mappings_at(container, "volumeMounts"))
    return (path for path in paths if path.name == "wal")


def _outlives_pod(pod: Json, container: Json, folder: PurePosixPath) -> bool:
    mount = _mount_of(container, folder)
    if mount is None or at(mount, "readOnly") is True:
        return False
    volume = _volume_of(pod, mount)
    # A generic ephemeral volume also has a claim, but it is deleted with the pod.
    return bool(text_at(volume, "persistentVolumeClaim", "claimName"))


def _mount_of(container: Json, path: PurePosixPath) -> Json | None:
    """Return the mount that holds `path`: the innermost one."""
    mounts = [
        mount
        for mount in mappings_at(container, "volumeMounts")
        if path.is_relative_to(text_at(mount, "mountPath") or "/dev/null")
    ]
    return max(mounts, key=lambda mount: len(PurePosixPath(mount["mountPath"]).parts), default=None)


def _volume_of(pod: Json, mount: Json) -> Json:
    volumes = mappings_at(pod, "spec", "volumes")
    return next((each for each in volumes if each.get("name") == mount.get("name")), {})


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Mapping[str, Any] | None:
    if len(text) > MAX_LOKI_CONFIG_BYTES:
        return None
    found = built(text, max_values=MAX_LOKI_CONFIG_VALUES)
    return found if isinstance(found, Mapping) else None
