# SPDX-License-Identifier: Apache-2.0
"""Whole heals, played in a small world with faults between the steps.

Whatever happens in between: each step keeps the promises (the world checks it), a mendable route
settles, what settled is true, and an unmendable one stalls with its cause and without a write.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from builders import (
    EXTERNAL_SECRET,
    NOW,
    SECRET_STORE,
    A,
    B,
    C,
    a_delivery,
    a_pair,
    a_route,
)
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import ExternalSecretRef, Prove
from lokeys.core.route.plan import Plan, Policy
from lokeys.core.route.snapshot import Budget, RefreshPolicy, StoreState
from lokeys.core.sensitive import PairFacts
from unit.core.route.world import OWN_GRACE, SPREADING, World, WorldPod

LOOKS = 700  # a pod may take its whole grace of 300 s, a look a second, more than once
BY_SPOILING = (
    a_delivery(refresh_policy=RefreshPolicy.CREATED_ONCE),
    a_delivery(refresh_interval=timedelta(0), refresh_interval_text="0"),
)
DIRECT = {"vault": None, "external_secret": None}
HOUR = timedelta(hours=1)
IN_A_BRIDGE = ("", "", "", "", "crash of lokeys", "bridge forgotten", "pod crashes", "pod deleted")
EVENTS = ("", "", "", "crash of lokeys", "memory lost", "pod crashes", "vault torn", "key changed")

older = st.sampled_from([A, B, a_pair("B/A"), a_pair("A/B"), a_pair("-"), a_pair("A!")])


def a_loki(holds: PairFacts, *, number: int = 0, wal: bool | None = True) -> WorldPod:
    """Return a pod that runs since an hour."""
    then = NOW - timedelta(hours=1)
    return WorldPod(name=f"loki-{number}", holds=holds, born=then, started=then, wal=wal)


def a_world(**changes: Any) -> World:
    """Return the runbook's start: B is the key, everything behind the source has A."""
    whole: dict[str, Any] = {"live": {B}, "source": B, "vault": A, "secret": A}
    return World(**{**whole, "pods": [a_loki(A)], **changes})


@st.composite
def worlds(draw: st.DrawFn, wal: st.SearchStrategy[bool | None]) -> World:
    """Draw a world in which B is the key, and anything may be anywhere else."""
    return a_world(
        spec=a_route(**draw(st.sampled_from([{}, DIRECT]))),
        vault=draw(older),
        secret=draw(st.one_of(st.none(), older)),
        pods=[
            a_loki(draw(st.sampled_from([A, B])), number=number, wal=draw(wal))
            for number in range(draw(st.integers(1, 3)))
        ],
        delivery=draw(st.sampled_from([a_delivery(), *BY_SPOILING])),
        bad_deliveries=draw(st.lists(st.sampled_from(["torn", "lost"]), max_size=2)),
    )


def play(world: World, happenings: list[str] | None = None) -> Plan:
    """Look and act until the route settles or stalls, with something happening at each look."""
    to_come = list(happenings or ())
    for _ in range(LOOKS):
        seen, plan = world.plan()
        step = plan.next_step
        happens = to_come.pop(0) if to_come else ""
        halted = step is None or (plan.stalled is not None and step.passive)
        if halted and not happens and not to_come:
            return plan
        if step is not None and not step.passive:
            world.do(step, seen, crash=happens == "crash of lokeys")
        happen(world, happens)
        world.pass_time(max(1.0, step.look_again_s) if step is not None else 1.0)
    waits = [f"{step.id}: {step.why}" for step in plan.steps]
    raise AssertionError(f"no end: {plan.stalled} {waits}; {world!r}")


def happen(world: World, what: str) -> None:
    """Let something go wrong."""
    if what:
        event(what)
    match what:
        case "memory lost":
            world.memory = Memory()
        case "pod crashes":
            world.crash("loki-0")
        case "pod deleted":
            world.delete("loki-0")
        case "bridge forgotten" if world.bridged:
            world.memory = Memory()
        case "vault torn":
            world.vault = a_pair("B/A")
        case "key changed":
            world.change_key(C)


