# SPDX-License-Identifier: Apache-2.0
"""The vault's copy: can it be read, is it complete, and is it the source's?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lokeys.core.findings.catalogue import vaults
from lokeys.core.findings.finding import Confidence, Finding, Rule, Severity
from lokeys.core.findings.verdict import WORKS
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
from lokeys.core.route.model import OnePasswordVault, PairKeys
from lokeys.core.route.snapshot import Snapshot, VaultFault, VaultState, Why
from lokeys.core.sensitive import PairFacts, short

RULE_OF_FAULT: Mapping[VaultFault, Rule] = {
    VaultFault.UNREACHABLE: vaults.VAULT_UNREACHABLE,
    VaultFault.NOT_CONNECT: vaults.VAULT_UNREACHABLE,
    VaultFault.TOKEN_REFUSED: vaults.VAULT_ACCESS_REFUSED,
    VaultFault.VAULT_FORBIDDEN: vaults.VAULT_ACCESS_REFUSED,
    VaultFault.VAULT_NOT_FOUND: vaults.VAULT_NOT_FOUND,
    VaultFault.ITEM_NOT_FOUND: vaults.ITEM_NOT_FOUND,
    VaultFault.ITEM_AMBIGUOUS: vaults.ITEM_AMBIGUOUS,
    VaultFault.FIELD_NOT_FOUND: vaults.FIELD_NOT_FOUND,
    VaultFault.FIELD_AMBIGUOUS: vaults.FIELD_AMBIGUOUS,
    VaultFault.RATE_LIMITED: vaults.VAULT_RATE_LIMITED,
    VaultFault.READ_ONLY: vaults.VAULT_WRITE_REJECTED,
    VaultFault.NOT_READABLE: vaults.VAULT_NOT_READABLE,
}

_OF_NAMES = frozenset(
    {
        VaultFault.VAULT_NOT_FOUND,
        VaultFault.ITEM_NOT_FOUND,
        VaultFault.ITEM_AMBIGUOUS,
        VaultFault.FIELD_NOT_FOUND,
        VaultFault.FIELD_AMBIGUOUS,
    }
)
"""Faults that wrong names in the route cause, too."""

_READS = (
    "External Secrets says that it can read it, and the store takes the Secret's key: the names in "
    "the route may be wrong, or have changed since its last refresh"
)

RULE_OF_CONSENT: Mapping[Why, Rule] = {
    Why.NOT_ALLOWED: vaults.VAULT_TOKEN_NOT_ALLOWED,
    Why.URL_NOT_ALLOWED: vaults.VAULT_ADDRESS_NOT_ALLOWED,
}


def vault_has_a_fault(snapshot: Snapshot) -> Iterator[Finding]:
    """The vault, the item or a field cannot be read."""
    vault = snapshot.vault
    if vault is None or vault.fault is None:
        return
    spec = snapshot.spec.vault
    detail = vault.detail or vault.fault.value
    if vault.fields:
        detail += f"; it has: {', '.join(sorted(vault.fields))}"
    rule = RULE_OF_FAULT[vault.fault]
    weight = _weight(snapshot, vault.fault)
    yield rule.at(
        vault.ref,
        route=snapshot.spec.route,
        severity=Severity.WARNING if weight is Confidence.POSSIBLE else rule.severity,
        confidence=weight,
        evidence=(_READS,) if weight is Confidence.POSSIBLE else (),
        detail=detail,
        url=spec.url.rstrip("/") if isinstance(spec, OnePasswordVault) else "",
    )


def _weight(snapshot: Snapshot, fault: VaultFault) -> Confidence:
    """Return how certain a fault of names is: External Secrets knows better what it reads."""
    delivery, secret = snapshot.delivery, snapshot.secret
    if fault not in _OF_NAMES or delivery is None or delivery.ready is False:
        return Confidence.CERTAIN
    verdict = snapshot.verdict(secret.pair) if secret else None
    works = verdict is not None and verdict.accepted
    return Confidence.POSSIBLE if delivery.ready and works else Confidence.LIKELY


def vault_is_not_allowed(snapshot: Snapshot) -> Iterator[Finding]:
    """The token belongs to another namespace, or may not go to the resource's address."""
    spec = snapshot.spec.vault
    gap = snapshot.missing(Hop.VAULT)
    rule = RULE_OF_CONSENT.get(gap.why) if gap is not None else None
    if isinstance(spec, OnePasswordVault) and rule is not None:
        secret = spec.token_secret(snapshot.spec.namespace)
        yield rule.at(
            secret,
            route=snapshot.spec.route,
            namespace=secret.namespace,
            name=secret.name,
            reader=snapshot.spec.namespace,
            url=spec.url,
        )


