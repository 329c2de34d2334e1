# SPDX-License-Identifier: Apache-2.0
"""What is planned of a bridge: when it begins, what must come first, and that it always ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    DEAD,
    NOW,
    STAGING,
    TRUSTED,
    WORKS,
    A,
    B,
    C,
    a_gap,
    a_kept_pair,
    a_pair,
    a_pod,
    a_route,
    a_secret,
    a_source,
    a_workload,
    ago,
    content,
    look,
    said,
    said_by,
)
from lokeys.core.findings.verdict import Answer
from lokeys.core.kubernetes.consent import Consent
from lokeys.core.place import Hop, Ref
from lokeys.core.route.bridging import Leave
from lokeys.core.route.memory import Bridge, Memory, Offered
from lokeys.core.route.model import (
    AwsIamSource,
    PairKeys,
    Prove,
    RgwAdmin,
    RgwSource,
    SecretRef,
)
from lokeys.core.route.plan import Action, Plan, Policy, plan
from lokeys.core.route.remembering import newest_bridge
from lokeys.core.route.rotation.model import Phase, Rotation, RotationWish
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import Snapshot, Why
from lokeys.core.route.standing import source_name
from lokeys.core.sensitive import PairFacts

HOUR = timedelta(hours=1)
ALLOWED = Consent(bridge=HOUR)
OFFERED = Offered(source=source_name(a_route()), pairs=(A.pair, B.pair))


def slots(*pairs: PairFacts) -> tuple[Slot, ...]:
    """Return the keys that the store itself lists."""
    return tuple(
        Slot(key_id=pair.key_id, facts=pair, hint="KEY", order=order, offered=pair == B)
        for order, pair in enumerate(pairs)
    )


def a_bridge(**changes: Any) -> Bridge:
    """Return a bridge of A that was added five minutes ago."""
    whole: dict[str, Any] = {
        "pair": A.pair,
        "key_id": A.key_id,
        "source": source_name(a_route()),
        "since": ago(minutes=5),
        "until": NOW + timedelta(minutes=55),
        "added_at": ago(minutes=5),
    }
    return Bridge(**{**whole, **changes})


def replaced(**changes: Any) -> Snapshot:
    """Return a look right after the source's key was replaced: A is gone, everybody holds it."""
    remembered: dict[str, Any] = {"content": content(A), "offered": OFFERED}
    whole: dict[str, Any] = {
        "source": a_source(B, consent=ALLOWED, slots=slots(B)),
        "verdicts": {A: DEAD, B: TRUSTED},
        "memory": Memory(**{**remembered, **changes.pop("memory", {})}),
        "issues": True,
    }
    return look(**{**whole, **changes})


def standing(**changes: Any) -> Snapshot:
    """Return a look while A is valid again, and still held everywhere."""
    remembered = {
        "bridge": a_bridge(),
        "source_held": (A.pair, B.pair),
        **changes.pop("memory", {}),
    }
    whole: dict[str, Any] = {
        "source": a_source(B, consent=ALLOWED, slots=slots(A, B)),
        "verdicts": {A: WORKS, B: TRUSTED},
        "kept": a_kept_pair(),
    }
    return replaced(memory=remembered, **{**whole, **changes})


def moved(**changes: Any) -> Snapshot:
    """Return a look while A is valid again, and the Secret holds B already."""
    remembered = {
        "content": content(B, since=ago(minutes=4), old_pods=("u-loki-0",), before=A),
        **changes.pop("memory", {}),
    }
    return standing(memory=remembered, **{"vault": B, "secret": B, **changes})


def actions(made: Plan) -> list[str]:
    """Return what a plan does, in order."""
    return [step.action.value for step in made.steps]


def test_the_pair_is_kept_before_it_is_added_and_both_before_the_secret_moves() -> None:
    """The whole plan, in one look: copy, second key, the ordinary heal, and the end."""
    made = plan(replaced(), Policy())
    assert actions(made) == [
        "keep-pair",
        "add-key",
        "write-vault",
        "force-sync",
        "replace-pod",
        "prove",
        "retire-key",
        "drop-pair",
    ]
    assert made.steps[0].target == STAGING
    assert made.steps[0].until == made.steps[1].until == NOW + HOUR


