# SPDX-License-Identifier: Apache-2.0
"""What is said of a pod that is told to stop: until when, and with what it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, a_pod, ago, look
from lokeys.core.route.memory import Memory, Stopping
from lokeys.core.route.remembering import remember
from lokeys.core.route.shutdown import holdings, latest_end
from lokeys.core.route.snapshot import PodState, Snapshot

OWN = timedelta(seconds=300)
AT_NOON: dict[str, Any] = {"deleting_since": NOW, "grace": OWN, "own_grace": OWN}
SHORTENED: dict[str, Any] = {"deleting_since": NOW, "grace": timedelta(seconds=1), "own_grace": OWN}
BY_NOON = "until 2026-03-01T12:05:00Z at the latest, when its grace of 300 s ends"


def seen(pod: PodState, stopping: Stopping | None = None, **changes: Any) -> Snapshot:
    """Return a look at one pod, with how it was first seen to stop."""
    memory = Memory(stopping={pod.uid: stopping} if stopping else {})
    return look(pods=(pod,), memory=memory, **changes)


ENDS: dict[str, tuple[dict[str, Any], Stopping | None, str]] = {
    "the API server's word, where nobody asked for less": (AT_NOON, None, BY_NOON),
    "a longer grace than the pod's own": (
        {**AT_NOON, "grace": timedelta(seconds=600)},
        None,
        "until 2026-03-01T12:10:00Z at the latest, when its grace of 600 s ends",
    ),
    "its node's word, where somebody asked for less": (
        {**SHORTENED, "killing_since": NOW},
        None,
        BY_NOON,
    ),
    "the first delete that lokeys saw, whatever is shown now": (
        SHORTENED,
        Stopping(since=NOW, grace=OWN),
        BY_NOON,
    ),
    "a grace that lokeys asked for": (
        SHORTENED,
        Stopping(since=NOW, grace=timedelta(seconds=2)),
        "until 2026-03-01T12:00:02Z at the latest, when its grace of 2 s ends",
    ),
    "nobody's word": (SHORTENED, None, "for at most 300 s from an unknown start"),
    "a node that does not end it": (
        {**AT_NOON, "deleting_since": ago(minutes=6)},
        None,
        "although its grace of 300 s ended at 2026-03-01T11:59:00Z: its node does not end it",
    ),
    "one that has just ended": (
        {**AT_NOON, "deleting_since": ago(minutes=5)},
        None,
        "until 2026-03-01T12:00:00Z at the latest, when its grace of 300 s ends",
    ),
}


@pytest.mark.parametrize(("changes", "stopping", "words"), ENDS.values(), ids=ENDS.keys())
def test_until_when_it_may_take(
    changes: dict[str, Any], stopping: Stopping | None, words: str
) -> None:
    """The grace that runs is the first one; after a second delete the API server shows another."""
    pod = a_pod(**changes)
    assert latest_end(pod, seen(pod, stopping)) == words


def test_a_first_delete_that_was_seen_is_remembered() -> None:
    """A pod that ran at the last look: what its first delete granted outlives a second one."""
    alive = a_pod(own_grace=OWN)
    memory = remember(look(pods=(alive,)))
    deleted = replace(alive, deleting_since=NOW, grace=OWN)
    memory = remember(look(pods=(deleted,), memory=memory))
    again = replace(alive, deleting_since=ago(minutes=-1), grace=timedelta(seconds=1))
    snapshot = look(pods=(again,), memory=memory)
    snapshot = replace(snapshot, memory=remember(snapshot))
    assert latest_end(again, snapshot) == BY_NOON
    gone = look(pods=(), memory=snapshot.memory)
    assert not remember(gone).stopping


def test_a_delete_that_was_not_seen_has_no_known_start() -> None:
    """A pod that is stopping at the first look, with less than its own grace."""
    pod = a_pod(**SHORTENED)
    snapshot = look(pods=(pod,))
    snapshot = replace(snapshot, memory=remember(snapshot))
    assert latest_end(pod, snapshot) == "for at most 300 s from an unknown start"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {},
            "it holds 12 chunks in memory; its WAL is on a volume, so nothing is lost",
            id="on a volume",
        ),
        pytest.param(
            {"wal_persistent": False},
            "it holds 12 chunks in memory, and no volume keeps them when it is killed",
            id="on no volume",
        ),
        pytest.param(
            {"metrics": None},
            "what it holds cannot be read; its WAL is on a volume, so nothing is lost",
            id="unread",
        ),
    ],
)
def test_what_it_holds(changes: dict[str, Any], words: str) -> None:
    """Whether waiting for its end costs lines."""
    pod = a_pod()
    assert holdings(replace(pod, **changes)) == words
