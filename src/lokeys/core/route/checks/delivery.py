# SPDX-License-Identifier: Apache-2.0
"""From the vault into the Secret: can External Secrets read, has it read, is the pair complete?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from lokeys.core.findings.catalogue import delivery as rules
from lokeys.core.findings.catalogue import pods as pod_rules
from lokeys.core.findings.finding import Confidence, Finding, Remedy, Severity
from lokeys.core.findings.verdict import WORKS
from lokeys.core.kubernetes.makers import Maker
from lokeys.core.place import Hop
from lokeys.core.route.checks.wording import (
    BLANK,
    FLAW_CAUSES,
    blanks,
    half_of,
    is_torn,
    malformed,
    refused,
    verdict_evidence,
)
from lokeys.core.route.key_state import storage_works
from lokeys.core.route.made import (
    by_hand_then_heal,
    kept_elsewhere,
    made_by,
    maker_of_secret,
    remedies,
    unread_vault,
)
from lokeys.core.route.snapshot import DeliveryState, RefreshPolicy, SecretState, Snapshot, Why
from lokeys.core.route.trying import elsewhere
from lokeys.core.sensitive import PairFacts, short

CAUSE_OF_WORDS: tuple[tuple[str, str], ...] = (
    (r"key not found in 1Password Vaults", "op_item_not_found"),
    (r"expected one 1Password ItemField .* got 0", "op_field_not_found"),
    (r"expected one 1Password ItemField .* got \d+", "op_field_ambiguous"),
    (r"expected one 1Password Item .* got \d+", "op_item_ambiguous"),
    (r"status 40[13]", "op_token_lacks_vault_access"),
    (r"status 429", "op_rate_limited"),
    (r"connection refused|EOF|no such host|timeout|status 5\d\d", "op_connect_unreachable"),
    (r"SecretStore .*(is not ready|not found)|could not get .*SecretStore", "eso_store_not_ready"),
    (r"owned by another ExternalSecret", "eso_target_owned_by_other"),
)
"""External Secrets' messages of a failed refresh (measured, 0.20) and the cause of each."""


def cause_of(words: str) -> str | None:
    """Return the cause behind External Secrets' event text, if it is a known one."""
    return next((cause for text, cause in CAUSE_OF_WORDS if re.search(text, words)), None)


def delivery_is_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """The route's ExternalSecret does not exist."""
    gap = snapshot.missing(Hop.DELIVERY)
    if gap is not None and gap.why is Why.NOT_FOUND and gap.ref.kind == "ExternalSecret":
        yield rules.DELIVERY_MISSING.at(gap.ref, route=snapshot.spec.route)


def all_deliveries_are_stopped(snapshot: Snapshot) -> Iterator[Finding]:
    """One interval that does not parse stops every ExternalSecret of the cluster."""
    delivery = snapshot.delivery
    if delivery is None:
        return
    stopped_by = set(delivery.stopped_by)
    if delivery.refresh_interval is None:
        stopped_by.add(delivery.ref)
    for ref in sorted(stopped_by):
        own = delivery.refresh_interval_text if ref == delivery.ref else "as `1d` would be"
        yield rules.ESO_STOPPED_BY_BAD_INTERVAL.at(
            ref,
            route=snapshot.spec.route,
            detail=own,
            es_namespace=ref.namespace,
            es_name=ref.name,
        )


def store_is_not_ready(snapshot: Snapshot) -> Iterator[Finding]:
    """The SecretStore is not ready, by its own status, or does not exist."""
    store = snapshot.delivery.store if snapshot.delivery else None
    if store is None or (store.exists and store.ready is not False):
        return
    detail = "it does not exist" if not store.exists else (store.message or store.reason)
    yield rules.ESO_STORE_NOT_READY.at(
        store.ref,
        route=snapshot.spec.route,
        detail=detail,
        store_namespace=store.ref.namespace or snapshot.spec.namespace,
        store_kind=store.ref.kind.lower(),
        store_name=store.ref.name,
    )


def target_is_anothers(snapshot: Snapshot) -> Iterator[Finding]:
    """Another ExternalSecret owns the Secret."""
    delivery = snapshot.delivery
    if delivery is not None and delivery.target_owner is not None:
        yield rules.ESO_TARGET_OWNED_BY_OTHER.at(
            snapshot.spec.secret_ref, route=snapshot.spec.route, owner=delivery.target_owner
        )


def refresh_fails(snapshot: Snapshot) -> Iterator[Finding]:
    """External Secrets itself reports that it cannot refresh."""
    delivery = snapshot.delivery
    if delivery is None or delivery.ready is not False or delivery.target_owner is not None:
        return
    detail = delivery.last_event or delivery.message or delivery.reason or "it does not say why"
    yield rules.DELIVERY_FAILS.at(
        delivery.ref,
        route=snapshot.spec.route,
        detail=detail,
        cause=cause_of(detail),
        namespace=delivery.ref.namespace,
        name_of_es=delivery.ref.name,
    )


