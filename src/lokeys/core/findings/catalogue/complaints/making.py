# SPDX-License-Identifier: Apache-2.0
"""Makes a complaint's row with its rule: one call has all that is known of a cause in a log."""

from __future__ import annotations

import re

from lokeys.core.findings.complaint import Complaint, OfKey, Voice
from lokeys.core.findings.finding import Confidence, Remedy, Rule
from lokeys.core.place import Hop

NETWORK_WORDS = (
    *("connection refused", "connection reset", "no such host", "no route to host"),
    *("network is unreachable", "server misbehaving", "i/o timeout", "tls handshake timeout"),
    *("context deadline exceeded", "request canceled while waiting", '": eof', "unexpected eof"),
)
"""What a dial says that nobody answered."""


def row(  # noqa: PLR0913 - reads best with one line per fact
    code: str,
    cause: str,
    title: str,
    *,
    meaning: str,
    why: str,
    fix: str | tuple[Remedy, ...],
    says: tuple[str, ...],
    said_by: Voice = Voice.STORE,
    of_key: OfKey = OfKey.NOT_USED,
    beside: tuple[str, ...] = (),
    never_beside: tuple[str, ...] = (),
    shape: re.Pattern[str] | None = None,
    confidence: Confidence = Confidence.LIKELY,
    alternatives: tuple[str, ...] = (),
    apart: tuple[Remedy, ...] = (),
    explains: tuple[str, ...] = (),
    hop: Hop = Hop.STORE,
    rank: int = 38,
) -> Complaint:
    """Return a row: code, cause and texts are its rule's, the rest tells it in a line."""
    rule = Rule(
        code=code,
        cause=cause,
        title=title,
        message="{place}: " + title + "{detail}",
        meaning=meaning,
        why=why,
        remedy=(Remedy(text=fix),) if isinstance(fix, str) else fix,
        hop=hop,
        rank=rank,
    )
    return Complaint(
        rule=rule,
        phrases=says,
        said_by=said_by,
        of_key=of_key,
        beside=beside,
        never_beside=never_beside,
        shape=shape,
        confidence=confidence,
        alternatives=alternatives,
        apart=apart,
        explains=explains,
    )
