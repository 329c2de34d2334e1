# SPDX-License-Identifier: Apache-2.0
"""The plan of a rotation: whether one may start, and the next step of one that is under way.

Between its first phase and its last, a rotation is an ordinary heal: the source's pair is the one
that the phase wants (`rotation.wanted`), and vault, Secret and pods follow it, in either direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from lokeys.core.findings.finding import time_to_json
from lokeys.core.place import Hop, Ref
from lokeys.core.route.key_state import Seen
from lokeys.core.route.model import AwsIamSource, OnePasswordVault, source_ref, staging_name
from lokeys.core.route.plan.source import unseen, waiting
from lokeys.core.route.plan.steps import Action, Plan, Policy, Step
from lokeys.core.route.rotation.age import key_since
from lokeys.core.route.rotation.gates import asked_of, grace_over_at, nobody_left
from lokeys.core.route.rotation.model import Phase, Rotation, RotationWish, under_way
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import Unreadable
from lokeys.core.route.standing import has_key, source_name
from lokeys.core.route.trying import may_be_tried
from lokeys.core.sensitive import Fingerprint, PairFacts

TEST_AGAIN_AFTER = timedelta(seconds=5)
"""A new key that the store does not accept yet is tested again after this time."""
GRACE_LOOK_S = 15.0
NAMED_HOLDERS = 5
Heal = Callable[[Seen, Policy], Plan]


def plan_rotation(snapshot: Seen, policy: Policy, heal: Heal) -> Plan | None:
    """Return the plan of a rotation; None if none is under way or wanted."""
    rotation = under_way(snapshot.memory.rotation)
    if rotation is None:
        return _beginning(snapshot, policy, heal)
    if rotation.source != source_name(snapshot.spec):
        reason = f"a rotation of {rotation.source} is under way, and the resource names another"
        return Plan(stalled="rotation_source_changed", reason=reason)
    asked = _asked(snapshot, rotation, policy)
    if asked is not None:
        return asked
    gap = snapshot.missing(Hop.SOURCE)
    if snapshot.source is None or snapshot.source.live is None:
        why = "which keys the user has cannot be read"
        return Plan(steps=(unseen(gap) if gap else _await(snapshot, why, look_again_s=15.0),))
    if has_key(snapshot, rotation.old_id, rotation.old) is False and _needs_old(rotation):
        reason = f"somebody removed the old key of {source_ref(snapshot.spec)}"
        return Plan(stalled="rotation_key_removed", reason=reason)
    if rotation.back and nobody_left(snapshot):
        return _undo(snapshot, rotation)
    if rotation.back:
        return _carrying(snapshot, rotation, policy, heal, then=_undo)
    return _going_on(snapshot, rotation, policy, heal)


def plan_leaving(snapshot: Seen) -> tuple[Step, ...]:
    """Return what a deleted route leaves behind of a rotation that its status has lost.

    The finalizer shows that there was one, and lokeys' own copy shows which key it made.
    """
    if snapshot.kept_gap is not None:
        return (unseen(snapshot.kept_gap),)
    if snapshot.kept is None or snapshot.memory.bridge is not None:
        return ()
    kept = kept_of_ours(snapshot)
    present = snapshot.source.pair if snapshot.source is not None else None
    mine = kept is not None and present is not None and kept.key_id != present.key_id
    if kept is not None and mine and has_key(snapshot, kept.key_id, kept.pair) is True:
        return (_take_away(snapshot, kept.pair, kept.key_id), _drop(snapshot))
    return (_drop(snapshot),)


def hindrance(snapshot: Seen, healing: Plan) -> str:
    """Return why no rotation may start now; "" if one may."""
    spec, source = snapshot.spec, snapshot.source
    if not snapshot.issues:
        return f"lokeys cannot add a key to {source_ref(spec)}, nor take one away"
    if isinstance(spec.source, AwsIamSource):
        return "IAM chooses its keys itself, and lokeys does not rotate such keys yet"
    if spec.external_secret is not None and not isinstance(spec.vault, OnePasswordVault):
        return f"lokeys cannot write what {spec.external_secret.name} delivers from"
    if spec.made_by is not None or spec.secret.inside is not None:
        return f"lokeys does not write {spec.secret_ref}: its maker does"
    if not healing.settled:
        return "the route is not healed and proved: `lokeys heal` comes first"
    if snapshot.memory.bridge is not None:
        return "a bridge stands, so the user has two keys already"
    if source is None or source.live is None or source.pair is None:
        return f"which keys {source_ref(spec)} has cannot be read"
    strangers = _strangers(snapshot, source.live, source.pair.key_id)
    if strangers:
        return f"{source_ref(spec)} has a second key that is not lokeys': {strangers[0].hint}…"
    rolling = next((each for each in snapshot.workloads if each.rolling), None)
    if rolling is not None:
        return f"a rollout of {rolling.ref} is under way"
    budgets = (pod.budget for pod in snapshot.pods if pod.budget is not None)
    blocked = next((each for each in budgets if each.disruptions_allowed < 1), None)
    return f"{blocked.ref} lets no pod go now" if blocked is not None else ""


def _strangers(snapshot: Seen, live: tuple[Slot, ...], present: Fingerprint) -> list[Slot]:
    """Return the keys that are neither the current one nor a leftover in our staging Secret."""
    kept = kept_of_ours(snapshot)
    ours = {present, kept.key_id if kept else None}
    return [slot for slot in live if slot.key_id not in ours]


def kept_of_ours(snapshot: Seen) -> PairFacts | None:
    """Return the pair in the staging Secret, if lokeys has sealed it for this source.

    A writer of Secrets here must not be able to get a key of their choice added at the store.
    """
    kept = snapshot.kept
    ours = kept is not None and kept.sealed and kept.source == source_name(snapshot.spec)
    return kept.pair if kept is not None and ours else None


# --- start --------------------------------------------------------------------------------------


def _beginning(snapshot: Seen, policy: Policy, heal: Heal) -> Plan | None:
    wish, last = policy.rotate, snapshot.memory.rotation
    if wish is None or (last is not None and last.begun_at >= wish.at):
        return None
    healing = heal(snapshot, policy)
    if not healing.settled:
        return healing
    gap = _gap(snapshot)
    if gap is not None:
        return Plan(steps=(unseen(gap),))
    hindered = hindrance(snapshot, healing) or policy.rotate_later
    present = snapshot.source.pair if snapshot.source is not None else None
    if hindered or present is None:
        return Plan(steps=(_await(snapshot, f"no rotation begins: {hindered}", look_again_s=15.0),))
    begun = _begun(snapshot, present, wish)
    step = _record(snapshot, Action.BEGIN_ROTATION, begun, f"{wish.why}; the route is proved")
    return Plan(steps=(step, *_projected(snapshot, begun)))


def _gap(snapshot: Seen) -> Unreadable | None:
    """Return what a rotation will have to read and cannot: no key is made that stays unused."""
    gaps = (snapshot.missing(hop) for hop in (Hop.SOURCE, Hop.VAULT, Hop.DELIVERY, Hop.SECRET))
    return next((gap for gap in gaps if gap is not None), snapshot.kept_gap)


def _begun(snapshot: Seen, present: PairFacts, wish: RotationWish) -> Rotation:
    """Return the rotation that starts now; a leftover of an earlier one is its new pair."""
    left = kept_of_ours(snapshot)
    if left is not None and left.key_id == present.key_id:
        left = None
    live = (snapshot.source.live if snapshot.source is not None else None) or ()
    return Rotation(
        source=source_name(snapshot.spec),
        why=wish.why,
        asked=wish.asked,
        begun_at=snapshot.at,
        phase_since=snapshot.at,
        old=present.pair,
        old_id=present.key_id,
        old_since=key_since(snapshot.memory),
        new=left.pair if left else None,
        new_id=left.key_id if left else None,
        known=tuple(slot.key_id for slot in live),
    )


def _projected(snapshot: Seen, rotation: Rotation) -> tuple[Step, ...]:
    """Return what a rotation will do, for a preview."""
    spec = snapshot.spec
    rows: list[tuple[Action, Hop, Ref, str, str]] = [
        (Action.CREATE_KEY, Hop.SOURCE, source_ref(spec), _WHY_CREATE, _CHANGES_CREATE),
        (Action.TEST_KEY, Hop.STORE, source_ref(spec), _WHY_TEST, "one probe object, removed"),
    ]
    if spec.vault is not None and snapshot.vault is not None:
        why, what = "Publish: the vault holds the new pair", "both fields in one request, read back"
        rows.append((Action.WRITE_VAULT, Hop.VAULT, snapshot.vault.ref, why, what))
    if snapshot.delivery is not None:
        why, what = "Switch: the Secret follows the vault", "a new annotation forces a sync"
        rows.append((Action.FORCE_SYNC, Hop.DELIVERY, snapshot.delivery.ref, why, what))
    else:
        why, what = "Switch: the Secret holds the new pair", "both data keys in one apply"
        rows.append((Action.WRITE_SECRET, Hop.SECRET, spec.secret_ref, why, what))
    why, what = "Roll: Loki reads its key only at start", "its controller replaces it"
    rows += [(Action.REPLACE_POD, Hop.PODS, pod.ref, why, what) for pod in snapshot.pods]
    pods = {pod.ref: pod for pod in snapshot.pods}
    why = f"Retire: {asked_of(snapshot).overlap} later, once nobody else is seen to hold it"
    rows.append((Action.RETIRE_KEY, Hop.SOURCE, source_ref(spec), why, _CHANGES_RETIRE))
    key = rotation.old_id
    return tuple(
        Step(
            action=action,
            hop=hop,
            target=target,
            why=why,
            changes=what,
            key_id=key,
            pod=pods.get(target),
        )
        for action, hop, target, why, what in rows
    )


# --- under way ----------------------------------------------------------------------------------


def _asked(snapshot: Seen, rotation: Rotation, policy: Policy) -> Plan | None:
    """Return what a person, or the time, requires: to go back, or to retire the old key."""
    if policy.go_back and not rotation.back:
        if rotation.phase is Phase.RETIRE:
            reason = "the old key is being retired: after that nothing goes back"
            return Plan(stalled="rotation_past_return", reason=reason)
        return _record_plan(
            snapshot, Action.GO_BACK, replace(rotation, back=True), "a person asked for it"
        )
    late = _too_late(snapshot, rotation)
    if snapshot.going and not rotation.back and rotation.phase is not Phase.RETIRE:
        late = "the resource is being deleted"
    if late:
        return _record_plan(snapshot, Action.GO_BACK, replace(rotation, back=True), late)
    if policy.let_go and rotation.phase is Phase.GRACE and not rotation.let_go:
        found = snapshot.holders.found if snapshot.holders is not None else ()
        if not found:
            go = replace(rotation, let_go=True)
            return _record_plan(snapshot, Action.LET_GO, go, "a person says that nobody needs it")
    return None


def _too_late(snapshot: Seen, rotation: Rotation) -> str:
    """Return why a rotation goes back by itself; "" if it does not."""
    limit = asked_of(snapshot).roll_timeout
    if rotation.back or snapshot.at - rotation.phase_since <= limit:
        return ""
    if rotation.phase is Phase.CREATE:
        return f"the store has not taken the new key for {limit}"
    if rotation.phase is Phase.ROLL:
        return f"some pod has not become Ready with the new key for {limit}"
    return ""


def _needs_old(rotation: Rotation) -> bool:
    return rotation.back or rotation.phase is not Phase.RETIRE


def _going_on(snapshot: Seen, rotation: Rotation, policy: Policy, heal: Heal) -> Plan:
    if rotation.phase is Phase.CREATE:
        return Plan(steps=(_create(snapshot, rotation),))
    if rotation.phase is Phase.RETIRE:
        return Plan(steps=(_retire(snapshot, rotation),))
    then = _grace if rotation.phase is Phase.GRACE else None
    return _carrying(snapshot, rotation, policy, heal, then=then)


def _create(snapshot: Seen, rotation: Rotation) -> Step:
    if snapshot.kept_gap is not None:
        return unseen(snapshot.kept_gap)
    if rotation.new is None or rotation.new_id is None:
        return _draft(snapshot)
    if has_key(snapshot, rotation.new_id, rotation.new) is True:
        return _try_out(snapshot, rotation, rotation.new)
    kept = kept_of_ours(snapshot)
    if kept is None or kept.pair != rotation.new:
        return _draft(snapshot)
    return Step(
        action=Action.CREATE_KEY,
        hop=Hop.SOURCE,
        target=source_ref(snapshot.spec),
        why=_WHY_CREATE,
        changes=_CHANGES_CREATE,
        pair=rotation.new,
        key_id=rotation.new_id,
    )


def _draft(snapshot: Seen) -> Step:
    return Step(
        action=Action.DRAFT_KEY,
        hop=Hop.SECRET,
        target=_staging(snapshot),
        why="the new pair is kept before the store hears of it: a repeated call is the same",
        changes="a Secret of lokeys' own with the new pair",
    )


def _try_out(snapshot: Seen, rotation: Rotation, new: Fingerprint) -> Step:
    """Return the test of a key that was made; if its secret was lost, the way back."""
    if new not in snapshot.showable:
        why = "the new pair was lost before anybody got it"
        return _record(snapshot, Action.GO_BACK, replace(rotation, back=True), why)
    verdict = snapshot.verdicts.get(new)
    if verdict is not None and not verdict.accepted and _young(snapshot.at, verdict.at):
        said = f"{verdict.answer} {verdict.detail}".strip()
        return _await(snapshot, f"the store does not take the new key yet: {said}")
    return Step(
        action=Action.TEST_KEY,
        hop=Hop.STORE,
        target=source_ref(snapshot.spec),
        why=_WHY_TEST,
        changes="one probe object, removed at once",
        pair=new,
    )


def _young(now: datetime, then: datetime) -> bool:
    return timedelta(0) <= now - then < TEST_AGAIN_AFTER


def _carrying(
    snapshot: Seen,
    rotation: Rotation,
    policy: Policy,
    heal: Heal,
    *,
    then: Callable[[Seen, Rotation], Plan] | None = None,
) -> Plan:
    """Return the heal that brings the wanted pair everywhere, starting with the source."""
    wanted, source = rotation.wanted, snapshot.source
    key_id = rotation.old_id if rotation.back else rotation.new_id
    if source is None or source.pair is None or source.pair.pair != wanted or key_id is None:
        reason = f"{source_ref(snapshot.spec)} no longer has the key that the rotation carries"
        return Plan(stalled="rotation_key_removed", reason=reason)
    if any(slot.offered and slot.key_id != key_id for slot in source.live or ()):
        step = Step(
            action=Action.OFFER_KEY,
            hop=Hop.SOURCE,
            target=source_ref(snapshot.spec),
            why="the source names its present key itself",
            changes="the source offers the other one of its two keys",
            key_id=key_id,
            pair=wanted,
        )
        return Plan(steps=(step,))
    healing = heal(snapshot, policy)
    if not healing.settled:
        return healing
    if then is not None:
        return then(snapshot, rotation)
    return Plan(steps=(_await(snapshot, "each pod's proof with the pair of this phase"),))


def _grace(snapshot: Seen, rotation: Rotation) -> Plan:
    over = grace_over_at(snapshot, rotation)
    if snapshot.at < over:
        left_s = (over - snapshot.at).total_seconds()
        why = f"the old key stays until {time_to_json(over)}"
        return Plan(steps=(_await(snapshot, why, look_again_s=min(GRACE_LOOK_S, left_s + 0.1)),))
    holders = snapshot.holders
    if holders is not None and holders.found:
        names = ", ".join(str(ref) for ref in holders.found[:NAMED_HOLDERS])
        reason = f"the old key is still held by {names}"
    else:
        unread = "; ".join(holders.unread[:3]) if holders is not None else "nothing was looked into"
        reason = f"whether anybody else holds the old key is not known: {unread}"
    step = _await(snapshot, reason, look_again_s=GRACE_LOOK_S)
    return Plan(steps=(step,), stalled="rotation_awaits_retire", reason=reason)


def _retire(snapshot: Seen, rotation: Rotation) -> Step:
    """Return the next step of the end: copy A, remove A, see A refused, drop the copy."""
    there = has_key(snapshot, rotation.old_id, rotation.old)
    kept = snapshot.kept.pair if snapshot.kept is not None else None
    if snapshot.kept_gap is not None:
        return unseen(snapshot.kept_gap)
    if there and rotation.old in snapshot.showable and (kept is None or kept.pair != rotation.old):
        return Step(
            action=Action.KEEP_PAIR,
            hop=Hop.SECRET,
            target=_staging(snapshot),
            why="the old pair is tried once more, when the store should refuse it",
            changes="the Secret of lokeys' own holds the old pair, for that",
            pair=rotation.old,
            key_id=rotation.old_id,
        )
    if there:
        return _take_away(snapshot, rotation.old, rotation.old_id)
    verdict = snapshot.verdicts.get(rotation.old)
    tried = kept is not None and kept.pair == rotation.old and may_be_tried(snapshot, rotation.old)
    if tried and (verdict is None or not verdict.refused):
        return _await(snapshot, "the store has not refused the old key yet")
    if kept is not None:
        return _drop(snapshot)
    return _await(snapshot, "the store's word on the new key")


def _undo(snapshot: Seen, rotation: Rotation) -> Plan:
    """Return what removes the new key, once no hop holds it."""
    if rotation.new is not None and rotation.new_id is not None:
        if snapshot.holders is not None and snapshot.holders.found:
            names = ", ".join(str(ref) for ref in snapshot.holders.found[:NAMED_HOLDERS])
            reason = f"the new key is still held by {names}"
            return Plan(stalled="rotation_awaits_retire", reason=reason)
        if has_key(snapshot, rotation.new_id, rotation.new) is not False:
            return Plan(steps=(_take_away(snapshot, rotation.new, rotation.new_id),))
    if snapshot.kept_gap is not None:
        return Plan(steps=(unseen(snapshot.kept_gap),))
    if snapshot.kept is not None:
        return Plan(steps=(_drop(snapshot),))
    return Plan(steps=(_await(snapshot, "each pod's proof with the old pair"),))


# --- steps --------------------------------------------------------------------------------------

_WHY_CREATE = "Create: the user gets a second key beside the one that is in use"
_CHANGES_CREATE = "the user has one more key"
_WHY_TEST = (
    "nobody gets a key that has not put, got, listed and deleted an object, three times, at each "
    "address of the store"
)
_CHANGES_RETIRE = "the user has one key less"


def _staging(snapshot: Seen) -> Ref:
    return Ref("Secret", staging_name(snapshot.spec.name), snapshot.spec.namespace)


def _await(snapshot: Seen, why: str, *, look_again_s: float = 2.0) -> Step:
    ref = source_ref(snapshot.spec)
    return waiting(ref, Hop.SOURCE, why, look_again_s=look_again_s)


def _take_away(snapshot: Seen, pair: Fingerprint, key_id: Fingerprint) -> Step:
    return Step(
        action=Action.RETIRE_KEY,
        hop=Hop.SOURCE,
        target=source_ref(snapshot.spec),
        why="every pod is proved with the other one, and nobody is seen to hold this one",
        changes=_CHANGES_RETIRE,
        pair=pair,
        key_id=key_id,
    )


def _drop(snapshot: Seen) -> Step:
    return Step(
        action=Action.DROP_PAIR,
        hop=Hop.SECRET,
        target=_staging(snapshot),
        why="the pair that was kept in it is of no use any more",
        changes="that Secret is deleted",
    )


def _record(snapshot: Seen, action: Action, rotation: Rotation, why: str) -> Step:
    return Step(
        action=action,
        hop=Hop.SOURCE,
        target=snapshot.spec.ref,
        why=why,
        changes="recorded in its status, before anything else is changed",
        rotation=rotation,
    )


def _record_plan(snapshot: Seen, action: Action, rotation: Rotation, why: str) -> Plan:
    return Plan(steps=(_record(snapshot, action, rotation, why),))
