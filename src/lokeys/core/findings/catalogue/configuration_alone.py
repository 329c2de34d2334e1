# SPDX-License-Identifier: Apache-2.0
"""LK092x: what Loki's own configuration shows by itself, without a cluster."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity

STORE_NOT_CONFIGURED = Rule(
    code="LK0920",
    cause="wrong_storage_backend",
    title="the configuration names a store that is not configured",
    message="{name}: `{setting}: {store}` names the store, and {why}",
    meaning="The last entry of `schema_config.configs` says which store Loki writes to. What is "
    "set for another one is not read.",
    why="Loki ends at its start, or calls the wrong store without any credentials.",
    remedy=(
        Remedy(
            text="name the store that is configured; in the schema, in a new entry from tomorrow on"
        ),
        Remedy(text="or put the settings where this store is read from: {wanted}"),
    ),
    rank=2,
)
FILESYSTEM_IN_FORCE = Rule(
    code="LK0921",
    severity=Severity.WARNING,
    cause="filesystem_store_in_use",
    title="Loki writes to its own disk, and an object store is configured",
    message="{name}: `object_store: filesystem` is in force, and {others} is not used",
    meaning="The last entry of `schema_config.configs` says which store Loki writes to.",
    why="Chunks stay on the pod's volume, are lost with it, and no other component sees them.",
    remedy=(Remedy(text="add a schema entry from tomorrow on whose `object_store` is {kind}"),),
    rank=30,
)
BUCKET_MISSING = Rule(
    code="LK0922",
    cause="bucket_name_missing",
    title="the store in force has no bucket",
    message="{name}: no `{key}` is set in {wanted}",
    meaning="Charts write the bucket from a value of their own; elsewhere it is not rendered.",
    why="Loki ends at its start, or every request fails.",
    remedy=(Remedy(text="set `{key}` there"),),
    rank=3,
)
BUCKET_IS_PATH = Rule(
    code="LK0923",
    cause="bucket_name_is_path",
    title="the bucket's name contains a slash",
    message="{name}: `{field}` is {value}; a bucket's name has no `/`",
    meaning="A bucket is named alone; a folder in it is no part of its name.",
    why="What is before the slash is taken for the bucket, and signatures do not fit.",
    remedy=(
        Remedy(text="name the bucket alone; the newer client has `storage_prefix` for a folder"),
    ),
    rank=3,
)
SECRET_NOT_ESCAPED = Rule(
    code="LK0924",
    cause="secret_key_url_encoding",
    title="the secret key in the s3 URL has a slash or a plus sign that is not escaped",
    message="{name}: `{field}` is a URL with a key pair, whose secret has `{letters}` in it",
    meaning="In a URL a slash ends the host, and a plus sign may stand for a blank.",
    why="Loki ends at its start, or signs with another secret: SignatureDoesNotMatch.",
    remedy=(
        Remedy(text="set access_key_id and secret_access_key by themselves, beside the endpoint"),
        Remedy(text="or write `/` as %2F and `+` as %2B in the URL"),
    ),
    rank=4,
)
BUCKET_IN_ENDPOINT = Rule(
    code="LK0925",
    severity=Severity.WARNING,
    cause="endpoint_includes_bucket",
    title="the endpoint's host begins with the bucket's name",
    message="{name}: `{field}` is {value}, and the bucket is {bucket}",
    meaning="With path style, or where the client adds the bucket itself, it is named twice.",
    why="The store reads the bucket's name as a part of each key, or finds no such host.",
    remedy=(Remedy(text="leave the bucket out of the endpoint"),),
    rank=20,
)
