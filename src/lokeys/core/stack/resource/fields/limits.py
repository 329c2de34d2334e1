# SPDX-License-Identifier: Apache-2.0
"""`spec.limits`: the limits of all tenants, and of single ones."""

from __future__ import annotations

from dataclasses import replace

from lokeys.core.schema.language import Fields, Flag, Integer, ListOf, MapOf, Text
from lokeys.core.stack.resource.fields.texts import duration_s, line
from lokeys.core.stack.resource.model import DEFAULT_QUERY_TIMEOUT


def _is_selector(text: str) -> bool:
    # Stacks without selectors are read sooner without this import.
    from lokeys.core.stack.resource.selectors import is_selector  # noqa: PLC0415

    return is_selector(text)


def _count(description: str) -> Integer:
    return Integer(description, least=0, published={})


def _days() -> Integer:
    return Integer("In days.", least=1, most=36500, published={"minimum": 1})


def _attributes(description: str) -> ListOf:
    fields = {
        "name": line("Its name, or a pattern of names."),
        "regex": Flag("Whether the name is a regular expression."),
    }
    return ListOf(description, Fields("", fields, required=("name",)))


_INGESTION = Fields(
    "For what is written.",
    {
        "ingestionRate": _count("MB a second."),
        "ingestionBurstSize": _count("MB at once."),
        "maxLabelNameLength": _count("Characters of a label's name."),
        "maxLabelValueLength": _count("Characters of a label's value."),
        "maxLabelNamesPerSeries": _count("Labels of a stream."),
        "maxGlobalStreamsPerTenant": _count("Streams that are open at a time."),
        "maxLineSize": _count("Bytes of a line."),
        "perStreamDesiredRate": _count("MB a second from which on a stream is split."),
        "perStreamRateLimit": _count("MB a second of one stream."),
        "perStreamRateLimitBurst": _count("MB of one stream at once."),
    },
)
_QUERIES = Fields(
    "For what is read.",
    {
        "queryTimeout": Text(
            "How long a query may take, such as 3m.",
            accepts=duration_s,
            says="a duration such as 3m or 1m30s",
            default=DEFAULT_QUERY_TIMEOUT,
        ),
        "maxEntriesLimitPerQuery": _count("Lines that a query returns."),
        "maxChunksPerQuery": _count("Chunks that a query reads."),
        "maxQuerySeries": _count("Series that a query of metrics returns."),
        "cardinalityLimit": _count("Series of an index query."),
        "maxVolumeSeries": _count("Series of a query of volumes."),
    },
)
_OTLP = Fields(
    "What becomes of OpenTelemetry's attributes.",
    {
        "streamLabels": Fields(
            "Attributes that become labels of the stream.",
            {"resourceAttributes": _attributes("Of the resource.")},
        ),
        "drop": Fields(
            "Attributes that are left away.",
            {
                "resourceAttributes": _attributes("Of the resource."),
                "scopeAttributes": _attributes("Of the scope."),
                "logAttributes": _attributes("Of the line."),
            },
        ),
    },
)
_STREAM = Fields(
    "",
    {
        "days": _days(),
        "priority": Integer("The highest goes before the others, where several fit.", default=1),
        "selector": Text(
            "Which streams.",
            accepts=_is_selector,
            says='a stream selector such as {app="a"} of which not every matcher fits a label '
            "that is missing",
        ),
    },
    required=("days", "selector"),
)
_RETENTION = Fields(
    "How long lines are kept.",
    {"days": _days(), "streams": ListOf("Streams that are kept for another time.", _STREAM)},
    required=("days",),
)
_BLOCKED = Fields(
    "",
    {
        "hash": Integer("The hash of the query."),
        "pattern": line("The query."),
        "regex": Flag("Whether the pattern is a regular expression."),
        "types": ListOf(
            "The kinds of query it is for; all if left out.",
            Text("", choices=("filter", "limited", "metric")),
        ),
    },
    published={"minProperties": 1},
)
_GLOBAL = Fields(
    "For every tenant.",
    {"ingestion": _INGESTION, "queries": _QUERIES, "otlp": _OTLP, "retention": _RETENTION},
)
_TENANT_QUERIES = {**_QUERIES.fields, "blocked": ListOf("Queries that are refused.", _BLOCKED)}
_TENANT = Fields("", {**_GLOBAL.fields, "queries": replace(_QUERIES, fields=_TENANT_QUERIES)})
LIMITS = Fields(
    "What tenants may use.",
    {
        "global": _GLOBAL,
        "tenants": MapOf(
            "For single tenants, by their ids; goes before what holds for all.", _TENANT
        ),
    },
)
