# SPDX-License-Identifier: Apache-2.0
"""Stages 0 and 1: is there a source whose key works, and has it passed all four calls?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lokeys.core.findings.store_answers import SILENT, cause_of
from lokeys.core.findings.verdict import Answer, StoreVerdict
from lokeys.core.place import Hop, Ref
from lokeys.core.route.checks.pods import behind
from lokeys.core.route.checks.source import cause_of_missing, gaps_of_source, rook_is_stale
from lokeys.core.route.checks.wording import FLAW_CAUSES, spoils
from lokeys.core.route.key_state import Currency, Seen
from lokeys.core.route.model import RookSource, source_ref
from lokeys.core.route.plan.draft import Draft, Stop
from lokeys.core.route.plan.steps import Action, Policy, Step
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import SourceState, Unreadable, Why
from lokeys.core.route.trying import may_be_tried
from lokeys.core.sensitive import PairFacts

REFRESH_TAKES = timedelta(seconds=30)
"""Rook rewrites its Secret within a second; after this time it is asked again."""

REFRESH_AGAIN_AFTER = timedelta(minutes=10)


def plan_source(snapshot: Seen, policy: Policy) -> Draft | Stop:
    """Return the plan with the source's pair, tested if it is to be delivered."""
    if snapshot.rivals:
        return Stop(cause="two_writers", reason="another route is older and claims the same")
    source = snapshot.source
    if source is None or source.pair is None:
        return _no_pair(snapshot, source)
    if source.pair.blank:
        return Stop(cause="source_has_no_key", reason=f"{source.ref} has an empty half")
    verdict = snapshot.verdict(source.pair)
    if verdict is not None and verdict.refused:
        return _refused(snapshot, source, verdict)
    at_rest = agrees_everywhere(snapshot)
    flaws = spoils(source.pair, verdict)
    if flaws and not (at_rest and verdict is not None and verdict.accepted):
        return Stop(cause=FLAW_CAUSES[flaws[0]], reason=f"in {source.ref} {flaws[0].value}")
    course = Draft(snapshot=snapshot, policy=policy, pair=source.pair)
    if verdict is not None and not verdict.accepted and not (at_rest and verdict.answer in SILENT):
        return _undecided(course, source, verdict)
    if at_rest or (verdict is not None and verdict.trusted):
        return course
    if not may_be_tried(snapshot, source.pair.pair):
        reason = f"its owner has not allowed {source.ref} to be tried at the store's address"
        return Stop(cause="address_not_allowed", reason=reason)
    return course.then(_test(source.ref, source.pair))


def agrees_everywhere(snapshot: Seen) -> bool:
    """Tell whether there is nothing to deliver: all hops are equal, no pod is behind."""
    pair = snapshot.source.pair if snapshot.source else None
    if pair is None or snapshot.secret is None or snapshot.secret.pair.pair != pair.pair:
        return False
    held = snapshot.vault.pair if snapshot.vault else None
    return (held is None or held.pair == pair.pair) and not behind(snapshot)


def _test(ref: Ref, pair: PairFacts) -> Step:
    return Step(
        action=Action.TEST_KEY,
        hop=Hop.SOURCE,
        target=ref,
        why="a key is spread only after it has put, got, listed and deleted an object",
        changes="one probe object, removed at once",
        pair=pair.pair,
    )


def _no_pair(snapshot: Seen, source: SourceState | None) -> Stop:
    gaps = gaps_of_source(snapshot)
    for gap in gaps:
        if gap.why is Why.NOT_ALLOWED:
            reason = f"{gap.ref} does not allow namespace {snapshot.spec.namespace}"
            return Stop(cause="source_not_allowed", reason=reason)
        if gap.why is Why.ANOTHERS:
            reason = f"{gap.ref} was not made for {source_ref(snapshot.spec)}"
            return Stop(cause="k8s_secret_missing", reason=reason)
        if gap.why is Why.NOT_FOUND:
            return Stop(cause=cause_of_missing(gap), reason=f"{gap.ref} does not exist")
    if source is not None and (source.generated_blank or _reads_its_own_secret(source)):
        reason = f"{source.owner} sets spec.keys, so Rook blanks the Secret that is read here"
        return Stop(cause="rook_generated_secret_blank", reason=reason)
    if source is not None and source.live == ():
        return Stop(cause="source_has_no_key", reason=f"{source.owner} has no key at the store")
    if gaps:
        return Stop(steps=(unseen(gaps[0]),))
    why = "the source's pair cannot be told"
    return Stop(steps=(waiting(snapshot.spec.ref, Hop.SOURCE, why, look_again_s=15.0),))


