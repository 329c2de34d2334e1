# SPDX-License-Identifier: Apache-2.0
"""Words that several checks share: what the store said, and which flaw a pair has."""

from __future__ import annotations

from lokeys.core.sensitive import Flaw, PairFacts, short
from lokeys.core.snapshot import Snapshot

BLANK = (Flaw.ID_EMPTY, Flaw.SECRET_EMPTY)

FLAW_CAUSES: dict[Flaw, str] = {
    Flaw.ID_EMPTY: "vault_value_empty",
    Flaw.SECRET_EMPTY: "vault_value_empty",
    Flaw.ID_TRAILING_NEWLINE: "secret_trailing_newline",
    Flaw.SECRET_TRAILING_NEWLINE: "secret_trailing_newline",
    Flaw.ID_INVISIBLE: "access_key_unknown",
    Flaw.SECRET_INVISIBLE: "secret_key_mismatch",
    Flaw.ID_DOUBLE_BASE64: "access_key_unknown",
    Flaw.SECRET_DOUBLE_BASE64: "secret_key_mismatch",
}
"""The cause that each flaw of form leads to at the store."""


def verdict_evidence(snapshot: Snapshot, pair: PairFacts | None, where: str) -> tuple[str, ...]:
    """Return what the store said of a pair as one line of evidence, or nothing."""
    verdict = snapshot.verdict(pair)
    if pair is None or verdict is None:
        return ()
    return (f"{where} holds {short(pair.pair)}: the store says {verdict.answer}",)


def flaw_words(flaw: Flaw) -> str:
    """Return the flaw as a clause."""
    return flaw.value


def malformed(pair: PairFacts) -> tuple[Flaw, ...]:
    """Return the flaws of form other than emptiness, in a fixed order."""
    return tuple(flaw for flaw in Flaw if flaw in pair.flaws and flaw not in BLANK)


def blanks(pair: PairFacts) -> tuple[Flaw, ...]:
    """Return which halves are empty."""
    return tuple(flaw for flaw in BLANK if flaw in pair.flaws)
