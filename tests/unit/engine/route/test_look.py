# SPDX-License-Identifier: Apache-2.0
"""A look keeps to the stated budget, and asks at once where something has changed."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from builders import SECRET, a_route
from fakes.ports import World, pair
from lokeys.core.kubernetes.data_keys import DataKey
from lokeys.core.kubernetes.loki.model import PairPlace, RunningLoki
from lokeys.core.place import Ref
from lokeys.core.route.key_state import Currency
from lokeys.core.route.memory import Memory
from lokeys.core.route.plan import Policy, plan
from lokeys.core.sensitive import Sensitive
from lokeys.engine.route.look import Look, LookOptions, Lookout
from lokeys.ports import Fleet, Reading, WorkloadsPort
from unit.engine.route.counting import counted

MINUTE = timedelta(minutes=1)


class Route:
    """A route that is looked at again and again."""

    def __init__(self, world: World) -> None:
        spec = a_route()
        ports, self.calls = counted(world.ports(spec))
        self.world = world
        self.lookout = Lookout(spec=spec, ports=ports, clock=world.clock)
        self.memory = Memory()

    def look(self, *, eager: bool = False, logs: bool = False) -> Look:
        """Look once."""
        wishes = LookOptions(eager=eager, logs=logs)
        seen = asyncio.run(self.lookout.look(self.memory, wishes=wishes))
        self.memory = seen.memory
        return seen

    def rest(self, how_long: timedelta, *, every: timedelta) -> Counter[str]:
        """Look every so often; return what was asked meanwhile."""
        self.calls.clear()
        end = self.world.now + how_long
        while self.world.now < end:
            self.world.now += every
            self.look()
        return self.calls


def cause_of(look: Look) -> str | None:
    """Return the first cause of an error that a look has found."""
    return look.diagnosis.cause.cause if look.diagnosis.cause else None


def test_a_route_at_rest_costs_what_the_design_says() -> None:
    """In ten minutes: ten lists at the store, two item reads, twenty scrapes, no write."""
    route = Route(World())
    route.look()
    asked = route.rest(10 * MINUTE, every=timedelta(seconds=30))
    assert asked["store.try_list"] == 10
    assert asked["vault.read"] == 2
    assert asked["loki.metrics"] == 20
    assert route.world.writes == []
    assert not [
        name for name in asked if name.rsplit(".", 1)[1] not in {"read", "try_list", "metrics"}
    ]


@pytest.mark.parametrize("carried", ["one", "two"])
def test_a_user_with_two_keys_is_at_rest_on_the_one_that_the_route_carries(carried: str) -> None:
    """Where the source names neither, what the route carries is present: no write, no call more."""
    held = pair(carried)
    world = World(alive=[pair("one"), pair("two")], names_none=True, item=held, secret=held)
    route = Route(world)
    seen = route.look()
    source = seen.snapshot.source
    assert source is not None
    assert source.pair == world.fingerprinter.describe(held)
    assert seen.plan.steps == ()
    asked = route.rest(10 * MINUTE, every=timedelta(seconds=30))
    assert (asked["store.try_list"], asked["vault.read"]) == (10, 2)
    assert world.writes == []


def test_a_vault_with_the_other_key_of_the_user_is_ahead_and_not_behind() -> None:
    """Somebody put the user's new key into the vault: it goes on from there, tested first."""
    both = [pair("one"), pair("two")]
    route = Route(World(alive=both, names_none=True, item=pair("two")))
    seen = route.look()
    assert [step.action.value for step in seen.plan.steps][:2] == ["test-key", "force-sync"]


def test_a_user_whose_keys_no_hop_holds_has_no_present_one() -> None:
    """Of two keys none is chosen, and nothing is planned but to wait."""
    both = [pair("one"), pair("two")]
    stale = pair("gone")
    route = Route(World(alive=both, names_none=True, item=stale, secret=stale))
    seen = route.look()
    assert seen.snapshot.source is not None
    assert seen.snapshot.source.pair is None
    assert [f.code for f in seen.diagnosis.findings if f.code == "LK0314"] == ["LK0314"]
    assert {step.action.value for step in seen.plan.steps} == {"await"}


