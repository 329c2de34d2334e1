# SPDX-License-Identifier: Apache-2.0
"""Wording that several checks share: what the store said, and which flaw a pair has."""

from __future__ import annotations

from typing import Any

from lokeys.core.findings.verdict import WORKS, StoreVerdict
from lokeys.core.route.model import PairKeys, RouteSpec, UnknownSource, source_ref
from lokeys.core.route.snapshot import Snapshot
from lokeys.core.sensitive import Flaw, PairFacts, short

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
"""The cause that each flaw in a pair's form leads to at the store."""


def user_words(spec: RouteSpec) -> dict[str, Any]:
    """Return the word for the store's user; empty if the source is not known."""
    return {} if isinstance(spec.source, UnknownSource) else {"user": source_ref(spec).name}


def verdict_evidence(snapshot: Snapshot, pair: PairFacts | None, where: str) -> tuple[str, ...]:
    """Return what the store said about a pair as one line of evidence, or nothing."""
    verdict = snapshot.verdict(pair)
    if pair is None or verdict is None:
        return ()
    return (f"{where} holds {short(pair.pair)}: the store says {verdict.answer}",)


def refused(snapshot: Snapshot, pair: PairFacts) -> bool:
    """Tell whether the store has refused a pair; False if it was not asked."""
    verdict = snapshot.verdict(pair)
    return verdict is not None and verdict.refused


def half_of(flaw: Flaw, keys: PairKeys) -> str:
    """Return the data key or field label of the half that has the flaw."""
    of_id = flaw.name.startswith("ID_")
    return keys.access_key_id if of_id else keys.secret_access_key


def spoils(pair: PairFacts, verdict: StoreVerdict | None) -> tuple[Flaw, ...]:
    """Return the flaws that forbid delivery of a pair.

    What looks like base64 may be the key itself: the store decides. A newline or an invisible
    character gets lost or doubled at some hop, whatever the store says.
    """
    looks = (Flaw.ID_DOUBLE_BASE64, Flaw.SECRET_DOUBLE_BASE64)
    works = verdict is not None and verdict.accepted
    return tuple(flaw for flaw in malformed(pair) if not (works and flaw in looks))


def is_torn(snapshot: Snapshot, held: PairFacts, before: PairFacts) -> bool:
    """Tell whether exactly one half equals the pair before it, and the store does not accept it."""
    one_half = (held.key_id == before.key_id) != (held.secret == before.secret)
    verdict = snapshot.verdict(held)
    return one_half and not held.blank and not (verdict is not None and verdict.answer in WORKS)


def malformed(pair: PairFacts) -> tuple[Flaw, ...]:
    """Return the flaws of form other than emptiness, in a fixed order."""
    return tuple(flaw for flaw in Flaw if flaw in pair.flaws and flaw not in BLANK)


def blanks(pair: PairFacts) -> tuple[Flaw, ...]:
    """Return which halves are empty."""
    return tuple(flaw for flaw in BLANK if flaw in pair.flaws)
