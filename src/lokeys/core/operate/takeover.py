# SPDX-License-Identifier: Apache-2.0
"""Taking over a running stack from the Loki Operator: object by object, before anything is done.

live objects ─┬─▶ what stays, what changes, which pods are replaced and why
snapshot ─────┤
              └─▶ what would be lost ──▶ refused, unless a person accepts each by its name
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lokeys.core.findings.catalogue import adoption
from lokeys.core.findings.finding import Finding, finding_to_json
from lokeys.core.findings.report import report
from lokeys.core.kubernetes.json_fields import at
from lokeys.core.operate.adoption import rulers_account_changes
from lokeys.core.operate.changes import Change, ObjectChange, change_of
from lokeys.core.operate.decision import as_possible, forbidding, plan, with_what_is_fixed
from lokeys.core.operate.intents import Intent
from lokeys.core.operate.keeping import CONFIG, CREDENTIALS, replaced_for
from lokeys.core.operate.losses import LiveStack, Loss, losses
from lokeys.core.operate.meaning import said_otherwise
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.operate.volumes import KeptVolume, volumes_that_stay
from lokeys.core.place import Ref
from lokeys.core.stack.render.config import loki_config
from lokeys.core.stack.render.login import BACK_TO
from lokeys.core.stack.resource.model import Component
from lokeys.core.stack.storage.wording import tell

_NEW_COOKIES = "who is logged in with a browser logs in again"
_REASONS = (
    (CREDENTIALS, "credentials that were written after its pods may have started"),
    ("spec.template.metadata.annotations.loki.grafana.com/config-hash", "another configuration"),
    ("spec.template.metadata.annotations", "hashes by which lokeys rolls pods"),
    ("spec.template.metadata.name", "a name of the template"),
    ("spec.template.metadata.labels", "labels"),
    ("spec.template.spec.serviceAccountName", "an account of its own"),
    ("spec.template.spec.automountServiceAccountToken", "no token of the API server"),
    ("spec.template.spec.nodeSelector", "nodes, chosen by a label"),
    ("spec.template.spec.affinity", "nodes, chosen by a label"),
    ("spec.template.spec.topologySpreadConstraints", "zones"),
    ("spec.template.spec.securityContext", "Pod Security `restricted`"),
    ("spec.template.spec.volumes[rules]", "where it finds its rules"),
    ("spec.template.spec.volumes", "volumes"),
    ("spec.template.spec.initContainers", "what runs before"),
)
_OF_CONTAINER = (
    ("securityContext", "Pod Security `restricted`"),
    ("volumeMounts", "volumes"),
    ("args", "arguments"),
    ("env", "variables"),
    ("Probe", "probes"),
    ("ports", "ports"),
    ("image", "images"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadChange:
    """One workload; `why` says briefly why its pods are replaced; empty if they are not."""

    ref: Ref
    component: Component
    pods: int
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverPlan:
    """What taking a stack over means."""

    stack: Ref
    objects: tuple[ObjectChange, ...] = ()
    workloads: tuple[WorkloadChange, ...] = ()
    volumes: tuple[KeptVolume, ...] = ()
    """Claim templates that stay although the spec asks for others."""
    losses: tuple[Loss, ...] = ()
    accepted: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    not_read: tuple[str, ...] = ()

    @property
    def restarts(self) -> tuple[WorkloadChange, ...]:
        """Return the workloads whose pods are replaced."""
        return tuple(each for each in self.workloads if each.why)

    @property
    def lossless(self) -> bool:
        """Tell whether nothing is lost. What could not be read may hide a loss."""
        return not self.losses and not self.not_read and not self.refused

    @property
    def refused(self) -> bool:
        """Tell whether the stack must not be taken over as it is."""
        return any(finding.is_error for finding in self.findings)


def takeover_plan(
    snapshot: StackSnapshot, live: LiveStack, *, accepted: frozenset[str] = frozenset()
) -> TakeoverPlan:
    """Return what happens to a live stack, based on what lokeys would apply."""
    stack, storage, there = snapshot.view.stack, snapshot.view.storage, live.objects
    intents = plan(snapshot)
    if stack is None or storage is None or intents is None:
        findings = tuple(forbidding(snapshot))
        return TakeoverPlan(stack=snapshot.ref, findings=findings, not_read=live.not_read)
    possible = as_possible(intents, snapshot)
    found = tuple(losses(stack, live))
    changes = tuple(change_of(each, there.get(each.ref)) for each in possible)
    return TakeoverPlan(
        stack=snapshot.ref,
        objects=tuple(sorted(changes, key=lambda each: each.ref)),
        workloads=tuple(
            WorkloadChange(
                ref=intent.ref,
                component=intent.component,
                pods=intent.manifest["spec"]["replicas"],
                why=tuple(_why(snapshot, live, intent, change)) if change.restarts else (),
            )
            for intent, change in zip(
                with_what_is_fixed(intents, snapshot.objects), changes, strict=True
            )
            if intent.component is not None
        ),
        volumes=tuple(volumes_that_stay(snapshot)),
        losses=found,
        accepted=accepted,
        findings=(
            *(_would_be_lost(snapshot, loss) for loss in found if loss.name not in accepted),
            *rulers_account_changes(snapshot),
        ),
        not_read=live.not_read,
    )


def _would_be_lost(snapshot: StackSnapshot, loss: Loss) -> Finding:
    words = {"what": loss.what, "loss": loss.name}
    return tell(adoption.WOULD_BE_LOST, loss.place, stack=snapshot.ref, words=words)


def _config_change(snapshot: StackSnapshot, live: LiveStack) -> str:
    """Return briefly where the meaning of Loki's configuration changes."""
    stack, storage = snapshot.view.stack, snapshot.view.storage
    ours = loki_config(stack, storage, now=snapshot.now) if stack and storage else {}
    places = said_otherwise(live.config, ours)
    return f"another configuration ({', '.join(places)})" if places else "another configuration"


