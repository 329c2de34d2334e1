# SPDX-License-Identifier: Apache-2.0
"""From findings to a diagnosis: causes first, with the symptoms that they explain folded in.

A pod's 403s, failed flushes, unready containers and restarts are symptoms. If a cause is found for
which the store refuses what this pod holds, they become its evidence and are not reported again. If
none is found, 403s and log lines are reported by themselves. Flushes, readiness and restarts never
are: they may have a hundred reasons other than storage credentials.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lokeys.core.findings.catalogue import delivery as delivery_rules
from lokeys.core.findings.catalogue import reading as reading_rules
from lokeys.core.findings.catalogue.complaints import causes_that
from lokeys.core.findings.complaint import OfKey
from lokeys.core.findings.finding import Confidence, Finding, Severity, less_sure, ranked
from lokeys.core.place import Hop
from lokeys.core.route.checks import findings
from lokeys.core.route.checks.configuration import causes_of
from lokeys.core.route.checks.reading import grouped
from lokeys.core.route.checks.store import seen_from_here_alone
from lokeys.core.route.hops import HopView, hops
from lokeys.core.route.key_state import Currency, Seen, seen
from lokeys.core.route.rotation.gates import carries_both
from lokeys.core.route.snapshot import PodState, Snapshot
from lokeys.core.route.symptoms import (
    FORBIDDING,
    KEY_SYMPTOMS,
    OF_CONFIGURATION,
    SIDE_EFFECTS,
    fold,
)

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
"""Causes for which the store refuses what a pod holds."""

DIFFERENCES = frozenset(
    {
        "vault_behind_source",
        "secret_behind_vault",
        "secret_behind_source",
        "secret_cannot_refresh",
        "pods_behind_secret",
    }
)
"""Causes that only say that two hops differ."""

STALE_HOPS = (Hop.SOURCE, Hop.VAULT, Hop.DELIVERY, Hop.VALUES, Hop.SECRET, Hop.PODS)


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
        """Return the first error: the best explanation."""
        return next((f for f in self.findings if f.severity is Severity.ERROR), None)


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Return the diagnosis of one snapshot of a route."""
    look = seen(snapshot)
    found = _without_purpose(tuple(findings(look)), look)
    causes = ranked(_no_surer_than_before(_without_echoes(found)))
    folded = tuple(_folded(causes, look))
    return Diagnosis(
        route=look.spec.route,
        hops=hops(look),
        findings=ranked(folded),
        complete=look.complete and not _untried(folded),
        not_read=tuple(str(gap) for gap in grouped(look) if gap.hides),
    )


def _untried(found: tuple[Finding, ...]) -> bool:
    """Tell whether the store's answer to a key was not available from here."""
    silence = reading_rules.UNREACHABLE_FROM_HERE.code
    return any(f.hop is Hop.STORE and (f.code == silence or seen_from_here_alone(f)) for f in found)


def _without_purpose(found: tuple[Finding, ...], look: Seen) -> tuple[Finding, ...]:
    """Drop what a rotation does on purpose, as long as every key that a hop holds works."""
    if not carries_both(look):
        return found
    return tuple(each for each in found if each.cause not in DIFFERENCES)


def _without_echoes(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Drop what External Secrets reports about a fault that was seen at its origin."""
    echo = delivery_rules.DELIVERY_FAILS.code
    causes = {f.cause for f in found if f.code != echo}
    return tuple(f for f in found if f.code != echo or f.cause is None or f.cause not in causes)


def _no_surer_than_before(found: tuple[Finding, ...]) -> Iterator[Finding]:
    """Limit a stale hop's confidence as an explanation to that of the hop before it.

    It is certain that the pods differ from the Secret. That this is the reason is not, as long as
    it is only likely that the vault before both is stale.
    """
    surest = Confidence.CERTAIN
    for hop in STALE_HOPS:
        here = [f for f in found if f.hop is hop and f.is_error and f.cause in KEY_CAUSES]
        yield from (replace(f, confidence=less_sure(f.confidence, surest)) for f in here)
        surest = functools.reduce(less_sure, (f.confidence for f in here), surest)
    yield from (
        f for f in found if not (f.hop in STALE_HOPS and f.is_error and f.cause in KEY_CAUSES)
    )


def _folded(causes: tuple[Finding, ...], snapshot: Seen) -> Iterator[Finding]:
    """Add each pod's symptoms to the first cause that explains them."""

    def explain(code: str, pod: PodState) -> Finding | None:
        return _explanation(code, pod, snapshot, causes)

    return fold(causes, snapshot.pods, explain, snapshot.spec)


def _explanation(
    code: str, pod: PodState, snapshot: Seen, causes: tuple[Finding, ...]
) -> Finding | None:
    """Return the best error that explains a symptom of this pod."""
    wrong = causes_of(snapshot.loki(pod))
    settings = next((f for f in causes if f.is_error and f.cause in wrong), None)
    if settings is not None and code in OF_CONFIGURATION:
        return settings
    keys = [f for f in causes if f.is_error and f.cause in KEY_CAUSES]
    own = [f for f in keys if f.object == pod.ref]
    key = next(iter(own or keys), None) if own or not _key_is_fine(pod, snapshot) else None
    same = next((f for f in causes if f.is_error and f.code == code), None)
    forbids = next((f for f in causes if f.is_error and f.code in FORBIDDING), None)
    store = next((f for f in causes if f.is_error and f.hop is Hop.STORE), None)
    if code in KEY_SYMPTOMS:
        return key or same or forbids
    if code not in SIDE_EFFECTS:
        return same
    works = snapshot.key(pod).works
    if works is False:
        return key or forbids or store
    return None if works and not pod.log else store


def _key_is_fine(pod: PodState, snapshot: Seen) -> bool:
    """Tell whether the pod certainly holds a pair that the store accepts, so no key is at fault."""
    verdict = snapshot.verdict(snapshot.secret.pair) if snapshot.secret else None
    accepted = verdict is not None and verdict.accepted
    return accepted and snapshot.key(pod).currency is Currency.CURRENT
