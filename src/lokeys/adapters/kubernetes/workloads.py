# SPDX-License-Identifier: Apache-2.0
"""The workloads that use the Secret and their pods: their state, and how to replace one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from lokeys.adapters.kubernetes import selectors
from lokeys.adapters.kubernetes.cluster import (
    Cluster,
    events_of,
    last_seen,
    unreadable,
)
from lokeys.adapters.kubernetes.pods import is_over, loki_container, pod_state, reads
from lokeys.adapters.loki.wal import wal_persistent
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.json_fields import Json, at, number_at, text_at
from lokeys.core.kubernetes.loki.model import RunningLoki
from lokeys.core.kubernetes.loki.reading import named_by, reading_of
from lokeys.core.kubernetes.references import controller_of
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_VALUES
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import Workload
from lokeys.core.route.snapshot import Budget, PodState, Roller, Unreadable, WorkloadState
from lokeys.errors import Conflict, Forbidden, LokeysError, NotFound, Waiting
from lokeys.kube.client import EvictionBlocked
from lokeys.kube.resources import POD, SELF_SUBJECT_ACCESS_REVIEW
from lokeys.kube.selectors import matches
from lokeys.ports import Fleet, Reading

_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)
_KINDS_OF_STACKS = ("StatefulSet", "Deployment")
_SIMPLE_PATTERN = re.compile(r"(?:[A-Za-z0-9-]|\\\.|\.\*?)*")
_RELOADER = "reloader.stakater.com"
_LONGEST_NAMES = 2048
"""Limit for an annotation of Reloader: a thousand patterns would take seconds to match."""
_REVISION = "deployment.kubernetes.io/revision"
_BUDGET_RETRY_S = 10.0
_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A workload as the route names it, and its object."""

    spec: Workload
    obj: Json

    @property
    def ref(self) -> Ref:
        metadata = at(self.obj, "metadata")
        kind = text_at(self.obj, "kind")
        return Ref(kind, text_at(metadata, "name"), text_at(metadata, "namespace"))

    @property
    def pod_spec(self) -> Json:
        return at(self.obj, "spec", "template", "spec") or {}


@dataclass(kw_only=True)
class _Pass:
    """One look: what was read so far, so that nothing is read twice, and what could not be."""

    cluster: Cluster
    gaps: list[Unreadable] = field(default_factory=list)
    seen: dict[Ref, Mapping[str, Any]] = field(default_factory=dict)

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        if ref not in self.seen:
            self.seen[ref] = await self.cluster.objects.get(ref)
        return self.seen[ref]

    async def get_settings(self, ref: Ref) -> Mapping[str, Any]:
        """Return an object with Loki's settings; notes it if it may not be read."""
        try:
            return await self.get(ref)
        except Forbidden as error:
            self.gaps.append(unreadable(error, hop=Hop.PODS, ref=ref))
            raise

    async def list(self, kind: str, *, namespace: str, labels: str | None = None) -> list[Json]:
        try:
            found = await self.cluster.objects.list(kind, namespace=namespace, labels=labels)
        except LokeysError as error:
            ref = Ref(kind, "*", namespace)
            self.gaps.append(unreadable(error, hop=Hop.PODS, ref=ref))
            return []
        # Items of a list may have no kind.
        return [{**each, "kind": kind} for each in found]