def secret_is_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """The Secret that Loki reads does not exist."""
    gap = snapshot.missing(Hop.SECRET)
    if gap is not None and gap.why is Why.NOT_FOUND:
        yield rules.SECRET_MISSING.at(
            gap.ref, route=snapshot.spec.route, detail="", **_words(snapshot)
        )


def secret_disagrees(snapshot: Snapshot) -> Iterator[Finding]:
    """The Secret's pair differs from that of the hop before it."""
    secret = snapshot.secret
    if secret is None:
        return
    before = expected(snapshot)
    flaws = (*blanks(secret.pair), *malformed(secret.pair))
    verdict = snapshot.verdict(secret.pair)
    source = snapshot.source.pair if snapshot.source else None
    same = any(other and other.pair == secret.pair.pair for other in (before, source))
    if flaws and not same and not (verdict and verdict.answer in WORKS):
        for flaw in flaws:
            rule = rules.SECRET_BLANK if flaw in BLANK else rules.SECRET_MALFORMED
            yield rule.at(
                secret.ref,
                route=snapshot.spec.route,
                field=half_of(flaw, snapshot.spec.secret.keys),
                flaw=flaw.value,
                cause=FLAW_CAUSES[flaw],
                **_words(snapshot),
            )
    elif before is not None and not same and not before.blank:
        yield from _behind(snapshot, secret, before)


def blanks_are_dropped(snapshot: Snapshot) -> Iterator[Finding]:
    """A value ends in a newline, which Loki's configuration happens to drop."""
    secret = snapshot.secret
    if secret is None:
        return
    for flaw in sorted(secret.dropped):
        yield rules.SECRET_BLANKS_DROPPED.at(
            secret.ref,
            route=snapshot.spec.route,
            field=half_of(flaw, snapshot.spec.secret.keys),
            flaw=flaw.value,
        )


def values_disagree(snapshot: Snapshot) -> Iterator[Finding]:
    """The source of a HelmRelease's pair does not hold the pair of the hop before it."""
    values, before = snapshot.values, _before_values(snapshot)
    if values is None or before is None or before.blank or values.pair.pair == before.pair:
        return
    vault = snapshot.vault is not None and snapshot.vault.pair is not None
    rule = rules.SECRET_BEHIND_VAULT if vault else rules.SECRET_BEHIND_SOURCE
    sure = Confidence.CERTAIN if refused(snapshot, values.pair) else Confidence.LIKELY
    maker = None if snapshot.spec.external_secret else values.maker
    yield rule.at(
        values.ref,
        route=snapshot.spec.route,
        hop=Hop.VALUES,
        confidence=sure,
        severity=_severity(snapshot, values),
        evidence=(f"before it: {short(before.pair)}, in it: {short(values.pair.pair)}",),
        detail=f"; {made_by(maker)}" if maker else "",
        remedy=None if vault else _of_values(snapshot, values, maker),
        **_words(snapshot),
    )


def expected(snapshot: Snapshot) -> PairFacts | None:
    """Return what the Secret should hold by the hop before it: values, vault or source."""
    if snapshot.values is not None:
        return snapshot.values.pair
    return _before_values(snapshot)


def _before_values(snapshot: Snapshot) -> PairFacts | None:
    if snapshot.vault is not None and snapshot.vault.pair is not None:
        return snapshot.vault.pair
    return snapshot.source.pair if snapshot.source else None


def why_it_cannot_refresh(delivery: DeliveryState, secret: SecretState | None) -> str | None:
    """Return why neither time nor an annotation makes this ExternalSecret read again."""
    if delivery.immutable or (secret is not None and secret.immutable):
        return "the Secret is immutable"
    if delivery.force_sync_works or delivery.refresh_interval is None:
        return None
    if delivery.refresh_policy is RefreshPolicy.CREATED_ONCE:
        return "refreshPolicy is CreatedOnce"
    return "refreshInterval is 0"


