# SPDX-License-Identifier: Apache-2.0
"""Which key a pod runs with, what proves it, and what is remembered of that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    DEAD,
    LOKI,
    NOW,
    SECRET,
    WORKS,
    A,
    B,
    C,
    a_gap,
    a_pair,
    a_pod,
    a_route,
    a_secret,
    a_snapshot,
    a_workload,
    ago,
    content,
    look,
)
from lokeys.core.place import Hop, Ref
from lokeys.core.route.conditions import conditions, status
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.key_state import (
    Currency,
    Proof,
    currency,
    evidence,
    has_read,
    key_is_dead,
    may_lose_lines,
    proof,
    seen,
)
from lokeys.core.route.memory import Held, Memory, Offered
from lokeys.core.route.plan import Policy, plan
from lokeys.core.route.remembering import REMEMBERED_PAIRS, remember
from lokeys.core.route.resource.status import memory_from_status, memory_to_status
from lokeys.core.route.snapshot import LogLine, PodState, Snapshot, VaultFault, Why
from lokeys.core.route.standing import source_name
from lokeys.core.sensitive import PairFacts

CHANGED = ago(minutes=20)
EXACT = content(B, since=CHANGED, old_pods=("u-loki-0",), before=A)
GUESSED = content(B, since=CHANGED, exact=False)
FROM_BEFORE, JUST_BEFORE = CHANGED - timedelta(hours=1), CHANGED - timedelta(seconds=20)
JUST_AFTER, AFTER = CHANGED + timedelta(seconds=20), CHANGED + timedelta(minutes=2)
IDLE: dict[str, Any] = {"accepted": 0}
REFUSED: dict[str, Any] = {"accepted": 0, "refused": 3}
COMPLAINS = {"accepted": 0, "log": (LogLine(cause="access_key_unknown", count=1),)}

C_, B_, U_ = Currency.CURRENT, Currency.BEHIND, Currency.UNKNOWN
CURRENCY: dict[str, tuple[Any, Any, dict[str, Any], Currency]] = {
    "not started: it will read the Secret": (EXACT, None, IDLE, C_),
    "nobody knows what the Secret holds": (None, AFTER, {}, U_),
    "started well after the change": (EXACT, AFTER, REFUSED, C_),
    "born after the change, whatever the clocks say": (
        EXACT,
        JUST_BEFORE,
        {"uid": "u-new", **IDLE},
        C_,
    ),
    "there before the change": (EXACT, FROM_BEFORE, {}, B_),
    "there just before it, answered since: perhaps while the old key lived": (
        EXACT,
        JUST_BEFORE,
        {},
        B_,
    ),
    "restarted in place just after it, answered since": (EXACT, JUST_AFTER, {}, C_),
    "restarted in place just after it, refused since": (EXACT, JUST_AFTER, REFUSED, B_),
    "restarted in place just after it, a writer without a request": (EXACT, JUST_AFTER, IDLE, U_),
    "restarted in place just after it, a reader without a request": (
        EXACT,
        JUST_AFTER,
        {"wal_persistent": None, **IDLE},
        B_,
    ),
    "unseen change, answered": (GUESSED, FROM_BEFORE, {}, C_),
    "unseen change, refused": (GUESSED, FROM_BEFORE, REFUSED, B_),
    "unseen change, its log complains": (GUESSED, FROM_BEFORE, COMPLAINS, B_),
    "unseen change, not a word": (GUESSED, FROM_BEFORE, IDLE, U_),
    "unseen change, not a word, and made just after it": (
        GUESSED,
        JUST_AFTER,
        {"created_at": JUST_AFTER, **IDLE},
        C_,
    ),
}


@pytest.mark.parametrize(
    ("known", "started", "changes", "expected"), CURRENCY.values(), ids=CURRENCY.keys()
)
def test_which_key_a_pod_runs_with(
    known: Any, started: Any, changes: dict[str, Any], expected: Currency
) -> None:
    """By who was there when the Secret changed; within a minute the storage decides."""
    pod = a_pod(started_at=started, **changes)
    seen = a_snapshot(
        secret=B,
        verdicts={B: WORKS},
        pods=(pod,),
        memory=Memory(content=known, refused=(A.pair,)),
    )
    assert currency(pod, seen) is expected


def test_a_container_that_does_not_run_has_read_nothing() -> None:
    """It will, when it starts; until then no pair is known to be its own."""
    known = Memory(content=GUESSED)
    assert not has_read(a_pod(started_at=None), GUESSED, known)
    assert has_read(a_pod(started_at=AFTER), GUESSED, known)


def test_refused_with_a_key_that_the_store_refuses_says_nothing() -> None:
    """Where the Secret's own pair does not work, 403s do not tell which pair the pod has."""
    pod = a_pod(started_at=FROM_BEFORE, **REFUSED)
    for verdicts in ({B: DEAD}, {}):
        seen = a_snapshot(secret=B, verdicts=verdicts, memory=Memory(content=GUESSED))
        assert currency(pod, seen) is U_
    assert currency(pod, a_snapshot(secret=None, memory=Memory(content=GUESSED))) is U_