def test_a_plan_with_a_bridge_says_first_that_the_key_may_have_leaked() -> None:
    """In one plain sentence, with its end; a plan without a bridge has none."""
    said_first = plan(replaced(), Policy()).caution
    assert said_first.startswith("A key may have been removed because it leaked")
    assert "2026-03-01T13:00:00Z" in said_first
    assert plan(replaced(issues=False), Policy()).caution == ""


def test_with_a_bridge_no_pod_is_given_a_short_grace_and_none_stops_the_plan() -> None:
    """Its old key works until it has flushed, so even a WAL on no volume loses nothing."""
    made = plan(replaced(pods=(a_pod(wal_persistent=False),)), Policy())
    replacing = next(step for step in made.steps if step.action is Action.REPLACE_POD)
    assert (made.stalled, replacing.grace, replacing.destructive) == (None, None, False)


KNOWN = Memory(content=content(A), offered=OFFERED)
NONE: dict[str, tuple[dict[str, Any], Leave]] = {
    "the source's owner has not allowed it": (
        {"source": a_source(B, slots=slots(B))},
        Leave(),
    ),
    "lokeys cannot add keys there": ({"issues": False}, Leave()),
    "IAM never takes a removed key back": (
        {"spec": a_route(source=AwsIamSource(user_name="loki"))},
        Leave(asked=True, unrecorded=True),
    ),
    "nothing would keep its end": ({}, Leave(keeps=False)),
    "it was refused when it was begun": ({}, Leave(refused="HTTP 403")),
    "the resource says never": ({"spec": a_route(bridge_longest=timedelta(0))}, Leave()),
    "the user is suspended": (
        {"source": a_source(B, consent=ALLOWED, slots=slots(B), suspended=True)},
        Leave(),
    ),
    "it was bridged once": ({"memory": {"barred": (A.pair,)}}, Leave()),
    "nobody saw the source offer it": ({"memory": {"offered": None}}, Leave()),
    "another source offered it": (
        {"memory": {"offered": Offered(source="another", pairs=(A.pair,))}},
        Leave(asked=True),
    ),
    "another bridge has not ended": (
        {"memory": {"bridge": a_bridge(pair=C.pair, key_id=C.key_id, added_at=None)}},
        Leave(),
    ),
    "its staging Secret cannot be read": (
        {"kept_gap": a_gap(Hop.SECRET, STAGING, Why.FORBIDDEN)},
        Leave(),
    ),
    "the store was silent about the old key": (
        {
            "source": a_source(B, consent=ALLOWED),
            "verdicts": {A: said(Answer.UNREACHABLE), B: TRUSTED},
        },
        Leave(),
    ),
    "the store lists the old key, switched off": (
        {"source": a_source(B, consent=ALLOWED, slots=slots(A, B))},
        Leave(),
    ),
    "the old key works": (
        {"source": a_source(B, consent=ALLOWED), "verdicts": {A: WORKS, B: TRUSTED}},
        Leave(),
    ),
    "its secret was changed under its id": (
        {"verdicts": {A: said(Answer.WRONG_SECRET), B: TRUSTED}},
        Leave(),
    ),
    "no pod runs": ({"pods": (), "workloads": (a_workload(wanted=0),)}, Leave()),
    "the pod has not started": ({"pods": (a_pod(started_at=None),)}, Leave()),
}


@pytest.mark.parametrize(("changes", "leave"), NONE.values(), ids=NONE)
def test_no_bridge_is_built_where(changes: dict[str, Any], leave: Leave) -> None:
    """Then the heal is the ordinary one."""
    made = plan(replaced(**changes), Policy(bridge=leave))
    assert Action.ADD_KEY not in {step.action for step in made.steps}


def test_a_pair_with_a_newline_is_never_added() -> None:
    """Rook would store the newline as a part of the key."""
    odd = a_pair("A!")
    seen_odd = replaced(
        secret=odd, vault=odd, verdicts={odd: DEAD, B: TRUSTED}, memory={"content": content(odd)}
    )
    made = plan(seen_odd, Policy(bridge=Leave(asked=True, unrecorded=True)))
    assert Action.ADD_KEY not in {step.action for step in made.steps}


