# SPDX-License-Identifier: Apache-2.0
"""Stages 4 and 5: replace the pods that hold an older pair, one at a time, and prove the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from lokeys.core.place import Hop, Ref
from lokeys.core.route.bridging import why_impossible
from lokeys.core.route.checks.configuration import causes_of
from lokeys.core.route.checks.pods import behind, stays_behind
from lokeys.core.route.key_state import Seen, held_pair
from lokeys.core.route.model import Prove
from lokeys.core.route.plan.draft import Draft, Stop
from lokeys.core.route.plan.source import unseen, waiting
from lokeys.core.route.plan.steps import Action, Step
from lokeys.core.route.shutdown import HELP, hangs, holdings, latest_end
from lokeys.core.route.snapshot import PodState, WorkloadState
from lokeys.core.route.standing import carries

SHORT_GRACE = timedelta(seconds=2)
"""Enough to close files; the WAL restores every line (measured, even after SIGKILL)."""
BUDGET_MAY_BLOCK = timedelta(minutes=5)
OTHERS_ROLL_WITHIN = timedelta(minutes=2)
FLUSH_AGAIN_AFTER = timedelta(minutes=1)
FLUSH_TAKES = timedelta(seconds=20)
TRAFFIC_COMES_S = 5.0
STARTS_WITHIN = timedelta(minutes=10)
RESTARTS_OF_A_LOOP = 3

_A_POD_TO_COME = "its controller is making a pod"
_NOT_READY_YET = "it is not ready yet"


def plan_pods(course: Draft) -> Draft | Stop:
    """Return the plan with the replacements that are due, or what to wait for first."""
    snapshot = course.snapshot
    if course.secret_changes:
        return _projected(course)
    stopping = _stopping(snapshot)
    if stopping is not None:
        return stopping
    late = _in_order(snapshot, behind(snapshot))
    if not late:
        return _misconfigured(snapshot) or course
    pause = _pause(snapshot, late)
    if pause is not None:
        return pause
    stops = {pod.ref: _why_not(pod, course) for pod in late}
    may_go = [pod for pod in late if stops[pod.ref] is None]
    return course.then(*(_replace(pod, course) for pod in may_go)) if may_go else _worst(stops)


def _misconfigured(snapshot: Seen) -> Stop | None:
    """Stop if a pod's configuration cannot work with any key: no step here would help."""
    for pod in snapshot.pods:
        cause = min(filter(None, causes_of(snapshot.loki(pod))), default=None)
        if cause is not None:
            reason = f"{pod.ref} cannot use any key as its Loki is configured"
            return Stop(cause=cause, reason=reason)
    return None


def _worst(stops: Mapping[Ref, Stop | None]) -> Stop:
    """Return the first stop that only a person can resolve, or otherwise what is waited for."""
    found = [stop for stop in stops.values() if stop is not None]
    return next((stop for stop in found if stop.cause is not None), found[0])


def _projected(course: Draft) -> Draft | Stop:
    """Return what will happen to the pods once the Secret has changed, as far as is known."""
    pods = _in_order(course.snapshot, course.snapshot.pods)
    dying = _is_dying_pair(course)
    at_risk = [pod for pod in pods if dying and pod.wal_persistent is False]
    if course.policy.accept_loss:
        at_risk = []
    steps = tuple(_replace(pod, course) for pod in pods if pod not in at_risk)
    if at_risk:
        reason = would_lose(at_risk[0], course.snapshot)
        return Stop(steps=steps, cause="wal_not_persistent", reason=reason)
    return course.then(*steps)


def would_lose(pod: PodState, snapshot: Seen) -> str:
    """Return why a pod is not replaced automatically, and whether a bridge would help."""
    lost, impossible = f"{pod.ref} would lose what it has not flushed", why_impossible(snapshot)
    return f"{lost}; {impossible or 'a bridge would save it (lokeys heal --bridge)'}"


def _in_order(snapshot: Seen, pods: tuple[PodState, ...]) -> list[PodState]:
    """Return pods in the order of their replacement.

    Broken ones first, then by workload in the route's order, each from its highest ordinal down, as
    in a StatefulSet's rollout.
    """
    place = {workload.ref: number for number, workload in enumerate(snapshot.workloads)}
    by_name = sorted(pods, key=lambda pod: (len(pod.ref.name), pod.ref.name), reverse=True)
    return sorted(
        by_name, key=lambda pod: (pod.ready, place.get(pod.workload, len(place)), pod.workload)
    )


