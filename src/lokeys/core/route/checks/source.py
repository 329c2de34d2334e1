# SPDX-License-Identifier: Apache-2.0
"""Where the key is created: is there one, does it work, and has Rook kept up with RGW?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokeys.core.findings.catalogue import sources
from lokeys.core.findings.finding import Confidence, Finding, Remedy
from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop
from lokeys.core.route.checks.wording import FLAW_CAUSES, half_of, spoils, verdict_evidence
from lokeys.core.route.model import ClaimSource, PairKeys, RookSource, SecretSource, source_ref
from lokeys.core.route.snapshot import RookUser, Snapshot, SourceState, Unreadable, Why
from lokeys.core.route.trying import elsewhere, not_tried
from lokeys.core.text.urls import as_printed


def source_cannot_be_used(snapshot: Snapshot) -> Iterator[Finding]:
    """The source is missing, or its owner has not allowed this namespace."""
    route = snapshot.spec.route
    for gap in gaps_of_source(snapshot):
        if gap.why is Why.NOT_FOUND:
            detail = f": {gap.detail}" if gap.detail else ""
            cause = cause_of_missing(gap)
            yield sources.SOURCE_MISSING.at(gap.ref, route=route, detail=detail, cause=cause)
        elif gap.why is Why.ANOTHERS:
            yield sources.SOURCE_SECRET_ANOTHERS.at(
                gap.ref,
                route=route,
                namespace=gap.ref.namespace,
                secret=gap.ref.name,
                user=source_ref(snapshot.spec).name,
            )
        elif gap.why is Why.NOT_ALLOWED:
            yield sources.SOURCE_NOT_ALLOWED.at(
                gap.ref,
                route=route,
                namespace=gap.ref.namespace,
                kind=gap.ref.kind.lower(),
                name=gap.ref.name,
                reader=snapshot.spec.namespace,
            )


def addresses_are_not_allowed(snapshot: Snapshot) -> Iterator[Finding]:
    """A key, or the request to RGW's admin API, may not go to the address in the resource."""
    spec = snapshot.spec
    refused = (
        (gap.ref, gap.detail)
        for gap in snapshot.unreadable
        if gap.hop is Hop.SOURCE and gap.why is Why.URL_NOT_ALLOWED
    )
    wanted = [(not_tried(snapshot), spec.bucket.endpoint), *refused]
    for place, url in dict(reversed(wanted)).items():
        if place is not None:
            yield sources.ADDRESS_NOT_ALLOWED.at(
                place,
                route=spec.route,
                namespace=place.namespace,
                kind=place.kind.lower(),
                name=place.name,
                url=url,
            )


def address_is_not_lokis(snapshot: Snapshot) -> Iterator[Finding]:
    """Loki's own configuration has another address than the resource."""
    for workload in elsewhere(snapshot):
        yield sources.ADDRESS_NOT_LOKIS.at(
            workload.ref,
            route=snapshot.spec.route,
            url=snapshot.spec.bucket.endpoint,
            host=as_printed(workload.writes_to) or "another one",
        )


def gaps_of_source(snapshot: Snapshot) -> tuple[Unreadable, ...]:
    """Return why the source's pair is not known; empty if it is known."""
    if snapshot.source is not None and snapshot.source.pair is not None:
        return ()
    mine = (gap for gap in snapshot.unreadable if gap.hop is Hop.SOURCE)
    return tuple({(gap.ref, gap.why): gap for gap in mine}.values())


def cause_of_missing(gap: Unreadable) -> str:
    """Return the cause behind a missing user, or a missing Secret of that user."""
    return "k8s_secret_missing" if gap.ref.kind == "Secret" else "store_user_missing"


def source_has_no_key(snapshot: Snapshot) -> Iterator[Finding]:
    """There is nothing to deliver: no key at the store, or an empty half."""
    source = snapshot.source
    if source is None or source.generated_blank:
        return
    if source.live == ():
        yield sources.SOURCE_HAS_NO_KEY.at(
            source.owner, route=snapshot.spec.route, detail="the store lists no key for the user"
        )
    elif source.pair is not None and source.pair.blank:
        yield sources.SOURCE_HAS_NO_KEY.at(
            source.ref, route=snapshot.spec.route, detail="a half of it is empty"
        )
    elif source.pair is None and source.slots and not source.names_itself:
        yield sources.SOURCE_AMBIGUOUS.at(
            source.owner, route=snapshot.spec.route, count=len(source.slots)
        )


def source_is_malformed(snapshot: Snapshot) -> Iterator[Finding]:
    """The form of the pair is faulty: the store refuses it, or some hop would change it."""
    source = snapshot.source
    if source is None or source.pair is None:
        return
    verdict = snapshot.verdict(source.pair)
    arrived = snapshot.secret is not None and snapshot.secret.pair.pair == source.pair.pair
    if verdict is not None and verdict.accepted and arrived:
        return
    for flaw in spoils(source.pair, verdict):
        yield sources.SOURCE_MALFORMED.at(
            source.ref,
            route=snapshot.spec.route,
            field=half_of(flaw, _keys(snapshot)),
            flaw=flaw.value,
            cause=FLAW_CAUSES[flaw],
        )