@settings(max_examples=150, deadline=None)
@given(
    world=worlds(st.sampled_from([True, True, None])),
    happenings=st.lists(st.sampled_from(EVENTS), max_size=12),
)
@pytest.mark.timeout(60)
def test_whatever_happens_a_mendable_route_settles(world: World, happenings: list[str]) -> None:
    """From any mendable start, through any faults, the end is settled, and truly so."""
    plan = play(world, happenings)
    assert plan.settled, f"{plan.stalled}: {plan.reason}; {world!r}"
    assert world.true(), world


@settings(max_examples=75, deadline=None)
@given(
    world=worlds(st.just(False)),
    happenings=st.lists(st.sampled_from(EVENTS), max_size=6),
    accept=st.booleans(),
)
@pytest.mark.timeout(60)
def test_unflushed_lines_are_lost_only_by_a_persons_word(
    world: World, happenings: list[str], accept: bool
) -> None:
    """Without a volume a pod goes only if that was accepted; all hops before it are mended."""
    world.policy = Policy(accept_loss=accept)
    plan = play(world, happenings)
    if accept or all(pod.holds == world.source for pod in world.pods):
        assert plan.settled or plan.stalled == "wal_not_persistent", world
    else:
        assert plan.stalled == "wal_not_persistent", f"{plan}; {world!r}"
    assert world.secret == world.source
    assert world.vault == world.source or world.spec.vault is None
    if accept:
        assert plan.settled
        assert world.true(), world


@settings(max_examples=60, deadline=None)
@given(
    wals=st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=3),
    happenings=st.lists(st.sampled_from(IN_A_BRIDGE), max_size=12),
    prove=st.sampled_from(Prove),
)
@pytest.mark.timeout(60)
def test_with_a_bridge_no_line_is_lost_and_it_ends(
    wals: list[bool | None], happenings: list[str], prove: Prove
) -> None:
    """A replaced key, pods with it: whatever happens, the end is settled, and one key is left."""
    pods = [a_loki(A, number=number, wal=wal) for number, wal in enumerate(wals)]
    world = a_world(spec=a_route(prove=prove), live={A}, source=A, pods=pods, bridge=HOUR)
    while world.plan()[1].next_step is not None:
        world.pass_time(20)
    world.change_key(B)
    plan = play(world, happenings)
    if not plan.settled:
        # Who holds which key was forgotten too, so a person must decide; the bridge ends all the
        # same.
        assert plan.stalled == "wal_not_persistent", f"{plan.reason}; {world!r}"
        assert "bridge forgotten" in happenings
        world.pass_time(HOUR.total_seconds())
        play(world)
    else:
        assert world.true(), world
    assert world.live == {B}
    assert world.kept is None
    assert world.memory.bridge is None


@settings(max_examples=20, deadline=None)
@given(longest=st.integers(5, 600), wal=st.sampled_from([True, False]))
@pytest.mark.timeout(60)
def test_a_bridge_is_over_at_its_time(longest: int, wal: bool) -> None:
    """Also where pods still need it: then the route heals, or stalls, as it would without one."""
    world = a_world(live={A}, source=A, pods=[a_loki(A, wal=wal)])
    world.bridge = timedelta(seconds=longest)
    while world.plan()[1].next_step is not None:
        world.pass_time(20)
    world.change_key(B)
    world.delivery = a_delivery(refresh_interval=None)
    for _ in range(longest + 60):
        seen, made = world.plan()
        if made.next_step is not None and not made.next_step.passive:
            world.do(made.next_step, seen)
        world.pass_time(1)
        assert A not in world.live or world.now <= world.bridged[A.pair] + timedelta(seconds=2)
    assert world.live == {B}
    assert world.bridged
    assert world.kept is None


