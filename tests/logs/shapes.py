# SPDX-License-Identifier: Apache-2.0
"""Whole logs around one sentence: as the program that says it would print it, among other lines.

A case (`tests/logs/cases/`) has what was said and where; here it becomes a log that begins well, has
noise that means nothing, and says it three times.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

HERE = Path(__file__).parent
START = datetime(2026, 11, 22, 2, 55, 11, tzinfo=UTC)
LISTS = {"development": HERE / "development.txt", "held out": HERE / "held-out.txt"}


@dataclass(frozen=True)
class LogCase:
    """One sentence with its cause."""

    cause: str
    name: str
    where: str
    said: str
    source: str

    @property
    def title(self) -> str:
        return f"{self.cause}: {self.name}"

    @property
    def held_out(self) -> bool:
        """By the hash of its name alone, whatever the case is."""
        return hashlib.sha256(self.title.encode()).digest()[0] % 2 == 1

    def log(self) -> str:
        """Return the log."""
        return PROGRAMS.get(self.where, PROGRAMS.get(self.where.partition("_")[0]))(self)


def cases() -> list[LogCase]:
    """Return all cases, by cause and name."""
    found = []
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for cause, named in yaml.safe_load(path.read_text()).items():
            for name, told in named.items():
                found.append(LogCase(cause, name, told["in"], told["said"], told["source"]))
    return sorted(found, key=lambda case: case.title)


def listed(name: str) -> list[LogCase]:
    """Return the cases of one of the two lists."""
    titles = set(LISTS[name].read_text().splitlines())
    return [case for case in cases() if case.title in titles]


def at(seconds: float) -> str:
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.%f}789Z"


def quoted(text: str) -> str:
    """Return a text as go-kit's logfmt has it."""
    return json.dumps(text, ensure_ascii=False)


BEGIN = (
    ("info", 'caller=main.go:146 msg="Starting Loki" version="(version=3.7.8)"'),
    ("info", 'caller=server.go:401 msg="server listening on addresses" http=[::]:3100'),
    ("info", "caller=module_service.go:82 msg=starting module=ingester"),
    ("error", 'caller=ratestore.go:115 msg="error getting ingester clients" err="empty ring"'),
    ("info", 'caller=loki.go:545 msg="Loki started" startup_time=1.2s'),
)
WHERE = {
    "flush": (
        "error",
        'caller=flush.go:356 component=ingester loop=9 org_id=fake msg="failed to flush" retries=0 err=',
        'failed to flush chunks: store put chunk: {}, num_chunks: 1, labels: {{app="demo"}}',
    ),
    "start": (
        "error",
        'caller=log.go:223 msg="error running loki" err=',
        "{}\nerror initialising module: store",
    ),
    "compactor": ("error", 'caller=compactor.go:534 msg="failed to run compaction" err=', "{}"),
    "table": ("error", 'caller=table_manager.go:218 msg="error syncing tables" err=', "{}"),
    "querier": (
        "error",
        'caller=batch.go:726 component=querier org_id=fake msg="error fetching chunks" err=',
        "{}",
    ),
    "ruler": ("error", 'caller=ruler.go:576 component=ruler msg="unable to list rules" err=', "{}"),
    "reporter": (
        "error",
        'caller=reporter.go:203 msg="failed to delete corrupted cluster seed file, deleting it" err=',
        "{}",
    ),
}


def loki(case: LogCase) -> str:
    """Return a log of Loki."""
    level, head, form = WHERE[case.where.partition("_")[0]]
    lines = [f"level={each} ts={at(n / 10)} {rest}" for n, (each, rest) in enumerate(BEGIN)]
    for n in range(3):
        lines.append(
            f'level=info ts={at(10 + 30 * n)} caller=table_manager.go:148 index-store=tsdb msg="uploading tables"'
        )
        lines.append(f"level={level} ts={at(12 + 30 * n)} {head}{quoted(form.format(case.said))}")
    return "\n".join(lines) + "\n"


def plain(case: LogCase) -> str:
    return case.said + "\n"


