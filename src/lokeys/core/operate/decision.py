# SPDX-License-Identifier: Apache-2.0
"""What to do next for a stack. Applying decisions repeatedly reaches a state without writes.

    config, services, accounts, budgets ─▶ workloads whose turn it is ─▶ objects no longer wanted

Nothing is decided while a fault makes it impossible to say what should be: running pods are left
alone. While credentials are held, nothing is written that would replace a pod: any pod that starts
again gets the current credentials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from lokeys.core.findings.catalogue import operation, storage_objects
from lokeys.core.findings.finding import Finding
from lokeys.core.operate.credentials import (
    Standing,
    awaits_managed,
    changed,
    moved_stores,
    refusals,
    standing,
    unproved,
)
from lokeys.core.operate.intents import Intent, intents_of
from lokeys.core.operate.keeping import as_kept, keeping
from lokeys.core.operate.live import Live, Pod
from lokeys.core.operate.rollout import (
    components_in_order,
    is_settled,
    next_stuck_at,
    next_turn,
    stuck_pods,
)
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from lokeys.core.stack.resource.model import Component
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.words import shown

_REQUEST = "CredentialsRequest"
PROOF_EVERY = timedelta(seconds=5)
"""How often the first pods are asked how the store answers them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to write now, and what prevents the rest."""

    config: tuple[Intent, ...] = ()
    """Everything but workloads. Workloads are written only after all of it."""
    workloads: tuple[Intent, ...] = ()
    prunes: tuple[Live, ...] = ()
    stuck: tuple[Pod, ...] = ()
    """Pods to delete: their StatefulSet waits for them, and they need its new template."""
    findings: tuple[Finding, ...] = ()
    """Faults that only the live objects show."""
    waiting: tuple[Component, ...] = ()
    awaited: Component | None = None
    unproved: frozenset[str] = frozenset()
    """Components with credentials that could not be tested: the rest waits for their proof."""
    try_credentials: bool = False
    """Whether the rest waits for a test of the current credentials."""
    configured: bool = False
    """Whether Loki's configuration in the cluster is what it should be."""
    restricted: bool = False
    """Whether network policies are among what should be."""
    look_again_at: datetime | None = None

    @property
    def rests(self) -> bool:
        """Tell whether there is nothing to do."""
        return not (self.config or self.workloads or self.prunes or self.stuck)


def forbidding(snapshot: StackSnapshot) -> tuple[Finding, ...]:
    """Return the faults that make it impossible to say what should be."""
    awaited = storage_objects.MISSING_MANAGED_SECRET.code
    found = tuple(f for f in snapshot.findings if f.is_error and f.code != awaited)
    return (*found, *moved_stores(snapshot))


def plan(snapshot: StackSnapshot) -> tuple[Intent, ...] | None:
    """Return what a stack's objects should be; None while that cannot be said."""
    stack, storage = snapshot.view.stack, snapshot.view.storage
    if stack is None or storage is None or forbidding(snapshot):
        return None
    return intents_of(replace(stack, uid=snapshot.uid), storage, options=snapshot.options)


def decide(snapshot: StackSnapshot, intents: tuple[Intent, ...] | None) -> Decision:
    """Return the next writes of a stack whose objects should be `intents`."""
    if intents is None:
        return Decision()
    live = snapshot.objects
    intents = tuple(_known(as_possible(intents, snapshot), snapshot))
    workloads = tuple(each for each in intents if each.component is not None)
    open_questions = unproved(snapshot)
    turn = next_turn(workloads, live, unproved=open_questions)
    config = [each for each in intents if each.component is None]
    course = Decision(
        config=tuple(each for each in config if _is_wrong(each, live)),
        workloads=turn.writes,
        waiting=turn.waiting,
        prunes=tuple(_too_much(snapshot, {each.ref for each in intents}, workloads)),
        stuck=stuck_pods(workloads, live, snapshot.pods, now=snapshot.now),
        findings=tuple(refusals(snapshot)),
        awaited=turn.awaited,
        unproved=open_questions,
        configured=all(_is_right(e, live) for e in config if _is_loki_config(e, snapshot)),
        restricted=any(each.ref.kind == "NetworkPolicy" for each in intents),
        look_again_at=_look_again_at(snapshot, workloads),
    )
    if standing(snapshot) is Standing.HELD:
        course = _held(course, snapshot, workloads)
    return _without_others(course, snapshot)


def _without_others(course: Decision, snapshot: StackSnapshot) -> Decision:
    """Return the decision without objects of others and those that others keep changing back.

    No pod starts if its configuration cannot be the stack's own.
    """
    found = tuple(_others(course, snapshot))
    if not found:
        return course
    others = {each.object for each in found}
    unconfigured = any(
        each.ref in snapshot.taken or (each.ref in others and _is_loki_config(each, snapshot))
        for each in course.config
    )
    return replace(
        course,
        config=tuple(each for each in course.config if each.ref not in others),
        workloads=tuple(e for e in course.workloads if e.ref not in others and not unconfigured),
        findings=(*found, *course.findings),
    )


def _others(course: Decision, snapshot: StackSnapshot) -> Iterator[Finding]:
    for intent in (*course.config, *course.workloads):
        ref = intent.ref
        if ref in snapshot.taken:
            owner = snapshot.taken[ref].other_owner(snapshot.ref, snapshot.uid)
            yield owned_by_another(ref, owner, stack=snapshot.ref)
        elif snapshot.contested.get(ref) == intent.digest:
            words = {"kind": ref.kind.lower()}
            yield tell(operation.CONTESTED, ref, stack=snapshot.ref, words=words)