def test_looking_more_often_asks_outside_no_more_often() -> None:
    """Events of the cluster bring looks; store, vault and Loki are asked at their own pace."""
    route = Route(World())
    route.look()
    asked = route.rest(MINUTE, every=timedelta(seconds=1))
    assert asked["store.try_list"] == 1
    assert asked["vault.read"] == 0
    assert asked["loki.metrics"] == 2


def test_a_clock_that_was_set_back_makes_nobody_blind() -> None:
    """Answers from a future that was none are asked for again at once, not an hour later."""
    route = Route(World())
    route.look()
    route.calls.clear()
    route.world.now -= 60 * MINUTE
    route.look()
    assert route.calls["store.try_list"] == 1
    assert route.calls["vault.read"] == 1
    assert route.calls["loki.metrics"] == 1


def test_a_changed_source_asks_vault_and_store_at_once() -> None:
    """A second after the change both pairs have been tried and the vault read again."""
    route = Route(World())
    route.look()
    route.calls.clear()
    route.world.rotate_source()
    route.world.now += timedelta(seconds=2)
    seen = route.look()
    assert route.calls["vault.read"] == 1
    assert route.calls["store.try_list"] == 2
    assert seen.diagnosis.findings[0].cause == "vault_behind_source"


def test_a_new_403_asks_the_store_again() -> None:
    """A key that died behind everybody's back is noticed with Loki's first refused request."""
    route = Route(World())
    route.look()
    route.calls.clear()
    route.world.alive = []
    route.world.now += timedelta(seconds=31)
    seen = route.look()
    assert route.calls["store.try_list"] == 1
    assert seen.diagnosis.cause is not None
    assert seen.diagnosis.cause.cause == "source_key_dead"


def test_a_refusal_of_what_the_source_offers_is_not_believed_for_a_minute() -> None:
    """Rook removes the old key before it makes the new one: a look may come in between."""
    route = Route(World())
    route.look()
    route.world.rotate_source()
    route.world.alive = []
    route.world.now += timedelta(seconds=2)
    assert cause_of(route.look()) == "source_key_dead"
    route.world.alive = [pair("two")]
    route.world.now += timedelta(seconds=1)
    assert cause_of(route.look()) == "vault_behind_source"


def test_a_key_that_stays_dead_is_soon_asked_about_once_a_minute() -> None:
    """Hope is short: after the first minute a refused key costs what a good one does."""
    route = Route(World())
    route.world.pods[0].asks = False
    route.world.alive = []
    route.look()
    first = route.rest(MINUTE, every=timedelta(seconds=1))["store.try_list"]
    assert first <= 7
    assert route.rest(10 * MINUTE, every=timedelta(seconds=1))["store.try_list"] <= 11


def test_a_store_that_did_not_answer_is_asked_at_the_next_look() -> None:
    """Not a minute later: what keeps us from it may be over, and nothing is known meanwhile."""
    route = Route(World())
    route.world.store_reachable = False
    assert not route.look().diagnosis.complete
    route.world.store_reachable = True
    route.world.now += timedelta(seconds=30)
    assert route.look().diagnosis.complete


UPDATE_FAILED = "expected one 1Password Item matching: 'loki-s3', got 2"


def test_a_second_item_of_the_title_is_found_when_external_secrets_fails_on_it() -> None:
    """At rest the id that is remembered goes on working; its failing refresh asks for the title."""
    route = Route(World())
    route.look()
    route.world.second_item = True
    route.rest(10 * MINUTE, every=timedelta(seconds=30))
    assert route.look().diagnosis.cause is None
    route.world.eso_fails_with = UPDATE_FAILED
    found = route.look().diagnosis.findings
    assert (found[0].code, found[0].cause) == ("LK0408", "op_item_ambiguous")
    route.world.second_item = False
    route.world.now += timedelta(seconds=16)
    codes = {finding.code for finding in route.look(eager=True).diagnosis.findings}
    assert "LK0408" not in codes


def test_a_second_item_of_the_title_is_found_before_the_vault_is_written() -> None:
    """A changed source asks for the title, and the plan stops there."""
    route = Route(World())
    route.look()
    route.world.second_item = True
    route.world.rotate_source()
    seen = route.look()
    assert seen.plan.stalled == "op_item_ambiguous"
    assert not seen.plan.acts


