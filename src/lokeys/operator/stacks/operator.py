# SPDX-License-Identifier: Apache-2.0
"""The part of the operator for LokiStacks: it starts when the cluster has the kind."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import TracebackType
from typing import Self

import msgspec

from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.stack_objects import USUAL
from lokeys.adapters.kubernetes.stack_writer import StackWriter
from lokeys.core.sensitive import Fingerprinter
from lokeys.core.stack.resource.operated import MANAGED_LABEL, YES
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.errors import NotReadable, Transient
from lokeys.kube.client import Api, Object
from lokeys.kube.events import EventWriter
from lokeys.kube.informer import Informer, InformerSet, Scope, Subscription
from lokeys.kube.resources import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CRD,
    LOKI_STACK,
    SELF_SUBJECT_ACCESS_REVIEW,
    Resource,
)
from lokeys.operator.cache import RouteObjects
from lokeys.operator.stacks.cache import StackKey, StackObjects
from lokeys.operator.stacks.metrics import StackMetrics
from lokeys.operator.stacks.pulse import Pulse
from lokeys.operator.stacks.reconciler import StackController, StackSettings
from lokeys.operator.stacks.schemas import AppliedSchemas
from lokeys.operator.stacks.trials import Counters, MakeVerifier, Trials, Use
from lokeys.operator.statuses import concerns_us
from lokeys.operator.workers import WORKERS, Worker, queue_of_keys
from lokeys.ports import Clock

_LABELLED = f"{MANAGED_LABEL}={YES}"
PODS_AWAITED_S = 0.5
"""Pods change in bursts, and their names in the status are not urgent."""
_DEFINITION = f"{LOKI_STACK.plural}.{LOKI_STACK.group}"
OPENSHIFT = "config.openshift.io"
GROUPS_ASKED_EVERY_S = 60.0

_log = logging.getLogger(__name__)


class Choice(StrEnum):
    """Which LokiStacks are ours: those with the mark, all, or none."""

    LABELLED = "labelled"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackWiring:
    """What the process provides for operating stacks."""

    api: Api
    informers: InformerSet
    """For what stacks name: whole objects, shared with the routes."""
    clock: Clock
    identity: str
    namespace: str | None = None
    choice: Choice = Choice.LABELLED
    settings: StackSettings = field(default_factory=StackSettings)
    counters: Counters | None = None
    use_storage: Use | None = None
    make_verifier: MakeVerifier | None = None
    """Makes what tests a stack's credentials; it reads what the stack itself reads."""


