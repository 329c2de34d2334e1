# SPDX-License-Identifier: Apache-2.0
"""A stack's status: what is applied, which pods are in which state, and one main condition.

    Degraded   a fault of the spec, the Secret or the cluster: somebody must change something
    Failed     a pod has failed
    Pending    pods do not exist or are not ready yet
    Ready      every pod of every component is ready and runs the current template

Exactly one of these four is True. There are also warnings, and CredentialsVerified. A time changes
only together with what it belongs to: an unchanged status is equal, and is not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lokeys.core.findings.catalogue import lokistacks
from lokeys.core.findings.finding import Finding, Severity, ranked, time_to_json
from lokeys.core.operate.adoption import rulers_account_changes
from lokeys.core.operate.decision import Decision, forbidding
from lokeys.core.operate.live import LivePodState, Pod
from lokeys.core.operate.reasons import reason_of
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.operate.volumes import volumes_that_stay
from lokeys.core.stack.render import names
from lokeys.core.stack.render.network import egress_ports
from lokeys.core.stack.render.sizes import replicas, replication_factor
from lokeys.core.stack.resource.fields.template import TEMPLATE_NAMES
from lokeys.core.stack.resource.model import Component, LokiStack, SchemaVersion
from lokeys.core.stack.resource.schemas import in_order
from lokeys.core.text.words import printable
from lokeys.core.trust.tries.verification import ConditionWords, condition_words

MAIN = ("Degraded", "Failed", "Pending", "Ready")
WARNING, VERIFIED = "Warning", "CredentialsVerified"
SHOWN_MESSAGE = 4096
SHOWN_PODS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The main condition, for events and columns."""

    type: str
    reason: str
    message: str


def status_of(
    snapshot: StackSnapshot, course: Decision, *, problems: Sequence[Finding] = ()
) -> dict[str, Any]:
    """Return the current status; equal to the snapshot's if nothing is new.

    `problems` are what the API server refused when the decision was applied.
    """
    before = snapshot.status
    stack = snapshot.view.stack
    told = main_condition(snapshot, course, problems)
    said: dict[str, Any] = {
        "conditions": _conditions(snapshot, told),
        "components": _components(snapshot, stack) or before.get("components") or {},
        "storage": _storage(snapshot, course),
    }
    network = _network(snapshot, course) or before.get("networkPolicyStatus")
    if network:
        said["networkPolicyStatus"] = network
    return {**before, **said}


def main_condition(
    snapshot: StackSnapshot, course: Decision, problems: Sequence[Finding] = ()
) -> Told:
    """Return the one of the four that is True."""
    faults = faults_of(snapshot, course, problems)
    if faults:
        text = "; ".join(map(_sentence, faults))
        return Told(type="Degraded", reason=reason_of(faults[0]), message=text[:SHOWN_MESSAGE])
    failed = [pod for pod in snapshot.pods if pod.state is LivePodState.FAILED]
    if failed:
        return Told(type="Failed", reason="FailedComponents", message=f"failed: {_named(failed)}")
    pending = _pending(snapshot, course)
    if pending:
        return Told(type="Pending", reason="PendingComponents", message=pending)
    kept = "".join(f"; {each}" for each in volumes_that_stay(snapshot))
    return Told(type="Ready", reason="ReadyComponents", message=f"all components are ready{kept}")


def _sentence(fault: Finding) -> str:
    return f"{fault.message} ({fault.code})"


def told_before(status: Mapping[str, Any]) -> Told | None:
    """Return the main condition in a status."""
    for each in status.get("conditions") or ():
        if each.get("type") in MAIN and each.get("status") == "True":
            return Told(
                type=each["type"], reason=each.get("reason", ""), message=each.get("message", "")
            )
    return None


def faults_of(
    snapshot: StackSnapshot, course: Decision, problems: Sequence[Finding]
) -> tuple[Finding, ...]:
    """Return every fault for which a stack is Degraded, the best explanation first."""
    errors = (each for each in snapshot.findings if each.is_error)
    every = (*forbidding(snapshot), *errors, *course.findings, *problems)
    return ranked(dict.fromkeys(every))


def _pending(snapshot: StackSnapshot, course: Decision) -> str:
    """Return what is awaited; empty if nothing is missing."""
    waiting = [
        pod for pod in snapshot.pods if pod.state in (LivePodState.PENDING, LivePodState.RUNNING)
    ]
    words = []
    if course.try_credentials:
        words.append("the changed credentials are being tried")
    if course.unproved:
        first = ", ".join(sorted(course.unproved))
        words.append(f"nobody could try the changed credentials: {first} is yet to use them")
    if course.awaited is not None:
        behind = ", ".join(each.value for each in course.waiting)
        after = f", then {behind}" if behind else ""
        words.append(f"awaiting {course.awaited.value}{after}")
    elif course.waiting:
        words.append(f"to be rolled: {', '.join(each.value for each in course.waiting)}")
    if waiting:
        words.append(f"not ready: {_named(waiting)}")
    return "; ".join(words)


