# SPDX-License-Identifier: Apache-2.0
"""A heal as the demo shows it: the operator's steps in words, and the effect of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lokeys.core.sensitive import KeyPair
from lokeys.demo.homelab import Homelab
from lokeys.demo.manifests import GRACE_S, POD
from lokeys.demo.operator_process import StepTaken
from lokeys.demo.proof import name_of

_WORDS = {
    "test-key": "the new key passes put, get, list and delete",
    "write-vault": "both fields of the item in one PATCH, and read back",
    "force-sync": "External Secrets is told to read the item now",
    "replace-pod": f"{POD} is evicted: it read its key at its start",
    "end-pod": f"the shutdown flush in which {POD} hangs is cut short",
    "keep-pair": "a copy of the old pair, and when it ends, before anything else",
    "add-key": "the old key is a second key of the user: the running Loki is valid again",
    "retire-key": "no pod holds the old key any more: it is taken away",
    "drop-pair": "the copy is deleted",
    "flush": "Loki is asked to flush, so that proof need not wait",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """An effect of a step; shown when it is seen, and not before its step."""

    after: str
    name: str
    text: Callable[[], str]
    seen: Callable[[], bool]
    tone: str = ""


def words_of(step: StepTaken) -> str:
    """Return what a step did."""
    return step.note or _WORDS.get(step.action, step.target)


def ready(home: Homelab) -> bool:
    """Tell whether the operator says that all is proved."""
    return home.route_condition("Ready").get("status") == "True"


def bridge_milestones(home: Homelab, *, old: KeyPair, since: datetime) -> list[Milestone]:
    """Return what a bridge brings about that begins now, in its order."""
    pod, new = home.pod["metadata"]["uid"], home.key

    def proved() -> bool:
        return ready(home) and home.live_keys == 1 and home.key == new

    return [
        Milestone(
            after="add-key",
            name="Loki",
            text=lambda: f"writes again, with {name_of(old)}: it has not been restarted for that",
            seen=lambda: home.has_written(old, since=since),
            tone="good",
        ),
        Milestone(
            after="replace-pod",
            name="pod",
            text=lambda: f"{POD} flushed and stopped by itself, and is back with {name_of(new)}",
            seen=lambda: (
                home.pod.get("metadata", {}).get("uid") not in {None, pod}
                and home.containers_ready == "2/2"
            ),
        ),
        Milestone(
            after="retire-key",
            name="RGW",
            text=lambda: f"user loki has one key, {name_of(new)}; {name_of(old)} is gone for good",
            seen=proved,
            tone="good",
        ),
    ]


def milestones(home: Homelab) -> list[Milestone]:
    """Return what a healing brings about that begins now, in its order."""
    old = home.pod["metadata"]["uid"]

    def grace_s() -> int:
        meta = home.pod.get("metadata", {})
        return meta.get("deletionGracePeriodSeconds", GRACE_S) if meta.get("uid") == old else 0

    def is_back() -> bool:
        return home.pod.get("metadata", {}).get("uid") != old and home.containers_ready == "2/2"

    def writes() -> bool:
        chunk = home.newest_chunk
        return chunk is not None and chunk.signer == home.key.access_key_id.reveal_text()

    return [
        Milestone(
            after="force-sync",
            name="Secret",
            text=lambda: "External Secrets has delivered both halves",
            seen=lambda: home.delivered_pair == home.key,
        ),
        Milestone(
            after="replace-pod",
            name="pod",
            text=lambda: (
                f"its shutdown flush would hang for {GRACE_S} s; its WAL is on a volume, "
                f"so it gets {grace_s()} s"
            ),
            seen=lambda: grace_s() < GRACE_S,
        ),
        Milestone(
            after="replace-pod",
            name="pod",
            text=lambda: f"{POD} is back, {home.containers_ready}, with the lines of its WAL",
            seen=is_back,
        ),
        Milestone(
            after="replace-pod",
            name="Loki",
            text=lambda: f"writes again; its chunks are signed with {name_of(home.key)}",
            seen=writes,
            tone="good",
        ),
        Milestone(
            after="replace-pod",
            name="proved",
            text=lambda: f"Ready: {home.route_condition('Ready')['reason']}",
            seen=lambda: ready(home),
            tone="good",
        ),
    ]
