# SPDX-License-Identifier: Apache-2.0
"""The reconciler of LokiStacks. Level-triggered: for a key, everything is examined again.

    event of the stack, its Secret, its CA, an object or a pod ─▶ queue ─▶ snapshot ─▶ decide
                                                     status, event ◀── write ◀────────────┘

Reading does not load the API server: all objects are watched. A Secret is read if it has changed.
Only what differs is written.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lokeys.adapters.kubernetes.stack_objects import KINDS, OPTIONAL, USUAL
from lokeys.adapters.kubernetes.stack_writer import StackWriter, Taken
from lokeys.core.findings.catalogue import operation
from lokeys.core.findings.finding import Finding
from lokeys.core.operate.decision import Decision, decide, owned_by_another, plan
from lokeys.core.operate.intents import Intent
from lokeys.core.operate.live import Live, Pod
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.operate.status import Told, main_condition, status_of, told_before
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter
from lokeys.core.stack.render.options import Images
from lokeys.core.stack.resource.operated import is_operated
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.named import named_in
from lokeys.engine.stack.gather import Gathered, gather, judge
from lokeys.errors import BadInput, Conflict, Forbidden, LokeysError, NeedsHuman, NotReadable
from lokeys.kube.client import Api
from lokeys.kube.events import EventWriter
from lokeys.kube.informer import Informer
from lokeys.kube.resources import CLUSTER_ROLE_BINDING, CREDENTIALS_REQUEST, LOKI_STACK, ROUTE
from lokeys.operator.cache import RouteObjects
from lokeys.operator.stacks.cache import StackKey, StackObjects
from lokeys.operator.stacks.contests import Contests
from lokeys.operator.stacks.metrics import StackMetrics
from lokeys.operator.stacks.schemas import AppliedSchemas
from lokeys.operator.stacks.trials import Trials
from lokeys.operator.statuses import changes, patch_status
from lokeys.ports import Clock

RETRY_S = 10.0
NEXT_S = 1.0
BLIND_S = 60.0
LOOK_EVERY_S = 3600.0
WRITES_AT_A_TIME = 8
"""For all stacks together. With hundreds of writes queued at the API server the renewal of the
Lease would wait behind them, and come too late."""
_ON_OPENSHIFT = frozenset({CREDENTIALS_REQUEST.kind, ROUTE.kind})
_AFTER_OTHERS = frozenset({CLUSTER_ROLE_BINDING.kind})
"""The API server accepts a binding only if its role exists."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class StackState:
    """What is remembered about one stack between two reconciles."""

    uid: str
    reads: RouteObjects
    status: Mapping[str, Any]
    """As we last wrote it, or found it."""
    told: Told | None
    """The main condition in the last event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """How stacks are operated."""

    environment: CloudEnvironment = field(default_factory=CloudEnvironment)
    images: Images = field(default_factory=Images)
    verify_every_s: float = 300.0
    operators_namespace: str = "lokeys-system"


@dataclass(kw_only=True)
class StackController:
    """Operates every LokiStack that its informer shows."""

    api: Api
    stacks: Informer
    objects: StackObjects
    writer: StackWriter
    make_reads: Callable[[StackKey], RouteObjects]
    requeue: Callable[[StackKey, float], None]
    known_groups: Callable[[], Awaitable[frozenset[str]]]
    """Returns the groups of kinds in the cluster; asks now and then."""
    events: EventWriter
    fingerprinter: Fingerprinter
    clock: Clock
    trials: Trials
    schemas: AppliedSchemas
    metrics: StackMetrics = field(default_factory=StackMetrics)
    settings: StackSettings = field(default_factory=StackSettings)

    states: dict[StackKey, StackState] = field(default_factory=dict)
    contests: Contests = field(default_factory=Contests)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WRITES_AT_A_TIME))

    async def reconcile(self, key: StackKey) -> float | None:
        """Bring one stack as far as possible now; return when to look again, in seconds."""
        manifest = self.stacks.get(*key)
        if manifest is None or manifest["metadata"].get("deletionTimestamp"):
            self.drop(key)
            await self._sweep(key)
            return None
        if not is_operated(manifest):
            self.drop(key)
            return None
        state = self._state(key, manifest)
        snapshot, intents = await self._gather(key, state, manifest)
        course = decide(snapshot, intents)
        problems = await self._act(key, snapshot, course)
        snapshot = replace(snapshot, trial=self.trials.latest(key, snapshot))
        snapshot = self._fresh(key, snapshot, intents)
        if not course.rests:  # what was done is reported now, not at the next look
            course = decide(snapshot, intents)
        await self._tell(state, manifest, snapshot, course, problems)
        state.reads.end_of_look()
        return self._again_s(key, snapshot, course, problems, blind=state.reads.blind)

    def drop(self, key: StackKey) -> None:
        """Forget a stack."""
        self.metrics.forget(key)
        state = self.states.pop(key, None)
        if state is not None:
            state.reads.close()
        self.trials.forget(key)
        if not any(namespace == key[0] for namespace, _ in self.states):
            self.objects.leave(key[0])

    def close(self) -> None:
        """Forget all stacks."""
        for key in tuple(self.states):
            self.drop(key)

    # --- looking ---------------------------------------------------------------------------------

    def _state(self, key: StackKey, manifest: Mapping[str, Any]) -> StackState:
        uid = manifest["metadata"]["uid"]
        known = self.states.get(key)
        if known is not None and known.uid == uid:
            return known
        self.drop(key)
        status = manifest.get("status") or {}
        state = StackState(uid, self.make_reads(key), status, told_before(status))
        self.states[key] = state
        return state

    async def _blind(self, key: StackKey, kinds: Iterable[str]) -> tuple[Finding, ...]:
        """Return findings for objects of the stack that may not be read before they are written."""
        troubles = await self.objects.settled(kinds, key[0])
        for trouble in troubles:
            if not isinstance(trouble.error, NotReadable):
                raise trouble.error
        stack = Ref(LOKI_STACK.kind, key[1], key[0])
        words = "; ".join(str(trouble.error) for trouble in troubles)
        rule = operation.STORAGE_SECRET_UNREADABLE
        return (tell(rule, stack, stack=stack, words={"detail": words}),) if troubles else ()

    async def _follow_optional(self, key: StackKey, kinds: set[str]) -> None:
        """Watch the kinds that this stack uses and others do not, if the cluster has them."""
        missing = {kind for kind in kinds if not self.objects.follows(kind, key[0])}
        if missing:
            groups = await self.known_groups()
            await self._blind(key, [kind for kind in missing if KINDS[kind].group in groups])

    async def _gather(
        self, key: StackKey, state: StackState, manifest: Mapping[str, Any]
    ) -> tuple[StackSnapshot, tuple[Intent, ...] | None]:
        """Return the stack with everything that it names and has, and what it should become.

        Only what would be written shows whether the status lacks schemas that are in use. Then the
        stack is judged again with them; nothing is read twice.
        """
        stack = Ref(LOKI_STACK.kind, key[1], key[0])
        blind = await self._blind(key, USUAL)
        refs = named_in(stack, manifest, self.settings.environment)
        gathered = await gather(state.reads, stack, refs)
        unreadable = (*blind, *gathered.unreadable)
        known = {**manifest, "status": state.status}
        snapshot = self._judged(key, state, known, gathered, unreadable)
        intents = plan(snapshot)
        recorded = await self.schemas.recorded(snapshot, intents)
        if recorded != snapshot.status:
            known = {**manifest, "status": recorded}
            snapshot = self._judged(key, state, known, gathered, unreadable)
            intents = plan(snapshot)
        if intents is not None:
            asked = {each.ref.kind for each in intents} & OPTIONAL
            # A later leader must also find what the stack had before.
            had = _ON_OPENSHIFT if self.settings.environment.openshift else frozenset()
            await self._follow_optional(key, asked | had)
        before, snapshot = snapshot, self._fresh(key, snapshot, intents)
        if snapshot.options != before.options:  # a Route now has its host
            intents = plan(snapshot)
        return replace(snapshot, counted=await self.trials.counted(key, snapshot)), intents

    def _judged(
        self,
        key: StackKey,
        state: StackState,
        manifest: Mapping[str, Any],
        gathered: Gathered,
        unreadable: tuple[Finding, ...],
    ) -> StackSnapshot:
        now = self.clock()
        judged = judge(
            Ref(LOKI_STACK.kind, key[1], key[0]),
            manifest,
            gathered.found,
            now=now,
            environment=self.settings.environment,
            fingerprinter=self.fingerprinter,
        )
        snapshot = StackSnapshot(
            view=judged.view,
            uid=state.uid,
            generation=manifest["metadata"]["generation"],
            now=now,
            status=manifest["status"],
            store_hash=judged.hashes.store,
            managed_hash=judged.hashes.managed,
            tenants_hash=judged.hashes.tenants,
            credentials_written_at=judged.hashes.credentials_written_at,
            unreadable=unreadable,
            environment=self.settings.environment,
            images=self.settings.images,
            operators_namespace=self.settings.operators_namespace,
        )
        trial = self.trials.trial(key, snapshot, reads=state.reads)
        return self._fresh(key, replace(snapshot, trial=trial))

    def _fresh(
        self, key: StackKey, snapshot: StackSnapshot, intents: Iterable[Intent] | None = None
    ) -> StackSnapshot:
        """Return the snapshot with the current objects and pods."""
        found = self.objects.named(key, [each.ref for each in intents or ()])
        contested = self.contests.of(snapshot.uid, now=snapshot.now)
        seen = snapshot.seeing(found, self.objects.pods_of(key))
        return replace(seen, contested=contested)

    # --- acting ----------------------------------------------------------------------------------

    async def _act(
        self, key: StackKey, snapshot: StackSnapshot, course: Decision
    ) -> tuple[Finding, ...]:
        """Carry out the decision; return what the API server refused."""
        if course.unproved:
            await self.trials.use_storage(snapshot)
        bindings = [each for each in course.config if each.ref.kind in _AFTER_OTHERS]
        others = [each for each in course.config if each not in bindings]
        for intents in (others, bindings):
            problems = await self._apply(key, snapshot, intents)
            if problems:
                return problems  # never a pod without its configuration
        return (
            *await self._apply(key, snapshot, course.workloads),
            *await self._each(
                snapshot, [(live.ref, self._prune(key, live)) for live in course.prunes]
            ),
            *await self._each(
                snapshot,
                [(Ref("Pod", pod.name, key[0]), self._replace(key, pod)) for pod in course.stuck],
            ),
        )

    async def _apply(
        self, key: StackKey, snapshot: StackSnapshot, intents: Sequence[Intent]
    ) -> tuple[Finding, ...]:
        writes = [(each.ref, self._write(key, snapshot, each)) for each in intents]
        return await self._each(snapshot, writes)

    async def _each(
        self, snapshot: StackSnapshot, deeds: Sequence[tuple[Ref, Coroutine[None, None, None]]]
    ) -> tuple[Finding, ...]:
        """Do everything concurrently; a refusal of one does not stop the others."""
        done = await asyncio.gather(*(deed for _, deed in deeds), return_exceptions=True)
        problems = []
        for (place, _), outcome in zip(deeds, done, strict=True):
            match outcome:
                case None:
                    continue
                case BadInput() | NotReadable() | NeedsHuman() | Conflict():
                    problems.append(_problem(snapshot.ref, place, outcome))
                case _:
                    raise outcome
        return tuple(problems)

    async def _write(self, key: StackKey, snapshot: StackSnapshot, intent: Intent) -> None:
        live = snapshot.objects.get(intent.ref)
        async with self._turns:
            with self.objects.writing(key, intent.ref):
                stored = await self.writer.apply(
                    intent, live=live, stack=snapshot.ref, uid=snapshot.uid
                )
                self.objects.wrote(key, stored, intended=intent.digest)
                self.contests.wrote(snapshot.uid, intent, anew=live is None, now=self.clock())

    async def _prune(self, key: StackKey, live: Live) -> None:
        await self.writer.delete(live)
        self.objects.deleted(key, live)
        _log.info("%s/%s: deleted %s", *key, live.ref)

    async def _replace(self, key: StackKey, pod: Pod) -> None:
        await self.writer.delete_pod(pod, namespace=key[0])
        _log.info("%s/%s: deleted pod %s, which held up its rollout", *key, pod.name)

    async def _sweep(self, key: StackKey) -> None:
        """Delete what a deleted stack leaves in the cluster and what cannot have an owner."""
        namespace, name = key
        left = [
            live
            for ref, live in self.objects.of(key).items()
            if ref.namespace is None and live.content is not None
            if live.owners and not live.terminating
        ]
        if not left:
            return
        named = f"metadata.name={name}"
        listing = await self.api.list(LOKI_STACK, namespace=namespace, fields=named)
        there = {found["metadata"]["uid"] for found in listing.items}
        left = [live for live in left if not live.owners.keys() & there]
        for live in left:
            try:
                await self._prune(key, live)
            except Forbidden as exc:  # its Role may have been deleted with the stack
                _log.warning("%s/%s is gone and leaves %s behind: %s", *key, live.ref, exc)

    # --- reporting -------------------------------------------------------------------------------

    async def _tell(
        self,
        state: StackState,
        manifest: Mapping[str, Any],
        snapshot: StackSnapshot,
        course: Decision,
        problems: Sequence[Finding],
    ) -> None:
        """Write the status if it says anything new, and an event if the main condition does."""
        now = status_of(snapshot, course, problems=problems)
        if now != state.status:
            patch = changes(state.status, now)
            await patch_status(self.api, LOKI_STACK, manifest, patch)
            state.status = now
        self.metrics.show((snapshot.ref.namespace or "", snapshot.ref.name), now)
        told = main_condition(snapshot, course, problems)
        before, state.told = state.told, told
        quiet = told.type == "Pending" or (before is None and told.type == "Ready")
        if quiet or (before and (before.type, before.reason) == (told.type, told.reason)):
            return
        await self.events.write(
            dict(manifest),
            reason=told.reason,
            message=told.message,
            warning=told.type in ("Degraded", "Failed"),
        )

    def _again_s(
        self,
        key: StackKey,
        snapshot: StackSnapshot,
        course: Decision,
        problems: Sequence[Finding],
        *,
        blind: bool,
    ) -> float:
        """Return when to look again without any event."""
        waits = [LOOK_EVERY_S]
        trial_s = self.trials.due_in_s(key, snapshot.now)
        if trial_s is not None:
            waits.append(trial_s)
        if problems or snapshot.unreadable or snapshot.taken or snapshot.contested:
            waits.append(RETRY_S)
        elif not course.rests:  # what was done allows more, and its echo wakes nobody
            waits.append(NEXT_S)
        if blind:
            waits.append(BLIND_S)
        if course.look_again_at is not None:
            waits.append(max(0.5, (course.look_again_at - snapshot.now).total_seconds()))
        unconfirmed_s = self.objects.confirm_s(key)
        if unconfirmed_s is not None:
            waits.append(unconfirmed_s)
        return min(waits) * random.uniform(1.0, 1.1)  # noqa: S311 - jitter


def _problem(stack: Ref, place: Ref, refusal: LokeysError) -> Finding:
    if isinstance(refusal, Taken):
        return owned_by_another(refusal.ref, refusal.owner, stack=stack)
    return tell(operation.NOT_APPLIED, place, stack=stack, words={"detail": str(refusal)})
