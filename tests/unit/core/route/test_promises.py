# SPDX-License-Identifier: Apache-2.0
"""The promises, for any look at any route: half-read, contradictory, in any state."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import (
    EXTERNAL_SECRET,
    ITEM,
    LOKI,
    NOW,
    ROOK_SECRET,
    SECRET,
    SECRET_STORE,
    USER,
    A,
    B,
    C,
    a_delivery,
    a_gap,
    a_pair,
    a_pod,
    a_rook_source,
    a_rook_user,
    a_route,
    a_secret,
    a_snapshot,
    a_source,
    a_vault,
    a_workload,
    by_pair,
    canaries,
    content,
    live,
    look,
    said,
)
from lokeys.core.findings.catalogue.complaints import RULE_OF_CAUSE
from lokeys.core.findings.causes import CAUSES
from lokeys.core.findings.finding import finding_to_json
from lokeys.core.findings.reasons import REASONS
from lokeys.core.findings.rules import RULES
from lokeys.core.findings.verdict import WORKS, Answer, Depth
from lokeys.core.kubernetes.consent import Trying
from lokeys.core.place import Hop, Ref
from lokeys.core.route.conditions import camel, conditions, status
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.hops import hop_to_json
from lokeys.core.route.key_state import evidence, key_is_dead, storage_works
from lokeys.core.route.memory import Held, Memory
from lokeys.core.route.model import ExternalSecretRef, Prove
from lokeys.core.route.plan import Action, Plan, Policy, Step, plan
from lokeys.core.route.plan.steps import HOPELESS, plan_to_json
from lokeys.core.route.remembering import remember
from lokeys.core.route.resource.status import memory_to_status
from lokeys.core.route.shutdown import latest_end
from lokeys.core.route.snapshot import (
    Budget,
    LogLine,
    PodState,
    RefreshPolicy,
    Roller,
    Snapshot,
    StoreState,
    Unreadable,
    VaultFault,
    Why,
)
from lokeys.core.sensitive import PairFacts

PAIRS = [*map(a_pair, ("A", "B", "C", "A/B", "B/A", "B/-", "-", "A!", "B!"))]
SPREADING = frozenset(
    {
        Action.WRITE_VAULT,
        Action.WRITE_SECRET,
        Action.FORCE_SYNC,
        Action.SPOIL_DATA_HASH,
        Action.RECREATE_SECRET,
        Action.REPLACE_POD,
        Action.DELETE_POD,
    }
)
PODS = frozenset({Action.REPLACE_POD, Action.DELETE_POD})

pairs = st.sampled_from(PAIRS)
maybe = st.none() | pairs
moments = st.integers(-200, 0).map(lambda minutes: NOW + timedelta(minutes=minutes / 2))
times = st.none() | moments
verdicts = st.dictionaries(
    pairs,
    st.builds(said, st.sampled_from(Answer), st.sampled_from(Depth)),
    max_size=len(PAIRS),
).map(by_pair)
gaps = st.builds(
    Unreadable,
    hop=st.sampled_from(Hop),
    ref=st.sampled_from([USER, ROOK_SECRET, SECRET, EXTERNAL_SECRET, ITEM]),
    why=st.sampled_from(Why),
    detail=st.sampled_from(["", "a word"]),
)
routes = st.builds(
    a_route,
    source=st.builds(a_rook_source, refresh=st.booleans()),
    vault=st.sampled_from([a_route().vault, None]),
    external_secret=st.sampled_from(
        [None, ExternalSecretRef(name="loki-s3-credentials", recreate=True)]
    ),
    prove=st.sampled_from(Prove),
)
sources = st.builds(
    a_source,
    maybe,
    rook=st.builds(
        a_rook_user,
        generation=st.integers(1, 2),
        uses_spec_keys=st.booleans(),
        deleting=st.booleans(),
        store_ready=st.sampled_from([None, True, False]),
    ),
    slots=st.sampled_from([None, (), live(A), live(A, B), live(B, C)]),
    suspended=st.sampled_from([None, True]),
    generated_blank=st.booleans(),
)
vaults = st.builds(a_vault, pairs) | st.builds(
    a_vault, st.none(), fault=st.none() | st.sampled_from(VaultFault)
)
deliveries = st.builds(
    a_delivery,
    refresh_policy=st.sampled_from(RefreshPolicy),
    refresh_interval=st.sampled_from([None, timedelta(0), timedelta(hours=1)]),
    creation_policy=st.sampled_from(["Owner", "Orphan"]),
    immutable=st.booleans(),
    ready=st.sampled_from([None, True, False]),
    last_event=st.sampled_from(["", "status 401: no", "key not found in 1Password Vaults: x"]),
    store=st.none()
    | st.builds(
        StoreState,
        ref=st.just(SECRET_STORE),
        exists=st.booleans(),
        ready=st.sampled_from([None, True, False]),
    ),
    target_owner=st.none() | st.just(EXTERNAL_SECRET),
    refreshed_at=times,
)
secrets = st.builds(a_secret, pairs, immutable=st.booleans(), written_at=times)
budgets = st.builds(
    Budget,
    ref=st.just(Ref("PodDisruptionBudget", "loki", "monitoring")),
    disruptions_allowed=st.integers(0, 1),
)
log_lines = st.builds(
    LogLine,
    cause=st.sampled_from(sorted(RULE_OF_CAUSE)),
    count=st.integers(1, 9),
    first_at=times,
    last_at=times,
)


def pods_named(name: str) -> st.SearchStrategy[PodState]:
    """Draw one pod in any state."""
    return st.builds(
        a_pod,
        st.just(name),
        ready=st.booleans(),
        created_at=moments,
        started_at=times,
        deleting_since=times,
        killing_since=times,
        grace=st.integers(1, 4800).map(lambda seconds: timedelta(seconds=seconds)),
        restarts=st.integers(0, 5),
        probe_failures=st.integers(0, 2),
        wal_persistent=st.sampled_from([None, True, False]),
        revision_current=st.booleans(),
        budget=st.none() | budgets,
        accepted=st.integers(0, 2),
        refused=st.integers(0, 2),
        flush_failures=st.integers(0, 2),
        log=st.lists(log_lines, max_size=2).map(tuple),
    )


fleets = st.tuples(*(st.none() | pods_named(f"loki-{number}") for number in range(3))).map(
    lambda drawn: tuple(pod for pod in drawn if pod is not None)
)
workloads = st.builds(
    a_workload,
    exists=st.booleans(),
    wanted=st.integers(0, 3),
    rolling=st.booleans(),
    roller=st.none() | st.sampled_from(Roller),
    reads_secret=st.booleans(),
    force=st.booleans(),
)
uids = st.lists(st.sampled_from(["u-loki-0", "u-loki-1", "u-loki-2"]), unique=True).map(tuple)
contents = st.none() | st.builds(
    content, pairs, since=moments, exact=st.booleans(), old_pods=uids, before=pairs
)
fingerprints = pairs.map(lambda pair: pair.pair)
memories = st.builds(
    Memory,
    content=contents,
    source_held=st.lists(fingerprints, max_size=2).map(tuple),
    refused=st.lists(fingerprints, max_size=2).map(tuple),
    forced_for=st.none() | fingerprints,
    forced_count=st.integers(0, 3),
    forced_at=times,
    replaced=st.dictionaries(st.just("loki-0"), fingerprints),
    blocked_since=st.dictionaries(st.just("loki-0"), moments),
    flushed=st.dictionaries(st.just("loki-0"), moments),
    refreshed_source_at=times,
    revalidated_at=times,
    held=st.dictionaries(
        st.sampled_from(["u-loki-0", "u-loki-1"]),
        st.builds(Held, pair=fingerprints, started_at=moments),
    ),
)


@st.composite
def looks(draw: st.DrawFn) -> Snapshot:
    """Draw any look at any route; what lokeys adds to its memory is in it."""
    route = draw(routes)
    seen = Snapshot(
        spec=route,
        at=NOW,
        source=draw(st.none() | sources),
        vault=draw(st.none() | vaults) if route.vault else None,
        delivery=draw(st.none() | deliveries) if route.external_secret else None,
        secret=draw(st.none() | secrets),
        workloads=draw(st.sampled_from([(), None])) or (draw(workloads),),
        pods=draw(fleets),
        verdicts=draw(verdicts),
        unreadable=draw(st.lists(gaps, max_size=3).map(tuple)),
        memory=draw(memories),
        rivals=draw(st.sampled_from([False, False, True])),
        trying=draw(st.sampled_from(Trying)),
    )
    return replace(seen, memory=remember(seen))


policies = st.builds(Policy, accept_loss=st.booleans(), overwrite_foreign=st.booleans())


def first(seen: Snapshot, policy: Policy) -> Step | None:
    """Return the one step that would be done now."""
    return plan(seen, policy).next_step


def source_of(seen: Snapshot) -> PairFacts:
    """Return the source's pair, which a step that spreads cannot do without."""
    assert seen.source is not None
    assert seen.source.pair is not None
    return seen.source.pair