class KubernetesWorkloads:
    """A `WorkloadsPort` on the workloads of one route."""

    def __init__(
        self,
        cluster: Cluster,
        workloads: Sequence[Workload],
        *,
        namespace: str,
        secret: str = "",
        kind: str = "Secret",
    ) -> None:
        """Take the workloads of a route; without a Secret, all of their pods count."""
        self._cluster = cluster
        self._workloads = tuple(workloads)
        self._namespace = namespace
        self._secret = secret
        self._held_in = Ref(kind, secret, namespace)

    async def read(self) -> Reading[Fleet]:
        """Return workloads and pods; pods come without metrics and log."""
        look = _Pass(cluster=self._cluster)
        states: list[WorkloadState] = []
        pods: list[PodState] = []
        budgets: list[Json] | None = None
        for spec in self._workloads:
            members = await self._members(spec, look)
            if isinstance(members, WorkloadState):
                states.append(members)
                continue
            for member in members:
                if budgets is None:
                    name = "PodDisruptionBudget"
                    budgets = await look.list(name, namespace=self._namespace)
                own = await self._pods(member, budgets, look)
                pods += own
                loki = await self._loki(member, look)
                states.append(replace(self._state(member, own), loki=loki))
        fleet = Fleet(workloads=tuple(states), pods=tuple(pods))
        return Reading(state=fleet, gaps=tuple(look.gaps))

    async def may_evict(self, pod: PodState) -> bool | None:
        """Tell whether this pod may be evicted from here; None if that is not known."""
        # By its name: a Role may list the pods that it is about.
        named = {"namespace": self._namespace, "name": pod.ref.name}
        right = {"verb": "create", "resource": "pods", "subresource": "eviction"}
        asked = {"spec": {"resourceAttributes": {**right, **named}}}
        try:
            answer = await self._cluster.api.create(SELF_SUBJECT_ACCESS_REVIEW, asked)
        except LokeysError:
            return None
        return at(answer, "status", "allowed") is True

    async def evict(self, pod: PodState, *, grace: timedelta | None) -> None:
        """Evict one pod; raises Conflict if it was replaced, Waiting if a budget refuses."""
        try:
            await self._cluster.api.evict(
                pod.ref.name,
                namespace=self._namespace,
                uid=pod.uid,
                grace_s=_whole_seconds(grace),
            )
        except EvictionBlocked as error:
            raise Waiting(str(error), retry_after_s=_BUDGET_RETRY_S) from error
        except NotFound as error:
            raise Conflict(f"{pod.ref} is gone already") from error

    async def delete(self, pod: PodState, *, grace: timedelta | None) -> None:
        """Delete one pod (uid as precondition), whatever its budget says."""
        try:
            await self._cluster.api.delete(
                POD,
                pod.ref.name,
                namespace=self._namespace,
                uid=pod.uid,
                grace_s=_whole_seconds(grace),
            )
        except NotFound as error:
            raise Conflict(f"{pod.ref} is gone already") from error

    async def _members(self, spec: Workload, look: _Pass) -> list[_Member] | WorkloadState:
        """Return the workload, a LokiStack's that read the Secret, or that there is none."""
        ref = Ref(spec.kind, spec.name, self._namespace)
        absent = WorkloadState(ref=ref, exists=False, force=spec.force)
        if spec.kind == "LokiStack":
            gaps = len(look.gaps)
            members = await self._members_of_stack(spec, look)
            reading = [each for each in members if self._reads(each.pod_spec)]
            if reading or len(look.gaps) > gaps:
                return reading
            return replace(absent, exists=True, reads_secret=False) if members else absent
        try:
            found = await look.get(ref)
        except NotFound:
            return absent
        except LokeysError as error:
            look.gaps.append(unreadable(error, hop=Hop.PODS, ref=ref))
            return []
        return [_Member(spec=spec, obj={**found, "kind": spec.kind})]

    async def _members_of_stack(self, spec: Workload, look: _Pass) -> list[_Member]:
        """Return a stack's components: those with its label, otherwise those that it owns."""
        for labels in (f"app.kubernetes.io/instance={spec.name}", None):
            found = [
                _Member(spec=spec, obj=each)
                for kind in _KINDS_OF_STACKS
                for each in await look.list(kind, namespace=self._namespace, labels=labels)
                if labels or _is_of_stack(each, spec.name)
            ]
            if found:
                return found
        return []

    async def _loki(self, member: _Member, look: _Pass) -> RunningLoki | None:
        """Return how the workload's Loki is configured.

        Only the route's own Secret is read: no further permission is needed.
        """
        held: dict[Ref, Json] = {}
        for ref in named_by(member.obj, namespace=self._namespace):
            if ref.kind == "ConfigMap" or (ref.kind, ref.name) == ("Secret", self._secret):
                with suppress(LokeysError):  # a reader of the configuration itself reports it
                    held[ref] = await look.get(ref)
        return reading_of(member.obj, owner=member.ref, held=held, parse=_PARSE)

    def _reads(self, pod_spec: Json) -> bool:
        return not self._secret or reads(pod_spec, self._held_in)

    async def _pods(self, member: _Member, budgets: list[Json], look: _Pass) -> list[PodState]:
        """Return the states of the workload's pods that read the Secret."""
        labels = selectors.as_text(at(member.obj, "spec", "selector"))
        found = await look.list("Pod", namespace=self._namespace, labels=labels)
        revisions = await self._revisions(member, labels, look)
        states: list[PodState] = []
        for pod in found:
            owner = text_at(controller_of(pod), "uid")
            wanted = self._reads(at(pod, "spec") or {})
            if owner not in revisions or is_over(pod) or not wanted:
                continue
            state = await self._pod(pod, member, look)
            if state is not None:
                states.append(
                    replace(
                        state,
                        revision_current=_is_current(pod, member.obj, current=revisions[owner]),
                        budget=_budget_of(pod, budgets),
                    )
                )
        return sorted(states, key=lambda state: state.ref)

    async def _pod(self, pod: Json, member: _Member, look: _Pass) -> PodState | None:
        state = pod_state(pod, workload=member.ref, container=member.spec.container)
        if state is None:
            return None
        container = loki_container(at(pod, "spec") or {}, member.spec.container)
        persistent = await wal_persistent(pod, container, look.get_settings)
        return replace(
            state,
            wal_persistent=persistent,
            probe_failures=0 if state.ready else await self._probe_failures(state),
            killing_since=await self._killing_since(state, container)
            if state.deleting_since
            else None,
        )

    async def _revisions(self, member: _Member, labels: str, look: _Pass) -> dict[str, bool]:
        """Return the uids of the pods' direct owners, and whether each is the newest revision."""
        uid = text_at(member.obj, "metadata", "uid")
        if member.ref.kind != "Deployment":
            return {uid: True}
        newest = text_at(member.obj, "metadata", "annotations", _REVISION)
        sets = await look.list("ReplicaSet", namespace=self._namespace, labels=labels)
        return {
            text_at(each, "metadata", "uid"): text_at(each, "metadata", "annotations", _REVISION)
            == newest
            for each in sets
            if text_at(controller_of(each), "uid") == uid
        }

    async def _probe_failures(self, pod: PodState) -> int:
        events = await self._events(pod, "Unhealthy")
        return sum(
            max(number_at(event, "count"), number_at(event, "series", "count"), 1)
            for event in events
        )

    async def _killing_since(self, pod: PodState, container: Json) -> datetime | None:
        """Return when the pod's node began to stop this run of its container, if reported."""
        place = f"spec.containers{{{text_at(container, 'name')}}}"
        began = (
            last_seen(event)
            for event in await self._events(pod, "Killing")
            if text_at(event, "involvedObject", "fieldPath") == place
        )
        return next((at for at in began if pod.started_at and at >= pod.started_at), None)

    async def _events(self, pod: PodState, reason: str) -> list[Json]:
        events = await events_of(self._cluster.objects, pod.ref, reason=reason)
        return [event for event in events if text_at(event, "involvedObject", "uid") == pod.uid]

    def _state(self, member: _Member, pods: list[PodState]) -> WorkloadState:
        obj = member.obj
        wanted, ready = _wanted_and_ready(obj)
        in_order = member.ref.kind == "StatefulSet" and (
            at(obj, "spec", "podManagementPolicy") != "Parallel"
        )
        return WorkloadState(
            ref=member.ref,
            wanted=wanted,
            ready=ready,
            ordered=in_order or any(pod.writes for pod in pods),
            rolling=_is_rolling(obj),
            roller=roller_of(obj, self._secret),
            reads_secret=self._reads(member.pod_spec),
            force=member.spec.force,
        )


