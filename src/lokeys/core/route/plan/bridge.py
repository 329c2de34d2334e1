# SPDX-License-Identifier: Apache-2.0
"""The bridge: a replaced key is valid again until the pods that hold it are replaced.

    keep-pair ─▶ add-key ─▶ the ordinary heal ─▶ retire-key ─▶ drop-pair
    a copy, and   second     vault, Secret,       nobody holds   the copy
    its end       key        pods                 it, or time

The end comes first in every plan: the next run carries it out, whatever is wrong with the rest of
the route.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from lokeys.core.findings.finding import time_to_json
from lokeys.core.place import Hop, Ref
from lokeys.core.route.bridging import Chance, chance, holders, longest
from lokeys.core.route.key_state import Currency, Seen, held_pair
from lokeys.core.route.memory import Bridge
from lokeys.core.route.model import Prove, RouteSpec, source_ref, staging_name
from lokeys.core.route.plan.draft import Draft
from lokeys.core.route.plan.pods import flush
from lokeys.core.route.plan.source import agrees_everywhere, waiting
from lokeys.core.route.plan.steps import Action, Policy, Step
from lokeys.core.route.rotation.model import under_way
from lokeys.core.route.snapshot import PodState
from lokeys.core.route.standing import carries, has_key, is_ours, is_there
from lokeys.core.sensitive import PairFacts

FLUSH_ASKED_WITHIN = timedelta(seconds=20)
"""A Loki that does not answer by then retries by its own back-off; the heal continues."""


def plan_bridge(course: Draft) -> Draft:
    """Return the plan with the bridge that is possible and allowed, if any."""
    snapshot, bridge = course.snapshot, course.snapshot.memory.bridge
    if under_way(snapshot.memory.rotation) is not None:
        return course  # both keys are at the store, and the copy is the new pair's
    if bridge is not None and bridge.added_at is not None:
        return course.then(*_flushes(snapshot, bridge))
    found = chance(snapshot, course.policy.bridge)
    if found is None or (bridge is not None and bridge.pair != found.pair.pair):
        return course
    if found.refusal is None:
        until = snapshot.at + longest(snapshot, course.policy.bridge)
        return replace(course.then(*_begin(snapshot, found.pair, until)), bridges=True)
    if _is_worth_keeping(course, found):
        return course.then(_keep(snapshot, found.pair, None))
    return course


def plan_end(snapshot: Seen, policy: Policy) -> tuple[Step, ...]:
    """Return the steps that end a bridge now, or remove a copy that is no longer needed."""
    bridge, kept = snapshot.memory.bridge, snapshot.kept
    if bridge is None:
        if policy.owes and policy.ends and kept is None and snapshot.kept_gap is None:
            return (_drop(snapshot, snapshot.at),)  # nothing was added: only the finalizer exists
        seen_all = snapshot.missing(Hop.PODS) is None
        useless = kept is not None and seen_all and not holders(snapshot, kept.pair)
        if kept is not None and has_key(snapshot, kept.pair.key_id, kept.pair.pair) is not False:
            return ()  # the copy alone distinguishes a lost rotation's key from an unknown one
        return (_drop(snapshot),) if useless else ()
    if not is_ours(bridge, snapshot.spec):
        return ()
    over = snapshot.at >= bridge.until or policy.ends
    if is_there(snapshot, bridge) is False:
        over = over or _is_of_no_use(snapshot, bridge)
        return (_drop(snapshot, bridge.until),) if over else ()
    if over or (bridge.added_at is not None and nobody_holds(snapshot, bridge)):
        return (_retire(snapshot, bridge), _drop(snapshot, bridge.until))
    return ()


def projected_end(course: Draft) -> Draft:
    """Return the plan with the end of the bridge that exists, or that it builds."""
    snapshot, bridge = course.snapshot, course.snapshot.memory.bridge
    planned = next((step for step in course.steps if step.action is Action.ADD_KEY), None)
    if planned is not None:
        retire = replace(planned, action=Action.RETIRE_KEY, why=_WHY_RETIRE, changes=_RETIRES)
        return course.then(retire, _drop(snapshot, planned.until))
    if bridge is None or bridge.added_at is None or not is_ours(bridge, snapshot.spec):
        return course
    if course.steps:
        return course.then(_retire(snapshot, bridge), _drop(snapshot, bridge.until))
    why = f"the old key is valid until {time_to_json(bridge.until)}, or until no pod may hold it"
    left_s = (bridge.until - snapshot.at).total_seconds()
    return course.then(
        waiting(source_ref(snapshot.spec), Hop.SOURCE, why, look_again_s=min(5.0, left_s))
    )


def caution(steps: tuple[Step, ...]) -> str:
    """Return the first sentence of a plan with a bridge; "" for a plan without."""
    until = next((step.until for step in steps if step.action is Action.ADD_KEY), None)
    return _caution(until) if until is not None else ""


def _caution(until: datetime) -> str:
    return (
        "A key may have been removed because it leaked: this makes it valid again, for everybody "
        f"who has it, until {time_to_json(until)} at the latest"
    )


def nobody_holds(snapshot: Seen, bridge: Bridge) -> bool:
    """Tell whether no pod of the route needs the bridged key any more, or will read it.

    All hops hold the source's key, the store accepts it, and every pod is proved with it or has
    read it at its start.
    """
    source = snapshot.source.pair if snapshot.source else None
    verdict = snapshot.verdict(source)
    if source is None or source.pair == bridge.pair or snapshot.unseen is not None:
        return False
    if verdict is None or not verdict.accepted or not agrees_everywhere(snapshot):
        return False
    return all(_has_new_key(pod, snapshot) for pod in snapshot.pods)


def _has_new_key(pod: PodState, snapshot: Seen) -> bool:
    key = snapshot.key(pod)
    if pod.deleting_since is not None:
        return False
    return key.proof is not None or (key.currency is Currency.CURRENT and key.works is not False)


def _is_of_no_use(snapshot: Seen, bridge: Bridge) -> bool:
    """Tell whether a bridge without its key is over: removed by a person, or not needed.

    A person who removes the key has decided: it is not added again.
    """
    if bridge.added_at is not None:
        return True
    known = (snapshot.secret, snapshot.kept)
    pair = next((hop.pair for hop in known if hop and hop.pair.pair == bridge.pair), None)
    return pair is None or (snapshot.missing(Hop.PODS) is None and not holders(snapshot, pair))


def _is_worth_keeping(course: Draft, found: Chance) -> bool:
    """Tell whether a pair is kept until a person decides: lines would be lost without it."""
    snapshot, policy = course.snapshot, course.policy
    kept = snapshot.kept is not None and snapshot.kept.pair == found.pair
    if kept or not policy.keep or not found.for_a_person or policy.accept_loss:
        return False
    return any(pod.wal_persistent is False for pod in holders(snapshot, found.pair))


def _flushes(snapshot: Seen, bridge: Bridge) -> Iterator[Step]:
    """Yield the flush requests that end the pods' back-off early, if the resource allows them."""
    added = bridge.added_at or snapshot.at
    if snapshot.spec.prove is not Prove.FLUSH or snapshot.at - added >= FLUSH_ASKED_WITHIN:
        return
    for pod in snapshot.pods:
        asked = snapshot.memory.flushed.get(pod.ref.name)
        mine = pod.writes and pod.deleting_since is None and pod.started_at is not None
        if mine and carries(snapshot, held_pair(pod, snapshot)) and (asked or added) <= added:
            yield replace(flush(pod), why="so that it need not wait out its back-off")