TEARS = ("", "", "vault torn", "Secret torn", "Secret by hand", "delivered", "crash of lokeys")


def tear(world: World, what: str) -> None:
    """Tear the pair in the vault or in the Secret, or let a sync deliver what the vault holds."""
    match what:
        case "vault torn":
            world.vault = a_pair("B/A")
        case "Secret torn":
            world.put(a_pair("A/B"))
        case "Secret by hand":
            world.put(C)
        case "delivered":
            world.put(world.vault)


@settings(max_examples=150, deadline=None)
@given(
    wal=st.sampled_from([True, False, None]),
    tears=st.lists(st.sampled_from(TEARS), max_size=8),
    route=st.sampled_from([{}, DIRECT]),
)
@pytest.mark.timeout(60)
def test_a_pod_that_always_held_the_good_pair_is_never_replaced(
    wal: bool | None, tears: list[str], route: dict[str, Any]
) -> None:
    """However often a torn or foreign pair passes through: it read the good one, and keeps it.

    Who puts a torn pair into the Secret again and again ends the forced syncs, and changes nothing.
    """
    pods = [a_loki(B, wal=wal)]
    long_ago = NOW - timedelta(days=9)
    world = a_world(vault=B, secret=B, written=long_ago, pods=list(pods), spec=a_route(**route))
    for _ in range(2):
        world.plan()
    for what in tears:
        tear(world, what)
        seen, plan = world.plan()
        step = plan.next_step
        if step is not None and not step.passive:
            world.do(step, seen, crash=what == "crash of lokeys")
        world.pass_time(1.0)
    plan = play(world)
    in_vain = plan.reason.startswith("3 forced syncs")
    assert plan.settled or in_vain, f"{plan.stalled}: {plan.reason}; {world!r}"
    assert world.true() or in_vain, world
    assert world.pods == pods
    assert not [entry for entry in world.log if entry.split(":")[0].endswith("-pod")]


def test_the_runbook_takes_four_steps() -> None:
    """The story itself: test, vault, refresh, the pod; nothing twice, nothing else."""
    world = a_world()
    assert play(world).settled
    assert [entry.split(":")[0] for entry in world.log] == [
        "test-key",
        "write-vault",
        "force-sync",
        "replace-pod",
    ]
    assert world.true()


def test_pods_go_one_at_a_time_from_the_highest_ordinal() -> None:
    """Three Lokis are replaced in a StatefulSet's order, each after the one before is ready."""
    world = a_world(pods=[a_loki(A, number=number) for number in range(3)])
    assert play(world).settled
    gone = [entry for entry in world.log if entry.startswith("replace-pod")]
    assert gone == [f"replace-pod:Pod/loki-{number}" for number in (2, 1, 0)]


def test_a_pod_that_somebody_else_deleted_is_waited_for_and_then_the_heal_goes_on() -> None:
    """A dead key holds a pod in its shutdown flush for its whole grace; lokeys replaces none."""
    world = a_world()
    while "force-sync:ExternalSecret/loki-s3-credentials" not in world.log:
        seen, plan = world.plan()
        assert plan.next_step is not None
        world.do(plan.next_step, seen)
        world.pass_time(1)
    world.pods[0].deleting = world.now
    deleted_at = world.now
    assert play(world).settled
    assert world.now - deleted_at >= OWN_GRACE
    assert not any(entry.startswith("replace-pod") for entry in world.log)
    assert world.true()


def test_without_traffic_a_flush_brings_the_proof() -> None:
    """`prove: Flush` settles a route on which nobody writes."""
    world = a_world(spec=a_route(prove=Prove.FLUSH), traffic=False)
    assert play(world).settled
    assert "flush:Pod/loki-0" in world.log
    assert world.true()


