# SPDX-License-Identifier: Apache-2.0
"""A route as people see it: its hops in order, what each holds, and where it first differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lokeys.core.findings.finding import ref_to_json, time_to_json
from lokeys.core.place import Hop, Ref
from lokeys.core.route.key_state import Currency, Seen, seen
from lokeys.core.route.made import RELEASE, item_name, maker_of_secret
from lokeys.core.route.model import OnePasswordVault, RouteSpec, UnknownSource, source_ref
from lokeys.core.route.snapshot import Snapshot, Why
from lokeys.core.sensitive import Fingerprint, PairFacts, short


@dataclass(frozen=True, slots=True, kw_only=True)
class HopView:
    """One hop: what it holds, since when, and whether it agrees with the hop before it.

    `agrees` None: not known (not readable, or nothing to compare with).
    """

    hop: Hop
    ref: Ref
    fingerprint: Fingerprint | None = None
    agrees: bool | None = None
    since: datetime | None = None
    detail: str = ""


def hops(snapshot: Snapshot) -> tuple[HopView, ...]:
    """Return the hops of the route, in the key's direction."""
    return tuple(_hops(seen(snapshot)))


def first_disagreement(views: tuple[HopView, ...]) -> HopView | None:
    """Return the first hop that differs from the one before it."""
    return next((view for view in views if view.agrees is False), None)


def hop_to_json(view: HopView) -> dict[str, Any]:
    """Return the contract's form of a hop."""
    return {
        "name": view.hop.value,
        "ref": ref_to_json(view.ref),
        "fingerprint": short(view.fingerprint) if view.fingerprint else None,
        "agrees": view.agrees,
        "since": time_to_json(view.since),
        "detail": view.detail,
    }


def vault_ref(spec: RouteSpec) -> Ref | None:
    """Return the reference of the route's vault."""
    if spec.vault is None:
        return None
    if isinstance(spec.vault, OnePasswordVault):
        return Ref("OnePasswordItem", f"{spec.vault.vault}/{spec.vault.item}")
    return Ref("PushSecret", spec.vault.name, spec.namespace)


def _hops(snapshot: Seen) -> Iterator[HopView]:
    source = snapshot.source
    if not isinstance(snapshot.spec.source, UnknownSource):
        yield HopView(
            hop=Hop.SOURCE,
            ref=source.ref if source else source_ref(snapshot.spec),
            fingerprint=source.pair.pair if source and source.pair else None,
            detail=_said(snapshot, source.pair) if source and source.pair else _no_source(snapshot),
        )
    before = source.pair if source else None
    vault = vault_ref(snapshot.spec)
    if vault is not None:
        held = snapshot.vault.pair if snapshot.vault else None
        yield HopView(
            hop=Hop.VAULT,
            ref=vault,
            fingerprint=held.pair if held else None,
            agrees=_same(before, held),
            since=snapshot.vault.updated_at if snapshot.vault else None,
            detail=_gap(snapshot, Hop.VAULT) or _vault_detail(snapshot),
        )
        before = held or before
    yield from _delivery(snapshot)
    if snapshot.spec.values is not None:
        taken = snapshot.values.pair if snapshot.values else None
        yield HopView(
            hop=Hop.VALUES,
            ref=snapshot.spec.values.ref(snapshot.spec.namespace),
            fingerprint=taken.pair if taken else None,
            agrees=_same(before, taken),
            since=snapshot.values.written_at if snapshot.values else None,
            detail=_gap(snapshot, Hop.VALUES) or _said(snapshot, taken),
        )
        before = taken or before
    yield from _release(snapshot)
    held = snapshot.secret.pair if snapshot.secret else None
    yield HopView(
        hop=Hop.SECRET,
        ref=snapshot.spec.secret_ref,
        fingerprint=held.pair if held else None,
        agrees=_same(before, held) if held else _absent(snapshot),
        since=snapshot.memory.content.since if snapshot.memory.content else None,
        detail=_gap(snapshot, Hop.SECRET) or _where(snapshot, held),
    )
    yield from _pods(snapshot)
    yield _store(snapshot)


def _same(before: PairFacts | None, held: PairFacts | None) -> bool | None:
    return None if before is None or held is None else before.pair == held.pair


def _absent(snapshot: Snapshot) -> bool | None:
    """Return False for a Secret that does not exist, as it differs; None if it was not read."""
    gap = snapshot.missing(Hop.SECRET)
    return False if gap is not None and gap.why is Why.NOT_FOUND else None


def _no_source(snapshot: Snapshot) -> str:
    return _gap(snapshot, Hop.SOURCE) or "offers no key"


def _gap(snapshot: Snapshot, hop: Hop) -> str:
    gap = snapshot.missing(hop)
    if gap is None:
        return ""
    if hop is Hop.VAULT and gap.ref.kind == "Secret":  # the token's, not the item
        colon = "" if gap.why is Why.NOT_FOUND else ":"
        return f"not readable: {gap.ref}{colon} {gap.why}"
    return gap.why.value if gap.why is Why.NOT_FOUND else f"not readable: {gap.why}"


