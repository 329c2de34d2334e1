# SPDX-License-Identifier: Apache-2.0
"""How much of anybody's objects is judged. What is larger is reported, and put aside.

A judgement holds the operator's event loop; a test holds the largest ones under a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_STACK_BYTES = 256 << 10
"""Of a LokiStack. The published examples have three KiB, one with a hundred tenants has fifty."""
MAX_NAMED_BYTES = 1280 << 10
"""Of all Secrets and ConfigMaps that a stack names together; one alone may have a MiB."""
MAX_NAMED = 256
"""Secrets and ConfigMaps that one stack may name."""
MAX_ROUTE_BYTES = 256 << 10
"""Of a StorageCredential without its status. Two bundles of certificates take 128 KiB at most."""
MAX_READ_BYTES = 256 << 10
"""Of any other object that a look reads. Secrets and ConfigMaps may have the MiB that they hold."""
MAX_LOKI_CONFIG_BYTES = 256 << 10
MAX_LOKI_CONFIG_VALUES = 20_000
"""Of Loki's own configuration; one for a large cluster has two thousand."""
_PER_VALUE = 4
"""Quotes, a colon or a comma, as JSON has them; so that empty values count, too."""


def size_of(manifest: Mapping[str, Any]) -> int:
    """Return about how many bytes an object has as JSON, without what keeps its fields' owners."""
    return sum(_sizes(_without_owners(manifest)))


def is_within(manifest: Mapping[str, Any], limit: int) -> bool:
    """Tell whether an object has no more bytes than that, without counting what is beyond."""
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
