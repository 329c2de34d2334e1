# SPDX-License-Identifier: Apache-2.0
"""One component at a time: whose pods may be replaced now.

    index gateway ─▶ ingester ─▶ querier ─▶ query frontend ─▶ ruler ─▶ compactor ─▶ the rest

A missing workload is created at once. One whose pods would be replaced waits until all before it
are ready and run the current template, unless none of its own pods is ready: then nothing is lost
by replacing them, and others may be waiting for exactly this repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lokeys.core.operate.intents import Intent
from lokeys.core.operate.live import Live, LivePodState, LiveWorkload, Pod
from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import Component

ORDER = (
    Component.INDEX_GATEWAY,
    Component.INGESTER,
    Component.QUERIER,
    Component.QUERY_FRONTEND,
    Component.RULER,
    Component.COMPACTOR,
    Component.DISTRIBUTOR,
    Component.GATEWAY,
)
UNREADY_FOR = timedelta(seconds=20)
"""A StatefulSet waits for a pod that is not ready before it replaces any: forever, if the pod needs
the new template to become ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How far the workloads have come in their order."""

    writes: tuple[Intent, ...] = ()
    waiting: tuple[Component, ...] = ()
    """Components whose change waits for others."""
    awaited: Component | None = None
    """The first component that is not rolled out and ready."""


def next_turn(
    intents: Iterable[Intent], live: Mapping[Ref, Live], *, unproved: frozenset[str] = frozenset()
) -> Turn:
    """Return which workloads are written now; the rest also waits for those in `unproved`."""
    writes: list[Intent] = []
    waiting: list[Component] = []
    awaited: Component | None = None
    for intent, component in _in_order(intents):
        found = live.get(intent.ref)
        if found is None or found.workload is None:
            writes.append(intent)
            awaited = awaited or component
            continue
        if found.content != intent.digest:
            if awaited is None or _may_pass(intent, found.workload):
                writes.append(intent)
            else:
                waiting.append(component)
        if not is_settled(intent, found) or found.workload.component in unproved:
            awaited = awaited or component
    return Turn(writes=tuple(writes), waiting=tuple(waiting), awaited=awaited)


def is_settled(intent: Intent, live: Live) -> bool:
    """Tell whether a workload is as it should be, with all its pods replaced and ready."""
    workload = live.workload
    return bool(workload and live.content == intent.digest and workload.rollout.settled)


def _may_pass(intent: Intent, workload: LiveWorkload) -> bool:
    return workload.template == intent.template or not workload.rollout.ready


def components_in_order(intents: Iterable[Intent]) -> tuple[Component, ...]:
    """Return the components of these workloads, in rollout order."""
    return tuple(component for _, component in _in_order(intents))


def _in_order(intents: Iterable[Intent]) -> Sequence[tuple[Intent, Component]]:
    found = [(each, each.component) for each in intents if each.component is not None]
    return sorted(found, key=lambda pair: ORDER.index(pair[1]))


def stuck_pods(
    intents: Iterable[Intent], live: Mapping[Ref, Live], pods: Sequence[Pod], *, now: datetime
) -> tuple[Pod, ...]:
    """Return pods of an older template that block their StatefulSet's rollout."""
    return tuple(
        pod
        for pod in _holding_up(intents, live, pods)
        if pod.unready_since is not None and now - pod.unready_since >= UNREADY_FOR
    )


def next_stuck_at(
    intents: Iterable[Intent], live: Mapping[Ref, Live], pods: Sequence[Pod]
) -> datetime | None:
    """Return when the first of such pods may be replaced; None if there is none."""
    since = [pod.unready_since for pod in _holding_up(intents, live, pods)]
    return min((at + UNREADY_FOR for at in since if at is not None), default=None)


def _holding_up(
    intents: Iterable[Intent], live: Mapping[Ref, Live], pods: Sequence[Pod]
) -> Iterable[Pod]:
    for intent in intents:
        found = live.get(intent.ref)
        if intent.ref.kind != "StatefulSet" or found is None or found.workload is None:
            continue
        rollout = found.workload.rollout
        if found.content != intent.digest or rollout.observed < rollout.generation:
            continue
        for pod in pods:
            ours = intent.component is not None and pod.component == intent.component.value
            old = pod.revision not in ("", rollout.revision) and bool(rollout.revision)
            if ours and old and pod.state is not LivePodState.READY and not pod.terminating:
                yield pod
