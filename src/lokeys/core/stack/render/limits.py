# SPDX-License-Identifier: Apache-2.0
"""Limits of all tenants or of one, with Loki's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.stack.render.otlp import otlp_for_all, otlp_for_tenant
from lokeys.core.stack.render.sizes import INGESTION, QUERIES
from lokeys.core.stack.resource.fields.texts import duration_s
from lokeys.core.stack.resource.model import DEFAULT_QUERY_TIMEOUT, Limits, LokiStack

HOURS = 24
_INGESTION = {
    "ingestionRate": "ingestion_rate_mb",
    "ingestionBurstSize": "ingestion_burst_size_mb",
    "maxGlobalStreamsPerTenant": "max_global_streams_per_user",
    "maxLabelNameLength": "max_label_name_length",
    "maxLabelValueLength": "max_label_value_length",
    "maxLabelNamesPerSeries": "max_label_names_per_series",
    "maxLineSize": "max_line_size",
}
_MEGABYTES = {
    "perStreamRateLimit": "per_stream_rate_limit",
    "perStreamRateLimitBurst": "per_stream_rate_limit_burst",
}
_QUERIES = {
    "maxEntriesLimitPerQuery": "max_entries_limit_per_query",
    "maxChunksPerQuery": "max_chunks_per_query",
    "maxQuerySeries": "max_query_series",
    "cardinalityLimit": "cardinality_limit",
    "maxVolumeSeries": "volume_max_series",
}


def global_limits(stack: LokiStack) -> dict[str, Any]:
    """Return the limits of every tenant: the size's, changed by the spec's."""
    limits = stack.limits
    merged = Limits(
        ingestion={**INGESTION[stack.size], **limits.ingestion},
        queries={**QUERIES, **limits.queries},
        query_timeout=limits.query_timeout or DEFAULT_QUERY_TIMEOUT,
        retention=limits.retention,
    )
    found = dict(_limits(merged, otlp_for_all(stack)))
    # Late lines are accepted in streams for their own time, instead of being refused.
    found["shard_streams"]["time_sharding_enabled"] = True
    return found


def tenant_limits(stack: LokiStack) -> dict[str, dict[str, Any]]:
    """Return each tenant's own limits."""
    return {
        tenant: dict(sorted(_limits(limits, otlp_for_tenant(stack, limits.otlp))))
        for tenant, limits in sorted(stack.tenant_limits.items())
    }


def retention_asked(stack: LokiStack) -> bool:
    """Tell whether anything must be deleted when it is old."""
    return any(limits.retention for limits in (stack.limits, *stack.tenant_limits.values()))


def longest_query_s(stack: LokiStack) -> float:
    """Return the longest time that any query may take."""
    words = (limits.query_timeout for limits in (stack.limits, *stack.tenant_limits.values()))
    return max(duration_s(word) or 0 for word in (DEFAULT_QUERY_TIMEOUT, *filter(None, words)))


def _limits(limits: Limits, otlp: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from _named(limits.ingestion, _INGESTION)
    for name, theirs in _MEGABYTES.items():
        if name in limits.ingestion:
            yield theirs, f"{limits.ingestion[name]}MB"
    desired = limits.ingestion.get("perStreamDesiredRate")
    if desired is not None:
        yield "shard_streams", {"desired_rate": f"{desired}MB", "enabled": desired > 0}
    yield from _named(limits.queries, _QUERIES)
    if limits.query_timeout:
        yield "query_timeout", limits.query_timeout
    if limits.retention:
        yield "retention_period", f"{limits.retention.days * HOURS}h"
        streams = [
            {
                "period": f"{stream.days * HOURS}h",
                "priority": stream.priority,
                "selector": stream.selector,
            }
            for stream in limits.retention.streams
        ]
        if streams:
            yield "retention_stream", streams
    if otlp:
        yield "otlp_config", otlp
    if limits.blocked:
        yield "blocked_queries", [dict(_blocked(each)) for each in limits.blocked]


def _named(values: Mapping[str, int], names: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    return ((theirs, values[name]) for name, theirs in names.items() if name in values)


def _blocked(query: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("hash", "pattern", "regex"):
        if name in query:
            yield name, query[name]
    if query.get("types"):
        yield "types", ",".join(query["types"])
