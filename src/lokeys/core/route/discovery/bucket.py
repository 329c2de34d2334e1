# SPDX-License-Identifier: Apache-2.0
"""The bucket that a Loki writes to, as far as its configuration or Rook tells."""

from __future__ import annotations

from lokeys.core.kubernetes.loki.model import LokiStorage
from lokeys.core.route.discovery.model import UNKNOWN, Notes
from lokeys.core.route.model import Bucket
from lokeys.core.text.urls import as_printed


def bucket_of(storage: LokiStorage, endpoint: str) -> tuple[Bucket, Notes]:
    """Return the bucket and what is to be said about it; `endpoint` is the one that Rook names."""
    ours, notes = as_printed(storage.endpoint), Notes()
    if not storage.bucket:
        notes["spec.bucket.name"] = f"{UNKNOWN}: Loki's configuration does not tell"
    if not ours and endpoint:
        notes["spec.bucket.endpoint"] = "as Rook's Secret names it; Loki's configuration does not"
    elif not ours:
        notes["spec.bucket.endpoint"] = f"{UNKNOWN}: neither Loki's configuration nor Rook tells"
    bucket = Bucket(
        name=storage.bucket or UNKNOWN,
        endpoint=ours or endpoint or UNKNOWN,
        region=storage.region or "us-east-1",
        path_style=storage.path_style,
    )
    return bucket, notes