class StackOperator:
    """Watches the LokiStacks of the cluster; only the leader among the replicas operates them."""

    def __init__(self, wiring: StackWiring) -> None:
        self._wiring = wiring
        self.metrics = StackMetrics()
        self._queue = queue_of_keys(first_delay_s=0.5)
        self._everywhere = wiring.choice is Choice.ALL and wiring.namespace is None
        self._objects = StackObjects(
            wiring.api,
            everywhere=self._everywhere,
            on_change=self._object_changed,
            on_pods=lambda key: self._queue.add_after(key, PODS_AWAITED_S),
        )
        self._defined = asyncio.Event()
        self._definition: Subscription | None = None
        self._stacks: Informer | None = None
        self._asked_at = float("-inf")
        self._known: frozenset[str] = frozenset()

    async def __aenter__(self) -> Self:
        await self._objects.__aenter__()
        if self._wiring.choice is not Choice.NONE:
            scope = Scope(resource=CRD, fields=f"metadata.name={_DEFINITION}", metadata_only=True)
            self._definition = self._wiring.informers.subscribe(scope, self._definition_changed)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._objects.__aexit__(exc_type, exc, traceback)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def ready(self) -> bool:
        """Tell whether the stacks are known and can be watched, if there can be any."""
        if self._definition is None:
            return True
        if not self._defined.is_set():
            return self._definition.informer.settled.is_set()
        return self._stacks is not None and self._stacks.synced.is_set()

    async def serve(self, fingerprinter: Fingerprinter) -> None:
        """Operate all stacks, as soon as there can be any, until cancelled."""
        if self._definition is None:
            return
        await self._definition.informer.settled.wait()
        if self._definition.informer.trouble is not None:
            _log.warning(
                "whether there are LokiStacks cannot be seen: %s",
                self._definition.informer.trouble.error,
            )
        await self._defined.wait()
        assert self._stacks is not None  # noqa: S101 - set before _defined
        await self._stacks.synced.wait()
        environment = await self._environment()
        await self._follow_unowned()
        settings = replace(self._wiring.settings, environment=environment)
        controller = self._controller(fingerprinter, settings)
        worker = Worker(kind="LokiStack", queue=self._queue, reconcile=controller.reconcile)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(worker.run())
                if self._wiring.counters is not None:
                    group.create_task(self._pulse(controller, self._wiring.counters).run())
        finally:
            controller.close()

    def _definition_changed(self, _old: Object | None, new: Object | None) -> None:
        """Start when the kind exists. If it is removed, its watch reports that and waits."""
        if new is None or self._defined.is_set():
            return
        wiring = self._wiring
        labels = _LABELLED if wiring.choice is Choice.LABELLED else None
        scope = Scope(resource=LOKI_STACK, namespace=wiring.namespace, labels=labels)
        self._stacks = wiring.informers.subscribe(scope, self._stack_changed).informer
        if self._everywhere:
            self._objects.follow(USUAL, None)
        self._defined.set()
        _log.info("LokiStacks are looked after (%s)", wiring.choice.value)

    def _stack_changed(self, old: Object | None, new: Object | None) -> None:
        if concerns_us(old, new):
            metadata = (new or old or {})["metadata"]
            self._queue.add((metadata["namespace"], metadata["name"]))

    def _object_changed(self, key: StackKey) -> None:
        """Look at the stack that an object names, unless it is another operator's."""
        if all(key) and self._wiring.namespace in (None, key[0]):
            self._queue.add(key)

    async def _follow_unowned(self) -> None:
        """Watch what is not cleaned up by an owner from the start, if allowed.

        A stack may have been deleted, or changed, while no operator ran.
        """
        kinds = [each for each in (CLUSTER_ROLE, CLUSTER_ROLE_BINDING) if await self._may(each)]
        await self._objects.settled([each.kind for each in kinds], None)

    async def _may(self, resource: Resource) -> bool:
        """Tell whether all objects of a kind may be listed; everybody may ask that."""
        wish = {"group": resource.group, "resource": resource.plural, "verb": "list"}
        review = {
            "apiVersion": SELF_SUBJECT_ACCESS_REVIEW.api_version,
            "kind": SELF_SUBJECT_ACCESS_REVIEW.kind,
            "spec": {"resourceAttributes": wish},
        }
        while True:
            try:
                answer = await self._wiring.api.create(SELF_SUBJECT_ACCESS_REVIEW, review)
            except NotReadable:
                return False
            except Transient as exc:
                _log.warning("whether %s may be listed cannot be asked: %s", resource, exc)
                await asyncio.sleep(2.0)
            else:
                return bool(answer["status"]["allowed"])

    async def _environment(self) -> CloudEnvironment:
        """Return the operator's environment, with `openshift` set if the cluster is OpenShift."""
        given = self._wiring.settings.environment
        while not given.openshift:
            try:
                found = OPENSHIFT in await self._groups()
            except Transient as exc:
                _log.warning("which kinds the cluster knows cannot be read: %s", exc)
                await asyncio.sleep(2.0)
            else:
                return replace(given, openshift=found)
        return given

    async def _groups(self) -> frozenset[str]:
        """Return the groups of kinds in the cluster, at most a minute old."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= GROUPS_ASKED_EVERY_S:
            answer = msgspec.json.decode(await self._wiring.api.raw_get("/apis"))
            self._known = frozenset(group["name"] for group in answer.get("groups") or ())
            self._asked_at = now
        return self._known

    def _controller(self, fingerprinter: Fingerprinter, settings: StackSettings) -> StackController:
        wiring = self._wiring
        assert self._stacks is not None  # noqa: S101 - set before _defined
        live = LiveObjects(wiring.api)

        def make_reads(key: StackKey) -> RouteObjects:
            return RouteObjects(wiring.informers, live, on_change=lambda: self._queue.add(key))

        return StackController(
            api=wiring.api,
            stacks=self._stacks,
            objects=self._objects,
            writer=StackWriter(wiring.api),
            make_reads=make_reads,
            requeue=self._queue.add_after,
            known_groups=self._groups,
            events=EventWriter(wiring.api, instance=wiring.identity),
            fingerprinter=fingerprinter,
            clock=wiring.clock,
            trials=Trials(
                make_verifier=wiring.make_verifier,
                counters=wiring.counters,
                use=wiring.use_storage,
                clock=wiring.clock,
                every_s=settings.verify_every_s,
                on_result=self._queue.add,
            ),
            schemas=AppliedSchemas(api=wiring.api),
            metrics=self.metrics,
            settings=settings,
        )

    def _pulse(self, controller: StackController, counters: Counters) -> Pulse:
        return Pulse(
            stacks=lambda: tuple(controller.states),
            pods_of=self._objects.pods_of,
            counters=counters,
            on_refusal=controller.trials.try_again,
        )
