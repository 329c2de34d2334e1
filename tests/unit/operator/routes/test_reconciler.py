# SPDX-License-Identifier: Apache-2.0
"""One route in the controller's hands: taken over from the dead, never mixed with a namesake."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from builders import a_route
from fakes.ports import NOON, World, pair
from lokeys.adapters.http import tls_context
from lokeys.adapters.kubernetes.history import RouteHistory
from lokeys.core.kubernetes.size import MAX_ROUTE_BYTES
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import Mode, RouteSpec
from lokeys.core.route.resource.render import render
from lokeys.core.route.rotation.model import Phase, Rotation
from lokeys.core.route.snapshot import Unreadable, Why
from lokeys.core.route.standing import FINALIZER
from lokeys.core.sensitive import Fingerprint
from lokeys.errors import Forbidden, NeedsHuman
from lokeys.kube.events import EventWriter
from lokeys.kube.lease import Lease
from lokeys.operator.metrics import Metrics
from lokeys.operator.routes.reconciler import Controller
from lokeys.operator.workers import Key
from lokeys.ports import RoutePorts
from unit.engine.route.counting import counted
from unit.kube.scripted import Store
from unit.kube.virtual_time import now, run

KEY: Key = ("monitoring", "loki")


class _NoObjects:
    """A route's objects, which these ports do not ask."""

    bypass = False

    def end_of_look(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Desk:
    """A controller on a world in memory; `resource` is what its informer shows."""

    world: World = field(default_factory=World)
    store: Store = field(default_factory=Store)
    resource: dict[str, Any] | None = None
    wrap: Callable[[RoutePorts], RoutePorts] = lambda ports: ports
    schema: dict[str, Any] = field(default_factory=dict)
    """What the definition in the cluster says of a status."""
    successor: dict[str, Any] | None = None
    """What somebody puts in the resource's place as soon as anything is written."""
    calls: Counter[str] = field(default_factory=Counter)
    lists: list[float] = field(default_factory=list)
    """When the store was asked for a list, as far as `rest` saw it."""
    _due: float = 0.0

    def __post_init__(self) -> None:
        """Write the resource down and open the controller."""
        self.resource = a_resource("uid-1")
        api = self.store.client()
        self.controller = Controller(
            api=api,
            resources=cast("Any", self),
            make_ports=self._ports,
            make_objects=lambda _: cast("Any", _NoObjects()),
            make_lease=lambda spec: self.lease(spec.name, "operator"),
            keep_receipt=RouteHistory(api).keep,
            requeue=lambda _key, _delay_s: None,
            events=EventWriter(api),
            metrics=Metrics(clock=self.clock, queue_length=lambda: 0),
            clock=self.clock,
            fingerprint_key="k:test",
            status_schema=self.schema,
        )

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return the resource, as the informer does."""
        if self.world.writes and self.successor is not None:
            self.resource = self.successor
        metadata = self.resource["metadata"] if self.resource is not None else {}
        if "deletionTimestamp" in metadata and not self.world.held:
            return None
        return self.resource if (namespace, name) == KEY else None

    def clock(self) -> datetime:
        """Return the world's time, which goes with the loop's."""
        self.world.now = NOON + timedelta(seconds=now())
        return self.world.now

    def lease(self, name: str, holder: str) -> Lease:
        """Return the route's Lease in this holder's eyes."""
        api, namespace = self.store.client(holder), KEY[0]
        return Lease(api, name=f"lokeys-{name}", namespace=namespace, holder=holder, clock=now)

    async def rest(self, *, until: Callable[[], bool]) -> None:
        """Reconcile whenever the controller wants to, and never else, until something is so."""
        while not until():
            if now() < self._due:
                await asyncio.sleep(min(self._due - now(), 0.1))
                continue
            asked = self.calls["store.try_list"]
            again_s = await self.controller.reconcile(KEY)
            assert again_s is not None
            self._due = now() + again_s
            if self.calls["store.try_list"] > asked:
                self.lists.append(now())

    def wake(self) -> None:
        """Let the next reconcile be due, as a change of a hop does."""
        self._due = now()

    def ready(self) -> tuple[str, str]:
        """Return status and reason of Ready, as it was told last."""
        told = (patch["status"].get("conditions") for patch in reversed(self.store.patches))
        ready = next((conditions[0] for conditions in told if conditions), None)
        if ready is None:
            return "", ""
        return ready["status"], ready["reason"]

    async def _ports(self, spec: RouteSpec, _objects: object) -> Any:
        tls_context(spec.bucket.ca_bundle)  # as the real ones do
        ports, calls = counted(self.world.ports(spec))
        self.calls = calls
        return self.wrap(ports)


def a_resource(uid: str, **spec: Any) -> dict[str, Any]:
    """Return the route's resource as the API server shows it."""
    made = render(a_route(mode=Mode.HEAL))
    place = {"namespace": KEY[0], "name": KEY[1], "uid": uid, "generation": 1}
    return {**made, "metadata": place, "spec": {**made["spec"], **spec}}


def test_a_heal_goes_on_where_its_healer_was_killed() -> None:
    """The dead one's Lease is taken over once it has been silent for its duration, not before."""

    async def main() -> None:
        desk = Desk()
        desk.world.rotate_source()
        await desk.lease("loki", "killed").acquire()
        killed = now()
        while not desk.world.writes:
            again_s = await desk.controller.reconcile(KEY)
            assert again_s is not None
            assert now() - killed < 60
            if not desk.world.writes:
                await asyncio.sleep(again_s)
        assert now() - killed >= 15

    run(main())


@pytest.mark.parametrize("after_s", [0.1, 0.5, 20.0, 29.9, 40.0, 58.8])
def test_a_key_that_dies_behind_everybody_is_told_within_a_minute(after_s: float) -> None:
    """No Loki asks, no hop changes: the store's next list is early enough, and the only one."""

    async def main() -> None:
        desk = Desk()
        desk.world.pods[0].asks = False
        await desk.rest(until=lambda: len(desk.lists) == 3)
        paces = [later - earlier for earlier, later in itertools.pairwise(desk.lists)]
        assert paces == pytest.approx([59, 59], abs=0.2)
        await desk.rest(until=lambda: now() - desk.lists[-1] >= after_s)
        died = now()
        desk.world.alive = []
        await desk.rest(until=lambda: desk.ready() == ("False", "SourceKeyDead"))
        assert now() - died <= 60
        assert len(desk.lists) == 4

    run(main())


def test_a_minute_at_rest_takes_two_looks() -> None:
    """Store and metrics are asked together, whatever look has come between."""

    async def main() -> None:
        desk = Desk()
        began = now()
        await desk.rest(until=lambda: now() - began >= 100)
        await desk.controller.reconcile(KEY)
        await desk.rest(until=lambda: now() - began >= 200)
        before, began = desk.calls.copy(), now()
        await desk.rest(until=lambda: now() - began >= 10 * 59)
        asked = desk.calls - before
        assert asked["store.try_list"] == 10
        assert asked["loki.metrics"] <= 21
        assert asked["source.read"] <= 21
        assert desk.world.writes == []

    run(main())


def test_a_new_key_that_the_store_does_not_know_yet_is_carried_on_within_seconds() -> None:
    """A look that comes while the source swaps its keys delays the heal by little."""

    async def main() -> None:
        desk = Desk()
        await desk.rest(until=lambda: desk.ready() == ("True", "ProvedByLoki"))
        desk.world.pods[0].asks = False
        desk.world.rotate_source()
        new, desk.world.alive = desk.world.alive, []
        await asyncio.sleep(2.0)
        desk.wake()
        await desk.rest(until=lambda: desk.ready() == ("False", "SourceKeyDead"))
        desk.world.alive, swapped = new, now()
        await desk.rest(until=lambda: desk.world.writes != [])
        assert now() - swapped < 6

    run(main())


def test_a_pod_that_takes_its_time_to_start_is_not_looked_at_each_second() -> None:
    """Its watch tells when it runs; meanwhile others are healed."""

    async def main() -> None:
        desk = Desk()
        await desk.rest(until=lambda: desk.ready() == ("True", "ProvedByLoki"))
        desk.world.starts_slowly = True
        desk.world.rotate_source()
        desk.wake()
        await desk.rest(until=lambda: "evict loki-0" in desk.world.writes)
        before, evicted = desk.calls["source.read"], now()
        await desk.rest(until=lambda: now() - evicted >= 15)
        assert desk.calls["source.read"] - before <= 5
        desk.world.pods[0].pending = False
        desk.wake()
        await desk.rest(until=lambda: desk.ready() == ("True", "ProvedByLoki"))
        assert now() - evicted < 16

    run(main())


def test_a_pod_that_is_not_ready_for_long_costs_no_more_than_a_route_at_rest() -> None:
    """Its watch tells when it is: neither vault nor store nor Loki is asked any sooner."""

    async def main() -> None:
        desk = Desk()
        desk.world.pods[0].ready = False
        await desk.rest(until=lambda: now() >= 1300)
        assert desk.ready() == ("Unknown", "PodsNotReady")
        before, began = desk.calls.copy(), now()
        await desk.rest(until=lambda: now() - began >= 10 * 59)
        asked = desk.calls - before
        assert asked["store.try_list"] <= 11
        assert asked["vault.read"] <= 2
        assert asked["loki.metrics"] <= 21
        desk.world.pods[0].ready = True
        await desk.rest(until=lambda: desk.ready() == ("True", "ProvedByLoki"))
        assert desk.world.writes == []

    run(main())


def test_a_resource_made_anew_is_told_everything() -> None:
    """One of the same name and the same words has a status of its own, and hears all of it."""

    async def main() -> None:
        desk = Desk()
        await desk.controller.reconcile(KEY)
        desk.store.patches.clear()
        await desk.controller.reconcile(KEY)
        assert desk.store.patches == []
        desk.resource = a_resource("uid-2")
        await desk.controller.reconcile(KEY)
        told = desk.store.patches[0]
        assert told["metadata"] == {"uid": "uid-2"}
        assert {each["type"] for each in told["status"]["conditions"]} >= {"Ready", "InSync"}

    run(main())


def test_a_heal_ends_when_its_resource_is_made_anew() -> None:
    """What the namesake allows is another matter: nothing more is done in the old one's name."""

    async def main() -> None:
        desk = Desk()
        desk.world.rotate_source()
        desk.successor = a_resource("uid-2", mode="Observe")
        await desk.controller.reconcile(KEY)
        assert desk.world.writes == ["write vault"]
        await desk.controller.reconcile(KEY)
        assert desk.world.writes == ["write vault"]

    run(main())


def test_a_ca_bundle_that_is_none_is_told() -> None:
    """A fault that only opening the route shows stands in the status like any other."""

    async def main() -> None:
        desk = Desk()
        await desk.controller.reconcile(KEY)
        assert desk.resource is not None
        broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        bucket = {"name": "loki", "endpoint": "https://rgw.test", "caBundle": broken}
        desk.resource = a_resource("uid-1", bucket=bucket)
        desk.resource["metadata"]["generation"] = 2
        assert await desk.controller.reconcile(KEY) is None
        ready = desk.store.patches[-1]["status"]["conditions"][0]
        assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
        assert "CA bundle" in ready["message"]

    run(main())


def test_a_step_that_is_refused_is_told() -> None:
    """A vault that may not be written stalls the route, and the status says what to change."""

    class _ReadOnly:
        def __init__(self, vault: Any) -> None:
            self.read = vault.read

        async def write(self, *_: object, **__: object) -> None:
            raise NeedsHuman("give the token write access")

    async def main() -> None:
        desk = Desk(wrap=lambda ports: replace(ports, vault=cast("Any", _ReadOnly(ports.vault))))
        desk.world.rotate_source()
        again_s = await desk.controller.reconcile(KEY)
        assert again_s is not None
        conditions = {each["type"]: each for each in desk.store.patches[-1]["status"]["conditions"]}
        assert conditions["Ready"]["reason"] == "VaultBehindSource"
        assert conditions["Stalled"]["status"] == "True"
        assert conditions["Stalled"]["reason"] == "OpWriteRejected"
        assert "give the token write access" in conditions["Stalled"]["message"]

    run(main())


def test_a_workload_that_may_not_be_read_is_missed_before_anything_is_changed() -> None:
    """Not even the Lease is taken; the status says what is missing; once it is there, it heals."""

    async def main() -> None:
        desk = Desk()
        loki = Ref("StatefulSet", "loki", KEY[0])
        said = 'cannot get resource "statefulsets"'
        gap = Unreadable(hop=Hop.PODS, ref=loki, why=Why.FORBIDDEN, detail=said)
        desk.world.gaps = (gap,)
        desk.world.rotate_source()
        await desk.controller.reconcile(KEY)
        told = desk.store.patches[-1]["status"]
        conditions = {each["type"]: each for each in told["conditions"]}
        assert conditions["Ready"]["reason"] == "VaultBehindSource"
        stalled = conditions["Stalled"]
        assert (stalled["status"], stalled["reason"]) == ("True", "NotReadable")
        assert str(loki) in stalled["message"]
        assert said in stalled["message"]
        assert "LK1001" in {found["code"] for found in told["findings"]}
        assert told["nextStep"].startswith("await StatefulSet/loki")
        assert desk.world.writes == []
        assert not any("leases" in path for path in desk.store.objects)
        desk.world.gaps = ()
        desk.wake()
        await desk.rest(until=lambda: desk.ready()[0] == "True")
        assert "write vault" in desk.world.writes

    run(main())


def test_pods_that_may_not_be_replaced_are_missed_before_a_key_is_spread() -> None:
    """The status says which right is missing; the route heals when it has come."""

    async def main() -> None:
        desk = Desk()
        desk.world.may_evict = False
        desk.world.rotate_source()
        await desk.controller.reconcile(KEY)
        told = desk.store.patches[-1]["status"]
        stalled = {each["type"]: each for each in told["conditions"]}["Stalled"]
        assert (stalled["status"], stalled["reason"]) == ("True", "NotPermitted")
        assert "pods/eviction" in stalled["message"]
        assert desk.world.writes == []
        assert not any("leases" in path for path in desk.store.objects)
        desk.world.may_evict = True
        desk.wake()
        await desk.rest(until=lambda: desk.ready()[0] == "True")
        assert "evict loki-0" in desk.world.writes

    run(main())


def test_a_resource_that_is_too_large_is_told_and_put_aside() -> None:
    """As a LokiStack is: nothing of it is judged, and no time is set to look again."""

    async def main() -> None:
        desk = Desk()
        desk.resource = a_resource("uid-1")
        desk.resource["metadata"]["annotations"] = {"a": "x" * MAX_ROUTE_BYTES}
        assert await desk.controller.reconcile(KEY) is None
        assert desk.ready() == ("False", "TooLarge")
        ready = desk.store.patches[-1]["status"]["conditions"][0]
        assert ready["message"] == "too large; expected at most 256 KiB"

    run(main())


def test_a_heal_leaves_one_receipt_of_all_its_steps() -> None:
    """It is the resource's own, and says what was done, by whom, and what proved it."""

    async def main() -> None:
        desk = Desk()
        await desk.rest(until=lambda: desk.ready()[0] == "True")
        assert desk.store.applied == []
        desk.world.rotate_source()
        desk.wake()
        await desk.rest(until=lambda: desk.ready()[0] == "True" and desk.world.writes != [])
        last = desk.store.applied[-1]
        assert last["metadata"]["name"] == "lokeys-history-loki"
        assert last["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
        (receipt,) = json.loads(last["data"]["history.json"])["receipts"]
        assert receipt["by"] == {"door": "operator", "name": "operator"}
        assert receipt["cause"] == "vault_behind_source"
        assert [each["step"].partition(":")[0] for each in receipt["steps"]] == [
            "test-key",
            "write-vault",
            "force-sync",
            "replace-pod",
        ]
        assert receipt["before"] != receipt["after"]
        assert (receipt["ending"], receipt["proof"]) == ("proved", "ProvedByLoki")
        written = len(desk.store.applied)
        await desk.rest(until=lambda: now() > 600)
        assert len(desk.store.applied) == written

    run(main())


def test_a_receipt_that_cannot_be_kept_stops_no_heal() -> None:
    """An older Role lacks the right; the route is healed and told as before."""

    async def main() -> None:
        desk = Desk()

        async def refuse(*_: object) -> None:
            raise Forbidden("may not patch configmaps")

        desk.controller.keep_receipt = refuse
        desk.world.rotate_source()
        await desk.rest(until=lambda: desk.ready()[0] == "True" and desk.world.writes != [])
        history = [p["status"]["history"] for p in desk.store.patches if "history" in p["status"]]
        assert history[-1][0]["cause"] == "vault_behind_source"

    run(main())


def test_what_a_person_did_stays_in_the_history() -> None:
    """A row that a command line wrote is not lost when the operator adds its own."""

    async def main() -> None:
        desk = Desk()
        await desk.rest(until=lambda: desk.ready()[0] == "True")
        assert desk.resource is not None
        theirs = {"time": "2026-02-01T00:00:00Z", "cause": "", "steps": ["write-vault:Item/a"]}
        desk.resource["status"] = {"history": [theirs]}
        desk.world.rotate_source()
        desk.wake()
        await desk.rest(until=lambda: desk.ready()[0] == "True" and desk.world.writes != [])
        history = [p["status"]["history"] for p in desk.store.patches if "history" in p["status"]]
        assert history[-1][1:] == [theirs]

    run(main())


RGW = {"endpoint": "http://rgw", "uid": "loki", "adminSecretRef": {"name": "rgw-admin"}}


def rotating(*, every: str = "2h", **more: Any) -> Desk:
    """Return a desk before a route of an RGW user that is to be rotated."""
    written = NOON - timedelta(hours=1)
    desk = Desk(world=World(names_none=True, secret_written_at=written))
    rotation = {"every": every, "overlap": "30s", "retire": "AfterGrace"}
    desk.resource = a_resource("uid-1", mode="Rotate", source={"rgw": RGW}, rotation=rotation)
    desk.resource["metadata"].update({"creationTimestamp": "2026-03-01T12:00:00Z", **more})
    path = "/apis/lokeys.dev/v1alpha1/namespaces/monitoring/storagecredentials"
    desk.store.objects[path] = {"metadata": {}, "items": []}
    return desk


def shown_by(desk: Desk, metric: str, *labels: str) -> float | None:
    """Return what /metrics says of the route."""
    lines = desk.controller.metrics.page().splitlines()
    line = next(
        (x for x in lines if x.startswith(metric + "{") and all(w in x for w in labels)), ""
    )
    return float(line.rpartition(" ")[2]) if line else None


def test_the_age_of_a_key_goes_on_while_nothing_happens() -> None:
    """It is counted at each scrape; where nobody rotates, no age is too great."""

    async def main() -> None:
        desk = Desk()
        await desk.rest(until=lambda: desk.ready()[0] == "True")
        first = shown_by(desk, "lokeys_route_key_age_seconds")
        await asyncio.sleep(1000)
        later = shown_by(desk, "lokeys_route_key_age_seconds")
        assert first is not None
        assert first >= timedelta(days=12).total_seconds()
        assert later == pytest.approx(first + 1000)
        assert shown_by(desk, "lokeys_route_rotation_every_seconds") is None
        assert shown_by(desk, "lokeys_route_last_rotation_timestamp_seconds") is None

    run(main())


def test_a_key_that_is_old_enough_is_replaced_by_itself() -> None:
    """Neither sooner nor ever twice; it ends with one key, and the route never was unready.

    Each phase is an event.
    """

    async def main() -> None:
        desk = rotating()
        await desk.rest(until=lambda: "drop pair" in desk.world.writes)
        assert len(desk.world.alive) == 1
        assert desk.world.alive != [pair("one")]
        assert desk.world.writes.count("create key") == 1
        await desk.rest(until=lambda: "endedAt" in desk.store.applied[-1]["data"]["history.json"])
        (receipt,) = json.loads(desk.store.applied[-1]["data"]["history.json"])["receipts"]
        assert (receipt["kind"], receipt["ending"]) == ("Rotation", "proved")
        readies = [
            p["status"]["conditions"][0] for p in desk.store.patches if "conditions" in p["status"]
        ]
        assert {each["status"] for each in readies[1:]} == {"True"}
        shown = [p["status"]["rotation"] for p in desk.store.patches if "rotation" in p["status"]]
        assert shown[-1]["phase"] == "Idle"
        began = {each["startedAt"] for each in shown if "startedAt" in each}
        assert len(began) == 1
        assert "2026-03-01T13:00:00Z" <= min(began) <= "2026-03-01T13:13:00Z"
        since = [p["status"]["keySince"] for p in desk.store.patches if "keySince" in p["status"]]
        assert since == ["2026-03-01T11:00:00Z", *began]
        assert shown_by(desk, "lokeys_route_last_rotation_timestamp_seconds", "rotated") is not None
        aged = shown_by(desk, "lokeys_route_key_age_seconds")
        assert aged is not None
        assert aged < 600
        assert shown_by(desk, "lokeys_route_rotation_every_seconds") == 7200
        assert shown_by(desk, "lokeys_route_further_keys") == 0
        events = [e["reason"] for e in desk.store.objects.values() if "involvedObject" in e]
        phases = ("Create", "Publish", "Switch", "Roll", "Grace", "Retire")
        assert events == [*(f"Rotation{phase}" for phase in phases), "Rotated"]

    run(main())


def deleted(desk: Desk, **metadata: Any) -> None:
    """Delete the resource as the API server does while the finalizer keeps it."""
    assert desk.resource is not None
    assert desk.world.held
    goes = {"deletionTimestamp": "2026-03-01T13:30:00Z", "finalizers": [FINALIZER], "generation": 2}
    desk.resource = {
        **desk.resource,
        "metadata": {**desk.resource["metadata"], **goes, **metadata},
        "status": desk.controller.routes[KEY].status,
    }
    desk.wake()


def in_grace(desk: Desk) -> bool:
    route = desk.controller.routes.get(KEY)
    rotation = route.memory.rotation if route is not None else None
    return rotation is not None and rotation.phase is Phase.GRACE


@pytest.mark.parametrize("mode", ["Rotate", "Observe"])
def test_a_resource_that_is_deleted_in_mid_rotation_leaves_one_key(mode: str) -> None:
    """It goes back, whatever the mode says by then; the finalizer goes last but the copy."""

    async def main() -> None:
        desk = rotating(every="720h", annotations={"lokeys.dev/rotate": "please"})
        await desk.rest(until=lambda: in_grace(desk))
        assert len(desk.world.alive) == 2
        assert desk.resource is not None
        desk.resource["spec"]["mode"] = mode
        deleted(desk)
        await desk.rest(until=lambda: not desk.world.held)
        assert desk.world.alive == [pair("one")]
        assert desk.world.kept is None

    run(main())


def test_a_deleted_resource_of_which_nothing_is_left_is_let_go() -> None:
    """Whoever had kept it was killed between its last step and this one, or its status was lost."""

    async def main() -> None:
        desk = Desk()
        await desk.rest(until=lambda: desk.ready()[0] == "True")
        desk.world.held = True
        deleted(desk)
        await desk.rest(until=lambda: not desk.world.held)
        assert desk.world.alive == [pair("one")]
        assert set(desk.world.writes) == {"drop pair"}

    run(main())


def test_a_paused_resource_that_is_deleted_waits() -> None:
    """Whoever paused it wants no hands on its pods: the finalizer keeps it until they say so."""

    async def main() -> None:
        desk = rotating(every="720h", annotations={"lokeys.dev/rotate": "please"})
        await desk.rest(until=lambda: in_grace(desk))
        deleted(desk, labels={"lokeys.dev/paused": "true"})
        writes, began = list(desk.world.writes), now()
        await desk.rest(until=lambda: now() - began > 300)
        assert desk.world.writes == writes
        deleted(desk, labels={})
        await desk.rest(until=lambda: not desk.world.held)
        assert len(desk.world.alive) == 1

    run(main())


def test_the_annotation_asks_for_a_rotation_now_and_once() -> None:
    """Its value is noted as handled."""

    async def main() -> None:
        desk = rotating(every="720h", annotations={"lokeys.dev/rotate": "please"})
        await desk.rest(until=lambda: "drop pair" in desk.world.writes)
        handled = [
            p["status"]["lastHandled"] for p in desk.store.patches if "lastHandled" in p["status"]
        ]
        assert handled[-1] == {"rotate": "please"}
        began = now()
        await desk.rest(until=lambda: now() - began > 300)
        assert desk.world.writes.count("create key") == 1

    run(main())


OLD = Fingerprint("old")


def test_a_third_rotation_at_a_store_waits_for_one_of_the_two() -> None:
    """The status says so; at another store it would not wait."""

    async def main() -> None:
        desk = rotating(every="720h")
        await desk.rest(until=lambda: desk.ready()[0] == "True")
        assert desk.resource is not None
        mine = desk.controller.routes[KEY]
        begun = Rotation(
            source="rgw", why="old", begun_at=NOON, phase_since=NOON, old=OLD, old_id=OLD
        )
        rotates = replace(mine.memory, rotation=begun)
        elsewhere = replace(mine.spec, bucket=replace(mine.spec.bucket, endpoint="http://other"))
        for name in ("one", "two"):
            desk.controller.routes["monitoring", name] = replace(mine, memory=rotates)
        far = replace(mine, memory=rotates, spec=elsewhere)
        desk.controller.routes["monitoring", "far"] = far
        desk.resource["metadata"]["annotations"] = {"lokeys.dev/rotate": "please"}
        began = now()
        await desk.rest(until=lambda: now() - began > 300)
        assert desk.world.writes == []
        steps = [p["status"]["nextStep"] for p in desk.store.patches if "nextStep" in p["status"]]
        assert "2 others are under way at" in steps[-1]
        del desk.controller.routes["monitoring", "two"]
        await desk.rest(until=lambda: "drop pair" in desk.world.writes)

    run(main())


def test_mode_heal_rotates_nothing_by_itself() -> None:
    """Whatever the annotation says."""

    async def main() -> None:
        desk = rotating(annotations={"lokeys.dev/rotate": "please"})
        assert desk.resource is not None
        desk.resource["spec"]["mode"] = "Heal"
        began = now()
        await desk.rest(until=lambda: now() - began > 300)
        assert desk.world.writes == []

    run(main())
