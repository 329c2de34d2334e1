# SPDX-License-Identifier: Apache-2.0
"""The largest objects that are judged. Larger ones are reported and ignored.

Judging one blocks the operator's event loop; a test keeps the largest ones under a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_STACK_BYTES = 256 << 10
"""Limit for a LokiStack. The published examples have 3 KiB, one with a hundred tenants has 50."""
MAX_NAMED_BYTES = 1280 << 10
"""Limit for all Secrets and ConfigMaps that a stack names together; one alone may have 1 MiB."""
MAX_NAMED = 256
"""Limit for the Secrets and ConfigMaps that one stack may name."""
MAX_ROUTE_BYTES = 256 << 10
"""Limit for a StorageCredential without status. Two certificate bundles take 128 KiB at most."""
MAX_READ_BYTES = 256 << 10
"""Limit for any other object that is read. Secrets and ConfigMaps may have up to 1 MiB."""
MAX_LOKI_CONFIG_BYTES = 256 << 10
MAX_LOKI_CONFIG_VALUES = 20_000
"""Limit for Loki's own configuration; one for a large cluster has two thousand values."""
_PER_VALUE = 4
"""Quotes, a colon or a comma, as in JSON, so that empty values count too."""


def size_of(manifest: Mapping[str, Any]) -> int:
    """Return the approximate size of an object as JSON, in bytes, without managedFields."""
    return sum(_sizes(_without_owners(manifest)))


def is_within(manifest: Mapping[str, Any], limit: int) -> bool:
    """Tell whether an object has at most this many bytes; stops counting beyond the limit."""
    left = limit
    for size in _sizes(_without_owners(manifest)):
        left -= size
        if left < 0:
            return False
    return True


def _without_owners(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        return manifest
    return {**manifest, "metadata": {**metadata, "managedFields": ()}}


def _sizes(value: object) -> Iterator[int]:
    left = [value]
    while left:
        each = left.pop()
        yield _PER_VALUE
        if isinstance(each, Mapping):
            left += each.keys()
            left += each.values()
        elif isinstance(each, list | tuple):
            left += each
        else:
            yield len(str(each))


def in_kib(size: int) -> str:
    """Return a size as people read it."""
    return f"{-(-size // 1024)} KiB"
