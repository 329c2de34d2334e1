# SPDX-License-Identifier: Apache-2.0
"""The S3 settings that are in force, from all places where Loki accepts some.

    -s3.…                           over      -object-store.s3.…                         arguments
    storage_config.aws              over      storage_config.object_store.s3             the file
    -common.storage.s3.…            over      -common.storage.object-store.s3.…          arguments
    common.storage.s3                         common.storage.object_store.s3             the file
    ruler.storage.s3                          ruler_storage.s3                     a ruler's own

The right column is the newer client, which `use_thanos_objstore` enables. Each field is resolved
separately. A named store (`named_stores`) has only its own settings. The last entry of
`schema_config` selects the store. (Loki 3.7: applyStorageConfig, NewS3ObjectClient, bucket.Config)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.json_fields import at, mappings_at, text_at
from lokeys.core.kubernetes.loki.arguments import Arguments
from lokeys.core.kubernetes.loki.model import Backend, Half, InFile, InManifest

_OLDER = {
    "bucket": ("bucketnames", "buckets"),
    "endpoint": ("endpoint", "endpoint"),
    "region": ("region", "region"),
    "key_id": ("access_key_id", "access-key-id"),
    "secret": ("secret_access_key", "secret-access-key"),
    "insecure": ("insecure", "insecure"),
    "style": ("s3forcepathstyle", "force-path-style"),
    "url": ("s3", "url"),
}
"""Each field's name in the file and its flag's."""
_NEWER = {
    "bucket": ("bucket_name", "bucket-name"),
    "endpoint": ("endpoint", "endpoint"),
    "region": ("region", "region"),
    "key_id": ("access_key_id", "access-key-id"),
    "secret": ("secret_access_key", "secret-access-key"),
    "insecure": ("insecure", "insecure"),
    "style": ("bucket_lookup_type", "bucket-lookup-type"),
    "native": ("native_aws_auth_enabled", "native-aws-auth-enabled"),
}
_LONGEST_NAME = 253
"""Limit for a store's name; it is part of the path to its pair."""
_BACKENDS = {
    **dict.fromkeys(("s3", "aws", "aws-dynamo"), Backend.S3),
    **dict.fromkeys(("gcs", "gcp", "gcp-columnkey", "bigtable"), Backend.GCS),
    "azure": Backend.AZURE,
    "swift": Backend.SWIFT,
    "filesystem": Backend.DISK,
}


@dataclass(frozen=True, slots=True)
class Given:
    """One field's text, with variables as marks, and where it is set."""

    text: str
    place: Half


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSection:
    """The settings of the store in force, by field; only S3's are read."""

    backend: Backend
    newer_client: bool
    several: bool
    fields: Mapping[str, Given]

    def text(self, name: str) -> str:
        """Return a field's text; empty if it is not given."""
        found = self.fields.get(name)
        return found.text if found else ""


def section_of(document: object, arguments: Arguments, file: DataKey | None) -> StorageSection:
    """Return the settings in force; `document` is the configuration, None if it was not read."""
    switched = arguments.text("use-thanos-objstore") is not None
    newer = (
        arguments.is_on("use-thanos-objstore")
        if switched
        else at(document, "storage_config", "use_thanos_objstore") is True
    )
    names = _stores(document)
    name = names[-1] if names else "s3"
    path = ("storage_config", "object_store") if newer else ("storage_config",)
    kind = _named_as(at(document, *path, "named_stores"), name)
    layers: Iterator[tuple[str, Given]]
    if kind is not None:
        spelt = "s3" if newer else "aws"
        layers = _in_file(document, (*path, "named_stores", spelt, name), _table(newer=newer), file)
    else:
        layers = _usual(document, arguments, file, newer=newer)
    backend = kind or _BACKENDS.get(name, Backend.OTHER)
    fields = dict(layers) if backend is Backend.S3 else {}
    return StorageSection(
        backend=backend, newer_client=newer, several=len(set(names)) > 1, fields=fields
    )


def ruler_section_of(
    document: object, arguments: Arguments, file: DataKey | None, *, newer: bool
) -> StorageSection | None:
    """Return the settings of a ruler's own S3 store; None if it has none.

    Once any is set there, `common` no longer applies to it (Loki 3.7: applyRulerStoreConfig).
    """
    path, flags, kind = (
        (("ruler_storage",), "ruler-storage.", "backend")
        if newer
        else (("ruler", "storage"), "ruler.storage.", "type")
    )
    name = arguments.text(f"{flags}{kind}") or text_at(document, *path, kind)
    if _BACKENDS.get(name) is not Backend.S3:
        return None
    table = _table(newer=newer)
    layers = (
        *_in_file(document, (*path, "s3"), table, file),
        *_in_arguments(arguments, f"{flags}s3.", table),
    )
    return StorageSection(
        backend=Backend.S3, newer_client=newer, several=False, fields=dict(layers)
    )


def _stores(document: object) -> list[str]:
    """Return the stores that the schema names, the one in force last."""
    periods = mappings_at(document, "schema_config", "configs")
    dated = sorted(periods, key=lambda period: str(period.get("from", "")))
    names = (text_at(period, "object_store") for period in dated)
    return [name for name in names if 0 < len(name) <= _LONGEST_NAME]


def _named_as(stores: object, name: str) -> Backend | None:
    kinds = stores if isinstance(stores, Mapping) else {}
    for kind, named in kinds.items():
        if isinstance(named, Mapping) and name in named:
            return _BACKENDS.get(str(kind), Backend.OTHER)
    return None


def _table(*, newer: bool) -> Mapping[str, tuple[str, str]]:
    return _NEWER if newer else _OLDER


def _usual(
    document: object, arguments: Arguments, file: DataKey | None, *, newer: bool
) -> Iterator[tuple[str, Given]]:
    """Yield the fields of all layers; a later one overrides an earlier one."""
    table = _table(newer=newer)
    store = ("object_store",) if newer else ()
    flags = "object-store.s3." if newer else "s3."
    own = ("storage_config", *store, "s3" if newer else "aws")
    yield from _in_file(document, ("common", "storage", *store, "s3"), table, file)
    yield from _in_arguments(arguments, f"common.storage.{flags}", table)
    yield from _in_file(document, own, table, file)
    yield from _in_arguments(arguments, flags, table)


def _in_file(
    document: object,
    path: tuple[str, ...],
    table: Mapping[str, tuple[str, str]],
    file: DataKey | None,
) -> Iterator[tuple[str, Given]]:
    section = at(document, *path)
    if file is None or not isinstance(section, Mapping):
        return
    for field, (name, _) in table.items():
        value = section.get(name, ())
        if value is None or isinstance(value, str | int | float):  # null counts as empty
            yield field, Given(_as_text(value), InFile(file, (*path, name)))


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _in_arguments(
    arguments: Arguments, prefix: str, table: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, Given]]:
    for field, (_, name) in table.items():
        text = arguments.text(f"{prefix}{name}")
        if text is not None:
            yield field, Given(text, InManifest(f"argument -{prefix}{name}"))