def test_logs_are_read_only_in_trouble_or_on_demand() -> None:
    """A healthy pod's log is nobody's business; a refused one's is evidence."""
    route = Route(World())
    route.look()
    assert route.calls["loki.log"] == 0
    route.look(logs=True)
    assert route.calls["loki.log"] == 1
    route.world.alive = []
    route.world.now += MINUTE
    seen = route.look()
    assert route.calls["loki.log"] == 2
    assert seen.snapshot.pods[0].log[0].cause == "access_key_unknown"


def test_an_unproved_pod_is_asked_each_second_while_somebody_waits() -> None:
    """Proof must not wait for the next scrape; a proved pod is left in peace."""
    world = World()
    world.pods[0].requests = 0
    route = Route(world)
    route.look(eager=True)
    route.calls.clear()
    for _ in range(3):
        world.now += timedelta(seconds=1)
        route.look(eager=True)
    assert route.calls["loki.metrics"] == 3
    world.pods[0].requests = 1
    for _ in range(3):
        world.now += timedelta(seconds=1)
        route.look(eager=True)
    assert route.calls["loki.metrics"] == 4


def test_what_no_hop_holds_any_more_is_forgotten() -> None:
    """Neither a pair nor the store's word on it outlives its last holder."""
    world = World()
    route = Route(world)
    route.look()
    world.alive = [pair("two")]
    world.source = world.item = world.secret = pair("two")
    world.now += MINUTE
    route.look()
    kept = world.fingerprinter.describe(pair("two")).pair
    assert set(route.lookout.pairs) == {kept}
    assert set(route.lookout.verdicts) == {kept}


def test_no_probe_means_the_store_is_not_asked() -> None:
    """`--probe off` keeps lokeys away from the store."""
    world = World()
    route = Route(world)
    asyncio.run(route.lookout.look(Memory(), wishes=LookOptions(probe=False)))
    assert route.calls["store.try_list"] == 0


@pytest.mark.parametrize("half", ["access_key_id", "secret_access_key"])
def test_no_look_shows_a_value(half: str) -> None:
    """Neither half of any pair is in the look's repr."""
    world = World()
    route = Route(world)
    seen = route.look(logs=True)
    assert getattr(world.source, half).reveal_text() not in repr(seen)


class Configured:
    """Workloads whose Loki drops blanks, and whose configuration cannot be read at times."""

    def __init__(self, workloads: WorkloadsPort) -> None:
        self._workloads = workloads
        self.seen = True

    async def read(self) -> Reading[Fleet]:
        reading = await self._workloads.read()
        assert reading.state is not None
        loki = RunningLoki(container="loki", unseen="it could not be read")
        if self.seen:
            file = DataKey(Ref("ConfigMap", "loki", "monitoring"), "config.yaml")
            keys = [
                DataKey(SECRET, name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            ]
            bare = PairPlace(key_id=keys[0], secret=keys[1])
            loki = replace(loki, file=file, unseen="", pair=bare)
        states = tuple(replace(each, loki=loki) for each in reading.state.workloads)
        return replace(reading, state=replace(reading.state, workloads=states))


def test_a_configuration_that_is_not_seen_for_a_moment_changes_no_pair() -> None:
    """The Secret's newline reaches no store: the pods are not behind, and nothing is replaced."""
    world = World()
    assert world.secret is not None
    key = world.secret.secret_access_key
    world.secret = replace(world.secret, secret_access_key=Sensitive(f"{key.reveal_text()}\n"))
    route = Route(world)
    configured = Configured(route.lookout.ports.workloads)
    route.lookout.ports = replace(route.lookout.ports, workloads=cast("WorkloadsPort", configured))
    shown = []
    for seen in (True, False, True):
        configured.seen = seen
        world.now += 20 * MINUTE
        look = route.look()
        assert look.snapshot.secret is not None
        shown.append((look.snapshot.secret.pair.pair, look.snapshot.secret.pair.flaws))
        assert {look.snapshot.key(pod).currency for pod in look.snapshot.pods} == {Currency.CURRENT}
        assert plan(look.snapshot, Policy()).steps == ()
    assert len(set(shown)) == 1
