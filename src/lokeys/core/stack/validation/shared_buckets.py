# SPDX-License-Identifier: Apache-2.0
"""Stacks that write to one bucket: Loki's object paths do not contain a stack's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

from lokeys.core.findings.catalogue.lokistacks import SHARED_BUCKET
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.aws_addresses import is_aws, partition_of
from lokeys.core.stack.storage.model import S3, AlibabaCloud, Azure, Gcs, Storage, Swift
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.objects import location_of
from lokeys.core.stack.validation.stacks import StackView
from lokeys.core.text.words import quoted

NAMED = 3
"""At most this many of the other stacks are named."""

_Place = tuple[str, ...]


def shared_buckets(views: Iterable[StackView]) -> Iterator[Finding]:
    """Yield a finding for each bucket that several stacks write to, at the first of them.

    If only the names of a Secret's keys are known, stacks that share it share its bucket.
    """
    users: dict[_Place, dict[object, StackView]] = {}
    for view in views:
        for place in _places(view):
            users.setdefault(place, {}).setdefault(view.ref, view)
    for place, found in users.items():
        first, *others = found.values()
        if others:
            names = ", ".join(str(other.ref) for other in others[:NAMED])
            more = len(others) - NAMED
            words = {
                "bucket": place[-1],
                "others": f"{names} and {more} more" if more > 0 else names,
            }
            field = "spec.storage.secret.name"
            told = tell(SHARED_BUCKET, first.ref, stack=first.ref, field=field, words=words)
            yield replace(told, route=None, location=location_of(first.placed, field))


def _places(view: StackView) -> Iterator[_Place]:
    """Yield what identifies a stack's buckets; the last part is for people."""
    if view.storage is not None:
        yield from _buckets(view.storage)
    elif view.secret is not None and view.secret.made_by is not None:
        yield ("made", str(view.secret.ref), f"the bucket that {view.secret.ref} names")


def _buckets(storage: Storage) -> Iterator[_Place]:
    match storage:
        case S3():
            host = _host(storage)
            yield from (("s3", host, f"bucket {quoted(name)}") for name in storage.buckets)
        case Azure():
            account = f"{storage.account_name} {storage.endpoint_suffix or storage.environment}"
            yield ("azure", account, f"container {quoted(storage.container)}")
        case Gcs():
            yield ("gcs", f"bucket {quoted(storage.bucket)}")
        case Swift():
            project = f"{storage.project_id} {storage.project_name} {storage.region}"
            yield ("swift", storage.auth_url, project, f"container {quoted(storage.container)}")
        case AlibabaCloud():
            yield ("alibabacloud", storage.endpoint, f"bucket {quoted(storage.bucket)}")
        case other:
            assert_never(other)


def _host(storage: S3) -> str:
    """Return where a bucket's name is unique: a partition of AWS, or a host and port."""
    host, _, port = storage.endpoint_host.partition(":")
    if not host or is_aws(host):
        return partition_of(storage.region)
    return f"{host}:{port or (80 if storage.insecure else 443)}"
