# SPDX-License-Identifier: Apache-2.0
"""How a terminating pod stops: until when, with what it holds, and what would help.

A running grace period is not shortened: the kubelet asks its runtime once. A later, shorter delete
only changes what the API server shows, down to a grace period of 1 s that is not the real one.

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
"""A pod is killed after its grace period; its end is reported some moments later."""

HELP = "only a key that works ends it sooner"


def first_seen(pod: PodState, *, watched: bool) -> Stopping:
    """Return how a pod stops that is first seen terminating; `watched`: it was seen running before.

    Otherwise a grace period shorter than the pod's own may not be the first that was requested.
    """
    known = watched or pod.grace >= pod.own_grace
    since = pod.deleting_since if known else None
    return Stopping(since=since, grace=max(pod.grace, pod.own_grace))


def hangs(pod: PodState, snapshot: Seen) -> bool:
    """Tell whether a terminating pod hangs in its shutdown flush because of its dead key."""
    return pod.deleting_since is not None and pod.writes and snapshot.key(pod).dead


def latest_end(pod: PodState, snapshot: Snapshot) -> str:
    """Return the latest end of a terminating pod."""
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