def vault_disagrees(snapshot: Snapshot) -> Iterator[Finding]:
    """The vault's pair is not the source's: older, torn, empty, malformed or somebody else's."""
    vault, source = snapshot.vault, snapshot.source
    offered = source.pair if source else None
    if vault is None or vault.pair is None:
        return
    if offered is not None and vault.pair.pair == offered.pair:
        return
    words: dict[str, Any] = {"namespace": snapshot.spec.namespace, "name": snapshot.spec.name}
    route = snapshot.spec.route
    flaws = (*blanks(vault.pair), *malformed(vault.pair))
    verdict = snapshot.verdict(vault.pair)
    if flaws and not (verdict and verdict.answer in WORKS):
        for flaw in flaws:
            rule = vaults.VAULT_VALUE_EMPTY if flaw in BLANK else vaults.VAULT_MALFORMED
            yield rule.at(
                vault.ref,
                route=route,
                field=half_of(flaw, _labels(snapshot)),
                flaw=flaw.value,
                cause=FLAW_CAUSES[flaw],
                **words,
            )
    elif offered is not None and not offered.blank:
        yield _older_or_foreign(snapshot, vault, vault.pair, offered)


def _older_or_foreign(
    snapshot: Snapshot, vault: VaultState, held: PairFacts, offered: PairFacts
) -> Finding:
    evidence = (
        *verdict_evidence(snapshot, offered, "the source"),
        *verdict_evidence(snapshot, held, "the vault"),
    )
    words: dict[str, Any] = {
        "route": snapshot.spec.route,
        "namespace": snapshot.spec.namespace,
        "name": snapshot.spec.name,
    }
    if is_torn(snapshot, held, offered):
        sure = Confidence.CERTAIN if refused(snapshot, held) else Confidence.LIKELY
        return vaults.VAULT_PAIR_TORN.at(vault.ref, evidence=evidence, confidence=sure, **words)
    if is_foreign(snapshot):
        return vaults.FOREIGN_KEY_IN_VAULT.at(vault.ref, evidence=evidence, **words)
    if not evidence:
        evidence = (f"the source holds {short(offered.pair)}, the vault {short(held.pair)}",)
    return vaults.VAULT_BEHIND_SOURCE.at(
        vault.ref, evidence=evidence, confidence=_confidence(snapshot, held, offered), **words
    )


def is_foreign(snapshot: Snapshot) -> bool:
    """Tell whether the vault holds a key that the store knows and the source never had."""
    held = snapshot.vault.pair if snapshot.vault else None
    verdict = snapshot.verdict(held)
    if held is None or verdict is None or held.pair in snapshot.memory.source_held:
        return False
    return verdict.answer in WORKS


def _confidence(snapshot: Snapshot, held: PairFacts, offered: PairFacts) -> Confidence:
    of_source, of_vault = snapshot.verdict(offered), snapshot.verdict(held)
    once_held = held.pair in snapshot.memory.source_held
    stale = once_held or (of_vault is not None and of_vault.refused)
    if of_source is not None and of_source.accepted and stale:
        return Confidence.CERTAIN
    if of_source is not None and of_source.refused:
        return Confidence.POSSIBLE
    return Confidence.LIKELY


def _labels(snapshot: Snapshot) -> PairKeys:
    spec = snapshot.spec.vault
    return spec.fields if isinstance(spec, OnePasswordVault) else snapshot.spec.secret.keys


CHECKS = (vault_has_a_fault, vault_is_not_allowed, vault_disagrees)