def _is_of_stack(workload: Json, name: str) -> bool:
    owner = controller_of(workload)
    return (text_at(owner, "kind"), text_at(owner, "name")) == ("LokiStack", name)


def roller_of(workload: Json, secret: str) -> Roller | None:
    """Return who else replaces the workload's pods when the Secret changes."""
    if text_at(controller_of(workload), "kind") == "LokiStack":
        return Roller.OPERATOR
    annotations = {
        **(at(workload, "spec", "template", "metadata", "annotations") or {}),
        **(at(workload, "metadata", "annotations") or {}),
    }
    excluded = annotations.get(f"secrets.exclude.{_RELOADER}/reload", "")
    if secret in _names_in(excluded):
        return None
    automatic = (f"{_RELOADER}/auto", f"secret.{_RELOADER}/auto")
    reload = annotations.get(f"secret.{_RELOADER}/reload", "")
    if any(annotations.get(key) == "true" for key in automatic) or _is_among(secret, reload):
        return Roller.RELOADER
    return None


def _names_in(text: str) -> Iterator[str]:
    return (name.strip() for name in text.split(",") if name.strip())


def _is_among(secret: str, patterns: str) -> bool:
    """Tell whether one of Reloader's names may mean this Secret; for very many, True."""
    if len(patterns) > _LONGEST_NAMES:
        return True
    return any(_is_named(secret, pattern) for pattern in _names_in(patterns))


