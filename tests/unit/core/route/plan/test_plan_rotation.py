# SPDX-License-Identifier: Apache-2.0
"""What a rotation plans for each thing that may be seen: why it waits, goes back, or sticks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    NOW,
    SECRET,
    TRUSTED,
    WORKS,
    A,
    B,
    C,
    a_gap,
    a_pod,
    a_route,
    a_secret,
    a_snapshot,
    a_source,
    a_vault,
    a_workload,
    content,
    live,
    look,
    said,
    said_by,
)
from lokeys.core.findings.verdict import Answer, Depth
from lokeys.core.place import Hop, Ref
from lokeys.core.route.conditions import conditions
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.key_state import seen
from lokeys.core.route.memory import Bridge, Memory
from lokeys.core.route.model import (
    AwsIamSource,
    Mode,
    PairKeys,
    PushSecretVault,
    RgwAdmin,
    RgwSource,
    RotationSpec,
    SecretRef,
)
from lokeys.core.route.plan import Plan, Policy, plan
from lokeys.core.route.plan.rotation import hindrance
from lokeys.core.route.resource.status import memory_from_status, memory_to_status
from lokeys.core.route.rotation.gates import advanced, carries_both
from lokeys.core.route.rotation.holders import Holders
from lokeys.core.route.rotation.model import Phase, Rotation, RotationWish
from lokeys.core.route.rotation.model import tested as after_a_test
from lokeys.core.route.snapshot import Budget, KeptPair, Snapshot, Why
from lokeys.core.route.standing import source_name
from lokeys.core.sensitive import PairFacts

KEYS = PairKeys(access_key_id="a", secret_access_key="b")
ADMIN = RgwAdmin(endpoint="http://rgw.storage.svc", secret=SecretRef(name="rgw-admin", keys=KEYS))
SPEC = a_route(
    mode=Mode.ROTATE,
    source=RgwSource(uid="loki", admin=ADMIN),
    rotation=RotationSpec(retire_on_evidence=True),
)
OWNER = Ref("RGWUser", "loki")
STAGING = Ref("Secret", "lokeys-bridge-loki", "monitoring")
WISH = Policy(rotate=RotationWish(why="asked", at=NOW))
BOTH = {A: TRUSTED, B: TRUSTED}


def a_rotation(**changes: Any) -> Rotation:
    """Return a rotation from A to B, recorded a minute ago."""
    whole: dict[str, Any] = {
        "source": source_name(SPEC),
        "why": "asked",
        "begun_at": NOW - timedelta(minutes=2),
        "phase_since": NOW - timedelta(minutes=1),
        "old": A.pair,
        "old_id": A.key_id,
        "new": B.pair,
        "new_id": B.key_id,
    }
    return Rotation(**{**whole, **changes})


def kept(pair: PairFacts = B, **changes: Any) -> KeptPair:
    """Return lokeys' own staging Secret, sealed by it."""
    whole: dict[str, Any] = {
        "ref": STAGING,
        "uid": "u",
        "resource_version": "1",
        "source": source_name(SPEC),
        "sealed": True,
    }
    return KeptPair(**{**whole, "pair": pair, **changes})


def a_look(rotation: Rotation | None = None, **changes: Any) -> Snapshot:
    """Return a look at a route of an RGW user with keys A and B, where A is everywhere."""
    pair = changes.pop("source", A)
    whole: dict[str, Any] = {
        "spec": SPEC,
        "source": a_source(pair, ref=OWNER, owner=OWNER, rook=None, slots=live(A, B)),
        "issues": True,
        "kept": kept(),
        "verdicts": BOTH,
        "memory": Memory(content=content(), rotation=rotation, source_held=(A.pair, B.pair)),
        "showable": frozenset({A.pair, B.pair}),
    }
    return a_snapshot(**{**whole, **changes})


def on_b(rotation: Rotation, **changes: Any) -> Snapshot:
    """Return a look at the same route where B is everywhere and proved."""
    whole: dict[str, Any] = {
        "source": B,
        "vault": B,
        "secret": B,
        "kept": None,
        "memory": Memory(content=content(B), rotation=rotation),
    }
    return a_look(rotation, **{**whole, **changes})


def planned(snapshot: Snapshot, **policy: Any) -> Plan:
    return plan(snapshot, Policy(**policy))


# --- beginning ----------------------------------------------------------------------------------

