# SPDX-License-Identifier: Apache-2.0
"""What is planned for pods: steps 4 and 5 of the order of healing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    LOKI,
    TRUSTED,
    WORKS,
    A,
    B,
    a_delivery,
    a_gap,
    a_pod,
    a_workload,
    ago,
    content,
    look,
    said_by,
)
from lokeys.core.place import Hop, Ref
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import Prove
from lokeys.core.route.plan import Action, Policy, plan
from lokeys.core.route.snapshot import Budget, PodState, Roller, Why


def late(*pods: PodState, since: float = 5, **changes: Any) -> dict[str, Any]:
    """Return a look at which only pods are left to mend: A is dead, they started with it."""
    old = ("u-loki-0", "u-loki-1")
    known = content(B, since=ago(minutes=since), old_pods=old, before=A)
    remembered = Memory(content=known, refused=(A.pair,), **changes.pop("memory", {}))
    fleet = pods or (a_pod(),)
    whole = {
        "source": B,
        "vault": B,
        "secret": B,
        "verdicts": {B: TRUSTED},
        "memory": remembered,
        "pods": fleet,
        "workloads": (a_workload(wanted=len(fleet), force=True),),
    }
    return {**whole, **changes}


FORBIDS = Budget(ref=Ref("PodDisruptionBudget", "pdb", "monitoring"), disruptions_allowed=0)
BLOCKED = {"blocked_since": {"loki-0": ago(minutes=6)}}
JUST_BLOCKED = {"blocked_since": {"loki-0": ago(minutes=1)}}
STOPPING: dict[str, Any] = {"deleting_since": ago(seconds=1)}

PODS = {
    "a late pod goes": (late(), "replace-pod loki-0"),
    "a broken one goes first": (
        late(a_pod(ready=False, refused=1), a_pod("loki-1")),
        "replace-pod loki-0",
    ),
    "the highest ordinal goes first": (late(a_pod(), a_pod("loki-1")), "replace-pod loki-1"),
    "one that stops is waited for": (
        late(a_pod(), a_pod("loki-1", wal_persistent=None, **STOPPING)),
        "await loki-1",
    ),
    "one that hangs is waited for": (
        late(a_pod(), a_pod("loki-1", refused=1, **STOPPING)),
        "await loki-1",
    ),
    "of two that stop, the one that hangs is told": (
        late(a_pod(wal_persistent=None, **STOPPING), a_pod("loki-1", refused=1, **STOPPING)),
        "await loki-1",
    ),
    "one that starts is waited for": (
        late(a_pod(), a_pod("loki-2", ready=False, started_at=ago(seconds=9), accepted=0)),
        "await loki-2",
    ),
    "one that is unready for an hour holds up nobody whose key is dead": (
        late(a_pod(refused=1), a_pod("loki-2", ready=False)),
        "replace-pod loki-0",
    ),
    "one that restarts for ever holds up nobody whose key is dead": (
        late(a_pod(refused=1), a_pod("loki-2", ready=False, restarts=9, started_at=ago(seconds=5))),
        "replace-pod loki-0",
    ),
    "a pod that is yet to come is waited for": (
        late(workloads=(a_workload(wanted=2),)),
        "await loki",
    ),
    "a workload that reads another Secret is not waited for": (
        late(
            workloads=(
                a_workload(),
                a_workload(ref=Ref("Deployment", "x", "monitoring"), reads_secret=False),
            )
        ),
        "replace-pod loki-0",
    ),
    "Reloader is given two minutes": (
        late(since=1.5, workloads=(a_workload(roller=Roller.RELOADER),)),
        "await loki",
    ),
    "then lokeys does it": (
        late(workloads=(a_workload(roller=Roller.RELOADER),)),
        "replace-pod loki-0",
    ),
    "a rollout is waited for": (late(workloads=(a_workload(rolling=True),)), "await loki"),
    "a rollout that waits for a broken pod is not": (
        late(a_pod(refused=1), workloads=(a_workload(rolling=True),)),
        "replace-pod loki-0",
    ),
    "a budget is waited for": (late(a_pod(budget=FORBIDS), memory=JUST_BLOCKED), "await loki-0"),
    "a budget that allows it again is no reason to wait": (
        late(a_pod(budget=replace(FORBIDS, disruptions_allowed=1)), memory=BLOCKED),
        "replace-pod loki-0",
    ),
    "a budget that forbids a ready pod for five minutes is told": (
        late(a_pod(budget=FORBIDS), memory=BLOCKED),
        "stalled: eviction_blocked_by_budget",
    ),
    "one that forbids a broken pod is overruled where that is allowed": (
        late(a_pod(budget=FORBIDS, ready=False, refused=1), memory=BLOCKED),
        "delete-pod loki-0",
    ),
    "no volume: nothing goes": (late(a_pod(wal_persistent=False)), "stalled: wal_not_persistent"),
    "no volume, but the old key is known to live: it can flush": (
        late(
            a_pod(wal_persistent=False),
            memory={},
            verdicts={A: WORKS, B: TRUSTED},
        ),
        "replace-pod loki-0",
    ),
    "a pod is replaced once a change": (
        late(memory={"replaced": {"loki-0": B.pair}}),
        "stalled: pods_behind_secret",
    ),
    "what a person must see to comes before what is waited for": (
        late(a_pod(budget=FORBIDS), a_pod("loki-1", wal_persistent=False), memory=JUST_BLOCKED),
        "stalled: wal_not_persistent",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), PODS.values(), ids=PODS.keys())
def test_step_4_the_pods(changes: dict[str, Any], expected: str) -> None:
    """One at a time, in their order, within their budgets, and nothing is lost."""
    assert said_by(plan(look(**changes), Policy())) == expected


def test_a_loss_that_was_accepted_is_called_one() -> None:
    """The step says that what is unflushed goes, and is marked as destructive."""
    made = plan(look(**late(a_pod(wal_persistent=False))), Policy(accept_loss=True))
    assert made.next_step is not None
    assert made.next_step.destructive
    assert "lost" in made.next_step.why


def test_no_word_of_a_person_shortens_a_grace_that_runs() -> None:
    """What was accepted for a restart does nothing for one that somebody began."""
    pod = a_pod(refused=1, wal_persistent=False, **STOPPING)
    made = plan(look(**late(pod)), Policy(accept_loss=True))
    assert said_by(made) == "await loki-0"


def test_a_pod_that_hangs_is_never_waited_for_in_silence() -> None:
    """The plan says until when at the latest, what the pod holds, and what would help."""
    pod = a_pod(refused=1, **STOPPING)
    (step,) = plan(look(**late(pod)), Policy()).steps
    assert step.watched
    assert step.why == (
        "its dead key keeps it in its shutdown flush until 2026-03-01T12:00:29Z at the latest, "
        "when its grace of 30 s ends; it holds 12 chunks in memory; its WAL is on a volume, so "
        "nothing is lost; only a key that works ends it sooner"
    )


READ = Ref("Deployment", "loki-read", "monitoring")
PROOF = {
    "a pod that has not asked for anything": ({"pods": (a_pod(accepted=0),)}, "await loki-0"),
    "a pod that is refused with the Secret's key": ({"pods": (a_pod(refused=1),)}, "await loki-0"),
    "a young pod that is not ready yet": (
        {"pods": (a_pod(ready=False, started_at=ago(seconds=30)),)},
        "await loki-0",
    ),
    "an unready one that has not asked": (
        {"pods": (a_pod(ready=False, accepted=0),)},
        "await loki-0",
    ),
    "a sidecar that is broken for an hour": ({"pods": (a_pod(ready=False),)}, "settled"),
    "a pod that its controller has yet to make": ({"pods": ()}, "await loki"),
    "pods that could not be listed": (
        {"pods": (), "workloads": (), "unreadable": (a_gap(Hop.PODS, LOKI, Why.FORBIDDEN),)},
        "await loki",
    ),
    "one workload of two that could not be read": (
        {"unreadable": (a_gap(Hop.PODS, READ, Why.UNREACHABLE),)},
        "await loki-read",
    ),
    "a workload of no pods": ({"pods": (), "workloads": (a_workload(wanted=0),)}, "settled"),
    "a pod that may be asked to flush": (
        {"pods": (a_pod(accepted=0),), "route": {"prove": Prove.FLUSH}},
        "flush loki-0",
    ),
    "an unready pod that has replayed its WAL": (
        {"pods": (a_pod(ready=False, accepted=0),), "route": {"prove": Prove.FLUSH}},
        "flush loki-0",
    ),
    "an unready pod with nothing to flush yet": (
        {
            "pods": (a_pod(ready=False, accepted=0, chunks_in_memory=0),),
            "route": {"prove": Prove.FLUSH},
        },
        "await loki-0",
    ),
    "an unready pod that cannot be asked yet": (
        {"pods": (a_pod(ready=False, metrics=None),), "route": {"prove": Prove.FLUSH}},
        "await loki-0",
    ),
    "a pod that was asked to flush a moment ago": (
        {
            "pods": (a_pod(accepted=0),),
            "route": {"prove": Prove.FLUSH},
            "memory": Memory(content=content(), flushed={"loki-0": ago(seconds=9)}),
        },
        "await loki-0",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), PROOF.values(), ids=PROOF.keys())
def test_step_5_the_proof(changes: dict[str, Any], expected: str) -> None:
    """Settled is only what is proved."""
    assert said_by(plan(look(**changes), Policy())) == expected


def test_a_plan_that_ends_before_the_pods_is_not_begun_either() -> None:
    """The vault would be written, then a person is needed: a workload unseen stops it at once."""
    blind = (a_gap(Hop.PODS, READ, Why.FORBIDDEN),)
    stuck = look(
        source=B,
        verdicts={A: WORKS, B: TRUSTED},
        delivery=a_delivery(immutable=True),
        memory=Memory(content=content(), source_held=(A.pair,)),
        unreadable=blind,
    )
    made = plan(stuck, Policy())
    assert [step.action for step in made.steps] == [Action.WRITE_VAULT, Action.AWAIT]
    assert (made.stalled, said_by(made)) == ("secret_cannot_refresh", "await loki-read")


UNBORN: dict[str, Any] = {
    "ready": False,
    "created_at": ago(seconds=20),
    "started_at": None,
    "accepted": 0,
}
RUNS: dict[str, Any] = {"ready": False, "started_at": ago(seconds=9), "accepted": 0}
READER: dict[str, Any] = {"wal_persistent": None}
WATCHED = {
    "a container that is yet to start": (late(a_pod(), a_pod("loki-2", **UNBORN)), True),
    "one that runs: its metrics may show that it is refused": (
        late(a_pod(), a_pod("loki-2", **RUNS)),
        False,
    ),
    "a pod to come": (late(workloads=(a_workload(wanted=2),)), True),
    "a rollout": (late(workloads=(a_workload(rolling=True),)), True),
    "a reader that stops": (late(a_pod(), a_pod("loki-1", **READER, **STOPPING)), True),
    "a writer that hangs in its shutdown": (
        late(a_pod(refused=1, wal_persistent=False, **STOPPING)),
        True,
    ),
    "a new pod that is yet to start": ({"pods": (a_pod(**UNBORN),)}, True),
    "a new pod that runs: what it holds shows in its metrics": ({"pods": (a_pod(**RUNS),)}, False),
    "a proved pod that is not ready": (
        {"pods": (a_pod(ready=False, started_at=ago(seconds=9)),)},
        True,
    ),
}


@pytest.mark.parametrize(("changes", "watched"), WATCHED.values(), ids=WATCHED.keys())
def test_what_shows_in_kubernetes_need_not_be_looked_for(
    changes: dict[str, Any], *, watched: bool
) -> None:
    """A wait says whether a watch shows its end, or only another look does."""
    step = plan(look(**changes), Policy()).next_step
    assert step is not None
    assert (step.passive, step.watched) == (True, watched)
