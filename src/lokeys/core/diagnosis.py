# SPDX-License-Identifier: Apache-2.0
"""From findings to a diagnosis: causes first, the symptoms that they explain folded in.

A pod's 403s, failed flushes, unready containers and restarts are symptoms. Where a cause is found
that makes the store refuse keys, they are its evidence and nothing else is said of them. Where none
is found they stand for themselves, with the causes that would fit. Readiness and restarts never
stand alone: they may have a hundred reasons that are not storage credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lokeys.core.catalogue import pods as pod_rules
from lokeys.core.catalogue import store as store_rules
from lokeys.core.checks import findings
from lokeys.core.currency import storage_works
from lokeys.core.finding import Confidence, Finding, Rule, Severity, Symptom, ranked
from lokeys.core.model import Hop
from lokeys.core.route import HopView, hops
from lokeys.core.snapshot import PodState, Snapshot

KEY_CAUSES = frozenset(
    {
        "vault_behind_source",
        "vault_pair_torn",
        "vault_value_empty",
        "secret_behind_vault",
        "secret_behind_source",
        "secret_pair_torn",
        "secret_cannot_refresh",
        "secret_trailing_newline",
        "secret_key_mismatch",
        "access_key_unknown",
        "pods_behind_secret",
        "source_key_dead",
        "source_has_no_key",
        "rook_stale_user_secret",
        "rook_generated_secret_blank",
        "user_suspended",
    }
)
"""Causes that make the store refuse what a pod holds."""

LOG_RULES: dict[str, Rule] = {
    "access_key_unknown": store_rules.ACCESS_KEY_UNKNOWN,
    "secret_key_mismatch": store_rules.SECRET_KEY_MISMATCH,
    "s3_access_denied_policy": store_rules.ACCESS_DENIED,
    "bucket_not_found": store_rules.BUCKET_NOT_FOUND,
    "object_store_full": store_rules.OBJECT_STORE_FULL,
    "clock_skew": store_rules.CLOCK_SKEW,
    "wrong_region": store_rules.WRONG_REGION,
    "endpoint_unreachable": store_rules.ENDPOINT_UNREACHABLE,
    "tls_unknown_authority": store_rules.TLS_UNKNOWN_AUTHORITY,
    "tls_name_mismatch": store_rules.TLS_NAME_MISMATCH,
    "tls_scheme_mismatch": store_rules.TLS_SCHEME_MISMATCH,
}
"""The rule for each complaint that is read from Loki's log."""