def source_key_is_dead(snapshot: Snapshot) -> Iterator[Finding]:
    """The store refuses what the source offers; RGW's own list may have a valid key."""
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
    elif source.live and rook_is_stale(snapshot, source):
        count = len(source.live)
        yield sources.ROOK_STALE_USER_SECRET.at(
            source.ref,
            route=route,
            evidence=(*evidence, f"RGW lists {count} live key(s) for {source.owner.name}"),
            count=count,
            **words,
        )
    elif source.live != ():
        if source.live:
            listed = "the store lists this very key: the endpoint may be another store's"
            evidence = (*evidence, listed)
        remedy = _MEND_CLAIM if isinstance(snapshot.spec.source, ClaimSource) else _FIX
        rook = isinstance(snapshot.spec.source, RookSource) and not source.live
        yield sources.SOURCE_KEY_DEAD.at(
            source.ref,
            route=route,
            evidence=evidence,
            confidence=Confidence.POSSIBLE if source.live else Confidence.CERTAIN,
            remedy=None if rook else remedy,
            **words,
        )


_FIX = (Remedy(text="fix the key at its source; lokeys tests it and carries it on by itself"),)

_MEND_CLAIM = (
    Remedy(
        text="have the store's administrator put that key back at the user of the claim's bucket: "
        "a claim's key cannot be changed in place, and a new claim comes with a new bucket"
    ),
)


def rook_is_stale(snapshot: Snapshot, source: SourceState) -> bool:
    """Tell whether RGW lists valid keys, and the one in Rook's Secret is not among them."""
    return (
        isinstance(snapshot.spec.source, RookSource)
        and bool(source.live)
        and (source.pair is None or all(k.pair != source.pair.pair for k in source.live or ()))
    )


def rook_is_behind(snapshot: Snapshot) -> Iterator[Finding]:
    """Ready, but for an older generation or older key Secrets; or the object store is not ready."""
    source = snapshot.source
    rook = source.rook if source else None
    if source is None or rook is None:
        return
    words: dict[str, Any] = {"namespace": source.owner.namespace, "user": source.owner.name}
    route = snapshot.spec.route
    named = spec.store if isinstance(spec := snapshot.spec.source, RookSource) else None
    if named is not None and rook.store and named != rook.store:
        yield sources.SOURCE_STORE_DIFFERS.at(
            source.owner,
            route=route,
            field="spec.source.rook.store",
            said=named,
            store=rook.store,
        )
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
            detail=_why_not_applied(rook),
            evidence=(rook.message,) if rook.message else (),
            **words,
        )


def rook_blanks_its_secret(snapshot: Snapshot) -> Iterator[Finding]:
    """`spec.keys` is set: Rook's generated Secret is empty or, worse, is named there."""
    source = snapshot.source
    if source is None:
        return
    route = snapshot.spec.route
    if source.rook is not None and source.rook.reads_generated_secret:
        yield sources.ROOK_READS_ITS_OWN_SECRET.at(source.owner, route=route)
    elif source.generated_blank:
        yield sources.ROOK_GENERATED_SECRET_BLANK.at(source.owner, route=route)


def extra_keys_are_doomed(snapshot: Snapshot) -> Iterator[Finding]:
    """Rook will delete all keys but the one with the smallest id when it next reconciles."""
    source = snapshot.source
    if source is None or source.rook is None or source.rook.uses_spec_keys:
        return
    keys = source.live or ()
    if len(keys) < 2:
        return
    survivor = min(keys, key=lambda key: key.order)
    held = source.pair is not None and source.pair.key_id == survivor.key_id
    yield sources.ROOK_EXTRA_KEYS_DOOMED.at(
        source.owner,
        route=snapshot.spec.route,
        count=len(keys),
        survivor=f"the one that begins with {survivor.hint}",
        evidence=(
            f"Rook's Secret {'holds' if held else 'does not hold'} the key that survives",
            *(f"RGW lists a key that begins with {key.hint}" for key in keys),
        ),
        namespace=source.owner.namespace,
        user=source.owner.name,
    )


def _keys(snapshot: Snapshot) -> PairKeys:
    """Return the names under which the source keeps the two halves."""
    spec = snapshot.spec.source
    if isinstance(spec, SecretSource | ClaimSource):
        return spec.secret.keys
    if isinstance(spec, RookSource):
        return PairKeys(access_key_id="AccessKey", secret_access_key="SecretKey")
    return PairKeys(access_key_id="access_key", secret_access_key="secret_key")


def _why_not_applied(rook: RookUser) -> str:
    if rook.phase != "Ready":
        return "it is not Ready"
    if rook.observed_generation != rook.generation:
        return f"for generation {rook.observed_generation} of {rook.generation}"
    return "for older versions of its key Secrets"


CHECKS = (
    source_cannot_be_used,
    addresses_are_not_allowed,
    address_is_not_lokis,
    source_has_no_key,
    source_is_malformed,
    source_key_is_dead,
    rook_is_behind,
    rook_blanks_its_secret,
    extra_keys_are_doomed,
)
