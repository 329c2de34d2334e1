# SPDX-License-Identifier: Apache-2.0
"""What a kustomization says about the files around it, as far as is known without building it.

    resources ──▶ as written, in its namespace ──patches, prefix, suffix──▶ what is applied
    generators, remote resources, charts, components ─────────────────────▶ more of it

Only kustomize knows what it builds. This module finds out which files are objects as written, which
are changed, and whether there may be more. Source: kustomize's reference of the kustomization file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import LiteralString

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at

GROUP = "kustomize.config.k8s.io"
MAX_ENTRIES = 1000
"""Limit for one list of a kustomization."""

_LISTS = ("resources", "bases", "components", "crds")
_DATA = ("configurations", "transformers", "generators", "validators")
_PLUGINS = ("generators", "transformers", "validators")
_MORE = (
    *("components", "generators", "transformers", "replacements", "vars", "helmCharts"),
    *("helmChartInflationGenerator", "configMapGenerator", "namePrefix", "nameSuffix"),
)
_REMOTE = ("://", "git@", "?ref=", "github.com/")


@dataclass(frozen=True, slots=True)
class PatchTarget:
    """Objects that a patch changes. An empty field matches any, and so does a name pattern."""

    kind: str = ""
    name: str = ""

    def takes(self, kind: str, name: str) -> bool:
        """Tell whether an object is changed."""
        return self.kind in ("", kind) and self.name in ("", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomization:
    """What a kustomization says about its files, by the paths that it names.

    `patches` are files with the targets that it names for each, None if the file itself names them;
    `inline` are the same for patches in the kustomization. `more` tells whether objects may exist
    that are not in a file of its resources, or have another name; `charts` and `plugins` whether
    building it needs these.
    """

    resources: tuple[str, ...]
    patches: tuple[tuple[str, PatchTarget | None], ...]
    inline: tuple[tuple[str, PatchTarget | None], ...]
    data: tuple[str, ...]
    namespace: str
    more: bool
    charts: bool
    plugins: bool


def tool_for(taken: Iterable[Kustomization]) -> LiteralString:
    """Return the build command: kubectl needs a flag for charts, and cannot run plugins.

    KSOPS and similar tools are plugins, which kustomize itself starts.
    """
    taken = tuple(taken)
    if any(each.plugins for each in taken):
        return "kustomize build --enable-alpha-plugins --enable-exec"
    if any(each.charts for each in taken):
        return "kubectl kustomize --enable-helm"
    return "kubectl kustomize"


def kustomization(content: Json) -> Kustomization:
    """Return what a kustomization says."""
    resources = tuple(each for name in _LISTS for each in _texts(content, name))
    patches = tuple(_patches(content))
    return Kustomization(
        resources=resources,
        patches=tuple((text, target) for text, target, is_file in patches if is_file),
        inline=tuple((text, target) for text, target, is_file in patches if not is_file),
        data=tuple(_data(content)),
        namespace=text_at(content, "namespace"),
        more=any(content.get(name) for name in _MORE)
        or any(sign in each for each in resources for sign in _REMOTE),
        charts=bool(content.get("helmCharts") or content.get("helmChartInflationGenerator")),
        plugins=any(content.get(name) for name in _PLUGINS),
    )


def target_of(patch: Json) -> PatchTarget:
    """Return what a strategic merge patch changes: the object that it names."""
    return PatchTarget(text_at(patch, "kind"), text_at(patch, "metadata", "name"))


def _patches(content: Json) -> Iterator[tuple[str, PatchTarget | None, bool]]:
    """Yield patches: a path or a text, its target, and whether it is a path."""
    for each in _texts(content, "patchesStrategicMerge"):
        yield each, None, "\n" not in each and ":" not in each
    for name in ("patches", "patchesJson6902"):
        for said in islice(mappings_at(content, name), MAX_ENTRIES):
            asked = at(said, "target")
            target = _target(asked) if isinstance(asked, Mapping) else None
            if text_at(said, "path"):
                yield text_at(said, "path"), target, True
            elif text_at(said, "patch"):
                yield text_at(said, "patch"), target, False


def _target(said: Json) -> PatchTarget:
    name = text_at(said, "name")
    plain = not set(name) & set("*.|[](){}^$+?\\")
    return PatchTarget(text_at(said, "kind"), name if plain else "")


def _data(content: Json) -> Iterator[str]:
    """Yield the files that are not objects: contents, values, and kustomize's own configuration."""
    for name in _DATA:
        yield from _texts(content, name)
    for name in ("secretGenerator", "configMapGenerator"):
        for said in islice(mappings_at(content, name), MAX_ENTRIES):
            for listed in ("files", "envs"):
                yield from (each.rpartition("=")[2] for each in _texts(said, listed))
            yield text_at(said, "env")
    for said in mappings_at(content, "helmCharts"):
        yield text_at(said, "valuesFile")
        yield from _texts(said, "additionalValuesFiles")
    yield from (text_at(each, "path") for each in mappings_at(content, "replacements"))
    yield text_at(content, "openapi", "path")


def _texts(content: Json, name: str) -> list[str]:
    found = content.get(name)
    listed = found[:MAX_ENTRIES] if isinstance(found, list) else []
    return [each for each in listed if isinstance(each, str)]