PROOFS: dict[str, tuple[dict[str, Any], dict[str, Any], Proof | None]] = {
    "answered": ({}, {}, Proof.BY_LOKI),
    "answered once, refused once": ({"refused": 1}, {}, None),
    "a writer that has not asked": (IDLE, {}, None),
    "a reader that has not asked": ({"wal_persistent": None, **IDLE}, {}, Proof.BY_STORE_TEST),
    "a reader of a key that was not tried": (
        {"wal_persistent": None, **IDLE},
        {"verdicts": {}},
        None,
    ),
    "a reader of a Secret that was not read": (
        {"wal_persistent": None, **IDLE},
        {"secret": None},
        None,
    ),
    "one that stops": ({"deleting_since": NOW}, {}, None),
    "one that has not started": ({"started_at": None}, {}, None),
}


@pytest.mark.parametrize(("pod", "changes", "expected"), PROOFS.values(), ids=PROOFS.keys())
def test_what_proves_a_pod(
    pod: dict[str, Any], changes: dict[str, Any], expected: Proof | None
) -> None:
    """Its own requests; or, for one that never writes, the store's word on what it started with."""
    assert proof(a_pod(**pod), a_snapshot(**changes)) is expected


def test_an_old_pair_that_died_kills_its_pods() -> None:
    """A pod behind is dead once the pair from before is known to be, asked or not."""
    pod = a_pod(started_at=FROM_BEFORE)
    seen = a_snapshot(secret=B, verdicts={B: WORKS}, memory=Memory(content=EXACT))
    assert not key_is_dead(pod, seen)
    dead = replace(seen, memory=Memory(content=EXACT, refused=(A.pair,)))
    assert key_is_dead(pod, dead)
    assert may_lose_lines(replace(pod, wal_persistent=False), dead)
    assert not may_lose_lines(replace(pod, wal_persistent=None), dead)


# --- memory ---------------------------------------------------------------------------------------


def after(known: Memory, *, pods: tuple[PodState, ...] = (), **changes: Any) -> Memory:
    """Return what is remembered after a look."""
    return remember(a_snapshot(memory=known, pods=pods, **changes))


def test_the_first_look_only_guesses_since_when() -> None:
    """Without a memory the Secret's last write, or this look, is all there is."""
    for written, since in ((None, NOW), (ago(hours=3), ago(hours=3))):
        known = after(Memory(), secret=a_secret(A, written_at=written)).content
        assert known is not None
        assert (known.since, known.exact, known.before) == (since, False, None)


def test_a_change_that_was_seen_names_who_was_there() -> None:
    """Pods from before the write are old; one made after it is not, whatever its clock says."""
    pods = (
        a_pod("old"),
        a_pod("made-after", created_at=ago(seconds=10), started_at=ago(seconds=40)),
        a_pod("restarted-long-after", started_at=NOW),
        a_pod("not-started", started_at=None),
    )
    written = a_secret(B, written_at=ago(minutes=2))
    known = after(Memory(content=content(A)), pods=pods, secret=written).content
    assert known is not None
    assert (known.old_pods, known.before, known.exact) == (("u-old",), A.pair, True)
    unknown = after(Memory(content=content(A)), pods=pods, secret=B).content
    assert unknown is not None
    assert unknown.old_pods == ("u-old", "u-made-after", "u-restarted-long-after")