def _why(
    snapshot: StackSnapshot, live: LiveStack, intent: Intent, change: ObjectChange
) -> Iterator[str]:
    """Yield briefly, each once, why a workload's pods are replaced, and what that means."""
    paths = replaced_for(snapshot, intent)
    if paths is None:
        paths = tuple(path for path in change.fields if path.startswith("spec.template"))
    config = _config_change(snapshot, live) if CONFIG in paths else ""
    yield from dict.fromkeys(config if path == CONFIG else _reason(path) for path in paths)
    if intent.component is Component.GATEWAY and _has_logins(snapshot, live):
        yield _NEW_COOKIES


def _has_logins(snapshot: StackSnapshot, live: LiveStack) -> bool:
    """Tell whether OpenShift sends browsers back to the running gateway."""
    name = f"{snapshot.ref.name}-gateway"
    account = live.objects.get(Ref("ServiceAccount", name, snapshot.ref.namespace))
    annotations = at(account, "metadata", "annotations")
    return any(str(key).startswith(BACK_TO) for key in annotations or ())


def _reason(path: str) -> str:
    if path.startswith("spec.template.spec.containers"):
        _, _, rest = path.partition("].")
        return next((word for part, word in _OF_CONTAINER if part in rest), "another container")
    return next((word for part, word in _REASONS if path.startswith(part)), path)


def takeover_report(found: TakeoverPlan) -> dict[str, Any]:
    """Return the plan in the form for other programs."""
    return report(
        "TakeoverPlan",
        stack={"namespace": found.stack.namespace, "name": found.stack.name},
        refused=found.refused,
        lossless=found.lossless,
        objects=[
            {**_object(each.ref), "change": each.change.value, "fields": list(each.fields)}
            for each in found.objects
        ],
        workloads=[
            {
                "component": each.component.value,
                **_object(each.ref),
                "pods": each.pods,
                "restarts": bool(each.why),
                "why": list(each.why),
            }
            for each in found.workloads
        ],
        volumes=[
            {
                **_object(each.workload),
                "claim": each.claim,
                "found": each.found,
                "wanted": each.wanted,
            }
            for each in found.volumes
        ],
        losses=[
            {
                "loss": each.name,
                "what": each.what,
                "object": _object(each.place),
                "accepted": each.name in found.accepted,
            }
            for each in found.losses
        ],
        complete=not found.not_read,
        notRead=list(found.not_read),
        findings=[finding_to_json(finding) for finding in found.findings],
    )


def _object(ref: Ref) -> dict[str, Any]:
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


__all__ = ["Change", "TakeoverPlan", "takeover_plan", "takeover_report"]
