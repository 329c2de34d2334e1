# SPDX-License-Identifier: Apache-2.0
"""What Loki's configuration means, in one form, whoever wrote it.

Two operators may write the same configuration differently: with another unit, in another place, or
not at all if Loki's default is meant. Pods that have read one need not read the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.operate.intents import digest
from lokeys.core.text.words import shown

MAX_PATHS = 3
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|ms|s|m|h|d|w)){1,6}")
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ns|us|ms|s|m|h|d|w)")
_SIZE = re.compile(r"(\d{1,15}) ?([KMGT]?)i?B")
_ESCAPED = re.compile(r"\\([\\/])|\$(\$)")
_MOVED = (
    ("common.storage.object_store.", "storage_config.object_store."),
    ("ingester.lifecycler.ring.replication_factor", "common.replication_factor"),
)
_UNSAID: Mapping[str, Any] = {
    "index_gateway.mode": "simple",
    "limits_config.creation_grace_period": "600s",
    "limits_config.deletion_mode": "filter-and-delete",
    "limits_config.max_query_length": f"{721 * 3600}s",
    "limits_config.max_query_parallelism": 32,
    "limits_config.max_streams_matchers_per_query": 1000,
    "limits_config.max_streams_per_user": 0,
    "ruler.ring.kvstore.store": "memberlist",
}
"""What a configuration means if it does not say it: Loki's defaults, and for the ruler's ring the
values of all rings."""
_NO_REASON = frozenset({"common.path_prefix", "querier.max_concurrent"})
"""Deliberate differences in docs/reference/render.md: pods need not be replaced for them."""
_S3 = "storage_config.object_store.s3."
_HOST_STYLE = ("amazonaws.", "googleapis.", "aliyuncs.")
"""Where Loki's client puts the bucket into the host by itself; elsewhere into the path."""
_CA = tuple(f"storage_config.object_store.{kind}.http.tls_ca_path" for kind in ("s3", "swift"))
_RETENTION, _DELETION = "compactor.retention_enabled", "limits_config.deletion_mode"


def as_expanded(text: str) -> str:
    """Return a configuration's text after `-config.expand-env`, with its variables unexpanded."""
    return _ESCAPED.sub(lambda found: found[1] or found[2], text)


def facts_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration says by path, without what makes no difference to a pod."""
    found = {_place(path): value for path, value in _flat(config, "")}
    if not found.get(_RETENTION):
        # Without retention Loki's compactor accepts no delete requests, whatever the mode.
        found.pop(_DELETION, None)
    endpoint = str(found.get(f"{_S3}endpoint"))
    if not any(host in endpoint for host in _HOST_STYLE):
        found.pop(f"{_S3}bucket_lookup_type", None)
    for path in _CA:  # may be set by an argument of the pod instead: compared there
        found.pop(path, None)
    return {
        path: value
        for path, value in found.items()
        if path not in _NO_REASON and _UNSAID.get(path, _Nothing) != value
    }


class _Nothing:
    """Does not equal any value of a configuration."""


def meaning_of(config: Mapping[str, Any]) -> str:
    """Return a digest that is equal for configurations with the same meaning."""
    return digest(facts_of(config))


def said_otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the first few paths at which two configurations differ in meaning; never a value."""
    old, new = facts_of(before), facts_of(after)
    paths = sorted(p for p in {*old, *new} if repr(old.get(p)) != repr(new.get(p)))
    more = (f"{len(paths) - MAX_PATHS} more",) if len(paths) > MAX_PATHS else ()
    return (*(shown(path) for path in paths[:MAX_PATHS]), *more)


def _place(path: str) -> str:
    for theirs, ours in _MOVED:
        if path.startswith(theirs):
            return ours + path.removeprefix(theirs)
    return path


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif value is not None and value != {}:
        yield path, _plain(value)


def _plain(value: Any) -> Any:
    """Return durations in seconds and sizes in bytes; text without surrounding blanks."""
    if isinstance(value, Mapping):
        return dict(_flat(value, ""))
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if not isinstance(value, str):
        return value if isinstance(value, bool | int | float) else str(value)
    text = value.strip()
    if _DURATION.fullmatch(text):
        return f"{sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text)):.10g}s"
    size = _SIZE.fullmatch(text)
    return int(size[1]) * _SIZES[size[2]] if size else text