BEGUN: dict[str, tuple[dict[str, Any], Leave]] = {
    "a person asks for one by their own rights": (
        {"source": a_source(B, slots=slots(B))},
        Leave(asked=True),
    ),
    "a person has confirmed a key that nothing is recorded of": (
        {"memory": {"offered": None}},
        Leave(asked=True, unrecorded=True),
    ),
    "nobody knows what the pod holds, and its requests are refused": (
        {"memory": {"content": content(A, since=ago(minutes=1), exact=False)}},
        Leave(),
    ),
    "the pod hangs in its shutdown": (
        {"pods": (a_pod(refused=4, deleting_since=ago(seconds=30)),)},
        Leave(),
    ),
    "the store's list has it no more, and it was tried a moment before": (
        {"verdicts": {A: WORKS, B: TRUSTED}},
        Leave(),
    ),
    "the store's list has it no more, and nobody could try it": (
        {"verdicts": {B: TRUSTED}},
        Leave(),
    ),
}


@pytest.mark.parametrize(("changes", "leave"), BEGUN.values(), ids=BEGUN)
def test_a_bridge_begins_where(changes: dict[str, Any], leave: Leave) -> None:
    """And its first step is the copy."""
    if "content" in changes.get("memory", {}):
        changes = {**changes, "pods": (a_pod(refused=3),)}
    assert plan(replaced(**changes), Policy(bridge=leave)).steps[0].action is Action.KEEP_PAIR


LONGEST = {
    "the owner's time, where it is shorter": (HOUR, timedelta(hours=2), Leave(), HOUR),
    "the route's, where that is": (HOUR, timedelta(minutes=5), Leave(), timedelta(minutes=5)),
    "the route's for a person": (HOUR, 2 * HOUR, Leave(asked=True), 2 * HOUR),
}


@pytest.mark.parametrize(("owner", "route", "leave", "lasts"), LONGEST.values(), ids=LONGEST)
def test_a_bridge_lasts_at_most(
    owner: timedelta, route: timedelta, leave: Leave, lasts: timedelta
) -> None:
    """Its end is in the plan, and recorded before the key is added."""
    spec = a_route(bridge_longest=route)
    source = a_source(B, consent=Consent(bridge=owner), slots=slots(B))
    made = plan(replaced(spec=spec, source=source), Policy(bridge=leave))
    assert made.steps[0].until == NOW + lasts


def test_what_was_begun_goes_on_from_its_record() -> None:
    """After a crash the copy is there, its end is recorded, and the key is added next."""
    end = NOW + timedelta(minutes=40)
    begun = replaced(memory={"bridge": a_bridge(added_at=None, until=end)}, kept=a_kept_pair())
    made = plan(begun, Policy())
    assert said_by(made) == "add-key loki"
    assert made.steps[0].until == end
    lost = plan(replaced(memory={"bridge": a_bridge(added_at=None, until=end)}), Policy())
    assert said_by(lost) == "keep-pair lokeys-bridge-loki"
    assert lost.steps[0].until == end


def test_the_key_of_a_copy_is_added_although_the_secret_has_moved_on() -> None:
    """What External Secrets did between the copy and the second key changes nothing."""
    memory = {
        "content": content(B, since=ago(minutes=1), old_pods=("u-loki-0",), before=A),
        "bridge": a_bridge(added_at=None),
    }
    begun = replaced(memory=memory, vault=B, secret=B, kept=a_kept_pair())
    assert said_by(plan(begun, Policy())) == "add-key loki"


def test_where_the_secret_has_moved_on_and_nothing_was_kept_it_says_so() -> None:
    """A pod that would lose lines is left alone, and why no bridge helps is said."""
    memory = {"content": content(B, since=ago(minutes=1), old_pods=("u-loki-0",), before=A)}
    late = replaced(
        memory=memory, vault=B, secret=B, pods=(a_pod(wal_persistent=False, refused=2),)
    )
    made = plan(late, Policy())
    assert made.stalled == "wal_not_persistent"
    assert "no bridge is possible: Secret monitoring/loki-s3-credentials holds another" in (
        made.reason
    )


