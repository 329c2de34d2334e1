# SPDX-License-Identifier: Apache-2.0
"""The store's answer to the pair that is delivered to Loki.

What the store says about a key holds from everywhere. Other answers depend on the path to it: a
proxy, the trusted certificate authorities, this machine's clock, a policy that names networks.
Loki's path differs, so these are errors only if Loki's own requests fail, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.findings.catalogue import store as rules
from lokeys.core.findings.catalogue.sources import USER_SUSPENDED
from lokeys.core.findings.finding import Confidence, Finding, Remedy, Rule, Severity
from lokeys.core.findings.store_answers import RULE_OF_ANSWER, rule_of
from lokeys.core.findings.verdict import Answer, StoreVerdict
from lokeys.core.place import Ref
from lokeys.core.route.checks.delivery import expected
from lokeys.core.route.checks.wording import user_words
from lokeys.core.route.key_state import Seen
from lokeys.core.route.model import source_ref
from lokeys.core.route.snapshot import Snapshot
from lokeys.core.sensitive import PairFacts


def bucket_ref(snapshot: Snapshot) -> Ref:
    """Return how findings name the bucket."""
    bucket = snapshot.spec.bucket
    return Ref("Bucket", f"{bucket.endpoint.rstrip('/')}/{bucket.name}")


_OF_THE_WAY = frozenset(
    {
        Answer.NOT_S3,
        Answer.TLS_UNKNOWN_AUTHORITY,
        Answer.TLS_NAME_MISMATCH,
        Answer.TLS_SCHEME_MISMATCH,
        Answer.CLOCK_SKEW,
    }
)
"""Answers that Loki need not get: its trusted authorities and its path differ."""

_OF_THE_ASKER = frozenset({Answer.DENIED, Answer.WRONG_REGION})
"""Answers of the store that depend on how it is asked, and from where."""

_ASK_THERE = Remedy(
    text="ask from where Loki runs: run lokeys in a pod, or go past the proxy (NO_PROXY) and trust "
    "what Loki trusts (`spec.bucket.caBundle`)"
)

_CODES_OF_THE_WAY = frozenset(RULE_OF_ANSWER[each].code for each in _OF_THE_WAY | _OF_THE_ASKER)


def store_refuses(snapshot: Seen) -> Iterator[Finding]:
    """The store's answers that are not about the key itself: one finding per answer."""
    told: set[Answer] = set()
    for where, pair in _held(snapshot):
        verdict = snapshot.verdict(pair)
        if verdict is None or verdict.refused or verdict.answer in told:
            continue
        if verdict.answer in RULE_OF_ANSWER:
            told.add(verdict.answer)
            yield _finding(rule_of(verdict), snapshot, verdict, asked_with=where)


def seen_from_here_alone(finding: Finding) -> bool:
    """Tell whether only lokeys has seen this problem, so that the key could not be tested."""
    return finding.code in _CODES_OF_THE_WAY and finding.severity is Severity.WARNING


def _weight(snapshot: Seen, verdict: StoreVerdict) -> tuple[Severity, Confidence, str]:
    """Return how bad an answer is, how certain that is, and why, given Loki's own requests."""
    rule = rule_of(verdict)
    works = [snapshot.key(pod).works for pod in snapshot.pods]
    if verdict.answer in _OF_THE_WAY:
        if any(line.cause == rule.cause for pod in snapshot.pods for line in pod.log):
            return rule.severity, Confidence.CERTAIN, "Loki's log says the same"
        return (
            Severity.WARNING,
            Confidence.LIKELY,
            "seen from where lokeys runs: Loki may get another answer",
        )
    if verdict.answer in _OF_THE_ASKER and False not in works:
        if works and all(works) and verdict.action in ("", "list"):
            return Severity.WARNING, Confidence.LIKELY, "Loki's own requests are answered"
        return rule.severity, Confidence.LIKELY, ""
    return rule.severity, Confidence.CERTAIN, ""


def _held(snapshot: Snapshot) -> Iterator[tuple[Ref, PairFacts | None]]:
    """Yield what the hops hold, starting with the one that Loki reads."""
    for hop in (snapshot.secret, snapshot.source, snapshot.vault):
        if hop is not None:
            yield hop.ref, hop.pair


def delivered_key_is_refused(snapshot: Seen) -> Iterator[Finding]:
    """The store refuses the Secret's pair, and no difference from an earlier hop explains that."""
    secret = snapshot.secret
    verdict = snapshot.verdict(secret.pair) if secret else None
    if secret is None or verdict is None or not verdict.refused or secret.pair.flaws:
        return
    before = expected(snapshot)
    source = snapshot.source.pair if snapshot.source else None
    if source is not None or (before is not None and before.pair != secret.pair.pair):
        return  # the source's own key is dead, or an older pair: reported where it becomes stale
    if verdict.answer is Answer.SUSPENDED:
        user = source_ref(snapshot.spec)
        yield USER_SUSPENDED.at(user, route=snapshot.spec.route, **user_words(snapshot.spec))
    else:
        yield _finding(rule_of(verdict), snapshot, verdict, asked_with=secret.ref)


def _finding(rule: Rule, snapshot: Seen, verdict: StoreVerdict, *, asked_with: Ref) -> Finding:
    severity, confidence, why = _weight(snapshot, verdict)
    of_the_way = verdict.answer in _OF_THE_WAY and severity is Severity.WARNING
    words = [f"{verdict.action} was refused"] if verdict.action else []
    words += [verdict.detail] if verdict.detail else []
    detail = "; ".join(words)
    if rule is rules.STORE_UNSPECIFIC:
        detail = detail or verdict.answer
    elif detail:
        detail = f" ({detail})"
    return rule.at(
        bucket_ref(snapshot),
        route=snapshot.spec.route,
        severity=severity,
        confidence=confidence,
        cause=verdict.cause or None,
        evidence=(
            f"asked with the key of {asked_with}: {verdict.answer}",
            *([why] if why else []),
        ),
        remedy=(_ASK_THERE, *rule.remedy) if of_the_way else None,
        detail=detail,
    )


CHECKS = (store_refuses, delivered_key_is_refused)
