# SPDX-License-Identifier: Apache-2.0
"""What Flux's HelmReleases say: where a chart's values for a key pair come from.

https://fluxcd.io/flux/components/helm/helmreleases/#values-references
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lokeys.core.kubernetes.data_keys import DataKey, value_at
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_BYTES
from lokeys.core.place import Ref, is_name

VALUES = "values.yaml"
"""The data key that is read if none is named."""
_MAX_SOURCES = 64
_LONGEST_PATH = 200
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KINDS = ("Secret", "ConfigMap")
_KEY_ID = re.compile(r"(?:^|\.)(?:accessKeyId|access_key_id)$")
_SECRET = re.compile(r"(?:^|\.)(?:secretAccessKey|secret_access_key)$")
_PATHS = tuple(
    (*root, "s3") for root in (("loki", "storage"), ("storage",), ("loki", "storage_config"))
)
_HALVES = (("accessKeyId", "secretAccessKey"), ("access_key_id", "secret_access_key"))

Parse = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairValues:
    """Where a release's values for a pair are: two data keys, or two paths `inside` of one."""

    ref: Ref
    key_id: str
    secret: str
    inside: str | None = None


def target_of(release: Json) -> str:
    """Return the namespace that a release is installed into."""
    own = text_at(release, "metadata", "namespace")
    return text_at(release, "spec", "targetNamespace") or own


def values_named(release: Json) -> Iterator[Ref]:
    """Yield the Secrets and ConfigMaps that a release takes values from."""
    yield from dict.fromkeys(ref for ref, _ in _sources(release))


def pair_values(release: Json, held: Mapping[Ref, Json], parse: Parse) -> PairValues | None:
    """Return where the pair's values come from in `valuesFrom`; the later entry wins.

    Entries with a targetPath are searched first: in practice they follow whole files, and they are
    merged in order. `held` has the objects that could be read.
    """
    halves: dict[str, tuple[Ref, str]] = {}
    for ref, entry in _sources(release):
        target = text_at(entry, "targetPath")
        if len(target) > _LONGEST_PATH:
            continue
        for name, pattern in (("id", _KEY_ID), ("secret", _SECRET)):
            if pattern.search(target):
                halves[name] = ref, _key_of(entry)
    if len(halves) == 2:
        (ref, key_id), (other, secret) = halves["id"], halves["secret"]
        return PairValues(ref=ref, key_id=key_id, secret=secret) if ref == other else None
    found = [*_in_files(release, held, parse)]
    return found[-1] if found and not halves else None


def has_pair_inline(release: Json) -> bool:
    """Tell whether the pair's values are in the release itself."""
    return _inside(at(release, "spec", "values")) is not None


def _sources(release: Json) -> Iterator[tuple[Ref, Json]]:
    namespace = text_at(release, "metadata", "namespace")
    for entry in mappings_at(release, "spec", "valuesFrom")[:_MAX_SOURCES]:
        kind, name = text_at(entry, "kind"), text_at(entry, "name")
        if kind in _KINDS and is_name(name) and _DATA_KEY.fullmatch(_key_of(entry)):
            yield Ref(kind, name, namespace), entry


def _key_of(entry: Json) -> str:
    return text_at(entry, "valuesKey") or VALUES


def _in_files(release: Json, held: Mapping[Ref, Json], parse: Parse) -> Iterator[PairValues]:
    for ref, entry in _sources(release):
        if text_at(entry, "targetPath"):
            continue
        key = _key_of(entry)
        text = value_at(DataKey(ref, key), held) or ""
        found = _inside(parse(text)) if 0 < len(text) <= MAX_LOKI_CONFIG_BYTES else None
        if found is not None:
            yield PairValues(ref=ref, key_id=found[0], secret=found[1], inside=key)


def _inside(values: object) -> tuple[str, str] | None:
    """Return the paths of both halves in a chart's values."""
    for path in _PATHS:
        section = at(values, *path)
        for halves in _HALVES:
            if all(text_at(section, half) for half in halves):
                one, other = (".".join((*path, half)) for half in halves)
                return one, other
    return None