def _replace(pod: PodState, course: Draft) -> Step:
    dead = course.snapshot.key(pod).dead or _is_dying_pair(course)
    force = dead and _blocked_too_long(pod, course.snapshot)
    short = dead and pod.writes
    why = "it started before the Secret changed, and Loki reads its key only at start"
    if short:
        why += (
            "; its key is dead, so it would hang in its shutdown flush: it gets a short grace, "
            + (
                "its WAL is on a volume"
                if pod.wal_persistent
                else "what it holds unflushed is lost"
            )
        )
    return Step(
        action=Action.DELETE_POD if force else Action.REPLACE_POD,
        hop=Hop.PODS,
        target=pod.ref,
        why=why,
        changes="the pod is replaced by its controller"
        + (f", with a grace of {SHORT_GRACE.seconds} s" if short else ""),
        destructive=bool(short and not pod.wal_persistent),
        pod=pod,
        grace=SHORT_GRACE if short else None,
    )


def _is_dying_pair(course: Draft) -> bool:
    """Tell, for a projected plan, whether the pair that the pods hold now is refused."""
    secret = course.snapshot.secret
    verdict = course.snapshot.verdict(secret.pair) if secret and not course.bridges else None
    return course.secret_changes and verdict is not None and verdict.refused


def _stopping(snapshot: Seen) -> Stop | None:
    """Return that a terminating pod is waited for: its grace period cannot be shortened."""
    stopping = [pod for pod in snapshot.pods if pod.deleting_since is not None]
    if not stopping:
        return None
    pod = next((each for each in stopping if hangs(each, snapshot)), stopping[0])
    why = f"it is stopping, {latest_end(pod, snapshot)}"
    if hangs(pod, snapshot):
        end, held = latest_end(pod, snapshot), holdings(pod)
        why = f"its dead key keeps it in its shutdown flush {end}; {held}; {HELP}"
    return Stop(steps=(waiting(pod.ref, Hop.PODS, why, look_again_s=1.0, watched=True),))


def _pause(snapshot: Seen, late: list[PodState]) -> Stop | None:
    """Return what must come first: a pod that starts, or somebody else's rollout."""
    names = {pod.ref for pod in late}
    hopeless = all(snapshot.key(pod).dead for pod in late)
    for pod in snapshot.pods:
        if pod.ref in names or pod.ready or snapshot.key(pod).works is False:
            continue
        if is_starting(pod, snapshot.at) or not hopeless:
            why, unborn = "it is starting; one pod at a time", pod.started_at is None
            step = waiting(pod.ref, Hop.PODS, why, look_again_s=1.0, watched=unborn)
            return Stop(steps=(step,))
    for workload in snapshot.workloads:
        why = _why_wait_for(workload, snapshot, late)
        if why:
            step = waiting(workload.ref, Hop.PODS, why, look_again_s=1.0, watched=True)
            return Stop(steps=(step,))
    return None


def is_starting(pod: PodState, at: datetime) -> bool:
    """Tell whether the pod may still become ready: it started recently enough for a WAL replay.

    If it is unready for longer, or repeatedly, its start is not the problem.
    """
    loops = pod.restarts > RESTARTS_OF_A_LOOP
    began = pod.created_at if loops or pod.started_at is None else pod.started_at
    return not pod.ready and at - began < STARTS_WITHIN


def _why_wait_for(workload: WorkloadState, snapshot: Seen, late: list[PodState]) -> str:
    mine = [pod for pod in late if pod.workload == workload.ref]
    if workload.pods_to_come(snapshot.pods):
        return _A_POD_TO_COME
    if not mine:
        return ""
    content = snapshot.memory.content
    fresh = content is not None and snapshot.at - content.since < OTHERS_ROLL_WITHIN
    if workload.roller is not None and fresh:
        return f"{workload.roller} replaces its pods"
    broken = any(snapshot.key(pod).works is False for pod in mine)
    if workload.rolling and not broken:
        return "it is rolling out"
    return ""


def _why_not(pod: PodState, course: Draft) -> Stop | None:
    """Return why we may not replace this pod now."""
    snapshot = course.snapshot
    if stays_behind(pod, snapshot):
        return Stop(cause="pods_behind_secret", reason=f"{pod.ref} was replaced for this key once")
    if not course.policy.accept_loss:
        if snapshot.key(pod).may_lose_lines:
            return Stop(cause="wal_not_persistent", reason=would_lose(pod, snapshot))
        if _outlasts_bridge(pod, snapshot):
            reason = f"{pod.ref} may take longer to stop than its old key is valid"
            return Stop(cause="wal_not_persistent", reason=reason)
    since = snapshot.memory.blocked_since.get(pod.ref.name)
    if since is None or pod.budget is None or pod.budget.disruptions_allowed > 0:
        return None
    if snapshot.at - since < BUDGET_MAY_BLOCK:
        why = f"{pod.budget.ref} allows no disruption now"
        return Stop(steps=(waiting(pod.ref, Hop.PODS, why, look_again_s=5.0),))
    if _may_force(pod, snapshot):
        return None
    return Stop(cause="eviction_blocked_by_budget", reason=f"{pod.budget.ref} refuses {pod.ref}")