def _said(snapshot: Snapshot, pair: PairFacts | None) -> str:
    if pair is not None and pair.blank:
        return "blank"
    verdict = snapshot.verdict(pair)
    return f"the store says: {verdict.answer}" if verdict else ""


def _vault_detail(snapshot: Snapshot) -> str:
    vault = snapshot.vault
    if vault is None:
        return ""
    if vault.fault:
        return f"not readable: {vault.fault}"
    version = f"version {vault.version}" if vault.version is not None else ""
    return ", ".join(part for part in (version, _said(snapshot, vault.pair)) if part)


def _delivery(snapshot: Snapshot) -> Iterator[HopView]:
    if snapshot.spec.external_secret is None:
        yield from _maker(snapshot)
        return
    delivery = snapshot.delivery
    yield HopView(
        hop=Hop.DELIVERY,
        ref=Ref("ExternalSecret", snapshot.spec.external_secret.name, snapshot.spec.namespace),
        since=delivery.refreshed_at if delivery else None,
        detail=_gap(snapshot, Hop.DELIVERY)
        or (f"{delivery.reason or 'no condition yet'}" if delivery else "does not exist"),
    )


def _maker(snapshot: Snapshot) -> Iterator[HopView]:
    """Yield what makes the Secret instead of an ExternalSecret, if it has a name."""
    maker = maker_of_secret(snapshot)
    if maker is None or maker.ref is None or maker.ref.kind == RELEASE:
        return
    said = snapshot.maker
    words = [f"makes the Secret for {maker.controller}" if maker.controller else "makes the Secret"]
    words += [f"of {item_name(snapshot, maker)}"] if maker.ref.kind == "OnePasswordItem" else []
    words += [f"not ready: {said.message}"] if said and said.ready is False else []
    yield HopView(
        hop=Hop.DELIVERY,
        ref=maker.ref,
        detail=_gap(snapshot, Hop.DELIVERY) or ", ".join(words),
    )


def _release(snapshot: Snapshot) -> Iterator[HopView]:
    """Yield the HelmRelease that renders what Loki reads."""
    maker = maker_of_secret(snapshot)
    if maker is None or maker.ref is None or maker.ref.kind != RELEASE:
        return
    said = snapshot.maker
    words = ["renders what Loki reads"]
    words += ["suspended"] if said and said.suspended else []
    words += [f"not ready: {said.message}"] if said and said.ready is False else []
    detail = _gap(snapshot, Hop.DELIVERY) or ", ".join(words)
    yield HopView(hop=Hop.RELEASE, ref=maker.ref, detail=detail)


def _where(snapshot: Snapshot, held: PairFacts | None) -> str:
    """Return where in a text the pair is, whether in plain text, and the store's answer."""
    place = snapshot.spec.secret
    clear = ", in clear" if place.kind == "ConfigMap" else ""
    inside = f"inside of {place.inside}{clear}" if place.inside else ""
    return ", ".join(word for word in (inside, _said(snapshot, held)) if word)


def _pods(snapshot: Seen) -> Iterator[HopView]:
    content = snapshot.memory.content
    for pod in snapshot.pods:
        current = snapshot.key(pod).currency
        proved = snapshot.key(pod).proof
        works = snapshot.key(pod).works
        words = [pod.containers_ready and f"{pod.containers_ready} ready"]
        words.append(proved.value if proved else ("" if works is not False else "403 from storage"))
        held = content.pair if content and current is Currency.CURRENT else None
        yield HopView(
            hop=Hop.PODS,
            ref=pod.ref,
            fingerprint=held,
            agrees={Currency.CURRENT: True, Currency.BEHIND: False}.get(current),
            since=pod.started_at,
            detail=", ".join(word for word in words if word),
        )
    if not snapshot.pods and snapshot.spec.workloads:
        first = snapshot.spec.workloads[0]
        yield HopView(
            hop=Hop.PODS,
            ref=Ref(first.kind, first.name, snapshot.spec.namespace),
            detail=_gap(snapshot, Hop.PODS) or "no pods",
        )


def _store(snapshot: Snapshot) -> HopView:
    held = snapshot.secret.pair if snapshot.secret else None
    verdict = snapshot.verdict(held)
    bucket = snapshot.spec.bucket
    return HopView(
        hop=Hop.STORE,
        ref=Ref("Bucket", f"{bucket.endpoint.rstrip('/')}/{bucket.name}"),
        agrees=None
        if verdict is None or not (verdict.accepted or verdict.refused)
        else verdict.accepted,
        detail=_gap(snapshot, Hop.STORE) or (f"{verdict.answer}" if verdict else "not asked"),
    )
