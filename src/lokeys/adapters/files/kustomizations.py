# SPDX-License-Identifier: Apache-2.0
"""The kustomizations of a folder: which objects they take unchanged, and which they change.

    overlays/prod ──namespace, patches──▶ base ──▶ logs.yaml     a way, from where it is built

An object is listed once for each namespace in which its ways end. What a patch changes, and what
may get additions, is not built yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lokeys.adapters.files.manifests import Located, name_of
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.kustomize import (
    GROUP,
    PatchTarget,
    kustomization,
    target_of,
    tool_for,
)
from lokeys.core.stack.validation.unbuilt import Unbuilt
from lokeys.core.text.words import printable
from lokeys.core.validation.passed_over import PassedOver, build_command

MAX_STEPS = 20_000
"""Files reached from all kustomizations that are built: overlays of one base multiply."""

MAX_WAYS = 64
"""Limit for one file."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a file is applied: built at `root`, through kustomizations, in a namespace."""

    root: str
    through: tuple[str, ...]
    namespace: str


class Kustomizations:
    """All of a folder: `contents` by the folder that each is in, and the objects by their files."""

    def __init__(
        self, contents: Mapping[str, Mapping[str, Any]], found: Mapping[str, list[Located]]
    ) -> None:
        self._found = found
        self._contents = contents
        self._all = {folder: kustomization(content) for folder, content in contents.items()}
        self._ways: dict[str, list[_Way]] = {}
        self._ends: dict[str, dict[str, None]] = {}
        self._steps = 0
        inner = {
            there
            for folder, each in self._all.items()
            for there in _paths(folder, each.resources)
            if there != folder
        }
        for root in [folder for folder in self._all if folder not in inner] or self._all:
            self._walk(root, _Way(root, (), ""))
        self._patches = {
            path: folder
            for folder, each in self._all.items()
            for path in _paths(folder, [text for text, _ in each.patches])
        }
        self._targets = {folder: tuple(self._changed(folder)) for folder in self._all}
        self._data = {
            path for folder, each in self._all.items() for path in _paths(folder, each.data)
        }

    def objects(self) -> Iterator[Located]:
        """Yield all objects that are complete as written, and those that the generators make."""
        for file, items in self._found.items():
            if file not in self._patches and file not in self._data:
                for located in items:
                    yield from self._of(file, located)
        for folder, content in self._contents.items():
            if content.get("secretGenerator"):
                for namespace in self._ends.get(folder, ()):
                    yield _generator(folder, content, namespace)

    def passed_over(self) -> Iterator[PassedOver]:
        """Yield the patches, once for each kustomization that has some."""
        for folder, each in self._all.items():
            count = len(each.patches) + len(each.inline)
            if count:
                yield PassedOver(
                    what=f"{count} patch{'es' if count > 1 else ''} of a kustomization",
                    why="they are judged in what is built",
                    file=printable(folder),
                    command=build_command(tool_for([each]), folder),
                )

    def _walk(self, folder: str, way: _Way) -> None:
        each = self._all[folder]
        namespace = way.namespace or each.namespace
        through = _Way(way.root, (*way.through, folder), namespace)
        self._ends.setdefault(folder, {})[namespace] = None
        for path in _paths(folder, each.resources):
            self._steps += 1
            if self._steps > MAX_STEPS:
                return
            if path in self._all and path not in through.through:
                self._walk(path, through)
            elif path in self._found and len(self._ways.setdefault(path, [])) < MAX_WAYS:
                self._ways[path].append(through)

    def _changed(self, folder: str) -> Iterator[PatchTarget]:
        """Yield what the patches of a kustomization change."""
        each = self._all[folder]
        for path, target in each.patches:
            (there,) = _paths(folder, [path])
            if target is not None:
                yield target
            else:
                yield from (target_of(located.object) for located in self._found.get(there, ()))
        for text, target in each.inline:
            content = built(text) if target is None else None
            if target is not None:
                yield target
            elif isinstance(content, Mapping):
                yield target_of(content)

    def _of(self, file: str, located: Located) -> Iterator[Located]:
        """Yield an object in each namespace in which it is applied."""
        ends: dict[str, Unbuilt | None] = {}
        for way in self._ways.get(file, ()):
            unbuilt, before = self._unbuilt(way, located), ends.get(way.namespace)
            weaker = before is None or (unbuilt is not None and unbuilt.is_changed)
            ends[way.namespace] = unbuilt if weaker else before
        if not ends:
            yield located
        for namespace, unbuilt in ends.items():
            yield replace(located, object=_placed_in(located.object, namespace), unbuilt=unbuilt)

    def _unbuilt(self, way: _Way, located: Located) -> Unbuilt | None:
        kind, name = str(located.object.get("kind")), str(name_of(located))
        changed = any(
            target.takes(kind, name) for folder in way.through for target in self._targets[folder]
        )
        if not changed and not any(self._all[folder].more for folder in way.through):
            return None
        tool = tool_for(self._all[folder] for folder in way.through)
        return Unbuilt(build_command(tool, way.root), changed)


def _generator(folder: str, content: Mapping[str, Any], namespace: str) -> Located:
    """Return a kustomization as the maker of the Secrets that it generates."""
    metadata = {"name": printable(folder)} | ({"namespace": namespace} if namespace else {})
    known = {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "Kustomization",
        "metadata": metadata,
        "secretGenerator": content["secretGenerator"],
        "namespace": namespace,
    }
    return Located(object=known, file=printable(folder), line=1)


def _paths(folder: str, named: Any) -> list[str]:
    return [os.path.normpath(Path(folder, each)) for each in named if each]


def _placed_in(manifest: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    metadata = manifest.get("metadata")
    if not namespace or not isinstance(metadata, Mapping):
        return manifest
    return {**manifest, "metadata": {**metadata, "namespace": namespace}}
