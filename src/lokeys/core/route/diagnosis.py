# SPDX-License-Identifier: Apache-2.0
"""From findings to a diagnosis: causes first, the symptoms that they explain folded in.

A pod's 403s, failed flushes, unready containers and restarts are symptoms. Where a cause is found
that makes the store refuse what this pod holds, they are its evidence and nothing else is said of
them. Where none is found, 403s and log lines stand for themselves. Flushes, readiness and restarts
never stand alone: they may have a hundred reasons that are not storage credentials.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lokeys.core.findings.catalogue import delivery as delivery_rules
from lokeys.core.findings.catalogue import pods as pod_rules
from lokeys.core.findings.catalogue import reading as reading_rules
from lokeys.core.findings.catalogue import store as store_rules
from lokeys.core.findings.catalogue.complaints import RULE_OF_CAUSE, causes_that
from lokeys.core.findings.complaint import OfKey
from lokeys.core.findings.finding import Confidence, Finding, Severity, Symptom, less_sure, ranked
from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks import findings
from lokeys.core.route.checks.configuration import causes_of
from lokeys.core.route.checks.grouping import each_of, listed, place_of
from lokeys.core.route.checks.reading import grouped
from lokeys.core.route.checks.store import seen_from_here_alone
from lokeys.core.route.checks.wording import user_words
from lokeys.core.route.hops import HopView, hops
from lokeys.core.route.key_state import REFUSED_KEY_CAUSES, Currency, Seen, seen
from lokeys.core.route.model import source_ref
from lokeys.core.route.snapshot import PodState, Snapshot

KEY_CAUSES = causes_that(OfKey.REFUSED) | {
    "vault_behind_source",
    "vault_pair_torn",
    "vault_value_empty",
    "secret_behind_vault",
    "secret_behind_source",
    "secret_pair_torn",
    "config_behind_values",
    "secret_cannot_refresh",
    "secret_trailing_newline",
    "pods_behind_secret",
    "source_key_dead",
    "source_has_no_key",
    "rook_stale_user_secret",
    "rook_generated_secret_blank",
}
"""Causes that make the store refuse what a pod holds."""

STALE_HOPS = (Hop.SOURCE, Hop.VAULT, Hop.DELIVERY, Hop.VALUES, Hop.SECRET, Hop.PODS)

_FORBIDDING = frozenset(
    RULE_OF_CAUSE[cause].code for cause in causes_that(OfKey.MAYBE, OfKey.NOT_USED)
)
"""Findings that are no fault of the key, and with which requests are refused as well."""

_KEY_SYMPTOMS = frozenset(
    {
        pod_rules.REQUESTS_REFUSED.code,
        *(RULE_OF_CAUSE[cause].code for cause in REFUSED_KEY_CAUSES),
    }
)
_OF_THE_USER = frozenset(rule.code for rule in RULE_OF_CAUSE.values() if rule.hop is Hop.SOURCE)
"""Said of the user, whichever pod says it."""

_SIDE_EFFECTS = frozenset(
    {
        pod_rules.FLUSHES_FAIL.code,
        pod_rules.NOT_READY.code,
        pod_rules.PROBES_FAIL.code,
        pod_rules.RESTARTS.code,
    }
)
_COUNTED = _SIDE_EFFECTS | {pod_rules.REQUESTS_REFUSED.code}
_OF_CONFIGURATION = (
    _KEY_SYMPTOMS
    | _SIDE_EFFECTS
    | {
        store_rules.NO_CREDENTIALS.code,
        store_rules.BUCKET_NOT_FOUND.code,
        store_rules.ENDPOINT_UNREACHABLE.code,
    }
)
"""What shows where a key, a bucket or an address is only the name of a variable, or nothing."""


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
    look = seen(snapshot)
    causes = ranked(_no_surer_than_before(_without_echoes(tuple(findings(look)))))
    folded = tuple(_fold(causes, look))
    return Diagnosis(
        route=look.spec.route,
        hops=hops(look),
        findings=ranked(folded),
        complete=look.complete and not _untried(folded),
        not_read=tuple(str(gap) for gap in grouped(look) if gap.hides),
    )


def _untried(found: tuple[Finding, ...]) -> bool:
    """Tell whether the store's answer to a key was not to be had from here."""
    silence = reading_rules.UNREACHABLE_FROM_HERE.code
    return any(f.hop is Hop.STORE and (f.code == silence or seen_from_here_alone(f)) for f in found)