ALONE: dict[str, Any] = {
    "source": a_source(A, ref=OWNER, owner=OWNER, rook=None, slots=live(A)),
    "kept": None,
}


def beginning(**changes: Any) -> Snapshot:
    base = a_look(None)
    source = changes.pop("source", ALONE["source"])
    return replace(base, **{"source": source, "kept": None, **changes})


def hindered(snapshot: Snapshot) -> str:
    return hindrance(seen(snapshot), plan(snapshot, Policy()))


def test_nothing_stands_in_the_way_of_a_proved_route() -> None:
    """One key, everywhere, proved: the first step records the rotation, the rest is shown."""
    assert hindered(beginning()) == ""
    made = plan(beginning(), WISH)
    assert said_by(made) == "begin-rotation loki"
    begun = made.steps[0].rotation
    assert begun is not None
    assert (begun.phase, begun.new, begun.known) == (Phase.CREATE, None, (A.key_id,))


BRIDGE = Bridge(pair=A.pair, key_id=A.key_id, source="s", since=NOW, until=NOW + timedelta(hours=1))
ZERO = Budget(ref=Ref("PodDisruptionBudget", "b"), disruptions_allowed=0)
IN_THE_WAY: dict[str, tuple[dict[str, Any], str]] = {
    "keys cannot be changed from here": ({"issues": False}, "cannot add a key"),
    "the store chooses its keys": (
        {"spec": replace(SPEC, source=AwsIamSource(user_name="loki"))},
        "IAM chooses its keys itself",
    ),
    "the vault cannot be written": (
        {"spec": replace(SPEC, vault=PushSecretVault(name="push"))},
        "cannot write what loki-s3-credentials delivers from",
    ),
    "somebody else makes the Secret": (
        {"spec": replace(SPEC, external_secret=None, vault=None, made_by=Ref("HelmRelease", "l"))},
        "its maker does",
    ),
    "the vault is behind": ({"vault": a_vault(C)}, "`lokeys heal` comes first"),
    "a bridge stands": (
        {"memory": Memory(content=content(), bridge=replace(BRIDGE, source="other"))},
        "a bridge stands",
    ),
    "nobody can list the user's keys": (
        {"source": a_source(A, ref=OWNER, owner=OWNER, rook=None)},
        "cannot be read",
    ),
    "a second key is a stranger's": (
        {"source": a_source(A, ref=OWNER, owner=OWNER, rook=None, slots=live(A, C))},
        "a second key that is not lokeys'",
    ),
    "another's rollout": ({"workloads": (a_workload(rolling=True),)}, "a rollout of"),
    "a budget at zero": (
        {
            "pods": (
                a_pod(budget=Budget(ref=Ref("PodDisruptionBudget", "b"), disruptions_allowed=0)),
            )
        },
        "lets no pod go now",
    ),
}