_KEY_SYMPTOMS = frozenset(
    {
        store_rules.ACCESS_KEY_UNKNOWN.code,
        store_rules.SECRET_KEY_MISMATCH.code,
        store_rules.ACCESS_DENIED.code,
        pod_rules.REQUESTS_REFUSED.code,
    }
)
_SIDE_EFFECTS = frozenset(
    {
        pod_rules.FLUSHES_FAIL.code,
        pod_rules.NOT_READY.code,
        pod_rules.PROBES_FAIL.code,
        pod_rules.RESTARTS.code,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is wrong with a route, best explanation first, and the route itself."""

    route: str
    hops: tuple[HopView, ...]
    findings: tuple[Finding, ...]
    complete: bool
    not_read: tuple[str, ...] = ()

    @property
    def cause(self) -> Finding | None:
        """Return the first error: the best explanation there is."""
        return next((f for f in self.findings if f.severity is Severity.ERROR), None)


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Return the diagnosis of one look at a route."""
    causes = ranked(_without_echoes(tuple(findings(snapshot))))
    folded = tuple(_fold(causes, snapshot))
    return Diagnosis(
        route=snapshot.spec.route,
        hops=hops(snapshot),
        findings=ranked(folded),
        complete=snapshot.complete and not _store_silent(folded),
        not_read=tuple(f"{gap.ref}: {gap.why}" for gap in snapshot.unreadable),
    )


def _store_silent(found: tuple[Finding, ...]) -> bool:
    return any(f.code == "LK1003" and f.hop is Hop.STORE for f in found)


def _without_echoes(found: tuple[Finding, ...]) -> Iterator[Finding]:
    """Drop what External Secrets says of a fault that was seen at its origin."""
    causes = {f.cause for f in found if f.code != "LK0508"}
    return (f for f in found if f.code != "LK0508" or f.cause is None or f.cause not in causes)


def _fold(causes: tuple[Finding, ...], snapshot: Snapshot) -> Iterator[Finding]:
    """Give each pod's symptoms to the first cause that explains them."""
    symptoms = [(pod, _symptoms(pod)) for pod in snapshot.pods]
    explained_by = _explaining(causes)
    left: list[Finding] = []
    given: dict[str, list[Symptom]] = {}
    for pod, seen in symptoms:
        for symptom in seen:
            taker = explained_by(symptom.code)
            if taker is not None and _in_trouble(pod):
                given.setdefault(taker.id, []).append(symptom)
            elif symptom.code not in _SIDE_EFFECTS:
                left.append(_alone(pod, symptom, snapshot))
    taken: set[str] = set()
    for finding in (*causes, *left):
        share = given.get(finding.id, []) if finding.id not in taken else []
        taken.add(finding.id)
        yield finding.with_symptoms(_merged(share))


def _explaining(causes: tuple[Finding, ...]) -> Callable[[str], Finding | None]:
    """Return a function that names the cause which explains a symptom's code."""
    key = next((f for f in causes if f.is_error and f.cause in KEY_CAUSES), None)

    def explains(code: str) -> Finding | None:
        if code in _KEY_SYMPTOMS:
            return key
        same = next((f for f in causes if f.is_error and f.code == code), None)
        if code in _SIDE_EFFECTS:
            return key or next((f for f in causes if f.is_error and f.hop is Hop.STORE), None)
        return same

    return explains


def _in_trouble(pod: PodState) -> bool:
    """Tell whether the pod's storage really suffers; else its restarts are another story."""
    return storage_works(pod) is not True or bool(pod.log)


def _symptoms(pod: PodState) -> Iterator[Symptom]:
    for line in pod.log:
        rule = LOG_RULES.get(line.cause)
        if rule is not None:
            yield Symptom(
                code=rule.code, count=line.count, first_seen=line.first_at, last_seen=line.last_at
            )
    counters = (
        (pod_rules.REQUESTS_REFUSED, pod.metrics.refused if pod.metrics else 0),
        (pod_rules.FLUSHES_FAIL, pod.metrics.flush_failures if pod.metrics else 0),
        (pod_rules.NOT_READY, 0 if pod.ready else 1),
        (pod_rules.PROBES_FAIL, pod.probe_failures),
        (pod_rules.RESTARTS, pod.restarts),
    )
    for rule, count in counters:
        if count:
            yield Symptom(code=rule.code, count=count)


def _merged(symptoms: list[Symptom]) -> Iterator[Symptom]:
    """Add up equal symptoms of several pods."""
    for code in sorted({symptom.code for symptom in symptoms}):
        same = [symptom for symptom in symptoms if symptom.code == code]
        firsts = [s.first_seen for s in same if s.first_seen]
        lasts = [s.last_seen for s in same if s.last_seen]
        yield Symptom(
            code=code,
            count=sum(symptom.count for symptom in same),
            first_seen=min(firsts) if firsts else None,
            last_seen=max(lasts) if lasts else None,
        )


def _alone(pod: PodState, symptom: Symptom, snapshot: Snapshot) -> Finding:
    """Return a finding for a symptom that nothing explains."""
    if symptom.code == pod_rules.REQUESTS_REFUSED.code:
        return pod_rules.REQUESTS_REFUSED.at(
            pod.ref,
            route=snapshot.spec.route,
            confidence=Confidence.POSSIBLE,
            evidence=("causes that would fit: the key, its permissions, or a bucket policy",),
            count=symptom.count,
        )
    rule = next(rule for rule in LOG_RULES.values() if rule.code == symptom.code)
    return rule.at(
        pod.ref,
        route=snapshot.spec.route,
        confidence=Confidence.LIKELY,
        evidence=(f"{symptom.count} line(s) in its log say so",),
        hop=Hop.PODS,
        detail=" (as its log says)",
    )
