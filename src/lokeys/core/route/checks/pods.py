# SPDX-License-Identifier: Apache-2.0
"""The pods: do they hold the Secret's pair, and what prevents their replacement?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lokeys.core.findings.catalogue import pods as rules
from lokeys.core.findings.finding import Confidence, Finding, time_to_json
from lokeys.core.route.bridging import NO_LEAVE, chance, holders, why_impossible
from lokeys.core.route.checks.grouping import by_workload, each_of, listed, place_of
from lokeys.core.route.key_state import Currency, Seen
from lokeys.core.route.shutdown import hangs, holdings, latest_end
from lokeys.core.route.snapshot import PodState


def behind(snapshot: Seen) -> tuple[PodState, ...]:
    """Return the pods that run with an older pair than the Secret's, by name."""
    return tuple(
        sorted(
            (pod for pod in snapshot.pods if snapshot.key(pod).currency is Currency.BEHIND),
            key=lambda pod: (pod.workload, pod.ref.name),
        )
    )


def pods_are_behind(snapshot: Seen) -> Iterator[Finding]:
    """Pods that started before the Secret changed; one finding per workload."""
    late = behind(snapshot)
    for workload in sorted({pod.workload for pod in late}):
        pods = [pod for pod in late if pod.workload == workload]
        stuck = [pod for pod in pods if stays_behind(pod, snapshot)]
        if len(stuck) == len(pods):
            continue
        exact = snapshot.memory.content is not None and snapshot.memory.content.exact
        yield rules.PODS_BEHIND_SECRET.at(
            workload,
            route=snapshot.spec.route,
            confidence=Confidence.CERTAIN if exact else Confidence.LIKELY,
            evidence=[_evidence(pod) for pod in pods],
            count=len(pods),
            namespace=snapshot.spec.namespace,
            name=snapshot.spec.name,
        )


def pods_stay_behind(snapshot: Seen) -> Iterator[Finding]:
    """Pods were replaced for this key and are refused, although the store accepts the Secret's."""
    for pods in by_workload(pod for pod in snapshot.pods if stays_behind(pod, snapshot)):
        yield rules.POD_STAYS_BEHIND.at(
            place_of(pods),
            route=snapshot.spec.route,
            who=_who(pods),
            evidence=listed([_evidence(pod) for pod in pods]),
            namespace=pods[0].ref.namespace,
            pod=pods[0].ref.name,
        )


def stays_behind(pod: PodState, snapshot: Seen) -> bool:
    """Tell whether replacing the pod did not help, so that the Secret's key is not its only one."""
    held = snapshot.secret.pair if snapshot.secret else None
    if held is None or snapshot.memory.replaced.get(pod.ref.name) != held.pair:
        return False
    verdict = snapshot.verdict(held)
    refused = snapshot.key(pod).works is False and verdict is not None and verdict.accepted
    return pod.deleting_since is None and (refused or snapshot.key(pod).currency is Currency.BEHIND)


def pods_hold_unsaved_lines(snapshot: Seen) -> Iterator[Finding]:
    """Pods that must be replaced hold the only copy of lines, on no volume that outlives them."""
    late = [pod for pod in behind(snapshot) if snapshot.key(pod).may_lose_lines]
    found = chance(snapshot, NO_LEAVE)
    offered = found is not None and found.for_a_person
    soon = holders(snapshot, found.pair) if found is not None and offered else ()
    late += [pod for pod in soon if pod.wal_persistent is False and pod not in late]
    if not late:
        return
    places = [str(place_of(pods)) for pods in by_workload(late)]
    alone = len(places) == 1
    finding = rules.WAL_NOT_PERSISTENT.at(
        place_of(by_workload(late)[0]),
        route=snapshot.spec.route,
        who=f"{' and '.join(places)} {'keeps its' if alone else 'keep their'} WAL",
        them="it" if alone else "them",
        evidence=[*each_of(late, [_held(pod) for pod in late]), *_no_bridge(snapshot)],
        namespace=snapshot.spec.namespace,
        name=snapshot.spec.name,
    )
    yield with_bridge(finding, snapshot) if offered else finding


def with_bridge(finding: Finding, snapshot: Seen) -> Finding:
    """Return a finding whose first remedy is the bridge."""
    words = {"namespace": snapshot.spec.namespace, "name": snapshot.spec.name}
    return replace(finding, remedy=(rules.BRIDGE.with_words(**words), *finding.remedy))


def _no_bridge(snapshot: Seen) -> Iterator[str]:
    why = why_impossible(snapshot)
    if why:
        yield why