def test_a_person_who_may_need_it_finds_the_pair_a_kept_pair() -> None:
    """Where lines are at stake and nobody has allowed a bridge yet, `heal` keeps the pair first."""
    at_stake = {"source": a_source(B, slots=slots(B)), "pods": (a_pod(wal_persistent=False),)}
    made = plan(replaced(**at_stake), Policy(keep=True))
    assert made.steps[0].action is Action.KEEP_PAIR
    assert made.steps[0].until is None
    assert (made.stalled, made.caution) == ("wal_not_persistent", "")
    assert "lokeys heal --bridge" in made.reason
    again = plan(replaced(**at_stake, kept=a_kept_pair()), Policy(keep=True))
    assert again.steps[0].action is not Action.KEEP_PAIR
    accepted = plan(replaced(**at_stake), Policy(keep=True, accept_loss=True))
    assert accepted.steps[0].action is not Action.KEEP_PAIR
    safe = plan(replaced(source=a_source(B, slots=slots(B))), Policy(keep=True))
    assert safe.steps[0].action is not Action.KEEP_PAIR
    barred = plan(replaced(**at_stake, memory={"barred": (A.pair,)}), Policy(keep=True))
    assert barred.steps[0].action is not Action.KEEP_PAIR


def test_while_it_stands_the_heal_goes_on_at_leisure() -> None:
    """Vault, Secret and pods as ever; the pods' old key works, so they stop in peace."""
    assert said_by(plan(standing(), Policy())) == "write-vault Homelab/loki-s3"
    replacing = plan(moved(pods=(a_pod(refused=9, wal_persistent=False),)), Policy()).steps[0]
    assert (replacing.action, replacing.grace, replacing.destructive) == (
        Action.REPLACE_POD,
        None,
        False,
    )


def test_a_pod_that_would_outlast_the_bridge_is_not_begun_with() -> None:
    """Its shutdown flush needs the old key until the end of its grace, at the latest."""
    soon = {"bridge": a_bridge(until=NOW + timedelta(seconds=20))}
    sick = a_pod(refused=9, wal_persistent=False, own_grace=timedelta(seconds=300))
    made = plan(moved(memory=soon, pods=(sick,)), Policy())
    assert made.stalled == "wal_not_persistent"
    assert plan(moved(memory=soon, pods=(replace(sick, wal_persistent=True),)), Policy()).acts


def test_ingesters_are_asked_at_once_where_the_resource_says_so() -> None:
    """Loki's own back-off would let minutes pass; once, and only those that hold the key."""
    fresh = {"bridge": a_bridge(added_at=ago(seconds=1))}
    spec = a_route(prove=Prove.FLUSH)
    made = plan(standing(spec=spec, memory=fresh), Policy())
    assert said_by(made) == "flush loki-0"
    asked = standing(spec=spec, memory={**fresh, "flushed": {"loki-0": NOW}})
    assert plan(asked, Policy()).steps[0].action is Action.WRITE_VAULT
    assert plan(standing(memory=fresh), Policy()).steps[0].action is Action.WRITE_VAULT
    assert plan(standing(spec=spec), Policy()).steps[0].action is Action.WRITE_VAULT
    reader = standing(spec=spec, memory=fresh, pods=(a_pod(wal_persistent=None),))
    assert plan(reader, Policy()).steps[0].action is Action.WRITE_VAULT


NEW = a_pod(started_at=ago(minutes=1), created_at=ago(minutes=1), uid="u-new")
DONE: dict[str, tuple[dict[str, Any], str]] = {
    "every pod is proved with the new key": ({"pods": (NEW,)}, "retire-key loki"),
    "every pod has read the new key": (
        {"pods": (replace(NEW, metrics=None),)},
        "retire-key loki",
    ),
    "a pod is stopping": (
        {"pods": (NEW, a_pod("loki-1", deleting_since=ago(seconds=3)))},
        "await loki-1",
    ),
    "a pod is refused": (
        {"pods": (replace(NEW, metrics=a_pod(refused=1, accepted=0).metrics),)},
        "await loki-0",
    ),
    "a pod still holds the old one": ({"pods": (a_pod(),)}, "replace-pod loki-0"),
    "pods cannot be seen": (
        {
            "pods": (NEW,),
            "unreadable": (a_gap(Hop.PODS, Ref("Pod", "*", "monitoring"), Why.UNREACHABLE),),
        },
        "await *",
    ),
    "the store does not say that the new key works": (
        {"pods": (NEW,), "verdicts": {A: WORKS, B: said(Answer.UNREACHABLE)}},
        "await loki",
    ),
}


@pytest.mark.parametrize(("changes", "first"), DONE.values(), ids=DONE)
def test_the_old_key_is_retired_once_nobody_holds_it(changes: dict[str, Any], first: str) -> None:
    """On evidence, never on hope."""
    assert said_by(plan(moved(**changes), Policy())) == first