@given(seen=looks(), policy=policies)
@settings(max_examples=120, deadline=None)
@pytest.mark.timeout(180)
def test_only_a_tested_whole_key_is_spread(seen: Snapshot, policy: Policy) -> None:
    """R1, R2, R3, R8: what spreads is the source's pair, without a flaw, trusted by the store."""
    step = first(seen, policy)
    if step is None or step.action not in SPREADING:
        return
    pair = source_of(seen)
    verdict = seen.verdict(pair)
    assert verdict is not None
    assert verdict.trusted
    assert not pair.flaws
    assert step.pair in {pair.pair, None}
    if step.action in PODS:
        assert seen.secret is not None
        assert seen.secret.pair == pair


@given(seen=looks(), policy=policies)
@settings(max_examples=120, deadline=None)
@pytest.mark.timeout(180)
def test_a_working_key_of_somebody_else_is_never_written_over(
    seen: Snapshot, policy: Policy
) -> None:
    """R8: not in the vault, not in a Secret that lokeys writes, unless a person said so."""
    step = first(seen, policy)
    held = {Action.WRITE_VAULT: seen.vault, Action.WRITE_SECRET: seen.secret}
    if step is None or step.action not in held or policy.overwrite_foreign:
        return
    hop = held[step.action]
    over = hop.pair if hop else None
    verdict = seen.verdict(over)
    known = over is not None and (
        over.pair in seen.memory.source_held or over.key_id == source_of(seen).key_id
    )
    assert over is None or over.blank or known or (verdict is not None and verdict.refused)
    assert step.over == (over.pair if over else None)
    assert over is not None or seen.missing(Hop.SECRET) is not None