@pytest.mark.parametrize(
    ("age_s", "expected"), [(3600, Currency.BEHIND), (60, Currency.CURRENT), (1, Currency.CURRENT)]
)
def test_a_pod_that_could_not_be_seen_when_the_content_changed(
    age_s: float, expected: Currency
) -> None:
    """It is not taken for one that was born later, unless it was: its age tells."""
    hidden = (a_gap(Hop.PODS, Ref("Deployment", "read", "monitoring"), Why.FORBIDDEN),)
    secret = a_secret(B, written_at=ago(seconds=300))
    known = after(Memory(content=content(A)), secret=secret, unreadable=hidden)
    began = ago(seconds=age_s)
    pod = a_pod("read-0", created_at=began, started_at=began, accepted=0)
    seen = a_snapshot(secret=secret, pods=(a_pod(), pod), memory=known)
    assert currency(pod, seen) is expected
    assert currency(a_pod(), seen) is Currency.BEHIND
    assert memory_from_status({"memory": memory_to_status(known, key="k")}, key="k") == replace(
        known, runs={}
    )


def test_a_torn_pair_passing_through_does_not_hide_the_dead_one() -> None:
    """Pods from before both changes still have the pair from before the first."""
    torn = content(a_pair("B/A"), old_pods=("u-loki-0",), before=A)
    for pods, before in (((a_pod(),), A.pair), ((a_pod("new"),), a_pair("B/A").pair)):
        known = after(
            Memory(content=torn, refused=(A.pair,)), pods=pods, secret=B, verdicts={}
        ).content
        assert known is not None
        assert known.before == before


def test_a_missing_secret_is_still_remembered() -> None:
    """What it held is what pods hold."""
    known = Memory(content=content(A))
    assert after(
        known, secret=None, unreadable=(a_gap(Hop.SECRET, SECRET, Why.NOT_FOUND),)
    ) == replace(
        known,
        source_held=(A.pair,),
        offered=Offered(source=source_name(a_route()), pairs=(A.pair,)),
    )


TORN = a_pair("A/B")


def passed_through(*contents: PairFacts, pod: PodState, last_pod: PodState | None = None) -> Any:
    """Return what a pod holds after contents that were seen to come and go, two looks each."""
    known = Memory(content=content(A))
    for number, held in enumerate((A, *contents)):
        last = number == len(contents)
        pods = (last_pod if last and last_pod else pod,)
        for _ in range(2):
            seen = a_snapshot(secret=held, pods=pods, memory=known)
            known = remember(seen)
    return currency(seen.pods[0], replace(seen, memory=known))


def test_a_pod_that_held_the_pair_before_a_torn_one_holds_it_after() -> None:
    """Good, torn, good: who started before the torn pair came is not behind."""
    assert passed_through(TORN, A, pod=a_pod()) is C_
    assert passed_through(TORN, C, TORN, A, pod=a_pod()) is C_
    assert passed_through(TORN, B, pod=a_pod()) is B_


def test_a_container_that_started_while_the_pair_was_torn_holds_what_it_read() -> None:
    """Another run of the same pod has read anew."""
    again = a_pod(started_at=ago(minutes=1))
    assert passed_through(TORN, A, pod=a_pod(), last_pod=again) is B_


def test_one_look_alone_does_not_tell_what_a_container_has_read() -> None:
    """The Secret was perhaps read a moment before a new content, and the pod after it."""
    known = Memory(content=content(A))
    for held in (A, TORN, A):
        known = after(known, pods=(a_pod(),), secret=held)
    seen = a_snapshot(secret=A, memory=known)
    assert currency(seen.pods[0], seen) is B_


