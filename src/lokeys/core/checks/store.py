# SPDX-License-Identifier: Apache-2.0
"""The store's answer to the pair that Loki is handed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lokeys.core.catalogue import store as rules
from lokeys.core.checks.delivery import expected
from lokeys.core.finding import Finding, Rule
from lokeys.core.model import Ref
from lokeys.core.snapshot import Answer, Snapshot, StoreVerdict

RULE_OF_ANSWER: Mapping[Answer, Rule] = {
    Answer.UNKNOWN_KEY: rules.ACCESS_KEY_UNKNOWN,
    Answer.WRONG_SECRET: rules.SECRET_KEY_MISMATCH,
    Answer.NOT_VALID: rules.KEY_NOT_VALID,
    Answer.DENIED: rules.ACCESS_DENIED,
    Answer.NO_BUCKET: rules.BUCKET_NOT_FOUND,
    Answer.FULL: rules.OBJECT_STORE_FULL,
    Answer.CLOCK_SKEW: rules.CLOCK_SKEW,
    Answer.WRONG_REGION: rules.WRONG_REGION,
    Answer.NOT_S3: rules.NOT_S3_API,
    Answer.TLS_UNKNOWN_AUTHORITY: rules.TLS_UNKNOWN_AUTHORITY,
    Answer.TLS_NAME_MISMATCH: rules.TLS_NAME_MISMATCH,
    Answer.TLS_SCHEME_MISMATCH: rules.TLS_SCHEME_MISMATCH,
    Answer.UNSPECIFIC: rules.STORE_UNSPECIFIC,
}
"""SUSPENDED is the source's finding; UNREACHABLE from here is a gap, told by `reading`."""


def bucket_ref(snapshot: Snapshot) -> Ref:
    """Return how findings name the bucket."""
    bucket = snapshot.spec.bucket
    return Ref("Bucket", f"{bucket.endpoint.rstrip('/')}/{bucket.name}")


def store_refuses(snapshot: Snapshot) -> Iterator[Finding]:
    """The store's answers that concern every key: one finding an answer."""
    answers = {
        verdict.answer: verdict
        for verdict in snapshot.verdicts.values()
        if not (verdict.accepted or verdict.refused)
    }
    for answer, verdict in sorted(answers.items()):
        rule = RULE_OF_ANSWER.get(answer)
        if rule is not None:
            yield _finding(rule, snapshot, verdict)


def delivered_key_is_refused(snapshot: Snapshot) -> Iterator[Finding]:
    """The store refuses the Secret's pair, and no hop before it explains that by differing."""
    held = snapshot.secret.pair if snapshot.secret else None
    verdict = snapshot.verdict(held)
    if held is None or verdict is None or not verdict.refused or held.flaws:
        return
    before = expected(snapshot)
    source = snapshot.source.pair if snapshot.source else None
    if any(other is not None and other.pair != held.pair for other in (before, source)):
        return  # an older pair: told where it goes stale
    if source is not None:
        return  # the source's own key is dead: told there
    rule = RULE_OF_ANSWER.get(verdict.answer)
    if rule is not None:
        yield _finding(rule, snapshot, verdict)


def _finding(rule: Rule, snapshot: Snapshot, verdict: StoreVerdict) -> Finding:
    words = []
    if verdict.action:
        words.append(f"{verdict.action} was refused")
    if verdict.detail:
        words.append(verdict.detail)
    detail = "; ".join(words)
    if rule is not rules.STORE_UNSPECIFIC and detail:
        detail = f" ({detail})"
    return rule.at(bucket_ref(snapshot), route=snapshot.spec.route, detail=detail)


CHECKS = (store_refuses, delivered_key_is_refused)
