# SPDX-License-Identifier: Apache-2.0
"""Stages 0 and 1: is there a source whose key works, and has it passed all four calls?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lokeys.core.checks.pods import behind
from lokeys.core.checks.wording import malformed
from lokeys.core.model import Hop, Ref, RookSource
from lokeys.core.plan.course import Course, Stop
from lokeys.core.plan.steps import Action, Step
from lokeys.core.sensitive import PairFacts
from lokeys.core.snapshot import Answer, LiveKey, Snapshot, SourceState, StoreVerdict, Why

REFRESH_TAKES = timedelta(seconds=30)
"""Rook rewrites its Secret within a second; this long we wait before asking it again."""

CAUSE_OF_ANSWER = {
    Answer.DENIED: "s3_access_denied_policy",
    Answer.FULL: "object_store_full",
    Answer.CLOCK_SKEW: "clock_skew",
    Answer.WRONG_REGION: "wrong_region",
    Answer.NOT_S3: "endpoint_not_s3_api",
    Answer.TLS_UNKNOWN_AUTHORITY: "tls_unknown_authority",
    Answer.TLS_NAME_MISMATCH: "tls_name_mismatch",
    Answer.TLS_SCHEME_MISMATCH: "tls_scheme_mismatch",
    Answer.NO_BUCKET: "bucket_not_found",
}


def plan_source(course: Course) -> Course | Stop:
    """Return the course with the source's pair, tested if it is to be spread."""
    snapshot = course.snapshot
    if snapshot.rivals:
        return Stop(
            cause="two_writers", reason=f"{snapshot.rivals[0]} is older and claims the same"
        )
    source = snapshot.source
    if source is None or source.pair is None:
        return _no_pair(snapshot, source)
    if source.pair.blank:
        return Stop(cause="source_has_no_key", reason=f"{source.ref} has an empty half")
    flaws = malformed(source.pair)
    if flaws:
        return Stop(cause="secret_trailing_newline", reason=f"in {source.ref} {flaws[0].value}")
    verdict = snapshot.verdict(source.pair)
    course = replace(course, pair=source.pair)
    if verdict is not None and verdict.refused:
        return _refused(snapshot, source, verdict)
    if verdict is not None and not verdict.accepted:
        return _undecided(course, source, source.pair, verdict)
    if agrees_everywhere(snapshot) or (verdict is not None and verdict.trusted):
        return course
    return course.then(_test(source.ref, source.pair, Hop.SOURCE))


def agrees_everywhere(snapshot: Snapshot) -> bool:
    """Tell whether nothing is to be spread: all hops equal, no pod behind."""
    pair = snapshot.source.pair if snapshot.source else None
    if pair is None or snapshot.secret is None or snapshot.secret.pair.pair != pair.pair:
        return False
    held = snapshot.vault.pair if snapshot.vault else None
    return (held is None or held.pair == pair.pair) and not behind(snapshot)


def _test(ref: Ref, pair: PairFacts, hop: Hop) -> Step:
    return Step(
        action=Action.TEST_KEY,
        hop=hop,
        target=ref,
        why="a key is spread only after it has put, got, listed and deleted an object",
        changes="one probe object, removed at once",
        pair=pair.pair,
    )


def _no_pair(snapshot: Snapshot, source: SourceState | None) -> Stop:
    gap = snapshot.missing(Hop.SOURCE)
    if gap is not None and gap.why is Why.NOT_ALLOWED:
        return Stop(cause="source_not_allowed", reason=str(gap.ref))
    if source is not None and source.generated_blank:
        return Stop(cause="rook_generated_secret_blank", reason=str(source.owner))
    if source is not None and source.live_keys == ():
        return Stop(cause="source_has_no_key", reason=f"{source.owner} has no key at the store")
    target = gap.ref if gap else snapshot.spec.ref
    detail = f"{gap.ref}: {gap.why}" if gap else "the source's pair cannot be told"
    return Stop(steps=(waiting(target, Hop.SOURCE, detail, look_again_s=15.0),))


def _undecided(
    course: Course, source: SourceState, pair: PairFacts, verdict: StoreVerdict
) -> Course | Stop:
    """Plan for a store that does not say whether the key is good, or lacks the bucket."""
    bucket = course.snapshot.spec.bucket
    if verdict.answer is Answer.NO_BUCKET and bucket.create:
        create = Step(
            action=Action.CREATE_BUCKET,
            hop=Hop.STORE,
            target=Ref("Bucket", bucket.name),
            why="the key works, the bucket does not exist, and `bucket.create` allows it",
            changes=f"an empty bucket, owned by the user of {source.ref}",
            pair=pair.pair,
        )
        return course.then(create)
    cause = CAUSE_OF_ANSWER.get(verdict.answer)
    if cause is not None:
        return Stop(cause=cause, reason=f"the store says: {verdict.answer}")
    why = f"the store did not answer clearly: {verdict.detail or verdict.answer}"
    return Stop(steps=(waiting(source.ref, Hop.STORE, why, look_again_s=15.0),))


def _refused(snapshot: Snapshot, source: SourceState, verdict: StoreVerdict) -> Stop:
    """Plan for a dead source: make Rook read RGW again, if that is allowed and harms nobody."""
    if verdict.answer is Answer.SUSPENDED or source.suspended:
        return Stop(cause="user_suspended", reason=f"{source.owner} is suspended at the store")
    if source.live_keys == ():
        return Stop(cause="source_has_no_key", reason=f"{source.owner} has no key at the store")
    dead = Stop(cause="source_key_dead", reason=f"the store refuses the pair in {source.ref}")
    spec, rook = snapshot.spec.source, source.rook
    if not isinstance(spec, RookSource) or rook is None or not source.live_keys:
        return dead
    stale = replace(dead, cause="rook_stale_user_secret")
    if not spec.refresh or not rook.applied or rook.uses_spec_keys or rook.deleting:
        return stale
    if not _refresh_is_harmless(snapshot, source.live_keys):
        reason = "Rook would delete a key that a hop of this route holds"
        return replace(stale, reason=reason)
    asked = snapshot.memory.refreshed_source_at
    if asked is not None and snapshot.at - asked < REFRESH_TAKES:
        return Stop(steps=(waiting(source.ref, Hop.SOURCE, "Rook is reading RGW again"),))
    step = Step(
        action=Action.REFRESH_SOURCE,
        hop=Hop.SOURCE,
        target=source.ref,
        why="its pair is dead, RGW knows a live one, and Rook never looks again by itself",
        changes="one data key more in it, which Rook removes when it rewrites it",
        over=source.pair.pair if source.pair else None,
    )
    return Stop(steps=(step,))


def _refresh_is_harmless(snapshot: Snapshot, live: tuple[LiveKey, ...]) -> bool:
    """Tell whether Rook's reconcile (it deletes all keys but the smallest id) hits no hop."""
    survivor = min(live, key=lambda key: key.order)
    doomed = [key for key in live if key is not survivor]
    held = [hop.pair for hop in (snapshot.vault, snapshot.secret) if hop is not None and hop.pair]
    before = snapshot.memory.content.before if snapshot.memory.content else None
    return not any(
        key.key_id in {pair.key_id for pair in held} or key.pair == before for key in doomed
    )


def waiting(target: Ref, hop: Hop, why: str, *, look_again_s: float = 2.0) -> Step:
    """Return the step that waits for something and looks again."""
    return Step(action=Action.AWAIT, hop=hop, target=target, why=why, look_again_s=look_again_s)