def _reads_its_own_secret(source: SourceState) -> bool:
    return source.rook is not None and source.rook.reads_generated_secret


def _undecided(course: Draft, source: SourceState, verdict: StoreVerdict) -> Draft | Stop:
    """Plan for a store that does not say whether the key is valid, or has no such bucket."""
    bucket = course.snapshot.spec.bucket
    if verdict.answer is Answer.NO_BUCKET and bucket.create:
        create = Step(
            action=Action.CREATE_BUCKET,
            hop=Hop.STORE,
            target=Ref("Bucket", bucket.name),
            why="the key works, the bucket does not exist, and `bucket.create` allows it",
            changes=f"an empty bucket, owned by the user of {source.ref}",
            pair=course.pair.pair,
        )
        return course.then(create, _test(source.ref, course.pair))
    if verdict.answer not in SILENT:
        return Stop(cause=cause_of(verdict), reason=f"the store says: {verdict.answer}")
    why = f"the store did not answer clearly: {verdict.detail or verdict.answer}"
    return Stop(steps=(waiting(source.ref, Hop.STORE, why, look_again_s=15.0),))


def _refused(snapshot: Seen, source: SourceState, verdict: StoreVerdict) -> Stop:
    """Plan for a dead source: make Rook read RGW again, if allowed and harmless."""
    if verdict.answer is Answer.SUSPENDED or source.suspended:
        return Stop(cause="user_suspended", reason=f"{source.owner} is suspended at the store")
    if source.live == ():
        return Stop(cause="source_has_no_key", reason=f"{source.owner} has no key at the store")
    dead = Stop(cause="source_key_dead", reason=f"the store refuses the pair in {source.ref}")
    spec, rook = snapshot.spec.source, source.rook
    if not isinstance(spec, RookSource) or rook is None or not source.live:
        return dead
    if not rook_is_stale(snapshot, source):
        return dead
    stale = replace(dead, cause="rook_stale_user_secret")
    if not spec.refresh or not rook.applied or rook.uses_spec_keys or rook.deleting:
        return stale
    if not _refresh_is_harmless(snapshot, source.live):
        reason = "Rook would delete a key that a hop of this route holds"
        return replace(stale, reason=reason)
    asked = snapshot.memory.refreshed_source_at
    if asked is not None and snapshot.at - asked < REFRESH_TAKES:
        return Stop(steps=(waiting(source.ref, Hop.SOURCE, "Rook is reading RGW again"),))
    if asked is not None and snapshot.at - asked < REFRESH_AGAIN_AFTER:
        return replace(stale, reason=f"Rook was asked to read RGW again; {source.ref} is as it was")
    step = Step(
        action=Action.REFRESH_SOURCE,
        hop=Hop.SOURCE,
        target=source.ref,
        why="its pair is dead, RGW knows a live one, and Rook never looks again by itself",
        changes="one data key more in it, which Rook removes when it rewrites it",
        over=source.pair.pair if source.pair else None,
    )
    return Stop(steps=(step,))


def _refresh_is_harmless(snapshot: Seen, live: tuple[Slot, ...]) -> bool:
    """Tell whether Rook's reconcile (it deletes all keys but the smallest id) affects no hop.

    With one valid key it deletes none. With more, every hop must be known to hold none of the
    others: a hop that cannot be read counts against it, as does a pod that may run with any.
    """
    survivor = min(live, key=lambda key: key.order)
    doomed = {key.key_id for key in live} - {survivor.key_id}
    if not doomed:
        return True
    hops = (snapshot.vault, snapshot.secret) if snapshot.spec.vault else (snapshot.secret,)
    held = [hop.pair if hop is not None else None for hop in hops]
    if any(pair is None or pair.key_id in doomed for pair in held):
        return False
    content = snapshot.memory.content
    exact = content is not None and content.exact
    return all(
        key.works is False or (exact and key.currency is Currency.CURRENT)
        for key in snapshot.keys.values()
    )


def unseen(gap: Unreadable) -> Step:
    """Return the step that waits for what could not be read."""
    why = f"it cannot be read: {gap.why}"
    return waiting(gap.ref, gap.hop, why, look_again_s=15.0, gap=gap)


def waiting(  # noqa: PLR0913 - one argument per field
    target: Ref,
    hop: Hop,
    why: str,
    *,
    look_again_s: float = 2.0,
    watched: bool = False,
    gap: Unreadable | None = None,
) -> Step:
    """Return the step that waits for something and looks again."""
    return Step(
        action=Action.AWAIT,
        hop=hop,
        target=target,
        why=why,
        look_again_s=look_again_s,
        watched=watched,
        gap=gap,
    )