def _held(pod: PodState) -> str:
    """Return what only the pod holds, according to its metrics."""
    if pod.metrics is None:
        return "what it holds is not known: its metrics could not be read"
    last = time_to_json(pod.metrics.last_flush_at) or "none seen"
    return f"{pod.metrics.chunks_in_memory} chunks in memory, last flush: {last}"


def pods_will_not_stop(snapshot: Seen) -> Iterator[Finding]:
    """Pods are terminating, and their dead key blocks the flush at shutdown."""
    found = chance(snapshot, NO_LEAVE)
    offered = found is not None and found.for_a_person
    for pods in by_workload(pod for pod in snapshot.pods if hangs(pod, snapshot)):
        ends = [latest_end(pod, snapshot) for pod in pods]
        alike = len(set(ends)) == 1
        held = [
            holdings(pod) if alike else f"{holdings(pod)}; it hangs {end}"
            for pod, end in zip(pods, ends, strict=True)
        ]
        finding = rules.POD_WILL_NOT_STOP.at(
            place_of(pods),
            route=snapshot.spec.route,
            who=_who(pods),
            evidence=[*each_of(pods, held), *_no_bridge(snapshot)],
            end=ends[0] if alike else "for as long as is said below of each pod",
        )
        yield with_bridge(finding, snapshot) if offered else finding


def rollout_is_blocked(snapshot: Seen) -> Iterator[Finding]:
    """A rollout waits for a pod of the old revision that cannot become ready."""
    for workload in snapshot.workloads:
        broken = [
            pod
            for pod in snapshot.pods
            if pod.workload == workload.ref
            and not (pod.ready or pod.revision_current)
            and snapshot.key(pod).works is False
        ]
        if workload.rolling and broken:
            words = [f"{pod.ref.name} is {pod.containers_ready or '0'} ready" for pod in broken]
            yield rules.ROLLOUT_BLOCKED.at(
                workload.ref,
                route=snapshot.spec.route,
                detail=", ".join(words),
                namespace=snapshot.spec.namespace,
                name=snapshot.spec.name,
            )


def budgets_forbid_eviction(snapshot: Seen) -> Iterator[Finding]:
    """A PodDisruptionBudget has refused the eviction of pods that must be replaced."""
    since = snapshot.memory.blocked_since
    blocked = (pod for pod in behind(snapshot) if pod.ref.name in since)
    for pods in by_workload(blocked):
        first = min(since[pod.ref.name] for pod in pods)
        budget = pods[0].budget
        yield rules.EVICTION_BLOCKED_BY_BUDGET.at(
            place_of(pods),
            route=snapshot.spec.route,
            detail=f"{budget.ref if budget else 'a budget'} since {time_to_json(first)}",
            evidence=listed([pod.ref.name for pod in pods]) if len(pods) > 1 else (),
            namespace=pods[0].ref.namespace,
            budget=budget.ref.name if budget else "BUDGET",
        )


def workloads_do_not_fit(snapshot: Seen) -> Iterator[Finding]:
    """A workload that the route names does not exist, or reads another Secret."""
    for workload in snapshot.workloads:
        route = snapshot.spec.route
        if not workload.exists:
            yield rules.WORKLOAD_MISSING.at(workload.ref, route=route, detail="")
        elif not workload.reads_secret:
            yield rules.WORKLOAD_READS_OTHER.at(
                workload.ref,
                route=route,
                secret=snapshot.spec.secret_ref,
                namespace=snapshot.spec.namespace,
                workload=workload.ref.path.lower(),
            )


def _who(pods: Sequence[PodState]) -> str:
    """Return how to name the pods of one workload in a sentence."""
    return f"{len(pods)} pods of {place_of(pods)}" if len(pods) > 1 else str(place_of(pods))


def _evidence(pod: PodState) -> str:
    words = [f"{pod.ref.name} runs since {time_to_json(pod.started_at)}"]
    if pod.metrics is not None and pod.metrics.refused:
        words.append(f"{pod.metrics.refused} storage requests refused with 403")
    if pod.metrics is not None and pod.metrics.flush_failures:
        words.append(f"{pod.metrics.flush_failures} flushes failed")
    return ", ".join(words)


CHECKS = (
    pods_are_behind,
    pods_stay_behind,
    pods_hold_unsaved_lines,
    pods_will_not_stop,
    rollout_is_blocked,
    budgets_forbid_eviction,
    workloads_do_not_fit,
)
