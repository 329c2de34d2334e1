# SPDX-License-Identifier: Apache-2.0
"""The reconciler of StorageCredentials. Level-triggered: for a key, everything is read again.

    event of any hop ─▶ queue ─▶ look ─▶ status, metrics, event
                                  └─ mode Heal, a step to do ─▶ Lease of the route ─▶ heal ─▶ status

A heal holds the route's own Lease, which a person's `lokeys heal` also takes, and reads from the
API server itself. Between two heals nothing is written that does not say something new.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from lokeys.core.findings.finding import time_to_json
from lokeys.core.route.bridging import Leave
from lokeys.core.route.claims import RouteClaims
from lokeys.core.route.conditions import PODS_NOT_READY, status
from lokeys.core.route.history import incident_of, united, with_incident
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.plan import Action, Plan, Policy, Step
from lokeys.core.route.plan.steps import BEGINS_A_BRIDGE
from lokeys.core.route.receipts.model import Actor, Door, Receipt, ReceiptKind
from lokeys.core.route.remembering import newest_bridge
from lokeys.core.route.resource.parse import Refused, parse
from lokeys.core.route.resource.served import keeps_bridges, keeps_rotations, taken
from lokeys.core.route.resource.status import fitted, memory_from_status, memory_to_status
from lokeys.core.route.rotation.model import rotation_said, under_way
from lokeys.core.route.rotation.triggers import AT_ONCE, newest, wish_of
from lokeys.core.route.standing import is_overdue, owes_an_end
from lokeys.engine.route.act import Executor
from lokeys.engine.route.heal import Done, Ending, Healing, Listener, Patience, heal
from lokeys.engine.route.look import Look, LookOptions, Lookout, standing_still
from lokeys.engine.route.receipts import ReceiptBook
from lokeys.errors import (
    BadInput,
    Forbidden,
    LeaseLost,
    LokeysError,
    NeedsHuman,
    NotReadable,
    Waiting,
)
from lokeys.kube.client import Api
from lokeys.kube.events import EventWriter
from lokeys.kube.informer import Informer
from lokeys.kube.lease import Lease
from lokeys.kube.resources import STORAGE_CREDENTIAL
from lokeys.operator.cache import RouteObjects
from lokeys.operator.metrics import Metrics
from lokeys.operator.routes.kept import KeptRoute
from lokeys.operator.routes.manifests import (
    RECONCILE,
    asked_anew,
    bridge_until_before,
    bridged_before,
    goes,
    left_alone,
    may_do,
    refused_status,
    same_wish,
    told_before,
)
from lokeys.operator.routes.occasion import occasion_of
from lokeys.operator.statuses import changes, patch_status
from lokeys.operator.workers import Key
from lokeys.ports import Clock, RoutePorts

LOOK_EVERY_S = 30.0
TIMER_MAY_BE_EARLY_S = 0.05
LOOK_SOON_S = 4.0
"""After a change for the worse: whoever repairs it should not have to wait long."""
WATCHED_AGAIN_S = 5.0
"""For a wait whose end is visible in a watch: a hundred pods that start at once would keep the
operator looking at them each second, and from healing the next one."""
HEAL_AT_MOST = timedelta(minutes=10)
LONGEST_WAIT_S = 0.5
"""Longer waits end the heal: a pod takes its time to start, the watches show when it has, and a
hundred such waits would block every other route."""
LEASE_AWAITED_S = 1.0
ELDERS_AWAITED, ELDER_AWAITED_S = 30, 1.0
"""How often, and each time how long, a route waits for an older one to be read first."""

_log = logging.getLogger(__name__)

MakePorts = Callable[[RouteSpec, RouteObjects], Awaitable[RoutePorts]]
KeepReceipt = Callable[[Mapping[str, Any], Receipt], Awaitable[None]]


@dataclass(kw_only=True)
class Controller:
    """Runs every StorageCredential that its informer shows."""

    api: Api
    resources: Informer
    make_ports: MakePorts
    make_objects: Callable[[Key], RouteObjects]
    make_lease: Callable[[RouteSpec], Lease]
    keep_receipt: KeepReceipt
    requeue: Callable[[Key, float], None]
    events: EventWriter
    metrics: Metrics
    clock: Clock
    fingerprint_key: str
    """The name of the fingerprints' key: memories from another key cannot be compared."""

    status_schema: Mapping[str, Any] = field(default_factory=dict)
    """The cluster's definition of the status; it may be an older one."""

    routes: dict[Key, KeptRoute] = field(default_factory=dict)
    claims: RouteClaims = field(default_factory=RouteClaims)

    def _policy(self, key: Key, route: KeptRoute) -> Policy:
        """Return what the operator may do: no bridge if nothing would keep its end."""
        keeps, manifest = keeps_bridges(self.status_schema), self.resources.get(*key)
        ends = manifest is not None and goes(manifest)
        rotate = route.wish if keeps_rotations(self.status_schema) and not ends else None
        leave = Leave(keeps=keeps, refused=route.bridge_refused)
        owes = manifest is not None and owes_an_end(manifest)
        later = self._crowd(key, route) if rotate is not None else ""
        return Policy(bridge=leave, ends=ends, owes=owes, rotate=rotate, rotate_later=later)

    def _may_begin(self, key: Key, step: Step) -> bool:
        """Tell whether a step may start; the number of rotations at one store is limited."""
        route = self.routes[key]
        if step.action is not Action.BEGIN_ROTATION:
            return True
        route.begins = not self._crowd(key, route)
        return route.begins

    def _crowd(self, key: Key, route: KeptRoute) -> str:
        """Return why other routes' rotations prevent this one from starting; "" if they do not."""
        store = route.spec.bucket.endpoint
        others = (other for name, other in self.routes.items() if name != key)
        busy = sum(
            other.begins or under_way(other.memory.rotation) is not None
            for other in others
            if other.spec.bucket.endpoint == store
        )
        return f"{AT_ONCE} others are under way at {store}" if busy >= AT_ONCE else ""

    def wake(self, key: Key) -> None:
        """Wake a waiting heal of this route after a change."""
        if key in self.routes:
            self.routes[key].news.set()

    async def reconcile(self, key: Key) -> float | None:
        """Bring one route as far as possible now; return when to look again, in seconds."""
        manifest = self.resources.get(*key)
        if manifest is None or left_alone(manifest):
            self._drop(key)
            return None
        try:
            route = await self._route(key, parse(manifest), manifest)
        except (Refused, BadInput) as refused:
            self._drop(key)
            self.metrics.owe(key, bridge_until=bridge_until_before(manifest))
            before = manifest.get("status") or {}
            now = refused_status(manifest, refused, self.clock())
            await patch_status(self.api, STORAGE_CREDENTIAL, manifest, changes(before, now))
            return None
        try:
            return await self._reconcile(key, route, manifest)
        finally:
            route.objects.bypass = False
            route.objects.end_of_look()

    async def _reconcile(self, key: Key, route: KeptRoute, manifest: Mapping[str, Any]) -> float:
        if self.claims.awaits(key) and route.waited < ELDERS_AWAITED:
            route.waited += 1
            return ELDER_AWAITED_S
        asked = asked_anew(manifest)
        if asked:
            route.memory = replace(
                route.memory,
                forced_for=None,
                forced_count=0,
                forced_at=None,
                asked_for=None,
                asked_count=0,
                asked_at=None,
            )
            route.lookout.forget()
            route.bridge_refused = ""
        recorded = self._recall(manifest)
        route.memory = newest_bridge(route.memory, recorded)
        rotation = newest(route.memory.rotation, recorded.rotation)
        route.memory = replace(route.memory, rotation=rotation)
        occasion = occasion_of(route.spec, manifest, route.memory, now=self.clock())
        route.wish = wish_of(route.spec, route.memory.rotation, occasion)
        look = await self._look(key, route)
        step = look.plan.next_step
        if step is not None and not step.passive and may_do(step, route.spec, manifest):
            # A look from the watches may be slightly older than what the heal has just seen.
            healed = await self._heal(key, route, manifest, look)
            look = healed or await self._look(key, route)
        await self._tell(route, manifest, look)
        self.metrics.show(key, look)
        return _pause_s(route, look)

    async def _look(self, key: Key, route: KeptRoute) -> Look:
        if self.claims.has_rival(key):
            self._wake_all(self.claims.stand_still(key))
            route.objects.close()
            return standing_still(route.spec, route.memory, at=self.clock())
        ready, reason = route.told
        # A watch follows a pod that is not ready; vault and Loki have nothing new about it.
        eager = ready not in {"", "True"} and reason != PODS_NOT_READY
        wishes = LookOptions(eager=eager, policy=self._policy(key, route))
        began = self.clock()
        look = await route.lookout.look(route.memory, wishes=wishes)
        self._wake_all(self.claims.settle(key, look.snapshot))
        self.metrics.took((self.clock() - began).total_seconds())
        route.memory = look.memory
        return look

    def _wake_all(self, neighbours: Iterable[Key]) -> None:
        for neighbour in neighbours:
            self.requeue(neighbour, 0.0)

    async def _heal(
        self, key: Key, route: KeptRoute, manifest: Mapping[str, Any], look: Look
    ) -> Look | None:
        """Heal under the route's Lease, unless somebody else holds it; return the last look."""
        healing = Healing(memory=route.memory)

        async def remember(memory: Memory) -> None:
            route.memory = memory
            if healing.look is not None:
                await self._write_status(
                    route, manifest, self._status(route, manifest, healing.look)
                )
                await self._tell_of_rotation(route, manifest)

        patience = Patience(
            timeout=HEAL_AT_MOST,
            sleep=route.sleep,
            longest_wait_s=LONGEST_WAIT_S,
            wanted=lambda step: (
                same_wish(manifest, self.resources.get(*key))
                and may_do(step, route.spec, manifest)
                and self._may_begin(key, step)
            ),
        )
        route.objects.bypass = True
        hand = Executor(route.lookout, route.lease.remaining_s)
        try:
            await hand.insist_on_rights(look)
            async with route.lease.hold(timeout_s=LEASE_AWAITED_S):
                healing.memory = await self._recorded(route)
                await heal(
                    hand,
                    healing,
                    wishes=LookOptions(eager=True, policy=self._policy(key, route)),
                    patience=patience,
                    listener=Listener(
                        remember=remember,
                        on_look=route.receipts.saw,
                        on_done=lambda done: self._done(route, done),
                    ),
                )
        except Waiting as held:
            _log.info("%s: %s", route.spec.route, held)
        except LeaseLost as lost:
            _log.warning("%s: %s", route.spec.route, lost)
        except (NeedsHuman, NotReadable, BadInput) as refusal:
            _log.warning("%s: %s", route.spec.route, refusal)
            step = healing.look.plan.next_step if healing.look else None
            if step is not None and step.action in BEGINS_A_BRIDGE:
                route.bridge_refused = str(refusal)  # the ordinary heal continues without it
            return self._stalled(healing.look or look, refusal)
        finally:
            route.objects.bypass = route.begins = False
            route.memory = healing.memory
        return healing.look

    async def _recorded(self, route: KeptRoute) -> Memory:
        """Return the memory with a rotation as the previous Lease holder has recorded it."""
        if route.wish is None and under_way(route.memory.rotation) is None:
            return route.memory
        name = f"metadata.name={route.spec.name}"
        found = await self.api.list(STORAGE_CREDENTIAL, namespace=route.spec.namespace, fields=name)
        recorded = self._recall(found.items[0]).rotation if found.items else None
        return replace(route.memory, rotation=newest(route.memory.rotation, recorded))

    def _stalled(self, look: Look, refusal: LokeysError) -> Look:
        """Return the look at a route whose next step was refused: only a person can continue."""
        step = look.plan.next_step
        if step is None:
            return look
        self.metrics.failed(step.action.value)
        found = look.diagnosis.cause
        cause = "op_write_rejected" if step.action is Action.WRITE_VAULT else found and found.cause
        if isinstance(refusal, Forbidden):
            cause = "not_permitted"
        return replace(look, plan=Plan(stalled=cause or "step_refused", reason=str(refusal)))

    def _done(self, route: KeptRoute, done: Done) -> None:
        """Note a step: in the log, the metrics, and the receipt of this incident."""
        note = f": {done.note}" if done.note else ""
        _log.info("%s: %s%s", route.spec.route, done.step.id, note)
        self.metrics.done(done)
        route.receipts.did(done)

    # --- reporting -------------------------------------------------------------------------------

    async def _tell(self, route: KeptRoute, manifest: Mapping[str, Any], look: Look) -> None:
        """Write the status, and an event if the route's state has changed."""
        route.receipts.saw(look)
        now = self._status(route, manifest, look)
        await self._write_status(route, manifest, now)
        ready = next(c for c in now["conditions"] if c["type"] == "Ready")
        told = (ready["status"], ready["reason"])
        route.pause_s = LOOK_SOON_S if told != route.told else min(2 * route.pause_s, LOOK_EVERY_S)
        await self._tell_of_bridge(route, manifest, look)
        await self._tell_of_rotation(route, manifest)
        if told != route.told and ready["status"] == "False":
            await self.events.write(
                dict(manifest), reason=ready["reason"], message=ready["message"], warning=True
            )
        rotates = under_way(look.memory.rotation) is not None
        if ready["status"] == "True" and not rotates:
            await self._healed(route, manifest, ready["reason"])
        elif route.receipts.receipt is not None:
            await self._keep(route, manifest, route.receipts.receipt)
        route.told = told

    async def _healed(self, route: KeptRoute, manifest: Mapping[str, Any], proof: str) -> None:
        """Close the receipt of what was done, if anything was, and report it."""
        receipt = route.receipts.close(Ending.PROVED.value)
        if receipt is None:
            return
        actions = (step.partition(":")[0] for step in incident_of(receipt)["steps"])
        message = f"{proof} after: {', '.join(actions)}"
        if receipt.kind is ReceiptKind.HEAL:  # a rotation's phases have events already
            await self.events.write(dict(manifest), reason="Healed", message=message)
        route.kept_deeds = 0
        await self._keep(route, manifest, receipt)
        route.kept_deeds = 0

    async def _keep(self, route: KeptRoute, manifest: Mapping[str, Any], receipt: Receipt) -> None:
        """Keep a receipt if it has more than the kept one; a failure stops no heal."""
        deeds = len(receipt.deeds) + receipt.deeds_left_out
        if deeds == route.kept_deeds:
            return
        route.kept_deeds = deeds
        try:
            await self.keep_receipt(manifest, receipt)
        except LokeysError as exc:
            _log.warning("%s: its receipt is not kept: %s", route.spec.route, exc)

    async def _tell_of_rotation(self, route: KeptRoute, manifest: Mapping[str, Any]) -> None:
        """Write an event if a rotation has reached another phase, or has ended.

        A heal goes through several phases: each is reported when it is recorded.
        """
        said = rotation_said(route.memory.rotation)
        if said == route.rotation_said:
            return
        first, route.rotation_said = route.rotation_said is None, said
        if first:
            return  # a first look does not report old events
        reason, message = said
        await self.events.write(dict(manifest), reason=reason, message=message)

    async def _tell_of_bridge(
        self, route: KeptRoute, manifest: Mapping[str, Any], look: Look
    ) -> None:
        """Write an event if a bridge has started, has ended, or is overdue."""
        bridge = look.memory.bridge
        stands = bridge is not None and bridge.added_at is not None
        state = ("overdue" if is_overdue(look.snapshot) else "stands") if stands else ""
        if state == route.bridged:
            return
        route.bridged = state
        until = time_to_json(bridge.until) if bridge is not None else ""
        reason, message = {
            "": ("BridgeEnded", "the old key is retired; it is not added again"),
            "stands": ("Bridged", f"a replaced key is valid again, until {until} at the latest"),
            "overdue": ("BridgeOverdue", f"the old key should have been retired at {until}"),
        }[state]
        await self.events.write(dict(manifest), reason=reason, message=message, warning=state != "")

    def _status(self, route: KeptRoute, manifest: Mapping[str, Any], look: Look) -> dict[str, Any]:
        before = route.status
        now = status(
            look.snapshot,
            look.diagnosis,
            look.plan,
            before=before,
            generation=route.generation,
        )
        now["memory"] = self._kept(route.memory)
        if route.receipts.receipt is not None:
            shown = (manifest.get("status") or {}).get("history") or ()
            known = united(shown, before.get("history") or ())
            now["history"] = with_incident(known, incident_of(route.receipts.receipt))
        asked = manifest["metadata"].get("annotations", {}).get(RECONCILE)
        if asked:
            now["lastHandled"] = {**before.get("lastHandled", {}), "reconcile": asked}
        rotation = route.memory.rotation
        if rotation is not None and rotation.asked:
            now["lastHandled"] = {**now.get("lastHandled", {}), "rotate": rotation.asked}
        return now

    def _kept(self, memory: Memory) -> dict[str, Any]:
        return memory_to_status(memory, key=self.fingerprint_key)

    async def _write_status(
        self, route: KeptRoute, manifest: Mapping[str, Any], now: Mapping[str, Any]
    ) -> None:
        """Write the status if it says anything new."""
        fitting = taken(fitted(now), self.status_schema)
        if route.status != fitting:
            patch = changes(route.status, fitting)
            await patch_status(self.api, STORAGE_CREDENTIAL, manifest, patch)
            route.status = fitting

    # --- routes ----------------------------------------------------------------------------------

    async def _route(self, key: Key, spec: RouteSpec, manifest: Mapping[str, Any]) -> KeptRoute:
        uid, generation = manifest["metadata"]["uid"], manifest["metadata"]["generation"]
        known = self.routes.get(key)
        if known is not None and known.uid != uid:  # a namesake, created before we saw the deletion
            self._drop(key)
            known = None
        if known is not None and known.spec == spec:
            known.generation = generation
            return known
        objects = known.objects if known else self.make_objects(key)
        lease = known.lease if known else self.make_lease(spec)
        by = Actor(door=Door.OPERATOR, name=lease.holder)
        self._wake_all(self.claims.put(key, spec, manifest))
        route = KeptRoute(
            uid=uid,
            spec=spec,
            generation=generation,
            lookout=Lookout(
                spec=spec, ports=await self.make_ports(spec, objects), clock=self.clock
            ),
            objects=objects,
            lease=lease,
            memory=known.memory if known else self._recall(manifest),
            receipts=known.receipts if known else ReceiptBook(by=by, clock=self.clock),
            kept_deeds=known.kept_deeds if known else 0,
            status=known.status if known else manifest.get("status") or {},
            told=known.told if known else told_before(manifest),
            bridged=known.bridged if known else bridged_before(manifest),
        )
        self.routes[key] = route
        return route

    def _recall(self, manifest: Mapping[str, Any]) -> Memory:
        """Return what the status remembers, if its fingerprints were made with our key."""
        return memory_from_status(manifest.get("status"), key=self.fingerprint_key)

    def _drop(self, key: Key) -> None:
        route = self.routes.pop(key, None)
        if route is not None:
            route.objects.close()
        self._wake_all(self.claims.drop(key))
        self.metrics.forget(key)


def _pause_s(route: KeptRoute, look: Look) -> float:
    """Return when to look again: when the next answer expires, and sooner in trouble.

    Never earlier: a look that finds every answer recent enough asks nothing, and what only the next
    one notices comes a whole interval later.
    """
    store_due_s = max(route.lookout.store_due_in().total_seconds(), 0.0)
    due_s = min(_round_s(route, look), store_due_s)
    bridge = look.memory.bridge
    if bridge is not None and bridge.until > look.snapshot.at:
        due_s = min(due_s, (bridge.until - look.snapshot.at).total_seconds())
    return due_s + TIMER_MAY_BE_EARLY_S


def _round_s(route: KeptRoute, look: Look) -> float:
    """Return the pause by the route's state: short after a failure, then longer."""
    if route.told[0] == "True":
        return LOOK_EVERY_S
    step = look.plan.next_step
    again_s = route.pause_s
    if step is not None and look.plan.stalled is None:
        wanted_s = WATCHED_AGAIN_S if step.watched else step.look_again_s
        again_s = min(wanted_s, again_s)
    return again_s * random.uniform(1.0, 1.1)  # noqa: S311 - jitter
