# SPDX-License-Identifier: Apache-2.0
"""Whole logs around one sentence: as the program that says it would print it, among other lines.

A case (`tests/logs/cases/`) has what was said and where; here it becomes a log that begins well,
has noise that means nothing, and says it three times.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
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
        return "\n".join(PROGRAMS[self.where](self)) + "\n"


def cases() -> list[LogCase]:
    """Return all cases, by cause and name."""
    found = []
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for cause, named in yaml.safe_load(path.read_text()).items():
            for name, told in named.items():
                found.append(LogCase(cause, name, told["in"], told["said"], told["source"]))
    return sorted(found, key=lambda case: case.title)


def made() -> list[LogCase]:
    """Return the logs of a real Loki with a fault (`make faults`), by cause and name."""
    found = []
    for path in sorted((HERE / "made").glob("*.log")):
        cause, _, name = path.stem.partition("--")
        if cause != "healthy":
            text = path.read_text()
            found.append(LogCase(cause, f"a real Loki, {name}", "made", text, "make faults"))
    return found


def labelled() -> list[LogCase]:
    """Return all logs whose cause is known."""
    return sorted([*cases(), *made()], key=lambda case: case.title)


def listed(name: str) -> list[LogCase]:
    """Return the cases of one of the two lists."""
    titles = set(LISTS[name].read_text().splitlines())
    return [case for case in labelled() if case.title in titles]


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
UPLOADING = 'caller=table_manager.go:148 index-store=tsdb msg="uploading tables"'
WHERE = {
    "flush": (
        'caller=flush.go:356 component=ingester loop=9 msg="failed to flush" retries=0',
        'failed to flush chunks: store put chunk: {}, num_chunks: 1, labels: {{app="demo"}}',
    ),
    "start": (
        'caller=log.go:223 msg="error running loki"',
        "{}\nerror initialising module: store",
    ),
    "compactor": ('caller=compactor.go:534 msg="failed to run compaction"', "{}"),
    "table_manager": ('caller=table_manager.go:218 msg="error syncing tables"', "{}"),
    "querier": ('caller=batch.go:726 component=querier msg="error fetching chunks"', "{}"),
    "ruler": ('caller=ruler.go:576 component=ruler msg="unable to list rules"', "{}"),
    "reporter": (
        'caller=reporter.go:203 msg="failed to delete corrupted cluster seed file"',
        "{}",
    ),
}
OTHERS = {
    "mimir": (
        'caller=mimir.go:253 msg="Starting application" version=2.14 component=blocks_store',
        'caller=bucket.go:91 component=cleaner msg="failed to upload block"',
    ),
    "tempo": (
        'caller=main.go:225 msg="Starting Tempo" version=2.6',
        'caller=poller.go:136 component=tempodb msg="failed to poll"',
    ),
    "thanos": (
        'caller=sidecar.go:270 msg="starting sidecar" component=sidecar',
        'caller=shipper.go:166 component=sidecar msg="shipping failed"',
    ),
}


def _loki(case: LogCase) -> list[str]:
    head, form = WHERE[case.where]
    lines = [f"level={level} ts={at(n / 10)} {rest}" for n, (level, rest) in enumerate(BEGIN)]
    for n in range(3):
        err = quoted(form.format(case.said))
        lines.append(f"level=info ts={at(10 + 30 * n)} {UPLOADING}")
        lines.append(f"level=error ts={at(12 + 30 * n)} {head} err={err}")
    return lines


def _other(case: LogCase) -> list[str]:
    start, line = OTHERS[case.where]
    errors = [f"level=error ts={at(5 + n)} {line} err={quoted(case.said)}" for n in range(3)]
    return [f"level=info ts={at(0)} {start}", *errors]


def _external_secrets(case: LogCase) -> list[str]:
    fields = {
        "level": "error",
        "ts": 1763780165.123,
        "logger": "controllers.ExternalSecret",
        "msg": "could not get secret data from provider",
        "ExternalSecret": {"name": "loki-s3-credentials", "namespace": "monitoring"},
        "error": case.said,
        "stacktrace": "sigs.k8s.io/controller-runtime/pkg/internal/controller.Reconcile",
    }
    return [json.dumps(fields | {"ts": 1763780165.123 + n}) for n in range(3)]


def _events_of_external_secrets(case: LogCase) -> list[str]:
    row = "Warning   UpdateFailed   {}m (x6 over 9m)   external-secrets   {}"
    head = "LAST SEEN   TYPE      REASON         OBJECT            MESSAGE"
    return [head, *(row.format(n, case.said) for n in range(3))]


def _rook(case: LogCase) -> list[str]:
    level = "I" if case.where == "rook_info" else "E"
    head = f"{level} | ceph-object-store-user-controller"
    start = "2026-11-22 02:55:11.000000 I | rookcmd: starting Rook v1.20.6"
    return [start, *(f"2026-11-22 02:56:0{n}.521701 {head}: {case.said}" for n in range(3))]


def _events(case: LogCase) -> list[str]:
    head = "  Type     Reason       Age                From     Message"
    fine = "  Normal   Scheduled    60s       default-scheduler  Successfully assigned"
    return ["Events:", head, fine, f"  {case.said}"]


def _connect(case: LogCase) -> list[str]:
    fields = {"log_message": case.said, "timestamp": "2026-11-22T02:56:05.0Z", "level": 1}
    return [json.dumps(fields)] * 3


def _klog(case: LogCase) -> list[str]:
    head = 'E1122 02:56:05.521701       1 reflector.go:166] "Unhandled Error"'
    return [f"{head} err={quoted(case.said)}"] * 3


def _loki_operator(case: LogCase) -> list[str]:
    fields = {
        "_component": "loki-operator",
        "level": "error",
        "msg": "Degraded condition set",
        "error": case.said,
    }
    return [json.dumps(fields)] * 3


PROGRAMS: dict[str, Callable[[LogCase], list[str]]] = {
    **dict.fromkeys(WHERE, _loki),
    **dict.fromkeys(OTHERS, _other),
    "plain": lambda case: [case.said],
    "made": lambda case: case.said.splitlines(),
    "eso": _external_secrets,
    "eso_event": _events_of_external_secrets,
    "rook": _rook,
    "rook_info": _rook,
    "events": _events,
    "connect": _connect,
    "klog": _klog,
    "loki_operator": _loki_operator,
}


def write_lists() -> None:
    """Put every case by a hash of its name into one of the two lists."""
    for name, path in LISTS.items():
        titles = [c.title for c in labelled() if c.held_out == (name == "held out")]
        path.write_text("\n".join(titles) + "\n")


if __name__ == "__main__":
    write_lists()
