# SPDX-License-Identifier: Apache-2.0
"""Carries out one step, and only what its evidence allows.

Before each external call the lease must last longer than the call may take; a write is refused
unless its pair has passed all four calls. Every step is idempotent: whoever repeats it after a
crash finds it done, or does it with the same effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lokeys.core.findings.verdict import of_all
from lokeys.core.route.memory import Bridge, Memory, Stopping
from lokeys.core.route.plan import Action, Step
from lokeys.core.route.remembering import bridge_begun, bridge_ended
from lokeys.core.route.rotation.model import Rotation, tested, under_way
from lokeys.core.route.snapshot import PodState
from lokeys.core.route.standing import source_name
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.engine.route.look import Look, Lookout
from lokeys.errors import Conflict, Forbidden, LeaseLost, NeedsHuman, NotAllowed, Waiting
from lokeys.ports import IssuerPort, KeptFor, KeyIntent, StagingPort

CALL_TAKES_AT_MOST_S = 10.0
"""Less than a lease lasts between two renewals."""

TRUSTS = frozenset({Action.WRITE_VAULT, Action.WRITE_SECRET, Action.RECREATE_SECRET})
"""Steps that deliver a pair."""

RemainingLease = Callable[[], float]
"""Returns for how many seconds we still hold the route."""


@dataclass(slots=True)
class Executor:
    """Carries out steps of one route while its lease is held."""

    lookout: Lookout
    lease_remaining_s: RemainingLease
    may_begin: bool = False
    """Whether it is known that what is started can be completed."""

    async def insist_on_rights(self, look: Look) -> None:
        """Refuse to start what cannot end: a key is delivered only if pods may be replaced.

        Asks once. Raises Forbidden with the missing permission.
        """
        replaced = (step.pod for step in look.plan.steps if step.action is Action.REPLACE_POD)
        first = next(replaced, None)
        if first is None or self.may_begin:
            return
        if await self.lookout.ports.workloads.may_evict(first) is False:
            raise Forbidden(
                f"{first.ref} may not be evicted from here, so nothing is begun: "
                "`create` on `pods/eviction` is missing (lokeys rbac prints it)"
            )
        self.may_begin = True

    async def act(self, step: Step, look: Look) -> Memory:
        """Do the step; return what must be remembered about it.

        Raises LeaseLost, Conflict (look again), NeedsHuman, or another class of lokeys.errors.
        """
        remaining_s = self.lease_remaining_s()
        if remaining_s < CALL_TAKES_AT_MOST_S:
            raise LeaseLost(f"the lease ends in {remaining_s:.0f} s, sooner than this call might")
        if step.action in TRUSTS:
            self._insist_on_test(step)
        try:
            async with asyncio.timeout(CALL_TAKES_AT_MOST_S):
                return await self._act(step, look)
        except TimeoutError as exc:
            late = f"{step.action.value} of {step.target} took over {CALL_TAKES_AT_MOST_S:.0f} s"
            raise Waiting(late) from exc

    def _insist_on_test(self, step: Step) -> None:
        verdict = self.lookout.verdicts.get(step.pair) if step.pair else None
        if verdict is None or not verdict.trusted:
            raise NeedsHuman(f"the pair for {step.target} has not passed the store's test")

    async def _act(  # noqa: C901, PLR0911, PLR0912 - one line per action
        self, step: Step, look: Look
    ) -> Memory:
        memory, ports, now = look.memory, self.lookout.ports, look.snapshot.at
        match step.action:
            case Action.TEST_KEY:
                return await self._test(step, memory)
            case Action.REFRESH_SOURCE:
                await ports.source.refresh()
                return replace(memory, refreshed_source_at=now)
            case Action.CREATE_BUCKET:
                await ports.store.create_bucket(self._triable(step))
                self.lookout.verdicts.clear()
                return memory
            case Action.WRITE_VAULT:
                return await self._write_vault(step, memory)
            case Action.FORCE_SYNC | Action.REVALIDATE_STORE:
                return await self._force(step, memory, now)
            case Action.ASK_MAKER:
                return await self._ask(step, memory, now)
            case Action.SPOIL_DATA_HASH | Action.RECREATE_SECRET | Action.WRITE_SECRET:
                return await self._secret(step, look)
            case Action.REPLACE_POD | Action.DELETE_POD:
                return await self._pod(step, look)
            case Action.FLUSH:
                pod = _pod_of(step)
                await ports.loki.flush(pod)
                return replace(memory, flushed={**memory.flushed, pod.ref.name: now})
            case Action.KEEP_PAIR | Action.ADD_KEY | Action.RETIRE_KEY | Action.DROP_PAIR:
                return await self._bridge(step, memory, now)
            case Action.BEGIN_ROTATION | Action.GO_BACK | Action.LET_GO:
                return replace(memory, rotation=step.rotation)
            case Action.DRAFT_KEY | Action.CREATE_KEY | Action.OFFER_KEY:
                return await self._new_key(step, memory, now)
            case Action.PROVE | Action.AWAIT | Action.MANUAL:
                return memory

    async def _test(self, step: Step, memory: Memory) -> Memory:
        pair = self._triable(step)
        store, rotates = self.lookout.ports.store, under_way(memory.rotation)
        if rotates is not None and rotates.new == step.pair:
            verdict = of_all(await store.try_everywhere(pair))
        else:
            verdict = await store.try_fully(pair)
        self.lookout.learn(_of(step), verdict)
        rotation = tested(memory.rotation, _of(step), passed=verdict.trusted)
        return replace(memory, rotation=rotation)

    async def _write_vault(self, step: Step, memory: Memory) -> Memory:
        vault = self.lookout.ports.vault
        if vault is None or step.over is None:
            raise NeedsHuman(f"{step.target} cannot be written from here")
        self.lookout.forget_vault()
        await vault.write(self._pair(step), over=step.over)
        return memory

    async def _force(self, step: Step, memory: Memory, now: datetime) -> Memory:
        delivery = self.lookout.ports.delivery
        if delivery is None:
            raise NeedsHuman("no ExternalSecret belongs to this route")
        if step.action is Action.REVALIDATE_STORE:
            await delivery.revalidate_store()
            return replace(memory, revalidated_at=now)
        await delivery.force_sync()
        return _forced(memory, step, now)

    async def _ask(self, step: Step, memory: Memory, now: datetime) -> Memory:
        if self.lookout.ports.maker is None:
            raise NeedsHuman(f"nobody can ask for {step.target} from here")
        await self.lookout.ports.maker.ask()
        again = memory.asked_for == step.pair
        count = memory.asked_count + 1 if again else 1
        return replace(memory, asked_for=step.pair, asked_count=count, asked_at=now)

    async def _secret(self, step: Step, look: Look) -> Memory:
        secret, state = self.lookout.ports.secret, look.snapshot.secret
        if step.action is Action.WRITE_SECRET:
            await secret.write(self._pair(step), expected=state)
            return look.memory
        if state is None:
            raise Conflict(f"{step.target} is gone meanwhile")
        if step.action is Action.RECREATE_SECRET:
            await secret.delete(expected=state)
            return look.memory
        await secret.spoil_data_hash(expected=state)
        return _forced(look.memory, step, look.snapshot.at)

    async def _pod(self, step: Step, look: Look) -> Memory:
        memory, workloads, pod = look.memory, self.lookout.ports.workloads, _pod_of(step)
        held = look.snapshot.secret.pair.pair if look.snapshot.secret else None
        if held is None:
            raise Conflict(f"{look.snapshot.spec.secret_ref} is gone meanwhile")
        try:
            if step.action is Action.DELETE_POD:
                await workloads.delete(pod, grace=step.grace)
            else:
                await workloads.evict(pod, grace=step.grace)
        except Waiting:
            since = memory.blocked_since.get(pod.ref.name, look.snapshot.at)
            return replace(memory, blocked_since={**memory.blocked_since, pod.ref.name: since})
        blocked = {name: at for name, at in memory.blocked_since.items() if name != pod.ref.name}
        grace = Stopping(since=look.snapshot.at, grace=step.grace or pod.own_grace)
        return replace(
            memory,
            replaced={**memory.replaced, pod.ref.name: held},
            blocked_since=blocked,
            stopping={**memory.stopping, pod.uid: grace},
        )

    async def _bridge(self, step: Step, memory: Memory, now: datetime) -> Memory:
        """Start or end a bridge. What must be remembered is written before the next step."""
        staging = self.lookout.ports.staging
        if staging is None:
            raise NeedsHuman(f"nothing can be kept in {step.target} from here")
        if step.action is Action.DROP_PAIR:
            await staging.drop()
            return bridge_ended(memory)
        if step.action is Action.KEEP_PAIR:
            return await self._keep(step, memory, staging, now)
        self.lookout.verdicts.pop(_of(step), None)
        if step.action is Action.ADD_KEY:
            return await self._add(step, memory, now)
        if step.key_id is not None:
            await self._issuer(step).retire(step.key_id)
        return memory

    async def _keep(
        self, step: Step, memory: Memory, staging: StagingPort, now: datetime
    ) -> Memory:
        purpose = KeptFor(source=source_name(self.lookout.spec), since=now, until=step.until)
        await staging.keep(self._pair(step), purpose=purpose)
        if step.key_id is None or step.until is None:
            return memory
        bridge = Bridge(
            pair=_of(step),
            key_id=step.key_id,
            source=purpose.source,
            since=now,
            until=step.until,
        )
        return bridge_begun(memory, bridge)

    async def _add(self, step: Step, memory: Memory, now: datetime) -> Memory:
        """Add the key, once its end is recorded: a repeated call is the same call."""
        bridge = memory.bridge
        if bridge is None or bridge.pair != step.pair:
            raise Conflict("the end of the bridge is not recorded yet")
        await self._issuer(step).create(self._pair(step), intent=KeyIntent(since=bridge.since))
        return replace(memory, bridge=replace(bridge, added_at=now))

    async def _new_key(self, step: Step, memory: Memory, now: datetime) -> Memory:
        """Carry out the steps that create the second key of a rotation, and that offer it."""
        issuer, rotation = self._issuer(step), memory.rotation
        if rotation is None:
            raise Conflict("the rotation is not recorded")
        if step.action is Action.DRAFT_KEY:
            return replace(memory, rotation=await self._draft(issuer, step, rotation, now))
        if step.key_id is None:
            raise Conflict(f"{step.action.value} names no key")
        if step.action is Action.OFFER_KEY:
            await issuer.offer(step.key_id)
            return memory
        intent = KeyIntent(since=rotation.begun_at, known=frozenset(rotation.known))
        if self.lookout.ports.staging is not None:
            await self.lookout.ports.staging.hold()
        await issuer.create(self._pair(step), intent=intent)
        self.lookout.verdicts.pop(_of(step), None)  # earlier answers of the store no longer count
        return memory

    async def _draft(
        self, issuer: IssuerPort, step: Step, rotation: Rotation, now: datetime
    ) -> Rotation:
        """Keep a new pair, and record which it is; the store does not know it yet."""
        pair, staging = issuer.draft(), self.lookout.ports.staging
        if pair is None:
            raise NeedsHuman(f"lokeys cannot choose a key of {rotation.source}: it is not rotated")
        if staging is None:
            raise NeedsHuman(f"nothing can be kept in {step.target} from here")
        await staging.keep(pair, purpose=KeptFor(source=rotation.source, since=now))
        kept = (await staging.read()).state
        if kept is None or not kept.sealed:
            raise Conflict(f"{step.target} does not hold the new pair as it was kept")
        return replace(rotation, new=kept.pair.pair, new_id=kept.pair.key_id, passed=0)

    def _issuer(self, step: Step) -> IssuerPort:
        issuer = self.lookout.ports.issuer
        if issuer is None:
            raise NeedsHuman(f"lokeys cannot change the keys of {step.target}")
        return issuer

    def _triable(self, step: Step) -> KeyPair:
        """Return the pair of a step that sends a signed request to the store."""
        pair = self._pair(step)
        if _of(step) not in self.lookout.triable:
            raise NotAllowed(f"the pair for {step.target} may not be tried at the store's address")
        return pair

    def _pair(self, step: Step) -> KeyPair:
        pair = self.lookout.pairs.get(_of(step))
        if pair is None:
            raise Conflict(f"the pair for {step.target} is no longer held by any hop")
        return pair


def _of(step: Step) -> Fingerprint:
    if step.pair is None:
        raise Conflict(f"{step.action.value} names no pair")
    return step.pair


def _pod_of(step: Step) -> PodState:
    if step.pod is None:
        raise Conflict(f"{step.action.value} names no pod")
    return step.pod


def _forced(memory: Memory, step: Step, now: datetime) -> Memory:
    same = memory.forced_for == step.pair
    return replace(
        memory,
        forced_for=step.pair,
        forced_count=memory.forced_count + 1 if same else 1,
        forced_at=now,
    )
