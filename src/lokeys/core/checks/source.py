# SPDX-License-Identifier: Apache-2.0
"""Where the key is minted: is there one, does it work, and has Rook kept up with RGW?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokeys.core.catalogue import sources
from lokeys.core.checks.wording import FLAW_CAUSES, malformed, verdict_evidence
from lokeys.core.finding import Confidence, Finding
from lokeys.core.model import Hop, RookSource
from lokeys.core.snapshot import Answer, Snapshot, SourceState, Why


def source_cannot_be_used(snapshot: Snapshot) -> Iterator[Finding]:
    """The source is missing, or its owner has not allowed this namespace."""
    gap = snapshot.missing(Hop.SOURCE)
    route = snapshot.spec.route
    if gap is not None and gap.why is Why.NOT_FOUND:
        detail = f": {gap.detail}" if gap.detail else ""
        cause = "k8s_secret_missing" if gap.ref.kind == "Secret" else "store_user_missing"
        yield sources.SOURCE_MISSING.at(gap.ref, route=route, detail=detail, cause=cause)
    if gap is not None and gap.why is Why.NOT_ALLOWED:
        yield sources.SOURCE_NOT_ALLOWED.at(
            gap.ref,
            route=route,
            namespace=gap.ref.namespace,
            kind=gap.ref.kind.lower(),
            name=gap.ref.name,
            reader=snapshot.spec.namespace,
        )


def source_has_no_key(snapshot: Snapshot) -> Iterator[Finding]:
    """There is nothing to carry: no key at the store, or an empty half."""
    source = snapshot.source
    if source is None or source.generated_blank:
        return
    if source.live_keys == ():
        yield sources.SOURCE_HAS_NO_KEY.at(
            source.owner, route=snapshot.spec.route, detail="the store lists no key for the user"
        )
    elif source.pair is not None and source.pair.blank:
        yield sources.SOURCE_HAS_NO_KEY.at(
            source.ref, route=snapshot.spec.route, detail="a half of it is empty"
        )
    elif source.pair is None and source.live_keys is not None and len(source.live_keys) > 1:
        yield sources.SOURCE_AMBIGUOUS.at(
            source.owner, route=snapshot.spec.route, count=len(source.live_keys)
        )


def source_is_malformed(snapshot: Snapshot) -> Iterator[Finding]:
    """A pair that works at the store may look odd; one that does not is explained by its form."""
    source = snapshot.source
    if source is None or source.pair is None or _accepted(snapshot):
        return
    for flaw in malformed(source.pair):
        yield sources.SOURCE_MALFORMED.at(
            source.ref, route=snapshot.spec.route, flaw=flaw.value, cause=FLAW_CAUSES[flaw]
        )


def source_key_is_dead(snapshot: Snapshot) -> Iterator[Finding]:
    """The store refuses what the source offers; RGW's own list may know a living key."""
    source = snapshot.source
    verdict = snapshot.verdict(source.pair) if source else None
    if source is None or verdict is None or not verdict.refused:
        return
    route = snapshot.spec.route
    words: dict[str, Any] = {
        "namespace": source.ref.namespace,
        "secret": source.ref.name,
        "user": source.owner.name,
        "answer": verdict.answer,
    }
    evidence = verdict_evidence(snapshot, source.pair, str(source.ref))
    if verdict.answer is Answer.SUSPENDED or source.suspended:
        yield sources.USER_SUSPENDED.at(source.owner, route=route, evidence=evidence, **words)
    elif source.live_keys:
        count = len(source.live_keys)
        yield sources.ROOK_STALE_USER_SECRET.at(
            source.ref,
            route=route,
            evidence=(*evidence, f"RGW lists {count} live key(s) for {source.owner.name}"),
            count=count,
            **words,
        )
    elif source.live_keys is None:
        remedy = None if isinstance(snapshot.spec.source, RookSource) else ()
        yield sources.SOURCE_KEY_DEAD.at(
            source.ref, route=route, evidence=evidence, remedy=remedy, **words
        )


def rook_is_behind(snapshot: Snapshot) -> Iterator[Finding]:
    """Ready, but for an older generation or for older key Secrets; or a store that is not."""
    source = snapshot.source
    rook = source.rook if source else None
    if source is None or rook is None:
        return
    words: dict[str, Any] = {"namespace": source.owner.namespace, "user": source.owner.name}
    route = snapshot.spec.route
    if rook.store_ready is False:
        yield sources.ROOK_OBJECT_STORE_NOT_READY.at(source.owner, route=route, **words)
    if rook.deleting:
        yield sources.ROOK_DELETION_BLOCKED.at(
            source.owner, route=route, bucket=snapshot.spec.bucket.name, **words
        )
    elif not rook.applied:
        yield sources.ROOK_NOT_APPLIED.at(
            source.owner,
            route=route,
            phase=rook.phase or "nothing yet",
            detail=_why_not_applied(source),
            evidence=(rook.message,) if rook.message else (),
            **words,
        )


def rook_blanks_its_secret(snapshot: Snapshot) -> Iterator[Finding]:
    """`spec.keys` is set: Rook's generated Secret is empty, or worse, is named there."""
    source = snapshot.source
    if source is None:
        return
    route = snapshot.spec.route
    if source.rook is not None and source.rook.reads_generated_secret:
        yield sources.ROOK_READS_ITS_OWN_SECRET.at(source.owner, route=route)
    elif source.generated_blank:
        yield sources.ROOK_GENERATED_SECRET_BLANK.at(source.owner, route=route)


def extra_keys_are_doomed(snapshot: Snapshot) -> Iterator[Finding]:
    """Rook will delete all keys but the smallest id, whenever it next reconciles."""
    source = snapshot.source
    if source is None or source.rook is None or source.rook.uses_spec_keys:
        return
    keys = source.live_keys or ()
    if len(keys) < 2:
        return
    survivor = min(keys, key=lambda key: key.order)
    held = source.pair is not None and source.pair.key_id == survivor.key_id
    yield sources.ROOK_EXTRA_KEYS_DOOMED.at(
        source.owner,
        route=snapshot.spec.route,
        count=len(keys),
        survivor=f"the one that begins with {survivor.hint}",
        confidence=Confidence.CERTAIN,
        evidence=(
            f"Rook's Secret {'holds' if held else 'does not hold'} the key that survives",
            *(f"RGW lists a key that begins with {key.hint}" for key in keys),
        ),
        namespace=source.owner.namespace,
        user=source.owner.name,
    )


def _accepted(snapshot: Snapshot) -> bool:
    verdict = snapshot.verdict(snapshot.source.pair) if snapshot.source else None
    return verdict is not None and verdict.accepted


def _why_not_applied(source: SourceState) -> str:
    rook = source.rook
    if rook is None or rook.phase != "Ready":
        return "it is not Ready"
    if rook.observed_generation != rook.generation:
        return f"for generation {rook.observed_generation} of {rook.generation}"
    return "for older versions of its key Secrets"


CHECKS = (
    source_cannot_be_used,
    source_has_no_key,
    source_is_malformed,
    source_key_is_dead,
    rook_is_behind,
    rook_blanks_its_secret,
    extra_keys_are_doomed,
)