OVER: dict[str, tuple[Snapshot, str]] = {
    "it stands and its time is over": (
        standing(memory={"bridge": a_bridge(until=ago(seconds=1))}),
        "retire-key loki",
    ),
    "its time is over and nothing can be seen": (
        standing(
            memory={"bridge": a_bridge(until=ago(seconds=1))},
            source=None,
            secret=None,
            kept=None,
            verdicts={},
        ),
        "retire-key loki",
    ),
    "an older route claims the same": (
        standing(memory={"bridge": a_bridge(until=ago(seconds=1))}, rivals=True),
        "retire-key loki",
    ),
    "it was never added and its time is over": (
        replaced(
            memory={"bridge": a_bridge(added_at=None, until=ago(seconds=1))}, kept=a_kept_pair()
        ),
        "drop-pair lokeys-bridge-loki",
    ),
    "a person has removed the key": (
        standing(source=a_source(B, slots=slots(B)), verdicts={A: DEAD, B: TRUSTED}),
        "drop-pair lokeys-bridge-loki",
    ),
    "lokeys has retired it": (
        moved(source=a_source(B, slots=slots(B)), verdicts={A: DEAD, B: TRUSTED}, pods=(NEW,)),
        "drop-pair lokeys-bridge-loki",
    ),
    "it was never added and no pod needs it": (
        replaced(
            memory={
                "bridge": a_bridge(added_at=None),
                "content": content(B, since=ago(minutes=4), old_pods=(), before=A),
            },
            vault=B,
            secret=B,
            pods=(NEW,),
            kept=a_kept_pair(),
        ),
        "drop-pair lokeys-bridge-loki",
    ),
    "the copy is gone before the key was added": (
        replaced(
            memory={
                "bridge": a_bridge(added_at=None),
                "content": content(B, since=ago(minutes=4), old_pods=("u-loki-0",), before=A),
            },
            vault=B,
            secret=B,
        ),
        "drop-pair lokeys-bridge-loki",
    ),
    "a copy was kept for a person and nobody needs it": (
        replaced(
            memory={"content": content(B, since=ago(minutes=4), old_pods=(), before=A)},
            vault=B,
            secret=B,
            pods=(NEW,),
            kept=a_kept_pair(),
        ),
        "drop-pair lokeys-bridge-loki",
    ),
}


@pytest.mark.parametrize(("seen_now", "first"), OVER.values(), ids=OVER)
def test_its_end_comes_before_all_else_where(seen_now: Snapshot, first: str) -> None:
    """Whatever else is wrong with the route, and whoever looks."""
    assert said_by(plan(seen_now, Policy())) == first


def test_a_bridge_ends_with_its_route() -> None:
    """A resource that is deleted can look after nothing: the old key goes first."""
    assert said_by(plan(moved(), Policy(ends=True))) == "retire-key loki"
    gone = standing(source=a_source(B, slots=slots(B)), verdicts={A: DEAD, B: TRUSTED})
    assert said_by(plan(gone, Policy(ends=True))) == "drop-pair lokeys-bridge-loki"


def test_a_key_that_a_person_removed_is_not_added_again() -> None:
    """They have decided; the ordinary heal goes on."""
    made = plan(replaced(memory={"barred": (A.pair,)}), Policy())
    assert said_by(made) == "write-vault Homelab/loki-s3"


def test_a_copy_stays_while_pods_cannot_be_seen() -> None:
    """Whether anybody needs it is not known then."""
    hidden = replaced(
        memory={"content": content(B, since=ago(minutes=4), old_pods=(), before=A)},
        vault=B,
        secret=B,
        pods=(),
        unreadable=(a_gap(Hop.PODS, Ref("Pod", "*", "monitoring"), Why.UNREACHABLE),),
        kept=a_kept_pair(),
    )
    assert plan(hidden, Policy()).steps[0].action is not Action.DROP_PAIR


def test_the_bridge_of_another_source_is_not_touched() -> None:
    """Its key is not one of this route's user: a finding says so, and nothing is retired."""
    foreign = standing(memory={"bridge": a_bridge(source="another", until=ago(minutes=9))})
    assert Action.RETIRE_KEY not in {step.action for step in plan(foreign, Policy()).steps}