def _outlasts_bridge(pod: PodState, snapshot: Seen) -> bool:
    """Tell whether a pod that would lose lines without a bridge may stop after the bridge's end."""
    bridge = snapshot.memory.bridge
    if bridge is None or pod.wal_persistent is not False:
        return False
    carried = carries(snapshot, held_pair(pod, snapshot))
    return carried and snapshot.at + pod.own_grace > bridge.until


def _blocked_too_long(pod: PodState, snapshot: Seen) -> bool:
    since = snapshot.memory.blocked_since.get(pod.ref.name)
    return (
        since is not None and snapshot.at - since >= BUDGET_MAY_BLOCK and _may_force(pod, snapshot)
    )


def _may_force(pod: PodState, snapshot: Seen) -> bool:
    """Tell whether a budget may be overruled: allowed, broken by its own key, nothing lost."""
    allowed = any(w.ref == pod.workload and w.force for w in snapshot.workloads)
    harmless = pod.wal_persistent is not False
    return allowed and harmless and not pod.ready and snapshot.key(pod).dead


def plan_proof(course: Draft) -> Draft | Stop:
    """Return the plan with what is left to prove."""
    snapshot = course.snapshot
    if any(step.action in {Action.REPLACE_POD, Action.DELETE_POD} for step in course.steps):
        flushes = _flushes_to_come(snapshot)
        return course.then(*_unseen_pods(snapshot), *flushes, _prove(snapshot))
    if course.secret_changes:
        return course.then(*_unseen_pods(snapshot), _prove(snapshot))
    stuck = [pod for pod in snapshot.pods if stays_behind(pod, snapshot)]
    if stuck:
        return Stop(
            cause="pods_behind_secret",
            reason=f"{stuck[0].ref} was replaced for this key, and its requests are refused",
        )
    return course.then(*_open_cases(snapshot))


def _open_cases(snapshot: Seen) -> Iterator[Step]:
    for workload in snapshot.workloads:
        if workload.pods_to_come(snapshot.pods):
            why = _A_POD_TO_COME
            yield waiting(workload.ref, Hop.PODS, why, look_again_s=1.0, watched=True)
    yield from _unseen_pods(snapshot)
    for pod in snapshot.pods:
        if snapshot.key(pod).proof is None:
            yield _next_proof(pod, snapshot)
        elif is_starting(pod, snapshot.at):
            yield waiting(pod.ref, Hop.PODS, _NOT_READY_YET, look_again_s=1.0, watched=True)


def _unseen_pods(snapshot: Seen) -> Iterator[Step]:
    if snapshot.unseen is not None:
        yield unseen(snapshot.unseen)


def _next_proof(pod: PodState, snapshot: Seen) -> Step:
    asked = snapshot.memory.flushed.get(pod.ref.name)
    works = snapshot.key(pod).works
    may_ask = asked is None or snapshot.at - asked >= FLUSH_AGAIN_AFTER
    if (
        snapshot.spec.prove is Prove.FLUSH
        and (pod.ready or _holds_chunks(pod))
        and pod.writes
        and works is None
        and may_ask
    ):
        return flush(pod)
    if works is False:
        return waiting(pod.ref, Hop.PODS, "its storage requests were refused since it started")
    if not pod.ready:
        # Once its container runs, only its metrics show what it holds and asks for.
        unborn = pod.started_at is None
        return waiting(pod.ref, Hop.PODS, _NOT_READY_YET, look_again_s=1.0, watched=unborn)
    # Traffic arrives at its own pace; a flush that we just requested is answered at once.
    why = "it has not asked the storage for anything since it started"
    soon = asked is not None and snapshot.at - asked < FLUSH_TAKES
    return waiting(pod.ref, Hop.PODS, why, look_again_s=1.0 if soon else TRAFFIC_COMES_S)


def _holds_chunks(pod: PodState) -> bool:
    """Tell whether a Loki has something to flush, which it does long before it reports ready.

    `min_ready_duration` alone keeps it unready for 15 s.
    """
    return pod.metrics is not None and pod.metrics.chunks_in_memory > 0


def flush(pod: PodState) -> Step:
    """Return the step that asks a pod's ingester to flush."""
    return Step(
        action=Action.FLUSH,
        hop=Hop.PODS,
        target=pod.ref,
        why="so that the proof need not wait for traffic",
        changes="its ingester writes what it holds",
        pod=pod,
    )


def _flushes_to_come(snapshot: Seen) -> Iterator[Step]:
    if snapshot.spec.prove is Prove.FLUSH:
        yield from (flush(pod) for pod in snapshot.pods if pod.writes)


def _prove(snapshot: Seen) -> Step:
    return Step(
        action=Action.PROVE,
        hop=Hop.PODS,
        target=snapshot.spec.ref,
        why="a pod counts as mended when its own storage requests are answered",
    )