@given(seen=looks(), policy=policies, why=st.sampled_from(Why))
@settings(max_examples=120, deadline=None)
@pytest.mark.timeout(180)
def test_nothing_is_begun_that_cannot_be_seen_to_its_end(
    seen: Snapshot, policy: Policy, why: Why
) -> None:
    """A workload that may not be read stops the very first step, and proves nothing."""
    other = a_gap(Hop.PODS, Ref("Deployment", "loki-read", "monitoring"), why)
    blind = replace(seen, unreadable=(*seen.unreadable, other))
    step = first(blind, policy)
    if why in HOPELESS:
        assert step is None or step.passive
    assert evidence(blind) is None
    assert not plan(blind, policy).settled


EXPLAINED = REASONS.keys() | RULES.keys() | {camel(cause) for cause in CAUSES}


@given(seen=looks(), policy=policies)
@settings(max_examples=120, deadline=None)
@pytest.mark.timeout(180)
def test_every_reason_can_be_looked_up(seen: Snapshot, policy: Policy) -> None:
    """`lokeys explain` knows each reason that a condition can have."""
    told = conditions(seen, diagnose(seen), plan(seen, policy))
    assert {each.reason for each in told} <= EXPLAINED


@given(seen=looks(), policy=policies)
@settings(max_examples=120, deadline=None)
@pytest.mark.timeout(180)
def test_a_dead_source_moves_nothing(seen: Snapshot, policy: Policy) -> None:
    """A source that is unknown, blank or refused leads to no step but a second look at itself."""
    pair = seen.source.pair if seen.source else None
    verdict = seen.verdict(pair)
    if pair is not None and not pair.blank and not (verdict and verdict.refused):
        return
    may = {None, Action.AWAIT, Action.REFRESH_SOURCE}
    assert {step.action for step in plan(seen, policy).steps} <= may


@given(seen=looks(), policy=policies)
@settings(max_examples=120, deadline=None)
@pytest.mark.timeout(180)
def test_pods_go_one_at_a_time_and_lose_nothing(seen: Snapshot, policy: Policy) -> None:
    """Nobody is replaced while another stops; unflushed lines go only by a person's word."""
    step = first(seen, policy)
    if step is None or step.action not in PODS:
        return
    assert step.pod is not None
    assert all(pod.deleting_since is None for pod in seen.pods)
    assert not any(workload.pods_to_come(seen.pods) for workload in seen.workloads)
    if step.pod.wal_persistent is False and key_is_dead(step.pod, seen):
        assert policy.accept_loss
    if step.grace is not None:
        assert step.pod.wal_persistent or policy.accept_loss


@given(seen=looks(), policy=policies, seed=st.integers(0, 99))
@settings(max_examples=80, deadline=None)
@pytest.mark.timeout(180)
def test_nothing_depends_on_the_order_of_a_list(seen: Snapshot, policy: Policy, seed: int) -> None:
    """The same look in another order: the same findings with the same ids, hops and plan."""
    turn = random.Random(seed)
    mixed: dict[str, Any] = {
        name: tuple(turn.sample(getattr(seen, name), len(getattr(seen, name))))
        for name in ("pods", "workloads", "unreadable")
    }
    backwards = by_items(dict(reversed(list(seen.verdicts.items()))))
    other = replace(seen, **mixed, verdicts=backwards)
    assert diagnose(other) == diagnose(seen)
    assert [f.id for f in diagnose(other).findings] == [f.id for f in diagnose(seen).findings]
    assert plan(other, policy) == plan(seen, policy)
    assert remember(other) == remember(seen)