def owned_by_another(ref: Ref, owner: Ref | None, *, stack: Ref) -> Finding:
    """Return that an object that a stack needs does not belong to it."""
    words = {"kind": ref.kind.lower(), "owner": shown(owner)}
    return tell(operation.OWNED_BY_ANOTHER, ref, stack=stack, words=words)


def _held(course: Decision, snapshot: StackSnapshot, workloads: Sequence[Intent]) -> Decision:
    """Return the decision without what would replace a pod or change how a new one starts."""
    live = snapshot.objects
    harmless = () if awaits_managed(snapshot) else tuple(_harmless(workloads, live))
    return replace(
        course,
        config=tuple(
            e for e in course.config if not (_is_loki_config(e, snapshot) and e.ref in live)
        ),
        workloads=harmless,
        waiting=components_in_order(e for e in workloads if not _is_right(e, live)),
        awaited=None,
        unproved=frozenset(),
        stuck=(),
        try_credentials=snapshot.trial is None and changed(snapshot),
    )


def _known(intents: Sequence[Intent], snapshot: StackSnapshot) -> Iterator[Intent]:
    """Yield the intents without those that wait for a Route: the gateway needs to know its host.

    The API server returns it from the Route's first write. If somebody keeps deleting the Route,
    waiting has no effect.
    """
    seen = {*snapshot.objects, *snapshot.contested}
    awaited = any(each.ref.kind == "Route" and each.ref not in seen for each in intents)
    gateway = f"{snapshot.ref.name}-gateway"
    for each in intents:
        its_files = each.ref == Ref("ConfigMap", gateway, snapshot.ref.namespace)
        if not (awaited and (its_files or each.component is Component.GATEWAY)):
            yield each


def _is_right(intent: Intent, live: Mapping[Ref, Live]) -> bool:
    found = live.get(intent.ref)
    return found is not None and found.content == intent.digest and not found.terminating


def _is_wrong(intent: Intent, live: Mapping[Ref, Live]) -> bool:
    """Tell whether a write would help: not while the existing object is being deleted."""
    found = live.get(intent.ref)
    return found is None or (found.content != intent.digest and not found.terminating)


def _is_loki_config(intent: Intent, snapshot: StackSnapshot) -> bool:
    return intent.ref == Ref("ConfigMap", f"{snapshot.ref.name}-config", snapshot.ref.namespace)


def _keeping_images(intent: Intent, live: Mapping[Ref, Live]) -> Intent:
    """Return the intent of a workload that was taken over with the images that it has."""
    found = live.get(intent.ref)
    kept = found.workload.images if found is not None and found.workload is not None else {}
    return intent.with_images(kept) if kept else intent


def as_possible(intents: Sequence[Intent], snapshot: StackSnapshot) -> tuple[Intent, ...]:
    """Return intents with the images that were kept of live objects, and immutable fields."""
    return keeping(snapshot, with_what_is_fixed(intents, snapshot.objects))


def with_what_is_fixed(intents: Sequence[Intent], live: Mapping[Ref, Live]) -> tuple[Intent, ...]:
    """Return intents with the images that were kept, and with immutable fields."""
    found = ((_keeping_images(each, live), live.get(each.ref)) for each in intents)
    return tuple(
        intent.with_fixed(there.workload.fixed) if there and there.workload else intent
        for intent, there in found
    )


def _harmless(workloads: Sequence[Intent], live: Mapping[Ref, Live]) -> Iterator[Intent]:
    """Yield workloads that are missing, and those that can be repaired without replacing a pod."""
    for intent in workloads:
        found = live.get(intent.ref)
        if found is None or found.workload is None:
            yield intent
            continue
        as_worn = as_kept(intent.with_marks(found.workload.marks), found)
        if found.content != as_worn.digest and found.workload.template == as_worn.template:
            yield as_worn


def _too_much(
    snapshot: StackSnapshot, wanted: set[Ref], workloads: Sequence[Intent]
) -> Iterator[Live]:
    """Yield what the stack owns and our field manager wrote, and is no longer wanted."""
    for ref, found in snapshot.objects.items():
        ours = snapshot.uid in found.owners and found.content is not None
        if not ours or ref in wanted or found.terminating:
            continue
        if ref.kind != _REQUEST or _left_the_cloud(snapshot, workloads):
            yield found


def _left_the_cloud(snapshot: StackSnapshot, workloads: Sequence[Intent]) -> bool:
    """Tell whether no pod uses the managed credentials any more."""
    live = snapshot.objects
    worn = any(names.MANAGED_HASH in each.workload.marks for each in live.values() if each.workload)
    return not worn and all(
        each.ref in live and is_settled(each, live[each.ref]) for each in workloads
    )


def _look_again_at(snapshot: StackSnapshot, workloads: Sequence[Intent]) -> datetime | None:
    """Return when time alone changes what to do: a pod too long unready, a new schema."""
    stack = snapshot.view.stack
    schemas = stack.schemas if stack else ()
    begins = (datetime.combine(each.effective_date, time(), tzinfo=UTC) for each in schemas)
    moments = [moment for moment in begins if moment > snapshot.now]
    stuck = next_stuck_at(workloads, snapshot.objects, snapshot.pods)
    moments += [stuck] if stuck else []
    moments += [snapshot.now + PROOF_EVERY] if unproved(snapshot) else []
    return min(moments, default=None)