# --- steps --------------------------------------------------------------------------------------

_WHY_RETIRE = "no pod of the route holds it any more, or its time is over"
_RETIRES = "the user's second key is taken away"


def staging_ref(spec: RouteSpec) -> Ref:
    """Return the Secret in which lokeys keeps the pair of a bridge."""
    return Ref("Secret", staging_name(spec.name), spec.namespace)


def _begin(snapshot: Seen, pair: PairFacts, until: datetime) -> Iterator[Step]:
    bridge, kept = snapshot.memory.bridge, snapshot.kept
    if bridge is None or kept is None or kept.pair != pair:
        yield _keep(snapshot, pair, until if bridge is None else bridge.until)
    yield Step(
        action=Action.ADD_KEY,
        hop=Hop.SOURCE,
        target=source_ref(snapshot.spec),
        why="the pods hold a key that the store no longer knows: as a second key it is valid at "
        f"once, without a restart. {_caution(until if bridge is None else bridge.until)}",
        changes="the user has one more key, the one that was replaced",
        pair=pair.pair,
        key_id=pair.key_id,
        until=until if bridge is None else bridge.until,
    )


def _keep(snapshot: Seen, pair: PairFacts, until: datetime | None) -> Step:
    why = "pods hold lines that only a bridge would save: their pair is kept until a person decides"
    if until is not None:
        why = f"only {snapshot.spec.secret_ref} has it, and will have another. {_caution(until)}"
    return Step(
        action=Action.KEEP_PAIR,
        hop=Hop.SECRET,
        target=staging_ref(snapshot.spec),
        why=why,
        changes="a Secret of lokeys' own with the pair that the pods hold",
        pair=pair.pair,
        key_id=pair.key_id,
        until=until,
    )


def _retire(snapshot: Seen, bridge: Bridge) -> Step:
    return Step(
        action=Action.RETIRE_KEY,
        hop=Hop.SOURCE,
        target=source_ref(snapshot.spec),
        why=_WHY_RETIRE,
        changes=_RETIRES,
        pair=bridge.pair,
        key_id=bridge.key_id,
        until=bridge.until,
    )


def _drop(snapshot: Seen, until: datetime | None = None) -> Step:
    return Step(
        action=Action.DROP_PAIR,
        hop=Hop.SECRET,
        target=staging_ref(snapshot.spec),
        why="the pair that was kept in it is of no use any more",
        changes="that Secret is deleted",
        until=until,
    )
