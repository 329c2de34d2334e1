# SPDX-License-Identifier: Apache-2.0
"""LK092x: what Loki's own configuration shows by itself, without a cluster."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity

STORE_NOT_CONFIGURED = Rule(
    code="LK0920",
    cause="wrong_storage_backend",
    title="the configuration names a store that is not configured",
    message="{name}: `{setting}: {store}` selects the store, but {why}",
    meaning="The last entry of `schema_config.configs` says which store Loki writes to. The "
    "settings of other stores are not used.",
    why="Loki exits at start, or uses the wrong store without credentials.",
    remedy=(
        Remedy(
            text="name the store that is configured; in the schema, in a new entry that starts "
            "tomorrow or later"
        ),
        Remedy(text="or move the settings to where this store is configured: {wanted}"),
    ),
    rank=2,
)
FILESYSTEM_IN_FORCE = Rule(
    code="LK0921",
    severity=Severity.WARNING,
    cause="filesystem_store_in_use",
    title="Loki writes to its own disk, although an object store is configured",
    message="{name}: `object_store: filesystem` applies, so {others} is not used",
    meaning="The last entry of `schema_config.configs` says which store Loki writes to.",
    why="Chunks stay on the pod's volume, are lost with it, and other components cannot see them.",
    remedy=(
        Remedy(text="add a schema entry that starts tomorrow or later, with `object_store` {kind}"),
    ),
    rank=30,
)
BUCKET_MISSING = Rule(
    code="LK0922",
    cause="bucket_name_missing",
    title="the store in use has no bucket",
    message="{name}: `{key}` is not set in {wanted}",
    meaning="Charts render the bucket from their own values; at another path it is not rendered.",
    why="Loki exits at start, or every request fails.",
    remedy=(Remedy(text="set `{key}` there"),),
    rank=3,
)
BUCKET_IS_PATH = Rule(
    code="LK0923",
    cause="bucket_name_is_path",
    title="the bucket's name contains a slash",
    message="{name}: `{field}` is {value}; a bucket's name has no `/`",
    meaning="A bucket name does not include a folder.",
    why="The part before the slash is used as the bucket, and signatures do not match.",
    remedy=(
        Remedy(
            text="write only the bucket's name; the newer client has `storage_prefix` for a folder"
        ),
    ),
    rank=3,
)
SECRET_NOT_ESCAPED = Rule(
    code="LK0924",
    cause="secret_key_url_encoding",
    title="the secret key in the s3 URL has a slash or a plus sign that is not escaped",
    message="{name}: `{field}` is a URL with a key pair, and its secret key contains `{letters}`",
    meaning="In a URL a slash ends the host, and a plus sign can mean a space.",
    why="Loki exits at start, or signs with a different secret key: SignatureDoesNotMatch.",
    remedy=(
        Remedy(text="set access_key_id and secret_access_key as separate fields"),
        Remedy(text="or write `/` as %2F and `+` as %2B in the URL"),
    ),
    rank=4,
)
BUCKET_IN_ENDPOINT = Rule(
    code="LK0925",
    severity=Severity.WARNING,
    cause="endpoint_includes_bucket",
    title="the endpoint's host starts with the bucket's name",
    message="{name}: `{field}` is {value}, and the bucket is {bucket}",
    meaning="With path-style requests, or if the client adds the bucket itself, the bucket is "
    "named twice.",
    why="The store reads the bucket's name as part of each key, or there is no such host.",
    remedy=(Remedy(text="remove the bucket from the endpoint"),),
    rank=20,
)
