# SPDX-License-Identifier: Apache-2.0
"""Whether a pod holds lines that only it can flush, and whether they outlive it.

A Loki writes if its target has an ingester. Its write-ahead log outlives the pod if the folder lies
on a volume with a claim of its own. Where that cannot be told the answer is no: a pod whose lines
might be lost is never replaced unattended.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from lokeys.adapters.kubernetes.pairs import value_of
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
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
# Where WALs lie by the image's and the chart's defaults, when the configuration cannot be read.
_LIKELY = (PurePosixPath("/loki/wal"), PurePosixPath("/var/loki/wal"))
_VARIABLE = re.compile(r"\$\{?\w")

Get = Callable[[Ref], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiSettings:
    """What decides about the WAL: Loki's flags over its configuration file.

    `config` None: there is a file, and it could not be read.
    """

    flags: Mapping[str, str]
    config: Mapping[str, Any] | None

    def value(self, flag: str, *path: str) -> str | None:
        """Return what a flag or the file says, None where neither does."""
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
    flags = dict(_flags(container))
    file = flags.get("config.file")
    if file is None:  # without any flag it is the image's own file, which nobody can read
        return LokiSettings(flags=flags, config={} if flags else None)
    try:
        text = await _mounted(pod, container, PurePosixPath(file), get)
    except LokeysError:
        text = None
    return LokiSettings(flags=flags, config=_parsed(text) if text is not None else None)


def _flags(container: Json) -> Iterator[tuple[str, str]]:
    """Yield flags in all of Go's spellings: -f=v, --f=v, -f v."""
    words = [str(word) for name in ("command", "args") for word in at(container, name) or ()]
    for word, following in pairwise([*words, "-"]):
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if equals:
            yield name, value
        else:
            yield name, "true" if following.startswith("-") else following


def _writes(pod: Json, settings: LokiSettings) -> bool:
    component = text_at(pod, "metadata", "labels", "app.kubernetes.io/component")
    target = settings.value("target", "target")
    if target is None and component in _READING_COMPONENTS:
        return False
    if target is None and component in _WRITING_COMPONENTS:
        return True
    return bool(_WRITING & {word.strip() for word in (target or "all").split(",")})


def _folders(settings: LokiSettings, container: Json) -> tuple[PurePosixPath, ...]:
    """Return where the WAL lies, or may well lie; nothing where that is anyone's guess."""
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
    # A generic ephemeral volume has a claim too, but it goes with the pod.
    return bool(text_at(volume, "persistentVolumeClaim", "claimName"))


def _mount_of(container: Json, path: PurePosixPath) -> Json | None:
    """Return the mount that holds `path`: of several the innermost."""
    mounts = [
        mount
        for mount in mappings_at(container, "volumeMounts")
        if path.is_relative_to(text_at(mount, "mountPath") or "/dev/null")
    ]
    return max(mounts, key=lambda mount: len(PurePosixPath(mount["mountPath"]).parts), default=None)


def _volume_of(pod: Json, mount: Json) -> Json:
    volumes = mappings_at(pod, "spec", "volumes")
    return next((each for each in volumes if each.get("name") == mount.get("name")), {})


async def _mounted(pod: Json, container: Json, file: PurePosixPath, get: Get) -> str | None:
    """Return the text of a file that a ConfigMap or Secret brings into the container."""
    mount = _mount_of(container, file)
    if mount is None:
        return None
    inside = str(file.relative_to(mount["mountPath"]))
    sub_path = text_at(mount, "subPath")
    wanted = sub_path if inside == "." else str(PurePosixPath(sub_path, inside))
    for kind, name, items in _projections(_volume_of(pod, mount)):
        paths = {text_at(item, "path"): text_at(item, "key") for item in items}
        key = paths.get(wanted) if paths else wanted
        if not key or not name:
            continue
        source = await get(Ref(kind, name, text_at(pod, "metadata", "namespace")))
        if kind == "ConfigMap" and key in (at(source, "data") or {}):
            return text_at(source, "data", key)
        if kind == "Secret" and key in (at(source, "data") or {}):
            return value_of(source, key).reveal_text()
    return None


def _projections(volume: Json) -> Iterator[tuple[str, str, list[Json]]]:
    config_map, secret = at(volume, "configMap"), at(volume, "secret")
    if config_map:
        yield "ConfigMap", text_at(config_map, "name"), mappings_at(config_map, "items")
    if secret:
        yield "Secret", text_at(secret, "secretName"), mappings_at(secret, "items")
    for source in mappings_at(volume, "projected", "sources"):
        for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if projected := at(source, field):
                yield kind, text_at(projected, "name"), mappings_at(projected, "items")


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Mapping[str, Any] | None:
    if len(text) > MAX_LOKI_CONFIG_BYTES:
        return None
    found = built(text, max_values=MAX_LOKI_CONFIG_VALUES)
    return found if isinstance(found, Mapping) else None