def test_what_a_pod_holds_is_forgotten_with_its_run() -> None:
    """Pods that are gone and runs that ended; while no pod can be seen, all are remembered."""
    pods = (a_pod(),)
    known = after(after(Memory(content=content(A)), pods=pods), pods=pods)
    assert known.held == {"u-loki-0": Held(pair=A.pair, started_at=ago(hours=1))}
    assert after(known, pods=(a_pod("other"),)).held == {}
    assert after(known, pods=(a_pod(started_at=None),)).held == {}
    unseen = (a_gap(Hop.PODS, LOKI, Why.FORBIDDEN),)
    assert after(known, unreadable=unseen).held == known.held
    gone = (a_gap(Hop.SECRET, SECRET, Why.NOT_FOUND),)
    assert after(known, pods=pods, secret=None, unreadable=gone).runs == {}


def test_what_only_the_storage_vouches_for_is_not_noted() -> None:
    """A request that was answered shows that a key works, not which key it is."""
    pod = a_pod(created_at=ago(hours=3), started_at=ago(hours=3))
    known = Memory(content=content(A, exact=False))
    for _ in range(3):
        known = after(known, pods=(pod,))
    assert known.held == {}


def test_a_pod_behind_is_as_dead_as_the_pair_that_it_is_known_to_hold() -> None:
    """Not as the torn pair that passed through the Secret after its start."""
    pod = a_pod(started_at=ago(minutes=30), accepted=0)
    known = Memory(
        content=content(B, since=ago(minutes=5), old_pods=(pod.uid,), before=TORN),
        held={pod.uid: Held(pair=A.pair, started_at=ago(minutes=30))},
        refused=(TORN.pair,),
    )
    seen = a_snapshot(secret=B, verdicts={A: WORKS, B: WORKS}, memory=known)
    assert currency(pod, seen) is B_
    assert not key_is_dead(pod, seen)
    assert not may_lose_lines(replace(pod, wal_persistent=False), seen)


def test_what_the_source_held_and_the_store_refused_is_kept() -> None:
    """Only what the store took counts as held; what it takes again is forgiven; old ones go."""
    assert after(Memory(), verdicts={A: DEAD}).source_held == ()
    assert after(Memory(), verdicts={A: DEAD}).refused == (A.pair,)
    assert after(Memory(refused=(A.pair,))).refused == ()
    many = tuple(
        a_pair(word).pair for word in ("C", "D", "E", *(f"A/{x}" for x in "BCDE"), "B!", "C!", "D!")
    )
    held = after(Memory(source_held=many)).source_held
    assert len(held) == REMEMBERED_PAIRS
    assert held[-1] == A.pair


def test_forced_syncs_are_forgotten_once_they_came_or_mean_nothing() -> None:
    """They came, or the vault has another pair than the one that was forced."""
    forced = {"forced_for": A.pair, "forced_count": 2, "forced_at": NOW}
    assert after(Memory(**forced)).forced_count == 0  # type: ignore[arg-type]
    assert after(Memory(**forced), secret=B, vault=C).forced_count == 0  # type: ignore[arg-type]
    assert after(Memory(**forced), secret=B).forced_count == 2  # type: ignore[arg-type]


def test_what_is_remembered_of_pods_ends_with_its_use() -> None:
    """Replacements with the content, budgets with the lateness, flushes with the pod."""
    known = Memory(
        content=content(A),
        replaced={"loki-0": A.pair, "loki-1": B.pair},
        blocked_since={"loki-0": NOW},
        flushed={"loki-0": NOW, "gone": NOW},
    )
    kept = after(known, pods=(a_pod(),))
    assert kept.replaced == {"loki-0": A.pair}
    assert kept.blocked_since == {}
    assert kept.flushed == {"loki-0": NOW}
    blind = after(known, unreadable=(a_gap(Hop.PODS, LOKI, Why.FORBIDDEN),))
    assert blind.blocked_since == known.blocked_since


# --- conditions -----------------------------------------------------------------------------------


def said_of(seen: Snapshot) -> dict[str, tuple[str, str]]:
    """Return status and reason of each condition."""
    told = conditions(seen, diagnose(seen), plan(seen, Policy()))
    return {condition.type: (condition.status, condition.reason) for condition in told}


