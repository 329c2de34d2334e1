# SPDX-License-Identifier: Apache-2.0
"""Durations as Go writes them: `1h30m`, `1.5s`, `250ms`. Only this module parses them."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

LONGEST = 100
"""Limit in characters; a longer text is not a duration."""
_UNIT_US = {
    "ns": 0.001,
    "us": 1,
    "µs": 1,
    "μs": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([+-]?)((?:{_PART.pattern})+|0)")


def go_duration(text: str) -> timedelta | None:
    """Return the duration as Go's parser reads it, None if Go rejects it (`1d`, `5`, empty)."""
    return _read(text) if len(text) <= LONGEST else None


@lru_cache(maxsize=1024)
def _read(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    micros = sum(float(number) * _UNIT_US[unit] for number, unit in _PART.findall(match[2]))
    try:
        return timedelta(microseconds=-micros if match[1] == "-" else micros)
    except OverflowError:
        return None