def _without_echoes(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Drop what External Secrets says of a fault that was seen at its origin."""
    echo = delivery_rules.DELIVERY_FAILS.code
    causes = {f.cause for f in found if f.code != echo}
    return tuple(f for f in found if f.code != echo or f.cause is None or f.cause not in causes)


def _no_surer_than_before(found: tuple[Finding, ...]) -> Iterator[Finding]:
    """Let no hop's staleness explain the failure more surely than that of a hop before it.

    That the pods differ from the Secret is certain; that this is the reason is not, while it is
    only likely that the vault in front of both is behind.
    """
    surest = Confidence.CERTAIN
    for hop in STALE_HOPS:
        here = [f for f in found if f.hop is hop and f.is_error and f.cause in KEY_CAUSES]
        yield from (replace(f, confidence=less_sure(f.confidence, surest)) for f in here)
        surest = functools.reduce(less_sure, (f.confidence for f in here), surest)
    yield from (
        f for f in found if not (f.hop in STALE_HOPS and f.is_error and f.cause in KEY_CAUSES)
    )


@dataclass(slots=True)
class _Unexplained:
    """A symptom that nothing explains: which pods of a workload show it, and what goes with it.

    Eight pods with one trouble are one finding.
    """

    pods: list[tuple[PodState, Symptom]] = field(default_factory=list)
    others: list[Symptom] = field(default_factory=list)


def _fold(causes: tuple[Finding, ...], snapshot: Seen) -> Iterator[Finding]:
    """Give each pod's symptoms to the first cause that explains them."""
    given: dict[str, list[Symptom]] = {}
    left: dict[tuple[str, Ref | None], _Unexplained] = {}
    for pod in snapshot.pods:
        alone: dict[str, _Unexplained] = {}
        logged_first = sorted(_merged(list(_symptoms(pod))), key=lambda s: s.code in _COUNTED)
        for symptom in logged_first:
            taker = _explanation(symptom.code, pod, snapshot, causes)
            more = next((code for code in alone if _tells_more(code, symptom)), None)
            if taker is not None:
                given.setdefault(taker.id, []).append(symptom)
            elif more is not None:
                alone[more].others.append(symptom)
            elif symptom.code not in _SIDE_EFFECTS:
                place = None if symptom.code in _OF_THE_USER else pod.workload
                same = left.setdefault((symptom.code, place), _Unexplained())
                same.pods.append((pod, symptom))
                alone[symptom.code] = same
    for finding in causes:
        yield finding.with_symptoms(_merged(given.get(finding.id, [])))
    for told in left.values():
        yield _alone(told.pods, snapshot).with_symptoms(_merged(told.others))


def _explanation(
    code: str, pod: PodState, snapshot: Seen, causes: tuple[Finding, ...]
) -> Finding | None:
    """Return the best error that explains a symptom of this pod."""
    wrong = causes_of(snapshot.loki(pod))
    settings = next((f for f in causes if f.is_error and f.cause in wrong), None)
    if settings is not None and code in _OF_CONFIGURATION:
        return settings
    keys = [f for f in causes if f.is_error and f.cause in KEY_CAUSES]
    own = [f for f in keys if f.object == pod.ref]
    key = next(iter(own or keys), None) if own or not _key_is_fine(pod, snapshot) else None
    same = next((f for f in causes if f.is_error and f.code == code), None)
    forbids = next((f for f in causes if f.is_error and f.code in _FORBIDDING), None)
    store = next((f for f in causes if f.is_error and f.hop is Hop.STORE), None)
    if code in _KEY_SYMPTOMS:
        return key or same or forbids
    if code not in _SIDE_EFFECTS:
        return same
    works = snapshot.key(pod).works
    if works is False:
        return key or forbids or store
    return None if works and not pod.log else store


def _key_is_fine(pod: PodState, snapshot: Seen) -> bool:
    """Tell whether the pod surely holds a pair that the store takes, so no key is its trouble."""
    verdict = snapshot.verdict(snapshot.secret.pair) if snapshot.secret else None
    accepted = verdict is not None and verdict.accepted
    return accepted and snapshot.key(pod).currency is Currency.CURRENT


def _tells_more(code: str, symptom: Symptom) -> bool:
    """Tell whether what the pod's log says already covers its counters."""
    if symptom.code in _SIDE_EFFECTS:
        return True
    refused = symptom.code == pod_rules.REQUESTS_REFUSED.code
    return refused and code in _KEY_SYMPTOMS | _FORBIDDING


def _symptoms(pod: PodState) -> Iterator[Symptom]:
    for line in (*pod.log, *pod.last_words):
        code = RULE_OF_CAUSE[line.cause].code
        yield Symptom(code=code, count=line.count, first_seen=line.first_at, last_seen=line.last_at)
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


def _alone(shown: list[tuple[PodState, Symptom]], snapshot: Snapshot) -> Finding:
    """Return a finding for a symptom that nothing explains, of one workload's pods."""
    pods, code = [pod for pod, _ in shown], shown[0][1].code
    if code == pod_rules.REQUESTS_REFUSED.code:
        said = "storage request(s) refused with 403 since it started"
        return pod_rules.REQUESTS_REFUSED.at(
            place_of(pods),
            route=snapshot.spec.route,
            confidence=Confidence.POSSIBLE,
            evidence=(
                *each_of(pods, [f"{symptom.count} {said}" for _, symptom in shown]),
                "causes that would fit: the key, its permissions, or a bucket policy",
            ),
            namespace=snapshot.spec.namespace,
            name=snapshot.spec.name,
        )
    rule = next(rule for rule in RULE_OF_CAUSE.values() if rule.code == code)
    lines = [f"{symptom.count} line(s) in its log say so" for _, symptom in shown]
    place, hop, evidence = place_of(pods), Hop.PODS, each_of(pods, lines)
    if code in _OF_THE_USER:
        place, hop = source_ref(snapshot.spec), Hop.SOURCE
        evidence = listed([f"{s.count} line(s) in the log of {pod.ref} say so" for pod, s in shown])
    return rule.at(
        place,
        route=snapshot.spec.route,
        confidence=Confidence.LIKELY,
        evidence=evidence,
        hop=hop,
        detail=" (as its log says)",
        **user_words(snapshot.spec),
    )
