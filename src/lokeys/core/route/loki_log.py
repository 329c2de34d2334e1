# SPDX-License-Identifier: Apache-2.0
"""Storage complaints in a Loki's log, as causes: lines are compared with `complaints`.

A line is judged by what Loki itself says went wrong (`err`, else `msg`), never by the queries,
labels and streams that people put into it. Known messages come with and without their error code,
from the current client and the older one. What every start says (an empty ring, a cluster seed
that is not there yet) is no complaint, and neither is trouble between Lokis (`rpc error`).

Anybody may write into a line, so it is cut before it is compared with anything, and what reads
it takes no longer than the line's length times a constant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from lokeys.core.route.complaints import COMPLAINTS, Complaint, Voice
from lokeys.core.route.snapshot import LogLine

MAX_LINE = 16_384

_STORAGE_WORDS = (
    *("s3 object", "store put chunk", "failed to flush", "upload", "bucket", "object store"),
    *("cluster seed", "requesterror: send request failed", " s3:"),
    *("putobject", "getobject", "listobject", "deleteobject", "headobject"),
)
_BETWEEN_LOKIS = "rpc error"
_QUIET_LEVELS = frozenset({"debug", "info"})
# What follows is a stream's own labels: people's words, not Loki's.
_STREAM = re.compile(r",? num_chunks: |,? labels: \{")
_PAIR = re.compile(r'(?<![\w.])([\w.]{1,64})=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_ESCAPED = re.compile(r"\\(.)")


def complaints(lines: Iterable[str]) -> tuple[LogLine, ...]:
    """Return the storage complaints in some lines of a log, the most frequent first."""
    found: dict[str, LogLine] = {}
    for line in lines:
        fields = _fields(line[:MAX_LINE])
        complaint = _complaint_of(fields)
        if complaint is None:
            continue
        cause = complaint.cause
        moment = _moment(fields.get("ts", ""))
        before = found.get(cause)
        found[cause] = LogLine(
            cause=cause,
            count=before.count + 1 if before else 1,
            first_at=(before.first_at if before else None) or moment,
            last_at=moment or (before.last_at if before else None),
        )
    return tuple(sorted(found.values(), key=lambda each: (-each.count, each.cause)))


def _complaint_of(fields: dict[str, str]) -> Complaint | None:
    if fields.get("level", "").lower() in _QUIET_LEVELS:
        return None
    said = fields.get("err") or fields.get("error") or fields.get("msg", "")
    said = _STREAM.split(said, maxsplit=1)[0]
    said, context = said.lower(), f" {fields.get('msg', '')} {said}".lower()
    about_storage = _BETWEEN_LOKIS not in said and any(word in context for word in _STORAGE_WORDS)
    return next(
        (
            each
            for each in COMPLAINTS
            if (each.said_by is not Voice.NETWORK or about_storage)
            and any(phrase in said for phrase in each.phrases)
        ),
        None,
    )


def _fields(line: str) -> dict[str, str]:
    """Return a line's fields: of logfmt or JSON; of anything else the whole line as `msg`."""
    if line.startswith("{"):
        try:
            decoded = json.loads(line)
        except (ValueError, RecursionError):
            decoded = None
        if isinstance(decoded, dict):
            return {name: value for name, value in decoded.items() if isinstance(value, str)}
    pairs = {name: _unquoted(value) for name, value in _PAIR.findall(line)}
    # Loki's lines on queries have a level and no message: they hold people's words only.
    return pairs if {"level", "msg", "err"} & pairs.keys() else {"msg": line}


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
