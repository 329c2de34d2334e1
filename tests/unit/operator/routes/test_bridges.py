# SPDX-License-Identifier: Apache-2.0
"""The end of a bridge in the controller's hands: whoever began it, whatever its route became."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from builders import a_route
from fakes.ports import NOON, World, pair
from lokeys.core.place import Hop
from lokeys.core.route.memory import Bridge, Memory
from lokeys.core.route.model import Mode
from lokeys.core.route.plan import Action, Step
from lokeys.core.route.resource.status import memory_to_status
from lokeys.core.route.standing import FINALIZER, source_name
from lokeys.operator.routes.manifests import may_do
from lokeys.ports import KeptFor
from unit.kube.virtual_time import now, run
from unit.operator.routes.test_reconciler import KEY, Desk, a_resource

STARTS_S = 1000.0
"""What the loop's clock says at first; `Desk` counts it from noon."""
SINCE = NOON + timedelta(seconds=STARTS_S)
UNTIL = SINCE + timedelta(minutes=10)
ENDS = ["retire key", "drop pair"]


def a_person_bridged(world: World) -> dict[str, Any]:
    """Let a person build a bridge that the source's owner has not allowed; return its record."""
    world.rotate_source()
    world.alive.insert(0, pair("one"))
    facts, source = world.fingerprinter.describe(pair("one")), source_name(a_route())
    world.kept = (pair("one"), KeptFor(source=source, since=SINCE, until=UNTIL))
    bridge = Bridge(
        pair=facts.pair,
        key_id=facts.key_id,
        source=source,
        since=SINCE,
        until=UNTIL,
        added_at=SINCE,
    )
    return memory_to_status(Memory(bridge=bridge), key="k:test")


WHOSE: dict[str, dict[str, Any]] = {
    "in mode Observe": {},
    "paused": {"labels": {"lokeys.dev/paused": "true"}},
}


@pytest.mark.parametrize("record", ["in the status", "by the finalizer alone"])
@pytest.mark.parametrize("metadata", WHOSE.values(), ids=WHOSE)
def test_a_persons_bridge_ends_though_they_never_come_back(
    record: str, metadata: dict[str, Any]
) -> None:
    """The operator had looked before it began, and its owner allows none: the end is owed."""

    async def main() -> None:
        desk = Desk(world=World(shows_keys=True))
        desk.resource = a_resource("uid-1", mode="Observe")
        await desk.controller.reconcile(KEY)
        recorded = a_person_bridged(desk.world)
        desk.resource["metadata"] |= {"finalizers": [FINALIZER], **metadata}
        if record == "in the status":
            desk.resource["status"] = {"memory": recorded}
        desk.wake()
        await desk.rest(until=lambda: now() >= STARTS_S + 590)
        assert desk.world.writes == []
        await desk.rest(until=lambda: desk.world.writes == ENDS)
        assert now() < STARTS_S + 605
        assert desk.world.alive == [pair("two")]

    run(main())


def test_a_bridge_that_has_ended_is_not_begun_by_an_older_record() -> None:
    """The informer may show a status from before: nothing is written twice."""

    async def main() -> None:
        desk = Desk(world=World(shows_keys=True))
        desk.resource = a_resource("uid-1", mode="Observe")
        desk.resource["status"] = {"memory": a_person_bridged(desk.world)}
        await desk.rest(until=lambda: desk.world.writes == ENDS)
        for _ in range(3):
            await desk.controller.reconcile(KEY)
            await asyncio.sleep(60)
        assert desk.world.writes == ENDS

    run(main())


def test_a_bridge_of_an_invalid_resource_is_told_for_ever() -> None:
    """No route, nobody who could end it: its record stays, with the metric that the alert reads."""

    async def main() -> None:
        desk = Desk(world=World(shows_keys=True))
        recorded = a_person_bridged(desk.world)
        desk.resource = a_resource("uid-1", bucket={"name": "b", "endpoint": "https://rgw.test"})
        desk.resource["spec"]["bucket"]["caBundle"] = "-----BEGIN CERTIFICATE-----\nA\n"
        bridged = {"type": "Bridged", "status": "True", "reason": "Standing"}
        shown = {"until": "2026-03-01T12:10:00Z"}
        status = {"memory": recorded, "bridge": shown, "conditions": [bridged]}
        desk.resource["status"] = status
        assert await desk.controller.reconcile(KEY) is None
        told = {**status, **desk.store.patches[-1]["status"]}
        assert (told["memory"], told["bridge"]) == (recorded, shown)
        assert bridged in told["conditions"]
        assert "remove the old key at the store" in told["conditions"][0]["message"]
        page = desk.controller.metrics.page()
        row = next(r for r in page.splitlines() if r.startswith("lokeys_route_bridge_until"))
        assert float(row.split()[-1]) == UNTIL.timestamp()
        desk.resource = None
        await desk.controller.reconcile(KEY)
        assert "lokeys_route_bridge_until_timestamp_seconds{" not in desk.controller.metrics.page()

    run(main())


def test_a_rotations_own_steps_stop_with_its_mode() -> None:
    """They retire keys, too, and nobody was promised their end."""
    spec = a_route(mode=Mode.OBSERVE)
    step = Step(action=Action.RETIRE_KEY, hop=Hop.SOURCE, target=spec.ref, why="Retire")
    assert not may_do(step, spec, a_resource("uid-1"))
