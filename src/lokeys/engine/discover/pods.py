# SPDX-License-Identifier: Apache-2.0
"""Reads counters and complaints from the pods of Lokis that have no route."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from lokeys.core.route.key_state import REFUSED_KEY_CAUSES
from lokeys.core.route.snapshot import PodState, Unreadable
from lokeys.ports import Fleet, PodPorts


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPods:
    """Pods with their counters and complaints, and what could not be read of them."""

    pods: tuple[PodState, ...]
    gaps: tuple[Unreadable, ...]


async def ask_pods(ports: PodPorts) -> AskedPods:
    """Return the pods of some workloads in the form of a route's snapshot."""
    reading = await ports.workloads.read()
    fleet = reading.state or Fleet()
    told = await asyncio.gather(*(_ask(pod, ports) for pod in fleet.pods))
    gaps = (gap for _, found in told for gap in found)
    return AskedPods(pods=tuple(pod for pod, _ in told), gaps=(*reading.gaps, *gaps))


async def _ask(pod: PodState, ports: PodPorts) -> tuple[PodState, tuple[Unreadable, ...]]:
    log = await ports.loki.log(pod)
    lines = () if isinstance(log, Unreadable) else log
    lost = (log,) if isinstance(log, Unreadable) else ()
    if pod.started_at is None:
        # It restarts with the current key: complaints about the previous one no longer count.
        last = tuple(line for line in lines if line.cause not in REFUSED_KEY_CAUSES)
        return replace(pod, last_words=last), ()
    metrics = await ports.loki.metrics(pod)
    if isinstance(metrics, Unreadable):
        return replace(pod, log=lines), (metrics, *lost)
    return replace(pod, log=lines, metrics=metrics), lost