def by_items(items: dict[Any, Any]) -> Any:
    """Return verdicts in the order given."""
    return items


@given(seen=looks(), policy=policies)
@settings(max_examples=80, deadline=None)
@pytest.mark.timeout(180)
def test_each_finding_is_told_once(seen: Snapshot, policy: Policy) -> None:
    """No two findings of a look share an id; the cause is the first error; each says something."""
    diagnosis = diagnose(seen)
    ids = [finding.id for finding in diagnosis.findings]
    assert len(set(ids)) == len(ids), [f.code for f in diagnosis.findings]
    errors = [finding for finding in diagnosis.findings if finding.is_error]
    assert diagnosis.cause == (errors[0] if errors else None)
    stalled = plan(seen, policy).stalled
    assert stalled is None or stalled in CAUSES


@given(seen=looks(), policy=policies)
@settings(max_examples=80, deadline=None)
@pytest.mark.timeout(180)
def test_no_key_id_and_no_secret_is_ever_shown(seen: Snapshot, policy: Policy) -> None:
    """R10: not in a repr, a text or the JSON of anything that the core returns."""
    made = plan(seen, policy)
    diagnosis = diagnose(seen)
    said = status(seen, diagnosis, made, before={}, generation=1)
    shown = [repr(seen), repr(made), str(made), repr(diagnosis)]
    shown += [json.dumps(plan_to_json(made)), json.dumps(said)]
    shown += [json.dumps(finding_to_json(finding)) for finding in diagnosis.findings]
    shown += [json.dumps(hop_to_json(hop)) for hop in diagnosis.hops]
    text = "\n".join(shown)
    assert not [canary for canary in canaries() if canary and canary in text]


@given(seen=looks(), policy=policies, later=st.integers(1, 10**6))
@settings(max_examples=80, deadline=None)
@pytest.mark.timeout(180)
def test_a_status_that_says_the_same_is_the_same(
    seen: Snapshot, policy: Policy, later: int
) -> None:
    """R11: what was seen again at another time writes nothing, if the plan is the same.

    But for a pod that is still there when its grace has ended: that is said once.
    """
    before = _status(seen, policy, {})
    again = replace(seen, at=seen.at + timedelta(seconds=later))
    then, now = ([latest_end(pod, look) for pod in look.pods] for look in (seen, again))
    if then == now and plan(again, policy) == plan(seen, policy):
        assert _status(again, policy, before) == before


def _status(seen: Snapshot, policy: Policy, before: dict[str, Any]) -> dict[str, Any]:
    return status(seen, diagnose(seen), plan(seen, policy), before=before, generation=1)


@given(seen=looks())
@settings(max_examples=80, deadline=None)
@pytest.mark.timeout(180)
def test_remembering_twice_is_remembering_once(seen: Snapshot) -> None:
    """A look that shows nothing new leaves the memory equal, at any later time.

    But for what pods hold, of which the second look is certain; a third adds nothing.
    """
    again = replace(seen, at=seen.at + timedelta(hours=1))
    twice = remember(again)
    assert replace(twice, held=seen.memory.held) == seen.memory
    assert remember(replace(again, memory=twice)) == twice


@settings(deadline=None, max_examples=30)
@given(pods=st.integers(1, 3), hours=st.integers(0, 999))
def test_what_is_equal_and_proved_needs_nothing(pods: int, hours: int) -> None:
    """R11: an empty plan, no finding, at any time."""
    fleet = tuple(a_pod(f"loki-{number}") for number in range(pods))
    seen = look(pods=fleet, workloads=(a_workload(wanted=pods),))
    later = replace(seen, at=NOW + timedelta(hours=hours))
    assert plan(later, Policy()) == Plan()
    assert plan(later, Policy()).settled
    assert diagnose(later).findings == ()
    known = remember(later)
    assert remember(replace(later, memory=known)) == known
    assert memory_to_status(known, key="k") == memory_to_status(seen.memory, key="k")


def test_works_means_accepted_or_allowed_to_be_asked() -> None:
    """The words that guard a foreign key: what the store knows is not what it refuses."""
    assert not {answer for answer in WORKS if said(answer).refused}
    assert storage_works(a_pod(refused=1)) is False
    assert a_snapshot().workloads[0].ref == LOKI
