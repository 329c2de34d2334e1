# SPDX-License-Identifier: Apache-2.0
"""Symptoms of pods that are not causes, and the cause that each is assigned to.

A pod's 403s, failed flushes, unready containers and restarts are symptoms. If nothing explains
them, 403s and log lines are reported by themselves. Flushes, readiness and restarts never are: they
may have a hundred reasons other than storage credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from lokeys.core.findings.catalogue import pods as pod_rules
from lokeys.core.findings.catalogue import store as store_rules
from lokeys.core.findings.catalogue.complaints import RULE_OF_CAUSE, causes_that
from lokeys.core.findings.complaint import OfKey
from lokeys.core.findings.finding import Confidence, Finding, Symptom
from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks.configuration import Lokis, causes_of
from lokeys.core.route.checks.grouping import each_of, listed, place_of
from lokeys.core.route.checks.wording import user_words
from lokeys.core.route.key_state import REFUSED_KEY_CAUSES
from lokeys.core.route.model import RouteSpec, source_ref
from lokeys.core.route.snapshot import PodState

FORBIDDING = frozenset(
    RULE_OF_CAUSE[cause].code for cause in causes_that(OfKey.MAYBE, OfKey.NOT_USED)
)
"""Findings that are not faults of the key, and that also make requests fail."""

KEY_SYMPTOMS = frozenset(
    {
        pod_rules.REQUESTS_REFUSED.code,
        *(RULE_OF_CAUSE[cause].code for cause in REFUSED_KEY_CAUSES),
    }
)
_OF_THE_USER = frozenset(rule.code for rule in RULE_OF_CAUSE.values() if rule.hop is Hop.SOURCE)
"""About the user, whichever pod reports it."""

SIDE_EFFECTS = frozenset(
    {
        pod_rules.FLUSHES_FAIL.code,
        pod_rules.NOT_READY.code,
        pod_rules.PROBES_FAIL.code,
        pod_rules.RESTARTS.code,
    }
)
_COUNTED = SIDE_EFFECTS | {pod_rules.REQUESTS_REFUSED.code}
OF_CONFIGURATION = (
    KEY_SYMPTOMS
    | SIDE_EFFECTS
    | {
        store_rules.NO_CREDENTIALS.code,
        store_rules.BUCKET_NOT_FOUND.code,
        store_rules.ENDPOINT_UNREACHABLE.code,
    }
)
"""Symptoms of a key, bucket or address that is only a variable's name, or empty."""

Explain = Callable[[str, PodState], Finding | None]
"""Returns the finding that explains a symptom of a pod, by the symptom's code."""


@dataclass(slots=True)
class _Unexplained:
    """A symptom that nothing explains: which pods of a workload show it, and its details.

    Eight pods with the same problem are one finding.
    """

    pods: list[tuple[PodState, Symptom]] = field(default_factory=list)
    others: list[Symptom] = field(default_factory=list)


def fold(
    causes: Sequence[Finding], pods: Iterable[PodState], explain: Explain, spec: RouteSpec | None
) -> Iterator[Finding]:
    """Yield the causes with the symptoms that they explain, and the symptoms that remain."""
    given: dict[str, list[Symptom]] = {}
    left: dict[tuple[str, Ref | None], _Unexplained] = {}
    for pod in pods:
        alone: dict[str, _Unexplained] = {}
        logged_first = sorted(_merged(list(_symptoms(pod))), key=lambda s: s.code in _COUNTED)
        for symptom in logged_first:
            taker = explain(symptom.code, pod)
            more = next((code for code in alone if _tells_more(code, symptom)), None)
            if taker is not None:
                given.setdefault(taker.id, []).append(symptom)
            elif more is not None:
                alone[more].others.append(symptom)
            elif symptom.code not in SIDE_EFFECTS:
                of_user = symptom.code in _OF_THE_USER and spec is not None
                same = left.setdefault(
                    (symptom.code, None if of_user else pod.workload), _Unexplained()
                )
                same.pods.append((pod, symptom))
                alone[symptom.code] = same
    for finding in causes:
        yield finding.with_symptoms(_merged(given.get(finding.id, [])))
    for told in left.values():
        yield _alone(told.pods, spec).with_symptoms(_merged(told.others))


def of_unrouted(
    causes: Sequence[Finding], pods: Iterable[PodState], lokis: Lokis
) -> Iterator[Finding]:
    """Yield the symptoms of pods whose Loki has no route; `causes`: its configuration errors.

    Nothing is known about their key, so only the configuration can explain their symptoms.
    """

    def explain(code: str, pod: PodState) -> Finding | None:
        wrong = causes_of(lokis.get(pod.workload))
        fitting = (f for f in causes if f.is_error and f.cause in wrong)
        return next(fitting, None) if code in OF_CONFIGURATION else None

    return fold(causes, pods, explain, None)


def _tells_more(code: str, symptom: Symptom) -> bool:
    """Tell whether the pod's log already covers its counters."""
    if symptom.code in SIDE_EFFECTS:
        return True
    refused = symptom.code == pod_rules.REQUESTS_REFUSED.code
    return refused and code in KEY_SYMPTOMS | FORBIDDING


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


def _alone(shown: list[tuple[PodState, Symptom]], spec: RouteSpec | None) -> Finding:
    """Return a finding for a symptom that nothing explains, of one workload's pods."""
    pods, code = [pod for pod, _ in shown], shown[0][1].code
    route = spec.route if spec else None
    if code == pod_rules.REQUESTS_REFUSED.code:
        said = "storage request(s) refused with 403 since it started"
        refused = pod_rules.REQUESTS_REFUSED
        refusals = refused if spec else replace(refused, remedy=(pod_rules.SEE_WHERE_FROM,))
        return refusals.at(
            place_of(pods),
            route=route,
            confidence=Confidence.POSSIBLE,
            evidence=(
                *each_of(pods, [f"{symptom.count} {said}" for _, symptom in shown]),
                "causes that would fit: the key, its permissions, or a bucket policy",
            ),
            namespace=pods[0].ref.namespace,
            name=spec.name if spec else "",
            workload=pods[0].workload.path.lower(),
        )
    rule = next(rule for rule in RULE_OF_CAUSE.values() if rule.code == code)
    lines = [f"{symptom.count} line(s) in its log say so" for _, symptom in shown]
    place, hop, evidence = place_of(pods), Hop.PODS, each_of(pods, lines)
    if code in _OF_THE_USER and spec is not None:
        place, hop = source_ref(spec), Hop.SOURCE
        evidence = listed([f"{s.count} line(s) in the log of {pod.ref} say so" for pod, s in shown])
    return rule.at(
        place,
        route=route,
        confidence=Confidence.LIKELY,
        evidence=evidence,
        hop=hop,
        detail=" (as its log says)",
        **(user_words(spec) if spec else {}),
    )
