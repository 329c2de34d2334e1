# SPDX-License-Identifier: Apache-2.0
"""The part of a log that a bundle keeps: lines that may show a problem, and those around them."""

from __future__ import annotations

import re

_CONTEXT = 3
_AT_THE_START, _AT_THE_END = 20, 40
MAX_BYTES = 512 << 10
_TELLS = re.compile(
    r"\b(?:warn|error|fatal|panic|crit|err=|failed|failure|denied|refused|forbidden|invalid|expired|"
    r"unauthorized|mismatch|unknown|timeout|timed out|no such|not found|not exist|unable|cannot|"
    r"could not|bad request|x509|certificate|signature|credential|exceeded|skew)"
    r"|\b[45][0-9]{2}\b|<Code>",
    re.IGNORECASE,
)


def trimmed(lines: list[str]) -> list[str]:
    """Return the lines to keep: the first, the last, and those around problems.

    If they have too many bytes, the oldest are dropped.
    """
    kept = set(range(min(_AT_THE_START, len(lines))))
    kept.update(range(max(0, len(lines) - _AT_THE_END), len(lines)))
    for number, line in enumerate(lines):
        if _TELLS.search(line):
            kept.update(range(max(0, number - _CONTEXT), min(len(lines), number + _CONTEXT + 1)))
    told: list[str] = []
    size = 0
    for number in sorted(kept, reverse=True):
        size += len(lines[number].encode(errors="replace")) + 1
        if size > MAX_BYTES:
            break
        told.append(lines[number])
    return told[::-1]