def _named(start: str, line: str) -> object:
    def make(case: LogCase) -> str:
        lines = [f"level=info ts={at(0)} {start}"]
        lines += [f"level=error ts={at(5 + n)} {line}{quoted(case.said)}" for n in range(3)]
        return "\n".join(lines) + "\n"

    return make


def eso(case: LogCase) -> str:
    """Return a log of External Secrets, or its events."""
    if case.where == "eso_event":
        rows = [
            f"Warning   UpdateFailed   {n}m (x6 over 9m)   external-secrets   {case.said}"
            for n in range(3)
        ]
        return (
            "\n".join(
                [
                    "LAST SEEN   TYPE      REASON         OBJECT                               MESSAGE",
                    *rows,
                ]
            )
            + "\n"
        )
    fields = {
        "level": "error",
        "ts": 1763780165.123,
        "logger": "controllers.ExternalSecret",
        "msg": "could not get secret data from provider",
        "ExternalSecret": {"name": "loki-s3-credentials", "namespace": "monitoring"},
        "error": case.said,
        "stacktrace": "github.com/external-secrets/external-secrets/pkg/controllers/externalsecret.(*Reconciler)",
    }
    return "".join(json.dumps(fields | {"ts": 1763780165.123 + n}) + "\n" for n in range(3))


def rook(case: LogCase) -> str:
    level = "I" if case.where == "rook_info" else "E"
    head = "ceph-object-store-user-controller"
    lines = [
        "2026-11-22 02:55:11.000000 I | rookcmd: starting Rook v1.20.6 with arguments '/usr/local/bin/rook ceph operator'"
    ]
    lines += [f"2026-11-22 02:56:0{n}.521701 {level} | {head}: {case.said}" for n in range(3)]
    return "\n".join(lines) + "\n"


def events(case: LogCase) -> str:
    lines = [
        "Events:",
        "  Type     Reason       Age                From     Message",
        "  ----     ------       ----               ----     -------",
    ]
    return (
        "\n".join(
            [
                *lines,
                "  Normal   Scheduled    60s                default-scheduler  Successfully assigned",
                f"  {case.said}",
            ]
        )
        + "\n"
    )


def connect(case: LogCase) -> str:
    fields = {"log_message": case.said, "timestamp": "2026-11-22T02:56:05.0Z", "level": 1}
    return (json.dumps(fields) + "\n") * 3


def klog(case: LogCase) -> str:
    line = f'E1122 02:56:05.521701       1 reflector.go:166] "Unhandled Error" err={quoted(case.said)}\n'
    return line * 3


def loki_operator(case: LogCase) -> str:
    fields = {
        "_ts": "2026-11-22T02:56:05Z",
        "_level": "0",
        "_component": "loki-operator",
        "_message": "lokistack degraded",
        "level": "error",
        "msg": "Degraded condition set",
        "error": case.said,
    }
    return (json.dumps(fields) + "\n") * 3


PROGRAMS = {
    **dict.fromkeys(WHERE, loki),
    "plain": plain,
    "mimir": _named(
        'caller=mimir.go:253 msg="Starting application" version=2.14 component=blocks_store',
        'caller=bucket.go:91 component=cleaner msg="failed to upload block" err=',
    ),
    "tempo": _named(
        'caller=main.go:225 msg="Starting Tempo" version=2.6',
        'caller=poller.go:136 component=tempodb msg="failed to poll" err=',
    ),
    "thanos": _named(
        'caller=sidecar.go:270 msg="starting sidecar" component=sidecar',
        'caller=shipper.go:166 component=sidecar msg="shipping failed" err=',
    ),
    "eso": eso,
    "rook": rook,
    "events": events,
    "connect": connect,
    "klog": klog,
    "loki_operator": loki_operator,
}


def write_lists() -> None:
    """Put every case by a hash of its name into one of the two lists."""
    for name, path in LISTS.items():
        titles = [c.title for c in cases() if c.held_out == (name == "held out")]
        path.write_text("\n".join(titles) + "\n")


if __name__ == "__main__":
    write_lists()
