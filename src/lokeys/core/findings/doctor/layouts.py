# SPDX-License-Identifier: Apache-2.0
"""How others wrap a line of a log: container runtimes, kubectl, stern, journald, terminals.

Each wrapping is taken off, whatever the order in which they were put on; what is left is what the
program wrote. A line is cut before it is matched, so each takes time by its length alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

MAX_LINE = 16_384
_DEEP = 4
"""So many wrappings at most: a line that seems to have more is somebody's joke."""

_ANSI = re.compile(r"\x1b\[[0-9;:?]{0,32}[A-Za-z]")
_PREFIX = re.compile(r"\[pod/([^\]\s/]{1,253})/([^\]\s]{1,253})\] ")
_CRI = re.compile(
    r"(\d{4}-\d\d-\d\dT[0-9:.]{8,24}(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) ([PF])(?: |$)"
)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT[0-9:.]{8,24}(?:Z|[+-]\d\d:\d\d))\s+(?=\S)")
_STERN = re.compile(
    r"([a-z0-9][-a-z0-9.]{0,252}) (?:\u203a )?[a-z0-9][-a-z0-9]{0,62} (?:[\u2502|] )?"
    r"(?=level=|ts=|\{\")"
)
_JOURNAL = re.compile(
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[0-9:.+-]{8,26}Z?) "
    r"[^\s:]{1,253} [^\s:\[]{1,128}(?:\[\d{1,10}\])?: "
)
_WRAPPING_SIGNS = ('"stream":', '"_BOOT_ID"', '"podName":')
_COMPOSE = re.compile(r"([A-Za-z0-9][\w.-]{0,62}) {1,40}\| ")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A line without its wrappings, and what they said."""

    text: str
    time: str = ""
    pod: str = ""
    goes_on: bool = False
    """Whether the runtime broke the line here."""


def unwrapped(line: str) -> Wrapped:
    """Return what the program itself wrote."""
    found = Wrapped(line[:MAX_LINE].rstrip("\r"))
    if "\x1b" in found.text:
        found = replace(found, text=_ANSI.sub("", found.text))
    for _ in range(_DEEP):
        inner = _once(found)
        if inner is None:
            break
        found = inner
    return found


def _once(line: Wrapped) -> Wrapped | None:
    text = line.text
    if text.startswith("{"):
        return _of_json(line)
    if text.startswith("level="):
        return None
    if text.startswith("MESSAGE="):  # journald's export: one field a line
        return replace(line, text=text.removeprefix("MESSAGE="))
    if match := _CRI.match(text):
        rest = text[match.end() :]
        return replace(line, text=rest, time=match[1], goes_on=match[2] == "P")
    if match := _PREFIX.match(text) or _STERN.match(text) or _COMPOSE.match(text):
        return replace(line, text=text[match.end() :], pod=match[1])
    if match := _JOURNAL.match(text):
        return replace(line, text=text[match.end() :])
    if not line.time and (match := _STAMP.match(text)):
        return replace(line, text=text[match.end() :], time=match[1])
    return None


def _of_json(line: Wrapped) -> Wrapped | None:
    """Take off Docker's, journald's and stern's JSON; a program's own JSON is left as it is."""
    if not any(sign in line.text for sign in _WRAPPING_SIGNS):
        return None
    fields = json_fields(line.text) or {}
    for name, beside in (("log", "stream"), ("MESSAGE", "_BOOT_ID"), ("message", "podName")):
        text, moment = fields.get(name), fields.get("time")
        if isinstance(text, str) and beside in fields:
            return replace(
                line,
                text=text.rstrip("\r\n")[:MAX_LINE],
                time=moment if isinstance(moment, str) else line.time,
                goes_on=name == "log" and not text.endswith("\n"),
            )
    return None


def json_fields(text: str) -> dict[str, object] | None:
    """Return an object that stands in a line; None where there is none."""
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None