def _is_named(secret: str, pattern: str) -> bool:
    """Tell whether Reloader's name, which may be a regular expression, may mean this Secret.

    Only names with `.` and `.*` are matched: Python's expressions, unlike Go's, can take forever.
    The others are assumed to match, and lokeys waits a little before it acts itself.
    """
    plain = pattern.removeprefix("^").removesuffix("$")
    if _SIMPLE_PATTERN.fullmatch(plain) is None:
        return True
    glob = plain.replace("\\.", "\0").replace(".*", "*").replace(".", "?").replace("\0", ".")
    return fnmatchcase(secret, glob)


def _wanted_and_ready(workload: Json) -> tuple[int, int]:
    if workload["kind"] == "DaemonSet":
        wanted = number_at(workload, "status", "desiredNumberScheduled")
        return wanted, number_at(workload, "status", "numberReady")
    wanted = number_at(workload, "spec", "replicas", default=1)
    return wanted, number_at(workload, "status", "readyReplicas")


def _is_rolling(workload: Json) -> bool:
    """Tell whether its controller is replacing pods of an old revision by itself."""
    strategy = {"Deployment": "strategy"}.get(workload["kind"], "updateStrategy")
    if at(workload, "spec", strategy, "type") == "OnDelete":
        return False
    status = at(workload, "status")
    if number_at(status, "observedGeneration") < number_at(workload, "metadata", "generation"):
        return True
    updated = number_at(status, "updatedReplicas")
    match workload["kind"]:
        case "StatefulSet":
            kept = number_at(workload, "spec", "updateStrategy", "rollingUpdate", "partition")
            wanted = number_at(workload, "spec", "replicas", default=1)
            same = at(status, "updateRevision") == at(status, "currentRevision")
            return not same and updated < max(wanted - kept, 0)
        case "DaemonSet":
            scheduled = number_at(status, "currentNumberScheduled")
            return number_at(status, "updatedNumberScheduled") < scheduled
    return updated < number_at(status, "replicas")


def _is_current(pod: Json, workload: Json, *, current: bool) -> bool:
    labels = selectors.labels_of(pod)
    if workload["kind"] == "StatefulSet":
        newest = text_at(workload, "status", "updateRevision")
        return not newest or labels.get("controller-revision-hash") == newest
    if workload["kind"] == "DaemonSet":
        generation = labels.get("pod-template-generation")
        newest = text_at(
            workload, "metadata", "annotations", "deprecated.daemonset.template.generation"
        )
        return not (generation and newest) or generation == newest
    return current


def _budget_of(pod: Json, budgets: list[Json]) -> Budget | None:
    """Return the tightest disruption budget that covers the pod; several together allow nothing."""
    covering = [
        Budget(
            ref=Ref(
                "PodDisruptionBudget",
                text_at(each, "metadata", "name"),
                text_at(each, "metadata", "namespace"),
            ),
            disruptions_allowed=number_at(each, "status", "disruptionsAllowed"),
        )
        for each in budgets
        if _covers(each, pod)
    ]
    tightest = min(covering, key=lambda budget: budget.disruptions_allowed, default=None)
    if tightest is not None and len(covering) > 1:  # the API server refuses such evictions
        return replace(tightest, disruptions_allowed=0)
    return tightest


def _covers(budget: Json, pod: Json) -> bool:
    """Tell whether a budget selects the pod: one without a selector selects none, {} all."""
    selector = at(budget, "spec", "selector")
    return selector is not None and matches(pod, selectors.as_text(selector))


def _whole_seconds(grace: timedelta | None) -> int | None:
    """Return the grace period for a call; never 0, which would not wait for the kubelet."""
    return None if grace is None else max(1, int(grace.total_seconds()))
