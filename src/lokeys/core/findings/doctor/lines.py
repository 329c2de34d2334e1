# SPDX-License-Identifier: Apache-2.0
"""What a line of a log says: level, time, the error, and the message around it.

logfmt, JSON (go-kit's, zap's, slog's), klog and Rook's form are read; anything else is one message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from lokeys.core.findings.doctor.layouts import MAX_LINE, json_fields, unwrapped

QUIET_LEVELS = frozenset({"debug", "info", "trace", "notice"})
BAD_LEVELS = frozenset({"warn", "warning", "error", "crit", "critical", "fatal", "panic", "dpanic"})
_OF_LETTER = {
    "I": "info",
    "D": "debug",
    "N": "info",
    "W": "warn",
    "E": "error",
    "F": "fatal",
    "C": "error",
}
_ZAP_SECONDS = re.compile(r"\d{9,10}(?:\.\d{1,9})?")

# What follows is a stream's own labels: people's words, not Loki's.
_STREAM = re.compile(r",? num_chunks: |,? labels: \{")
_SELECTOR = re.compile(r"(\bstream:? '?)\{[^}]{0,4096}\}?")
_PAIR = re.compile(r'(?<![\w.])([\w.]{1,64})=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_ESCAPED = re.compile(r"\\(u[0-9a-f]{4}|.)")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}
_KLOG = re.compile(r"([IWEF])(\d{4} \d\d:\d\d:\d\d\.\d{1,9})\s+\d{1,10} [\w./-]{1,128}:\d{1,6}\] ")
_ROOK = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?) ([INDWEC]) \| ")
_PLAIN_LEVEL = re.compile(
    r"(?:\W|^)(?i:(panic|fatal|error|err|warning|warn|info|debug|trace))(?:\W|$)"
)
_HEXDUMP = re.compile(r"[0-9a-f]{8}  (?:[0-9a-f]{2} {1,2}){1,16} {0,64}\|([^|\n]{1,20})\|\s{0,4}")
"""A line of what Go prints of a body that it cannot read; its text is cut into pieces of 16."""
_OWN = ("component", "name", "reason", "index-store", "details")
"""Fields that the program fills with words of its own."""
_HEAD = 120
"""Where a line's level stands, if it has one and is of no form that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One record, read. `said` is what went wrong, or the whole message; nothing is of people."""

    level: str = ""
    time: str = ""
    said: str = ""
    message: str = ""
    component: str = ""
    fields: dict[str, str]

    @property
    def quiet(self) -> bool:
        """Tell whether the program itself calls this no trouble."""
        return self.level in QUIET_LEVELS

    @property
    def bad(self) -> bool:
        """Tell whether the program itself calls this a trouble."""
        return self.level in BAD_LEVELS


def read_line(text: str) -> Line:
    """Return what one record says."""
    text = text[:MAX_LINE]
    fields, more = _of_record(text)
    level = fields.get("level", fields.get("lvl", fields.get("severity", ""))).lower()
    message = fields.get("msg") or fields.get("message") or fields.get("log_message") or ""
    said = fields.get("err") or fields.get("error") or ""
    if said in ("null", "nil", "<nil>"):
        said = ""
    if "stream" in said:
        said = _SELECTOR.sub(r"\1{}", said)
    if "  |" in said:
        said = _HEXDUMP.sub(r"\1", said)
    return Line(
        level=level,
        time=fields.get("ts") or fields.get("time") or fields.get("timestamp") or "",
        said=_STREAM.split(said or message, maxsplit=1)[0] + (f"\n{more}" if more else ""),
        message=message,
        component=" ".join(fields.get(name, "") for name in _OWN),
        fields=fields,
    )


def _of_record(text: str) -> tuple[dict[str, str], str]:
    """Return a record's fields, and the lines that are in none of them."""
    decoded = json_fields(text) if text.startswith("{") else None
    if decoded is not None:
        return _plain_fields(decoded), ""
    fields = _fields(text)
    first, _, more = text.partition("\n")
    if not more or any("\n" in value for value in fields.values()):
        return fields, ""
    return _fields(first), more


def _fields(line: str) -> dict[str, str]:
    """Return a line's fields: of logfmt, klog or Rook; of anything else the whole as `msg`."""
    if match := _KLOG.match(line):
        return _klog(line[match.end() :], _OF_LETTER[match[1]])
    if match := _ROOK.match(line):
        return {"level": _OF_LETTER[match[2]], "time": match[1] + "Z", "msg": line[match.end() :]}
    pairs = {name: _unquoted(value) for name, value in _PAIR.findall(line)}
    # Loki's lines on queries have a level and no message: they hold people's words only.
    if {"level", "msg", "err", "lvl"} & pairs.keys():
        return pairs
    level = _PLAIN_LEVEL.search(line[:_HEAD])
    return {"msg": line} | ({"level": _plain(level[1].lower())} if level else {})


def _plain(level: str) -> str:
    return "error" if level == "err" else level


def _klog(rest: str, level: str) -> dict[str, str]:
    pairs = {name: _unquoted(value) for name, value in _PAIR.findall(rest)}
    if rest.startswith('"'):
        return {**pairs, "level": level, "msg": rest[1:].partition('" ')[0]}
    return {"level": level, "msg": rest}


def _plain_fields(decoded: dict[str, object]) -> dict[str, str]:
    """Return the fields of JSON that have no parts."""
    plain = (item for item in decoded.items() if isinstance(item[1], str | int | float))
    return {name: value if isinstance(value, str) else str(value) for name, value in plain}


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(_letter, value[1:-1]) if value.startswith('"') else value


def _letter(match: re.Match[str]) -> str:
    escaped = match[1]
    return chr(int(escaped[1:], 16)) if len(escaped) > 1 else _LETTERS.get(escaped, escaped)


def moment(text: str) -> datetime | None:
    """Return the time in a line, in UTC; None if it is not a valid time or has no zone."""
    try:
        if _ZAP_SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


def time_of(raw: bytes) -> str:
    """Return the time of a line as it came: the program's own, else the one of its wrapping."""
    found = unwrapped(raw[:MAX_LINE].decode(errors="replace"))
    own = read_line(found.text).time
    return own if moment(own) else found.time
