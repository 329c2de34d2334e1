# SPDX-License-Identifier: Apache-2.0
"""What the Loki stand-in says of itself: log lines and metrics spelled as Loki spells them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

KEPT_LINES = 5_000


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of a container's output and when it was written."""

    at: datetime
    line: str


class Log:
    """The output of one container."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.rows: list[LogRow] = []

    def __call__(self, level: str, caller: str, msg: str, **fields: object) -> None:
        """Write one logfmt line."""
        now = self._clock()
        words = [f"level={level}", f"ts={now:%Y-%m-%dT%H:%M:%S.%f}000Z", f"caller={caller}"]
        component = fields.pop("component", None)
        words += [f"component={component}"] if component else []
        words += [f"{name}={_quoted(value)}" for name, value in ({"msg": msg} | fields).items()]
        self.rows.append(LogRow(now, " ".join(words)))
        del self.rows[:-KEPT_LINES]


def _quoted(value: object) -> str:
    text = str(value)
    if text and not any(letter in text for letter in ' "=\n\t'):
        return text
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


@dataclass(kw_only=True)
class Counters:
    """What Loki counts from its start on."""

    started_at: datetime
    flushes: int = 0
    flush_failures: int = 0
    chunks_in_memory: int = 0
    replayed_entries: int = 0
    last_upload_at: datetime | None = None


def exposition(counters: Counters, requests: Counter[tuple[str, int]], *, older: bool) -> str:
    """Return the metrics in Prometheus' text format."""
    uploaded = counters.last_upload_at.timestamp() if counters.last_upload_at else 0
    rows = [
        ("loki_ingester_chunks_flush_failures_total", "counter", counters.flush_failures),
        ("loki_ingester_chunks_flush_requests_total", "counter", counters.flushes),
        ("loki_ingester_memory_chunks", "gauge", counters.chunks_in_memory),
        ("loki_ingester_wal_recovered_entries_total", "counter", counters.replayed_entries),
        ("process_start_time_seconds", "gauge", counters.started_at.timestamp()),
    ]
    lines = [line for name, kind, value in rows for line in _family(name, kind, {"": value})]
    requests_by_label: dict[str, float] = {}
    if older:
        name = "loki_s3_request_duration_seconds_count"
        for (method, status), count in sorted(requests.items()):
            operation = {"PUT": "S3.PutObject", "GET": "S3.GetObject"}.get(method, method)
            requests_by_label[f'{{operation="{operation}",status_code="{status}"}}'] = count
    else:
        name = "loki_objstore_bucket_transport_requests_total"
        for (method, status), count in sorted(requests.items()):
            requests_by_label[f'{{method="{method}",status_code="{status}"}}'] = count
        upload_time = "loki_objstore_bucket_last_successful_upload_time"
        lines += _family(upload_time, "gauge", {'{bucket=""}': uploaded})
    return "\n".join([*lines, *_family(name, "counter", requests_by_label), ""])


def _family(name: str, kind: str, samples: dict[str, float]) -> list[str]:
    if not samples:
        return []
    return [
        f"# TYPE {name} {kind}",
        *(f"{name}{labels} {value}" for labels, value in samples.items()),
    ]