def _named(pods: Sequence[Pod]) -> str:
    shown = [f"{pod.name} ({pod.reason})" if pod.reason else pod.name for pod in pods[:SHOWN_PODS]]
    more = len(pods) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _components(snapshot: StackSnapshot, stack: LokiStack | None) -> dict[str, Any]:
    """Return each component's pods by state."""
    if stack is None:
        return {}
    gateway = any(pod.component == _label(Component.GATEWAY) for pod in snapshot.pods)
    wanted = {*names.components(stack), *([Component.GATEWAY] if gateway else [])}
    return {
        word: _by_state(snapshot.pods, _label(component))
        for word, component in TEMPLATE_NAMES.items()
        if component in wanted
    }


def _label(component: Component) -> str:
    return "lokistack-gateway" if component is Component.GATEWAY else component.value


def _by_state(pods: Iterable[Pod], label: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pod in sorted(pods, key=lambda each: each.name):
        if pod.component == label:
            found.setdefault(pod.state.value, []).append(pod.name)
    return found


def _storage(snapshot: StackSnapshot, course: Decision) -> dict[str, Any]:
    """Return the mode, unchanged if it is unknown now, and the schemas that are applied."""
    before = snapshot.status.get("storage") or {}
    stack, mode = snapshot.view.stack, snapshot.view.mode
    said = dict(before)
    if mode is not None and not any(each.is_error for each in snapshot.unreadable):
        said["credentialMode"] = mode.value
    if stack is not None and course.configured:
        said["schemas"] = [
            {"version": each.version.value, "effectiveDate": each.effective_date.isoformat()}
            for each in in_order(stack.schemas)
        ]
    return said


def _network(snapshot: StackSnapshot, course: Decision) -> dict[str, Any] | None:
    stack, storage = snapshot.view.stack, snapshot.view.storage
    if stack is None or storage is None:
        return None
    if not course.restricted:
        return {"ruleSet": "None"} if snapshot.status.get("networkPolicyStatus") else None
    ports = list(egress_ports(stack, storage))
    return {"ruleSet": "RestrictIngressEgress", "objectStorageAllowedEgressPorts": ports}


def _conditions(snapshot: StackSnapshot, told: Told) -> list[dict[str, Any]]:
    """Return the main condition, those that were True before, warnings, and the test's result."""
    before = snapshot.status.get("conditions") or ()
    known = {each.get("type"): each for each in before}
    said = []
    for kind in MAIN:
        if kind == told.type:
            said.append(_condition(snapshot, kind, "True", told.reason, told.message, known))
        elif kind == "Ready":  # the one to wait for, and whose reason to read
            said.append(_condition(snapshot, kind, "False", told.reason, told.message, known))
        elif kind in known:
            old = known[kind]
            words = str(old.get("reason") or kind), str(old.get("message") or "")
            said.append(_condition(snapshot, kind, "False", *words, known))
    warnings = list(_warnings(snapshot))
    if warnings:
        text = "; ".join(message for _, message in warnings)
        said.append(_condition(snapshot, WARNING, "True", warnings[0][0], text, known))
    elif WARNING in known:
        reason = str(known[WARNING].get("reason") or WARNING)
        said.append(_condition(snapshot, WARNING, "False", reason, "", known))
    trial = snapshot.trial
    words_now = condition_words(
        trial.verifications if trial else (), previous=_words(known.get(VERIFIED))
    )
    said.append(
        _condition(snapshot, VERIFIED, words_now.status, words_now.reason, words_now.message, known)
    )
    return said


def _words(condition: Mapping[str, Any] | None) -> ConditionWords | None:
    if condition is None:
        return None
    return ConditionWords(
        status=str(condition.get("status")),
        reason=str(condition.get("reason")),
        message=str(condition.get("message") or ""),
    )


def _condition(  # noqa: PLR0913, PLR0917 - a condition has as many parts
    snapshot: StackSnapshot,
    kind: str,
    value: str,
    reason: str,
    message: str,
    known: Mapping[Any, Mapping[str, Any]],
) -> dict[str, Any]:
    old = known.get(kind, {})
    since = old.get("lastTransitionTime") if old.get("status") == value else None
    return {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": printable(message[:SHOWN_MESSAGE]),
        "observedGeneration": snapshot.generation,
        "lastTransitionTime": since or _text(snapshot.now),
    }


def _text(moment: datetime) -> str:
    return str(time_to_json(moment))


def _warnings(snapshot: StackSnapshot) -> Iterator[tuple[str, str]]:
    """Yield what is not a fault but should be known, by reason."""
    stack = snapshot.view.stack
    if stack is not None:
        if in_order(stack.schemas) and in_order(stack.schemas)[-1].version is not SchemaVersion.V13:
            yield "StorageNeedsSchemaUpdate", "the newest schema is older than v13: add one"
        wanted, factor = replicas(stack, Component.INGESTER), replication_factor(stack)
        if wanted <= factor:
            yield (
                "InsufficientIngesterReplicas",
                f"{wanted} ingester pods for a replication factor of {factor}: none may be missing",
            )
    account = list(rulers_account_changes(snapshot))
    unsupported = lokistacks.UNSUPPORTED_FIELD.code
    for reason, found in (
        ("RulersAccountChanges", account),
        ("UnsupportedField", [f for f in snapshot.findings if f.code == unsupported]),
        (
            "StorageWarning",
            [f for f in snapshot.findings if f.severity is Severity.WARNING],
        ),
    ):
        if found:
            text = "; ".join(map(_sentence, ranked(found)))
            yield reason, text[:SHOWN_MESSAGE]
