# SPDX-License-Identifier: Apache-2.0
"""How a pod that is told to stop stops: until when, with what it holds, and what would help.

A grace that runs is not shortened: the kubelet asks its runtime once. A later, shorter delete only
changes what the API server shows, down to a grace of 1 s that is not the one that runs.

    first delete ── Killing event ───────────── the first delete's grace ───────────▶ killed
                          └── delete again with 2 s: the API server shows another end
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lokeys.core.findings.finding import time_to_json
from lokeys.core.route.key_state import Seen
from lokeys.core.route.memory import Stopping
from lokeys.core.route.snapshot import PodState, Snapshot

ENDS_WITHIN = timedelta(seconds=30)
"""After its grace a pod is killed; that it is gone is told some moments later."""

HELP = "only a key that works ends it sooner"


def first_seen(pod: PodState, *, watched: bool) -> Stopping:
    """Return how a pod stops that is now first seen to; `watched`: it was seen to run before.

    Nobody else knows whether a grace that is less than the pod's own is the first that was asked.
    """
    known = watched or pod.grace >= pod.own_grace
    since = pod.deleting_since if known else None
    return Stopping(since=since, grace=max(pod.grace, pod.own_grace))


def hangs(pod: PodState, snapshot: Seen) -> bool:
    """Tell whether a pod is told to stop and its dead key keeps it in its shutdown flush."""
    return pod.deleting_since is not None and pod.writes and snapshot.key(pod).dead


def latest_end(pod: PodState, snapshot: Snapshot) -> str:
    """Return until when a pod that is told to stop may take."""
    grace = snapshot.memory.stopping.get(pod.uid) or first_seen(pod, watched=False)
    grace = replace(grace, since=pod.killing_since or grace.since)
    lasts = f"{int(grace.grace.total_seconds())} s"
    if grace.until is None:
        return f"for at most {lasts} from an unknown start"
    until = time_to_json(grace.until)
    if snapshot.at > grace.until + ENDS_WITHIN:
        return f"although its grace of {lasts} ended at {until}: its node does not end it"
    return f"until {until} at the latest, when its grace of {lasts} ends"


def holdings(pod: PodState) -> str:
    """Return what a pod holds that the store does not have yet."""
    held = "what it holds cannot be read"
    if pod.metrics is not None:
        held = f"it holds {pod.metrics.chunks_in_memory} chunks in memory"
    if pod.wal_persistent:
        return f"{held}; its WAL is on a volume, so nothing is lost"
    return f"{held}, and no volume keeps them when it is killed"