STALE: dict[str, Any] = {"source": B, "verdicts": {A: DEAD, B: WORKS}}
READER: dict[str, Any] = {"wal_persistent": None, "accepted": 0}
READ = Ref("Deployment", "loki-read", "monitoring")
NO_PODS = {"pods": (), "workloads": (a_workload(wanted=0),)}
CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "all is well": (
        {},
        {
            "Ready": ("True", "ProvedByLoki"),
            "InSync": ("True", "AllHopsAgree"),
            "Verified": ("True", "ProvedByLoki"),
            "Stalled": ("False", "Progressing"),
            "Rotating": ("False", "Idle"),
        },
    ),
    "a reader is the weakest proof": (
        {"pods": (a_pod(), a_pod("loki-1", **READER))},
        {"Ready": ("True", "ProvedByStoreTest")},
    ),
    "without pods the store's word does": (NO_PODS, {"Ready": ("True", "ProvedByStoreTest")}),
    "without pods and word there is no proof": (
        {**NO_PODS, "verdicts": {}},
        {"Ready": ("Unknown", "NotProved")},
    ),
    "pods that could not be listed prove nothing": (
        {**NO_PODS, "unreadable": (a_gap(Hop.PODS, LOKI, Why.FORBIDDEN),)},
        {"Verified": ("Unknown", "NotProved")},
    ),
    "what is not known of one workload is not proved by another": (
        {"unreadable": (a_gap(Hop.PODS, READ, Why.UNREACHABLE),)},
        {
            "Verified": ("Unknown", "NotProved"),
            "Ready": ("Unknown", "NotProved"),
            "Stalled": ("False", "Progressing"),
        },
    ),
    "a workload that may not be read waits for a person": (
        {"unreadable": (a_gap(Hop.PODS, READ, Why.FORBIDDEN),)},
        {"Verified": ("Unknown", "NotProved"), "Stalled": ("True", "NotReadable")},
    ),
    "a list of pods that may not be read hides some": (
        {"unreadable": (a_gap(Hop.PODS, Ref("Pod", "*", "monitoring"), Why.FORBIDDEN),)},
        {"Verified": ("Unknown", "NotProved"), "Stalled": ("True", "NotReadable")},
    ),
    "a log that may not be read hides no pod": (
        {"unreadable": (a_gap(Hop.PODS, a_pod().ref, Why.FORBIDDEN),)},
        {"Verified": ("True", "ProvedByLoki"), "Stalled": ("False", "Progressing")},
    ),
    "a new key is not begun with where a workload may not be read": (
        {**STALE, "unreadable": (a_gap(Hop.PODS, READ, Why.FORBIDDEN),)},
        {"Stalled": ("True", "NotReadable"), "Ready": ("False", "VaultBehindSource")},
    ),
    "what a person must do first is told first": (
        {"verdicts": {A: DEAD}, "unreadable": (a_gap(Hop.PODS, READ, Why.FORBIDDEN),)},
        {"Stalled": ("True", "SourceKeyDead")},
    ),
    "a pod that is yet to come proves nothing": (
        {"pods": ()},
        {"Verified": ("Unknown", "NotProved")},
    ),
    "a pod that is proved and does not serve yet": (
        {"pods": (a_pod(), a_pod("loki-1", ready=False, containers_ready="1/2", **READER))},
        {
            "Ready": ("Unknown", "PodsNotReady"),
            "InSync": ("True", "AllHopsAgree"),
            "Verified": ("True", "ProvedByStoreTest"),
        },
    ),
    "a pod that is neither proved nor ready": (
        {"pods": (a_pod(ready=False, accepted=0),)},
        {"Ready": ("Unknown", "NotProved")},
    ),
    "the vault is behind": (
        STALE,
        {
            "Ready": ("False", "VaultBehindSource"),
            "InSync": ("False", "VaultBehindSource"),
            "Verified": ("False", "NotProved"),
            "Stalled": ("False", "Progressing"),
        },
    ),
    "a foreign key disagrees and is no error": (
        {"vault": C, "secret": A, "verdicts": {A: WORKS, C: WORKS}},
        {"InSync": ("False", "ForeignKeyInVault")},
    ),
    "the source is blank: the vault differs, and is not to blame": (
        {"source": a_pair("-")},
        {"InSync": ("False", "HopsDisagree"), "Ready": ("False", "SourceHasNoKey")},
    ),
    "the source was not read": (
        {"source": None, "unreadable": (a_gap(Hop.SOURCE, LOKI, Why.FORBIDDEN),)},
        {"InSync": ("Unknown", "NotReadable"), "Ready": ("Unknown", "NotReadable")},
    ),
    "only a person can go on": (
        {"verdicts": {A: DEAD}},
        {"Stalled": ("True", "SourceKeyDead"), "Ready": ("False", "SourceKeyDead")},
    ),
    "a stall that comes later is none yet": (
        {**STALE, "vault": C},
        {"Stalled": ("False", "Progressing")},
    ),
    "an error without a cause is known by its code": (
        {"pods": (a_pod(refused=1),)},
        {"Ready": ("False", "LK0614")},
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_conditions(changes: dict[str, Any], expected: dict[str, tuple[str, str]]) -> None:
    """What the resource says of its route, in five answers."""
    told = said_of(look(**changes))
    assert {name: told[name] for name in expected} == expected


def the_status(seen: Snapshot, before: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a look."""
    made = plan(seen, Policy())
    return status(seen, diagnose(seen), made, before=before, generation=4)


def test_a_status_moves_its_times_only_with_what_they_stand_by() -> None:
    """A transition's time moves with the status, the proof's with the evidence."""
    first = the_status(look(), {"memory": {"kept": 1}})
    later = replace(look(), at=NOW + timedelta(hours=1))
    assert the_status(later, first) == first
    assert first["lastVerified"]["time"] == "2026-03-01T12:00:00Z"
    broken = the_status(replace(look(**STALE), at=NOW + timedelta(hours=1)), first)
    ready = broken["conditions"][0]
    assert (ready["status"], ready["lastTransitionTime"]) == ("False", "2026-03-01T13:00:00Z")
    assert broken["lastVerified"] == first["lastVerified"]
    assert broken["memory"] == {"kept": 1}
    assert broken["nextStep"].startswith("test-key Secret/")


def test_a_status_that_somebody_edited_does_not_hurt() -> None:
    """Conditions without type or time are replaced."""
    told = the_status(look(), {"conditions": [{}, {"type": "Ready", "status": "True"}]})
    assert told["conditions"][0]["lastTransitionTime"] == "2026-03-01T12:00:00Z"
    assert "lastVerified" not in the_status(look(verdicts={}, secret=None), {})


def test_a_refresh_of_external_secrets_writes_no_status() -> None:
    """Its time moves by itself every hour; nothing else of the route did."""
    seen = look()
    assert seen.delivery is not None
    later = replace(seen, delivery=replace(seen.delivery, refreshed_at=NOW))
    assert the_status(later, {}) == the_status(seen, {})


def test_evidence_is_what_all_pods_have() -> None:
    """One unproved pod is enough to have none."""
    assert evidence(look()) is Proof.BY_LOKI
    assert evidence(look(pods=(a_pod(), a_pod("loki-1", accepted=0)))) is None
    assert VaultFault.READ_ONLY.value == "writing is refused"


def test_a_look_derives_each_pods_key_once() -> None:
    """Whoever asks gets the same look, in order; one made out of it derives its own."""
    pods = (a_pod("loki-1"), a_pod("loki-0", started_at=FROM_BEFORE))
    snapshot = a_snapshot(pods=pods, memory=Memory(content=EXACT))
    first = seen(snapshot)
    assert seen(first) is first
    assert [pod.ref.name for pod in first.pods] == ["loki-0", "loki-1"]
    assert {ref: key.currency for ref, key in first.keys.items()} == {
        pod.ref: currency(pod, snapshot) for pod in pods
    }
    later = replace(first, memory=Memory())
    assert later.key(pods[1]).currency is Currency.UNKNOWN