def test_a_settled_route_waits_for_the_end_of_its_bridge() -> None:
    """It is not called settled while a key is valid that should not be."""
    quiet = standing(secret=a_secret(B), vault=B, memory={"content": content(B)}, pods=())
    quiet = replace(quiet, source=a_source(B, slots=slots(A, B)), workloads=())
    made = plan(quiet, Policy())
    assert said_by(made) == "retire-key loki"
    unsure = standing(
        spec=a_route(vault=None),
        source=a_source(B, slots=slots(A, B)),
        secret=a_secret(B),
        verdicts={A: WORKS},
        memory={"content": content(B)},
        pods=(NEW,),
    )
    assert not plan(unsure, Policy()).settled


ENDPOINT = "http://rgw.storage.svc"


def test_a_source_is_told_from_another_by_user_and_store() -> None:
    """A user of the same name at another gateway, or for another bucket's store, is another."""
    keys = PairKeys(access_key_id="a", secret_access_key="b")

    def named(endpoint: str) -> str:
        admin = RgwAdmin(endpoint=endpoint, secret=SecretRef(name="rgw-admin", keys=keys))
        return source_name(a_route(source=RgwSource(uid="loki", admin=admin)))

    assert named(ENDPOINT) != named("http://other.storage.svc")
    assert source_name(a_route()) != named(ENDPOINT)


def test_what_was_offered_counts_for_its_source_alone() -> None:
    """A route that is pointed at a source of somebody's own and back again brings no key along."""
    other = a_route(source=a_rgw())
    looked = look(
        spec=other, source=a_source(A), memory=Memory(content=content(A), offered=OFFERED)
    )
    assert looked.memory.offered == Offered(source=source_name(other), pairs=(A.pair,))


def a_rgw() -> RgwSource:
    keys = PairKeys(access_key_id="a", secret_access_key="b")
    admin = RgwAdmin(endpoint=ENDPOINT, secret=SecretRef(name="rgw-admin", keys=keys))
    return RgwSource(uid="mallory", admin=admin)


def test_a_suspended_users_pair_is_barred_for_good() -> None:
    """Also once the user works again, and its key was replaced later."""
    suspended = look(source=B, verdicts={A: said(Answer.SUSPENDED), B: TRUSTED})
    assert A.pair in suspended.memory.barred


def test_a_bridge_is_found_again_where_the_status_was_lost() -> None:
    """The copy's sealed annotations say until when; without the seal they say nothing."""
    end = NOW + timedelta(minutes=20)
    told: dict[str, Any] = {"source": source_name(a_route()), "since": ago(minutes=1), "until": end}
    lost = replaced(
        kept=a_kept_pair(**told), source=a_source(B, consent=ALLOWED, slots=slots(A, B))
    )
    assert lost.memory.bridge is not None
    assert (lost.memory.bridge.until, lost.memory.bridge.added_at) == (end, NOW)
    assert replaced(kept=a_kept_pair(**told, sealed=False)).memory.bridge is None
    assert replaced(kept=a_kept_pair(**told), memory={"barred": (A.pair,)}).memory.bridge is None


def test_a_lost_record_is_no_leave_to_begin() -> None:
    """Found again, it is added only where that is allowed; it ends in any case."""
    told: dict[str, Any] = {
        "source": source_name(a_route()),
        "since": ago(minutes=1),
        "until": NOW + HOUR,
    }
    unasked = replaced(kept=a_kept_pair(**told), source=a_source(B, slots=slots(B)))
    assert Action.ADD_KEY not in {step.action for step in plan(unasked, Policy()).steps}


WISH = Policy(rotate=RotationWish(why="the key is too old", at=NOW))
ROTATING: dict[str, tuple[Snapshot, str]] = {
    "its time is over": (
        standing(memory={"bridge": a_bridge(until=ago(seconds=1))}),
        "retire-key loki",
    ),
    "nobody holds its key any more": (moved(pods=(NEW,)), "retire-key loki"),
    "it stands": (moved(), "replace-pod loki-0"),
}


@pytest.mark.parametrize(("seen_now", "first"), ROTATING.values(), ids=ROTATING)
def test_a_rotation_that_is_due_does_not_keep_a_bridge(seen_now: Snapshot, first: str) -> None:
    """The bridge ends as it would without; only then a rotation begins."""
    assert said_by(plan(seen_now, WISH)) == first