def _behind(snapshot: Snapshot, secret: SecretState, before: PairFacts) -> Iterator[Finding]:
    route, words = snapshot.spec.route, _words(snapshot)
    evidence = (
        f"before it: {short(before.pair)}, in it: {short(secret.pair.pair)}",
        *verdict_evidence(snapshot, secret.pair, str(secret.ref)),
    )
    sure = Confidence.CERTAIN if refused(snapshot, secret.pair) else Confidence.LIKELY
    if is_torn(snapshot, secret.pair, before) and not _is_torn_itself(snapshot, before):
        yield rules.SECRET_PAIR_TORN.at(
            secret.ref, route=route, evidence=evidence, confidence=sure, **words
        )
        return
    severity = _severity(snapshot, secret)
    maker = maker_of_secret(snapshot)
    if snapshot.values is not None and maker is not None:
        yield rules.CONFIG_BEHIND_VALUES.at(
            secret.ref,
            route=route,
            evidence=evidence,
            severity=severity,
            confidence=sure,
            values=snapshot.values.ref,
            maker=maker.ref or maker.controller,
            remedy=remedies(snapshot, maker),
            **words,
        )
        return
    if snapshot.vault is None or snapshot.vault.pair is None:
        maker = maker_of_secret(snapshot)
        detail = "" if snapshot.spec.vault is None else "; the vault between cannot be read"
        yield rules.SECRET_BEHIND_SOURCE.at(
            secret.ref,
            route=route,
            evidence=evidence,
            severity=severity,
            confidence=sure,
            detail=f"; {made_by(maker)}" if maker else detail,
            remedy=_remedy(snapshot, maker),
            **words,
        )
        return
    delivery = snapshot.delivery
    stuck = why_it_cannot_refresh(delivery, secret) if delivery else None
    if delivery is not None and stuck is not None:
        yield rules.SECRET_CANNOT_REFRESH.at(
            delivery.ref, route=route, evidence=evidence, detail=stuck, advice=_advice(stuck),
            **words,
        )  # fmt: skip
        return
    yield rules.SECRET_BEHIND_VAULT.at(
        secret.ref, route=route, evidence=evidence, severity=severity, confidence=sure, **words
    )
    if _changed_back(snapshot, delivery):
        yield rules.SECRET_FIXED_BY_HAND.at(
            secret.ref, route=route, evidence=evidence, confidence=Confidence.LIKELY,
            secret=secret.ref.name, **words,
        )  # fmt: skip


def _severity(snapshot: Snapshot, secret: SecretState) -> Severity:
    """Return how bad it is that the Secret differs.

    A pair that the store accepts loses no line. Nor does that of a Loki that writes to another
    store, as long as that store does not refuse it.
    """
    verdict = snapshot.verdict(secret.pair)
    works = verdict is not None and verdict.accepted
    fails = any(storage_works(pod) is False for pod in snapshot.pods)
    return Severity.WARNING if works or (elsewhere(snapshot) and not fails) else Severity.ERROR


def _remedy(snapshot: Snapshot, maker: Maker | None) -> tuple[Remedy, ...] | None:
    """Return a lasting fix if lokeys does not write the Secret; None if it does."""
    if maker is not None:
        return remedies(snapshot, maker)
    by_hand = unread_vault(snapshot)
    if by_hand:
        return by_hand_then_heal(snapshot, by_hand)
    spec = snapshot.spec
    lost = spec.secret.inside is not None and spec.external_secret is None
    return (kept_elsewhere(spec),) if lost else None


def _of_values(snapshot: Snapshot, values: SecretState, maker: Maker | None) -> tuple[Remedy, ...]:
    """Return what to do about stale values: at their maker, in their store, or here."""
    if maker is not None:
        return remedies(snapshot, maker)
    text = unread_vault(snapshot) or f"put the source's pair into {values.ref}, where it is kept"
    return by_hand_then_heal(snapshot, text)


def _is_torn_itself(snapshot: Snapshot, before: PairFacts) -> bool:
    """Tell whether the vault's own pair is torn, so that one half of it proves nothing."""
    source = snapshot.source.pair if snapshot.source else None
    return source is not None and is_torn(snapshot, before, source)


def _changed_back(snapshot: Snapshot, delivery: DeliveryState | None) -> bool:
    """Tell whether somebody else wrote the Secret after three forced refreshes."""
    memory = snapshot.memory
    if delivery is None or memory.forced_at is None or memory.forced_count < 3:
        return False
    refreshed = delivery.refreshed_at
    return refreshed is not None and refreshed + timedelta(seconds=2) >= memory.forced_at


def _advice(stuck: str) -> str:
    if stuck == "the Secret is immutable":
        return "`spec.secret.externalSecret.recreate: true` lets lokeys delete it when it is dead"
    return "give the ExternalSecret refreshPolicy Periodic and an interval above 0"


def _words(snapshot: Snapshot) -> dict[str, Any]:
    return {"namespace": snapshot.spec.namespace, "name": snapshot.spec.name}


def two_routes_claim_it(snapshot: Snapshot) -> Iterator[Finding]:
    """An older StorageCredential claims the same target, item or user."""
    if snapshot.rivals:
        yield pod_rules.TWO_WRITERS.at(snapshot.spec.ref, route=snapshot.spec.route)


CHECKS = (
    delivery_is_missing,
    all_deliveries_are_stopped,
    store_is_not_ready,
    target_is_anothers,
    refresh_fails,
    secret_is_missing,
    secret_disagrees,
    blanks_are_dropped,
    values_disagree,
    two_routes_claim_it,
)
