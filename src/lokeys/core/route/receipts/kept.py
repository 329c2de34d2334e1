# SPDX-License-Identifier: Apache-2.0
"""The receipts of a route in its ConfigMap: a HistoryReport, bounded, newest first.

An editor of the ConfigMap can write anything there. What is not a receipt is left out and reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lokeys.core.findings.report import report
from lokeys.core.place import Ref
from lokeys.core.route.receipts.model import Deed, Heard, Receipt, Run
from lokeys.core.route.receipts.schema import RECEIPT, TEXT_AT_MOST
from lokeys.core.schema.check import Checker
from lokeys.core.sensitive import short
from lokeys.core.text.words import form, object_name, printable

DATA_KEY = "history.json"
RECEIPTS_AT_MOST = 50
BYTES_AT_MOST = 256 * 1024
_PREFIX = "lokeys-history-"
_LONGEST_NAME = 253
_HEX_DIGITS = 32


def history_ref(route: Ref) -> Ref:
    """Return the ConfigMap with a route's receipts.

    Its name alone does not identify the route: a stack `lokeys-history-x` makes
    `lokeys-history-x-…` too. It is the route's only if the route's resource is its owner, by uid.
    """
    name = f"{_PREFIX}{route.name}"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(route.name.encode()).hexdigest()[:_HEX_DIGITS]
        name = f"{name[: _LONGEST_NAME - _HEX_DIGITS - 1].rstrip('-.')}-{digest}"
    return Ref("ConfigMap", name, route.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The receipts that were read, newest first; `unread`: why some could not be."""

    receipts: tuple[Mapping[str, Any], ...] = ()
    unread: tuple[str, ...] = ()


def kept_in(config_map: Mapping[str, Any]) -> Kept:
    """Return the receipts that a ConfigMap keeps; never raises."""
    data = config_map.get("data")
    text = data.get(DATA_KEY) if isinstance(data, Mapping) else None
    if not isinstance(text, str):
        return Kept(unread=(f"it has no data key {DATA_KEY}",))
    if len(text) > BYTES_AT_MOST:
        return Kept(unread=(f"{DATA_KEY} is longer than {BYTES_AT_MOST} bytes",))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Kept(unread=(f"{DATA_KEY} is not JSON",))
    rows = document.get("receipts") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        return Kept(unread=(f"{DATA_KEY} has no list of receipts",))
    sound = [_sound(row) for row in rows[:RECEIPTS_AT_MOST]]
    bad = sum(row is None for row in sound)
    unread = (f"{bad} of its receipts are not valid",) if bad else ()
    return Kept(receipts=tuple(row for row in sound if row is not None), unread=unread)


def _sound(row: object) -> Mapping[str, Any] | None:
    checker = Checker(describe=form)
    fitting = checker.checked(row, RECEIPT, "")
    return fitting if isinstance(fitting, dict) and not checker.faults else None


def with_receipt(
    receipts: Sequence[Mapping[str, Any]], receipt: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Return the receipts with one as it is now, newest first.

    There is one per door and start time, as a Lease has one holder.
    """

    def identity(row: Mapping[str, Any]) -> tuple[object, ...]:
        return row["startedAt"], row["by"]

    others = (row for row in receipts if identity(row) != identity(receipt))
    return (receipt, *others)[:RECEIPTS_AT_MOST]


def text_of(route: str, receipts: Sequence[Mapping[str, Any]]) -> str:
    """Return the ConfigMap's text: as many of the receipts, newest first, as fit its limit."""
    fitting = list(receipts)
    while True:
        text = json.dumps(history_report(route, fitting), ensure_ascii=False, sort_keys=True)
        if len(text.encode()) <= BYTES_AT_MOST:
            return text
        fitting.pop()


def history_report(
    route: str, receipts: Sequence[Mapping[str, Any]], *, not_read: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the report of `lokeys history`."""
    return report(
        "HistoryReport",
        route=route,
        complete=not not_read,
        notRead=list(not_read),
        receipts=list(receipts),
    )


def receipt_to_json(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt according to its schema; what is not known is absent."""
    row = {
        "kind": receipt.kind.value,
        "startedAt": _time(receipt.began_at),
        "endedAt": _time(receipt.ended_at),
        "by": _known(door=receipt.by.door.value, name=_text(receipt.by.name)),
        "cause": _text(receipt.cause),
        "why": _text(receipt.why),
        "before": short(receipt.before) if receipt.before else None,
        "after": short(receipt.after) if receipt.after else None,
        "steps": [_deed(deed) for deed in receipt.deeds],
        "stepsLeftOut": receipt.deeds_left_out,
        "store": [_heard(heard) for heard in receipt.heard],
        "pods": [_run(run) for run in receipt.runs],
        "podsLeftOut": receipt.runs_left_out,
        "ending": _text(receipt.ending),
        "proof": receipt.proof.value if receipt.proof else None,
    }
    return _known(**row)


def _deed(deed: Deed) -> dict[str, Any]:
    return _known(
        step=_text(deed.step),
        at=_time(deed.at),
        tookMilliseconds=max(deed.took // timedelta(milliseconds=1), 0),
        note=_text(deed.note),
    )


def _heard(heard: Heard) -> dict[str, Any]:
    return {"pair": short(heard.pair), "answer": heard.answer.value, "at": _time(heard.at)}


def _run(run: Run) -> dict[str, Any]:
    return _known(
        name=object_name(run.pod),
        startedAt=_time(run.started_at),
        firstReadAt=_time(run.first_read_at),
        readAt=_time(run.read_at),
        answeredBy=_time(run.answered_by),
        refused=run.refused,
        failedFlushesFirst=run.failed_flushes_first,
        failedFlushes=run.failed_flushes,
    )


def _known(**row: Any) -> dict[str, Any]:
    """Leave out what is not known; keep zeros."""
    return {name: value for name, value in row.items() if value not in (None, "")}


def _text(text: str) -> str:
    return printable(text[:TEXT_AT_MOST])


def _time(moment: datetime | None) -> str | None:
    """Return RFC 3339 with milliseconds, to order steps within one second."""
    if moment is None:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