@pytest.mark.parametrize(("changes", "words"), IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_what_stands_in_the_way_is_said(changes: dict[str, Any], words: str) -> None:
    """And nothing is begun: the plan heals, or waits and says so."""
    snapshot = beginning(**changes)
    assert words in hindered(snapshot)
    made = plan(snapshot, WISH)
    assert not any(step.action.value == "begin-rotation" for step in made.steps)


def test_a_wait_for_a_rotation_says_for_what() -> None:
    """As the next step of the route."""
    made = plan(beginning(workloads=(a_workload(rolling=True),)), WISH)
    assert "no rotation begins: a rollout of" in made.steps[0].why


def test_a_leftover_of_a_lost_run_becomes_the_new_key() -> None:
    """Never a third one. A copy that somebody else made, or of the present key, is none."""
    left = beginning(source=a_source(A, ref=OWNER, owner=OWNER, rook=None, slots=live(A, B)))
    begun = plan(replace(left, kept=kept()), WISH).steps[0].rotation
    assert begun is not None
    assert begun.new == B.pair
    for copy in (kept(sealed=False), kept(source="another")):
        assert "not lokeys'" in hindered(replace(left, kept=copy))
    own = plan(beginning(kept=kept(A)), WISH).steps[0].rotation
    assert own is not None
    assert own.new is None


def test_a_wish_that_was_fulfilled_is_over() -> None:
    """One wish, one rotation."""
    done = a_rotation(begun_at=NOW, ended_at=NOW)
    memory = Memory(content=content(), rotation=done)
    assert plan(beginning(memory=memory), WISH).settled


def test_the_plan_for_a_route_without_vault_writes_the_secret() -> None:
    """Lokeys does it itself."""
    spec = replace(SPEC, vault=None, external_secret=None)
    made = plan(beginning(spec=spec, vault=None, delivery=None), WISH)
    assert [s.action.value for s in made.steps if "write" in s.action.value] == ["write-secret"]


# --- under way ----------------------------------------------------------------------------------

NOBODY = Holders()
TEMPO = Holders(found=(Ref("Secret", "tempo", "traces"),))
LATE = NOW - timedelta(hours=2)
GRACE = a_rotation(phase=Phase.GRACE, phase_since=LATE)
RETIRE = a_rotation(phase=Phase.RETIRE)
BACK = a_rotation(phase=Phase.ROLL, back=True)
ONLY_A = a_source(A, ref=OWNER, owner=OWNER, rook=None, slots=live(A))
ONLY_B = a_source(B, ref=OWNER, owner=OWNER, rook=None, slots=live(B))
STAGING_GAP = a_gap(Hop.SECRET, STAGING, Why.UNREACHABLE)
NEXT: dict[str, tuple[Snapshot, str]] = {
    "Create: it was made, and its copy is gone": (
        a_look(a_rotation(), kept=None),
        "test-key loki",
    ),
    "Create: it was made, and nobody has its secret any more": (
        a_look(a_rotation(), kept=None, showable=frozenset({A.pair})),
        "go-back loki",
    ),
    "Create: no pair was kept yet": (
        a_look(a_rotation(new=None, new_id=None), kept=None),
        "draft-key lokeys-bridge-loki",
    ),
    "Create: somebody put another pair in the staging Secret": (
        replace(a_look(a_rotation(), kept=kept(C)), source=ONLY_A),
        "draft-key lokeys-bridge-loki",
    ),
    "Create: or sealed it themselves": (
        replace(a_look(a_rotation(), kept=kept(sealed=False)), source=ONLY_A),
        "draft-key lokeys-bridge-loki",
    ),
    "Create: the staging Secret cannot be read": (
        a_look(a_rotation(), kept=None, kept_gap=STAGING_GAP),
        "await lokeys-bridge-loki",
    ),
    "Create: the store lacks it": (
        replace(a_look(a_rotation()), source=ONLY_A),
        "create-key loki",
    ),
    "Create: it is tried": (a_look(a_rotation(passed=2)), "test-key loki"),
    "Create: it was refused just now": (
        a_look(a_rotation(), verdicts={A: TRUSTED, B: said(Answer.UNKNOWN_KEY)}),
        "await loki",
    ),
    "Publish": (a_look(a_rotation(phase=Phase.PUBLISH), source=B), "write-vault Homelab/loki-s3"),
    "Publish: the source offers the other one": (
        replace(
            a_look(a_rotation(phase=Phase.PUBLISH)),
            source=a_source(
                B,
                ref=OWNER,
                owner=OWNER,
                slots=tuple(replace(s, offered=s.key_id == A.key_id) for s in live(A, B)),
            ),
        ),
        "offer-key loki",
    ),
    "Publish: the new key is gone": (
        a_look(a_rotation(phase=Phase.PUBLISH)),
        "stalled: rotation_key_removed",
    ),
    "Switch": (
        a_look(a_rotation(phase=Phase.SWITCH), source=B, vault=B),
        "force-sync loki-s3-credentials",
    ),
    "Roll": (
        a_look(
            a_rotation(phase=Phase.ROLL),
            source=B,
            vault=B,
            secret=B,
            memory=Memory(
                content=content(B, since=NOW, before=A, old_pods=("u-loki-0",)),
                rotation=a_rotation(phase=Phase.ROLL),
            ),
        ),
        "replace-pod loki-0",
    ),
    "Roll: everything is proved": (on_b(a_rotation(phase=Phase.ROLL)), "await loki"),
    "Grace: time": (on_b(replace(GRACE, phase_since=NOW)), "await loki"),
    "Grace: nobody looked": (on_b(GRACE), "await loki"),
    "Grace: somebody else holds it": (on_b(GRACE, holders=TEMPO), "await loki"),
    "Retire: a copy of the old pair first": (
        on_b(RETIRE),
        "keep-pair lokeys-bridge-loki",
    ),
    "Retire: where the old pair can be shown no more": (
        on_b(RETIRE, showable=frozenset()),
        "retire-key loki",
    ),
    "Retire: it is taken away": (on_b(RETIRE, kept=kept(A)), "retire-key loki"),
    "Retire: the store has not refused it yet": (
        replace(on_b(RETIRE, kept=kept(A)), source=ONLY_B),
        "await loki",
    ),
    "Retire: it has": (
        replace(
            on_b(RETIRE, kept=kept(A), verdicts={A: said(Answer.UNKNOWN_KEY), B: WORKS}),
            source=ONLY_B,
        ),
        "drop-pair lokeys-bridge-loki",
    ),
    "Retire: the staging Secret cannot be read": (
        on_b(RETIRE, kept_gap=STAGING_GAP),
        "await lokeys-bridge-loki",
    ),
    "Retire: the new key is not tried yet": (
        replace(on_b(RETIRE, verdicts={}), source=ONLY_B),
        "await loki",
    ),
    "back: the vault holds the new pair": (
        a_look(
            BACK,
            vault=B,
            secret=B,
            memory=Memory(content=content(B), rotation=BACK, source_held=(A.pair, B.pair)),
        ),
        "write-vault Homelab/loki-s3",
    ),
    "back: the new key goes": (a_look(BACK), "retire-key loki"),
    "back: somebody else holds the new key": (
        a_look(BACK, holders=TEMPO),
        "stalled: rotation_awaits_retire",
    ),
    "back: the copy goes": (
        replace(a_look(BACK), source=ONLY_A),
        "drop-pair lokeys-bridge-loki",
    ),
    "back: the staging Secret cannot be read": (
        replace(a_look(BACK, kept=None, kept_gap=STAGING_GAP), source=ONLY_A),
        "await lokeys-bridge-loki",
    ),
    "back: nothing is left": (
        replace(a_look(replace(BACK, new=None, new_id=None), kept=None), source=ONLY_A),
        "await loki",
    ),
    "the old key is gone": (
        replace(a_look(a_rotation(phase=Phase.PUBLISH)), source=ONLY_B),
        "stalled: rotation_key_removed",
    ),
    "the resource names another source": (
        a_look(a_rotation(source="another")),
        "stalled: rotation_source_changed",
    ),
    "the user's keys cannot be read": (
        replace(
            a_look(a_rotation()),
            source=None,
            unreadable=(a_gap(Hop.SOURCE, OWNER, Why.UNREACHABLE),),
        ),
        "await loki",
    ),
    "the user's keys are not listed": (
        replace(a_look(a_rotation()), source=a_source(A, ref=OWNER, owner=OWNER, rook=None)),
        "await loki",
    ),
    "the store never took the new key": (
        a_look(a_rotation(phase_since=NOW - timedelta(minutes=16))),
        "go-back loki",
    ),
    "a pod never became Ready with it": (
        on_b(a_rotation(phase=Phase.ROLL, phase_since=NOW - timedelta(minutes=16))),
        "go-back loki",
    ),
}


@pytest.mark.parametrize(("snapshot", "step"), NEXT.values(), ids=NEXT.keys())
def test_the_next_step_is(snapshot: Snapshot, step: str) -> None:
    """One step at a time, each from what was seen."""
    assert said_by(planned(snapshot)) == step


def test_a_wait_in_grace_that_only_a_person_ends_is_a_stall() -> None:
    """It names who holds the old key, or what could not be looked into."""
    held = planned(on_b(GRACE, holders=TEMPO))
    assert held.stalled == "rotation_awaits_retire"
    assert "Secret traces/tempo" in held.reason
    unread = planned(on_b(GRACE, holders=Holders(unread=("Secrets of all namespaces",))))
    assert "Secrets of all namespaces" in unread.reason


def test_a_person_may_go_back_until_the_old_key_is_being_retired() -> None:
    """After that the command says so; asked twice, it is recorded once."""
    assert said_by(planned(on_b(GRACE), go_back=True)) == "go-back loki"
    assert said_by(planned(a_look(BACK), go_back=True)) == "retire-key loki"
    late = planned(on_b(RETIRE), go_back=True)
    assert (late.stalled, late.steps) == ("rotation_past_return", ())


def test_a_person_may_let_the_old_key_go_unless_somebody_is_seen_to_hold_it() -> None:
    """It is recorded, and counts from then on."""
    assert said_by(planned(on_b(GRACE), let_go=True)) == "let-go loki"
    assert said_by(planned(on_b(GRACE, holders=NOBODY), let_go=True)) == "let-go loki"
    assert planned(on_b(GRACE, holders=TEMPO), let_go=True).stalled == "rotation_awaits_retire"
    gone = replace(GRACE, let_go=True)
    assert said_by(planned(on_b(gone), let_go=True)) == "await loki"


# --- the resource is deleted --------------------------------------------------------------------

ELSEWHERE = Bridge(pair=C.pair, key_id=C.key_id, source="another", since=LATE, until=NOW)
LOST: dict[str, Any] = {"going": True, "memory": Memory(content=content())}
EMPTY: dict[str, Any] = {"going": True, "secret": None, "pods": (), "vault": None}
NO_SECRET = (a_gap(Hop.SECRET, SECRET, Why.NOT_FOUND),)
DELETED: dict[str, tuple[Snapshot, str]] = {
    **{
        f"{phase}: it goes back": (a_look(a_rotation(phase=phase), going=True), "go-back loki")
        for phase in Phase
        if phase is not Phase.RETIRE
    },
    "Retire: it goes on": (on_b(RETIRE, going=True), "keep-pair lokeys-bridge-loki"),
    "it goes back already: the new key goes": (a_look(BACK, going=True), "retire-key loki"),
    "it goes back, and some pod holds the new key": (
        on_b(BACK, source=A, vault=A, going=True),
        "force-sync loki-s3-credentials",
    ),
    "the namespace goes: nobody is left who needs a key": (
        a_look(BACK, unreadable=NO_SECRET, **EMPTY),
        "retire-key loki",
    ),
    "the namespace goes, and the new key is gone": (
        replace(a_look(BACK, unreadable=NO_SECRET, **EMPTY), source=ONLY_A),
        "drop-pair lokeys-bridge-loki",
    ),
    "its status was lost: the copy tells whose the second key is": (
        a_look(**LOST),
        "retire-key loki",
    ),
    "its status was lost, and the key is gone": (
        replace(a_look(**LOST), source=ONLY_A),
        "drop-pair lokeys-bridge-loki",
    ),
    "its status was lost, and the copy is of the present key": (
        a_look(**LOST, kept=kept(A)),
        "drop-pair lokeys-bridge-loki",
    ),
    "its status was lost, and somebody else put the copy there": (
        a_look(**LOST, kept=kept(sealed=False)),
        "drop-pair lokeys-bridge-loki",
    ),
    "its status was lost, and the copy cannot be read": (
        a_look(**LOST, kept=None, kept_gap=STAGING_GAP),
        "await lokeys-bridge-loki",
    ),
    "its status was lost, and nothing is left": (a_look(**LOST, kept=None), "settled"),
    "a bridge of another source stands": (
        a_look(**{**LOST, "memory": Memory(content=content(), bridge=ELSEWHERE)}),
        "settled",
    ),
    "its status was lost, and the user cannot be read": (
        a_look(**LOST, source=None),
        "drop-pair lokeys-bridge-loki",
    ),
}


@pytest.mark.parametrize(("snapshot", "step"), DELETED.values(), ids=DELETED.keys())
def test_a_resource_that_is_deleted_leaves_one_key(snapshot: Snapshot, step: str) -> None:
    """Back to the old key, or forward where the old one is being retired."""
    assert said_by(planned(snapshot, ends=snapshot.going)) == step


@pytest.mark.parametrize(
    ("snapshot", "over"),
    [
        pytest.param(a_look(BACK, unreadable=NO_SECRET, **EMPTY), True, id="nothing is left"),
        pytest.param(
            a_look(BACK, unreadable=(a_gap(Hop.SECRET, SECRET, Why.FORBIDDEN),), **EMPTY),
            False,
            id="whether anything is left cannot be seen",
        ),
        pytest.param(
            a_look(BACK, unreadable=NO_SECRET, **{**EMPTY, "going": False}),
            False,
            id="the resource stays: its Secret may come back",
        ),
    ],
)
def test_a_rotation_ends_with_its_namespace(snapshot: Snapshot, over: bool) -> None:
    """Without Secret and pods there is nothing to prove, once the new key is gone."""
    rotation = advanced(replace(snapshot, source=ONLY_A, kept=None))
    assert rotation is not None
    assert rotation.active is not over


# --- gates --------------------------------------------------------------------------------------

DEAD = said(Answer.UNKNOWN_KEY)
STAY: dict[str, Snapshot] = {
    "two passes": a_look(a_rotation(passed=2)),
    "three passes of a pair that the store does not list": replace(
        a_look(a_rotation(passed=3)), source=ONLY_A
    ),
    "no pair yet": a_look(a_rotation(new=None, new_id=None, passed=3)),
    "the vault was not read": a_look(a_rotation(phase=Phase.PUBLISH), vault=None),
    "the Secret was not read": a_look(a_rotation(phase=Phase.SWITCH), vault=B, secret=None),
    "a pod is stopping": on_b(a_rotation(phase=Phase.ROLL), pods=(a_pod(deleting_since=NOW),)),
    "a pod is not proved": on_b(a_rotation(phase=Phase.ROLL), pods=(a_pod(accepted=0),)),
    "the vault was changed in Roll": on_b(a_rotation(phase=Phase.ROLL), vault=A),
    "the time is not over": on_b(replace(GRACE, phase_since=NOW), holders=NOBODY),
    "evidence is wanted, and nobody looked": on_b(GRACE),
    "evidence is wanted, and not all could be read": on_b(GRACE, holders=Holders(unread=("a",))),
    "somebody holds it, whatever a person said": on_b(replace(GRACE, let_go=True), holders=TEMPO),
    "the copy is still there": replace(on_b(RETIRE, kept=kept(A)), source=ONLY_B),
    "the old key is still there": on_b(RETIRE),
    "the new key is not accepted": replace(on_b(RETIRE, verdicts={}), source=ONLY_B),
    "back, and the new key is still there": a_look(BACK, kept=None),
    "back, and the copy is": replace(a_look(BACK), source=ONLY_A),
    "back, and a pod holds the new pair": on_b(BACK),
}


@pytest.mark.parametrize("snapshot", STAY.values(), ids=STAY.keys())
def test_a_gate_stays_shut(snapshot: Snapshot) -> None:
    """Nothing is concluded from what was not seen."""
    assert advanced(snapshot) == snapshot.memory.rotation


AFTER_GRACE = replace(SPEC, rotation=RotationSpec(retire_on_evidence=False))
OPEN: dict[str, tuple[Snapshot, Phase]] = {
    "three passes in a row": (a_look(a_rotation(passed=3)), Phase.PUBLISH),
    "the vault holds it": (a_look(a_rotation(phase=Phase.PUBLISH), vault=B), Phase.SWITCH),
    "the Secret does": (
        a_look(a_rotation(phase=Phase.SWITCH), vault=B, secret=B, pods=(a_pod(accepted=0),)),
        Phase.ROLL,
    ),
    "every pod is proved": (on_b(a_rotation(phase=Phase.ROLL)), Phase.GRACE),
    "time, and nobody else holds it": (on_b(GRACE, holders=NOBODY), Phase.RETIRE),
    "time alone, where that was chosen": (on_b(GRACE, spec=AFTER_GRACE), Phase.RETIRE),
    "a person's word": (on_b(replace(GRACE, let_go=True)), Phase.RETIRE),
}


@pytest.mark.parametrize(("snapshot", "phase"), OPEN.values(), ids=OPEN.keys())
def test_a_gate_opens(snapshot: Snapshot, phase: Phase) -> None:
    """By what was seen."""
    rotation = advanced(snapshot)
    assert rotation is not None
    assert (rotation.phase, rotation.phase_since) == (phase, NOW)


def test_a_rotation_ends_when_the_old_key_is_gone_and_the_new_one_works() -> None:
    """Or, on the way back, when no trace of the new one is left."""
    forth = advanced(replace(on_b(RETIRE), source=ONLY_B))
    back = advanced(replace(a_look(BACK, kept=None), source=ONLY_A))
    never = replace(BACK, new=None, new_id=None)
    early = advanced(replace(a_look(never, kept=None), source=ONLY_A))
    for rotation in (forth, back, early):
        assert rotation is not None
        assert rotation.ended_at == NOW
    assert advanced(a_look(None)) is None
    assert advanced(a_look(forth)) == forth


# --- telling ------------------------------------------------------------------------------------


def told(snapshot: Snapshot) -> dict[str, Any]:
    diagnosis, made = diagnose(snapshot), plan(snapshot, Policy())
    return {c.type: c for c in conditions(snapshot, diagnosis, made)}


def test_hops_that_differ_on_purpose_are_no_fault() -> None:
    """As long as the store takes both keys; the phase is the reason of Rotating."""
    look_at = a_look(a_rotation(phase=Phase.SWITCH), source=B, vault=B)
    conditions_ = told(look_at)
    assert (conditions_["Ready"].status, conditions_["InSync"].reason) == ("True", "Rotating")
    assert (conditions_["Rotating"].status, conditions_["Rotating"].reason) == ("True", "Switch")
    assert not diagnose(look_at).findings
    going_back = told(a_look(BACK, vault=B))
    assert going_back["Rotating"].reason == "GoingBack"


FAULTS: dict[str, Snapshot] = {
    "the store refuses the old key": a_look(
        a_rotation(phase=Phase.SWITCH), source=B, vault=B, verdicts={A: DEAD, B: TRUSTED}
    ),
    "a pod's requests are refused": a_look(
        a_rotation(phase=Phase.SWITCH), source=B, vault=B, pods=(a_pod(refused=3),)
    ),
    "a third key is in the vault": a_look(
        a_rotation(phase=Phase.SWITCH), source=B, vault=C, verdicts={**BOTH, C: WORKS}
    ),
}


@pytest.mark.parametrize("snapshot", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_a_rotation_is_one(snapshot: Snapshot) -> None:
    """Nothing is passed over that loses lines."""
    assert told(snapshot)["Ready"].status != "True"


def test_both_keys_count_only_while_a_rotation_is_under_way() -> None:
    """Before and after, one key is everywhere."""
    assert not carries_both(seen(a_look(None)))
    assert not carries_both(seen(a_look(a_rotation(ended_at=NOW))))
    assert carries_both(seen(a_look(a_rotation(new=None, new_id=None))))


def test_only_passes_in_a_row_of_its_own_pair_count() -> None:
    """One refusal begins the count anew; other pairs' tests say nothing."""
    two = a_rotation(passed=2)
    three = after_a_test(two, B.pair, passed=True)
    assert three is not None
    assert three.passed == 3
    none = after_a_test(three, B.pair, passed=False)
    assert none is not None
    assert none.passed == 0
    assert after_a_test(two, A.pair, passed=True) == two
    assert after_a_test(None, B.pair, passed=True) is None


# --- the record ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rotation",
    [
        a_rotation(),
        a_rotation(new=None, new_id=None, asked="again", known=(A.key_id,)),
        a_rotation(phase=Phase.GRACE, back=True, let_go=True, passed=3, ended_at=NOW),
    ],
    ids=["plain", "with nothing made yet", "with everything"],
)
def test_the_record_is_read_back_as_it_was_written(rotation: Rotation) -> None:
    """Whoever goes on knows what the one before knew."""
    written = memory_to_status(Memory(rotation=rotation), key="k")
    assert memory_from_status({"memory": written}, key="k").rotation == rotation


@pytest.mark.parametrize("lost", ["old", "oldId", "begunAt", "phaseSince", "source", "phase"])
def test_a_record_that_lacks_a_fact_is_none(lost: str) -> None:
    """A status can be edited by hand."""
    written = memory_to_status(Memory(rotation=a_rotation()), key="k")
    broken = {**written, "rotation": {k: v for k, v in written["rotation"].items() if k != lost}}
    assert memory_from_status({"memory": broken}, key="k").rotation is None
    assert memory_from_status({"memory": {**written, "rotation": 7}}, key="k").rotation is None


def test_a_look_carries_the_record_on() -> None:
    """What a look remembers is the rotation behind the gates that it opened."""
    snapshot = look(
        spec=SPEC,
        source=a_source(A, ref=OWNER, owner=OWNER, rook=None, slots=live(A, B)),
        secret=a_secret(),
        memory=Memory(content=content(), rotation=a_rotation(passed=3)),
        verdicts={A: WORKS, B: said(depth=Depth.FULL)},
    )
    rotation = snapshot.memory.rotation
    assert rotation is not None
    assert rotation.phase is Phase.PUBLISH
    assert {A.pair, B.pair} <= set(snapshot.memory.source_held)
    assert snapshot.spec.secret_ref == SECRET
