# SPDX-License-Identifier: Apache-2.0
"""The bucket that a Loki writes to, as far as its configuration or Rook names it."""

from __future__ import annotations

from lokeys.core.kubernetes.loki.model import LokiStorage
from lokeys.core.route.discovery.model import UNKNOWN, Notes
from lokeys.core.route.model import Bucket
from lokeys.core.text.urls import as_printed

_READ = "what can be read of Loki's configuration"


def bucket_of(storage: LokiStorage, endpoint: str) -> tuple[Bucket, Notes]:
    """Return the bucket and notes about it; `endpoint` is the one that Rook names."""
    ours, notes = as_printed(storage.endpoint), Notes()
    if not storage.bucket:
        notes["spec.bucket.name"] = f"{UNKNOWN}: not in {_READ}"
    if not ours and endpoint:
        notes["spec.bucket.endpoint"] = f"as Rook's Secret names it; it is not in {_READ}"
    elif not ours:
        notes["spec.bucket.endpoint"] = f"{UNKNOWN}: neither in {_READ} nor in Rook's Secret"
    bucket = Bucket(
        name=storage.bucket or UNKNOWN,
        endpoint=ours or endpoint or UNKNOWN,
        region=storage.region or "us-east-1",
        path_style=storage.path_style,
    )
    return bucket, notes