def test_without_traffic_a_writer_is_never_called_proved() -> None:
    """`prove: Wait` waits: nothing but a request of its own proves an ingester."""
    world = a_world(traffic=False)
    with pytest.raises(AssertionError, match="has not asked the storage"):
        play(world)


def test_a_reader_is_proved_by_the_stores_test() -> None:
    """A component that never writes needs no request of its own."""
    world = a_world(traffic=False, pods=[a_loki(A, wal=None)])
    assert play(world).settled
    assert world.true()


UNMENDABLE = {
    "the source's key is dead": ({"live": {C}}, "source_key_dead"),
    "the source is half empty": ({"source": a_pair("B/-")}, "source_has_no_key"),
    "the source ends in a newline": (
        {"source": a_pair("B!"), "live": {a_pair("B!")}},
        "secret_trailing_newline",
    ),
    "the vault's key works and is nobody's": (
        {"vault": C, "live": {B, C}},
        "foreign_key_in_vault",
    ),
    "the Secret's key works and lokeys alone writes it": (
        {"spec": a_route(**DIRECT), "secret": C, "live": {B, C}},
        "two_writers",
    ),
    "an interval stops all refreshes": (
        {"vault": B, "delivery": a_delivery(refresh_interval=None)},
        "eso_stopped_by_bad_interval",
    ),
    "another ExternalSecret owns the Secret": (
        {"vault": B, "delivery": a_delivery(target_owner=EXTERNAL_SECRET)},
        "eso_target_owned_by_other",
    ),
    "the SecretStore is missing": (
        {"vault": B, "delivery": a_delivery(store=StoreState(ref=SECRET_STORE, exists=False))},
        "eso_store_not_ready",
    ),
    "the Secret is immutable": (
        {"vault": B, "delivery": a_delivery(immutable=True)},
        "secret_cannot_refresh",
    ),
    "an Orphan is never read again": (
        {"vault": B, "delivery": replace(BY_SPOILING[0], creation_policy="Orphan")},
        "secret_cannot_refresh",
    ),
}


@pytest.mark.parametrize(("changes", "cause"), UNMENDABLE.values(), ids=UNMENDABLE.keys())
def test_what_cannot_be_mended_stalls_without_a_write(changes: dict[str, Any], cause: str) -> None:
    """Nothing is written, nobody is restarted, and the plan names what a person must see to."""
    world = a_world(**changes)
    assert play(world).stalled == cause
    assert not [entry for entry in world.log if entry.split(":")[0] in SPREADING]


def test_three_lost_syncs_are_enough() -> None:
    """External Secrets that never brings the content is asked three times, not for ever."""
    world = a_world(vault=B, bad_deliveries=["lost"] * 9)
    assert play(world).stalled == "secret_behind_vault"
    assert world.log.count("force-sync:ExternalSecret/loki-s3-credentials") == 3


def test_an_immutable_dead_secret_is_made_anew_where_that_is_allowed() -> None:
    """`recreate: true` deletes it once the store refuses its pair and takes the vault's."""
    route = a_route(external_secret=ExternalSecretRef(name="loki-s3-credentials", recreate=True))
    world = a_world(spec=route, delivery=a_delivery(immutable=True))
    assert play(world).settled
    assert "recreate-secret:Secret/loki-s3-credentials" in world.log
    assert world.true()


def test_a_budget_is_overruled_only_for_a_broken_pod() -> None:
    """A ready pod waits for its budget for good; after five minutes the plan says so."""
    forbids = Budget(ref=EXTERNAL_SECRET, disruptions_allowed=0)
    world = a_world(budget=forbids)
    assert play(world).stalled == "eviction_blocked_by_budget"
    assert not [entry for entry in world.log if entry.startswith("delete-pod")]


def test_a_person_may_replace_a_foreign_key() -> None:
    """With `overwrite_foreign` the working key in the vault gives way."""
    world = a_world(vault=C, live={B, C}, policy=Policy(overwrite_foreign=True))
    assert play(world).settled
    assert world.true()