def a_rotation(**changes: Any) -> Rotation:
    """Return a rotation from A to B."""
    whole: dict[str, Any] = {
        "source": source_name(a_route()),
        "why": "asked",
        "begun_at": ago(minutes=9),
        "phase_since": ago(minutes=8),
        "old": A.pair,
        "old_id": A.key_id,
        "new": B.pair,
        "new_id": B.key_id,
    }
    return Rotation(**{**whole, **changes})


RETIRED: dict[str, tuple[Rotation, PairFacts | None]] = {
    "the old one, while it is being retired": (a_rotation(phase=Phase.RETIRE), A),
    "the old one, ever after": (a_rotation(phase=Phase.RETIRE, ended_at=ago(minutes=1)), A),
    "the new one, where it went back": (a_rotation(back=True, ended_at=ago(minutes=1)), B),
    "none that was never made": (
        a_rotation(back=True, new=None, new_id=None, ended_at=ago(minutes=1)),
        None,
    ),
    "none while both are in use": (a_rotation(phase=Phase.GRACE), None),
}


@pytest.mark.parametrize(("rotation", "barred"), RETIRED.values(), ids=RETIRED)
def test_a_rotation_bars(rotation: Rotation, barred: PairFacts | None) -> None:
    """A key that lokeys has retired is no key that somebody lost by accident."""
    looked = look(source=B, memory=Memory(content=content(A), rotation=rotation))
    assert looked.memory.barred == ((barred.pair,) if barred else ())


def test_a_retired_key_that_somebody_puts_back_is_not_bridged() -> None:
    """An older version of the vault's item brings it back to the pods: the source had it once."""
    over = a_rotation(phase=Phase.RETIRE, ended_at=ago(minutes=1))
    back = replaced(memory={"rotation": over})
    assert Action.ADD_KEY not in {step.action for step in plan(back, Policy()).steps}


RECORDED: dict[str, tuple[Memory, Memory, Bridge | None]] = {
    "somebody else has begun one": (Memory(), Memory(bridge=a_bridge()), a_bridge()),
    "it has ended here": (Memory(barred=(A.pair,)), Memory(bridge=a_bridge()), None),
    "it has ended there": (Memory(), Memory(barred=(A.pair,)), None),
    "here is one": (
        Memory(bridge=a_bridge()),
        Memory(bridge=a_bridge(until=NOW)),
        a_bridge(),
    ),
    "there is none": (Memory(), Memory(), None),
}


@pytest.mark.parametrize(("mine", "theirs", "found"), RECORDED.values(), ids=RECORDED)
def test_what_another_has_recorded_counts(
    mine: Memory, theirs: Memory, found: Bridge | None
) -> None:
    """A person's `heal --bridge` may die: the operator owes the end of its bridge, too."""
    merged = newest_bridge(mine, theirs)
    assert merged.bridge == found
    assert set(merged.barred) == {*mine.barred, *theirs.barred}


def test_what_was_promised_is_told_from_a_rotations_own_steps() -> None:
    """The end of a bridge is done in every mode; a rotation's steps stop with its mode."""
    over = standing(memory={"bridge": a_bridge(until=ago(seconds=1))})
    assert [step.ends_a_bridge for step in plan(over, Policy()).steps] == [True, True]
    rotating = standing(
        memory={"bridge": None, "rotation": a_rotation(phase=Phase.RETIRE)}, vault=B, secret=B
    )
    steps = plan(rotating, Policy()).steps
    assert {step.action for step in steps} <= {Action.RETIRE_KEY, Action.KEEP_PAIR}
    assert not any(step.ends_a_bridge for step in steps)


def test_a_finalizer_of_a_bridge_that_never_began_goes_with_its_resource() -> None:
    """Killed before the copy was made: nothing else would ever remove it."""
    bare = replaced()
    assert said_by(plan(bare, Policy(owes=True, ends=True))) == "drop-pair lokeys-bridge-loki"
    assert said_by(plan(bare, Policy(owes=True))) == "keep-pair lokeys-bridge-loki"
    unread = replaced(kept_gap=a_gap(Hop.SECRET, STAGING, Why.FORBIDDEN))
    dropped = {step.action for step in plan(unread, Policy(owes=True, ends=True)).steps}
    assert Action.DROP_PAIR not in dropped
