# SPDX-License-Identifier: Apache-2.0
"""A route's status as the resource shows it: conditions, hops, findings, the next step.

    Ready     True only if InSync and Verified are, no error is found, and every pod is Ready
    InSync    every hop that can be read holds the same pair
    Verified  each pod is proved to write with it (the reason says how)
    Stalled   only a person can continue (the reason is the cause)
    Rotating  a rotation is under way
    Bridged   a replaced key is valid again for a limited time

A time changes only together with what it belongs to: an unchanged status is not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lokeys.core.findings.finding import Finding, ref_to_json, time_to_json
from lokeys.core.place import Hop
from lokeys.core.route.diagnosis import Diagnosis
from lokeys.core.route.hops import HopView, first_disagreement, hop_to_json
from lokeys.core.route.key_state import Currency, Proof, Seen, evidence, seen
from lokeys.core.route.plan import Plan
from lokeys.core.route.rotation.age import key_since
from lokeys.core.route.rotation.gates import carries_both
from lokeys.core.route.rotation.model import under_way
from lokeys.core.route.snapshot import Snapshot
from lokeys.core.route.standing import is_overdue, is_there
from lokeys.core.sensitive import short
from lokeys.core.text.words import printable

_ENDS = frozenset({Hop.SOURCE, Hop.SECRET})
"""Without these two hops nothing can be said to agree; a vault may be unreadable by its kind."""

PODS_NOT_READY = "PodsNotReady"
"""The reason of Ready if the key is right everywhere and some pod does not serve (yet)."""

SHOWN_FINDINGS = 10
SHOWN_MESSAGE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One statement about a route."""

    type: str
    status: str  # True, False or Unknown
    reason: str
    message: str = ""


def camel(cause: str) -> str:
    """Return a cause as a condition's reason: `vault_behind_source` is `VaultBehindSource`."""
    return "".join(word.capitalize() for word in cause.split("_"))


def conditions(snapshot: Snapshot, diagnosis: Diagnosis, plan: Plan) -> tuple[Condition, ...]:
    """Return the conditions of a route: Ready, InSync, Verified, Stalled, Rotating, Bridged."""
    look = seen(snapshot)
    in_sync = _in_sync(diagnosis, on_purpose=carries_both(look))
    verified = _verified(look, in_sync)
    needed = (in_sync, verified) if not _rotates_well(look) else ()
    return (
        _ready(diagnosis, (*needed, _serving(snapshot)), verified),
        in_sync,
        verified,
        _stalled(plan),
        _rotating(snapshot, plan),
        _bridged(snapshot),
    )


def _rotates_well(look: Seen) -> bool:
    """Tell whether every key in use works, although hops differ during a rotation."""
    if not carries_both(look) or look.unseen is not None:
        return False
    return all(look.key(pod).works is not False for pod in look.pods)


def _rotating(snapshot: Snapshot, plan: Plan) -> Condition:
    """Return whether a rotation is under way: its phase as reason, the next step as message."""
    rotation = under_way(snapshot.memory.rotation)
    if rotation is None:
        return Condition(type="Rotating", status="False", reason="Idle")
    reason = "GoingBack" if rotation.back else rotation.phase.value
    message = _next_of(plan)
    return Condition(type="Rotating", status="True", reason=reason, message=message)


def _next_of(plan: Plan) -> str:
    step = plan.next_step
    return plan.reason or (f"{step.action.value} {step.target.path}: {step.why}" if step else "")


def _in_sync(diagnosis: Diagnosis, *, on_purpose: bool) -> Condition:
    told = [hop for hop in diagnosis.hops if hop.hop is not Hop.STORE]
    broken = first_disagreement(tuple(told))
    if broken is not None:
        causes = [f.cause for f in diagnosis.findings if f.hop is broken.hop and f.cause]
        return Condition(
            type="InSync",
            status="False",
            reason=camel(causes[0]) if causes else "Rotating" if on_purpose else "HopsDisagree",
            message=f"{broken.ref} disagrees",
        )
    blind = next((hop for hop in told if hop.hop in _ENDS and hop.fingerprint is None), None)
    if blind is not None:
        message = f"{blind.ref}: {blind.detail}"[:SHOWN_MESSAGE]
        return Condition(type="InSync", status="Unknown", reason="NotReadable", message=message)
    return Condition(type="InSync", status="True", reason="AllHopsAgree")


def _verified(snapshot: Seen, in_sync: Condition) -> Condition:
    proved = evidence(snapshot)
    if proved is not None and in_sync.status != "False":
        return Condition(type="Verified", status="True", reason=proved.value)
    waiting = [pod.ref.name for pod in snapshot.pods if snapshot.key(pod).proof is None]
    if snapshot.unseen is not None:
        waiting.append(f"the pods of {snapshot.unseen.ref}, which cannot be read")
    return Condition(
        type="Verified",
        status="False" if in_sync.status == "False" else "Unknown",
        reason="NotProved",
        message=f"not proved yet: {', '.join(waiting)}" if waiting else "",
    )


def _stalled(plan: Plan) -> Condition:
    gap, step = plan.hopeless, plan.next_step
    if gap is not None and (plan.stalled is None or plan.acts):
        said = f"{gap.ref} cannot be read, so nothing is begun: {gap.detail or gap.why}"
        return Condition(type="Stalled", status="True", reason="NotReadable", message=said)
    if plan.stalled is None or (step is not None and not step.passive):
        return Condition(type="Stalled", status="False", reason="Progressing")
    return Condition(type="Stalled", status="True", reason=camel(plan.stalled), message=plan.reason)


def _bridged(snapshot: Snapshot) -> Condition:
    """Return whether a bridge exists, as long as its end has not been seen."""
    bridge = snapshot.memory.bridge
    if bridge is None or is_there(snapshot, bridge) is False:
        return Condition(type="Bridged", status="False", reason="NoBridge")
    until = time_to_json(bridge.until)
    if is_overdue(snapshot):
        message = f"the old key should have been retired at {until}"
        return Condition(type="Bridged", status="True", reason="Overdue", message=message)
    if bridge.added_at is None:
        message = f"the old key is about to be valid again, until {until} at the latest"
        return Condition(type="Bridged", status="Unknown", reason="Planned", message=message)
    message = f"the old key is valid again, until {until} at the latest"
    return Condition(type="Bridged", status="True", reason="Standing", message=message)


def _serving(snapshot: Snapshot) -> Condition:
    """Return whether all containers of every pod are Ready; a proof serves no requests."""
    waiting = [f"{pod.ref.name} ({pod.containers_ready})" for pod in snapshot.pods if not pod.ready]
    if not waiting:
        return Condition(type="Serving", status="True", reason="PodsReady")
    message = f"not ready: {', '.join(waiting)}"[:SHOWN_MESSAGE]
    return Condition(type="Serving", status="Unknown", reason=PODS_NOT_READY, message=message)


def _ready(diagnosis: Diagnosis, needed: tuple[Condition, ...], verified: Condition) -> Condition:
    worst = diagnosis.cause
    if worst is not None:
        reason = camel(worst.cause) if worst.cause else worst.code
        message = f"{worst.message} ({worst.code})"[:SHOWN_MESSAGE]
        return Condition(type="Ready", status="False", reason=reason, message=message)
    short_of = next((each for each in needed if each.status != "True"), None)
    if short_of is None:
        reason = verified.reason if verified.status == "True" else "Rotating"
        return Condition(type="Ready", status="True", reason=reason)
    return Condition(
        type="Ready",
        status="Unknown" if short_of.status == "Unknown" else "False",
        reason=short_of.reason,
        message=short_of.message,
    )


def status(
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    plan: Plan,
    *,
    before: Mapping[str, Any],
    generation: int,
) -> dict[str, Any]:
    """Return the status for what was seen; equal to `before` if nothing changed.

    The keys `memory`, `history` and `lastHandled` are the caller's and are carried over.
    """
    proved = evidence(snapshot)
    step = plan.next_step
    return {
        **{key: before[key] for key in ("memory", "history", "lastHandled") if key in before},
        "observedGeneration": generation,
        "conditions": [
            _condition_to_json(condition, before, generation, snapshot.at)
            for condition in conditions(snapshot, diagnosis, plan)
        ],
        "hops": [_hop(view) for view in diagnosis.hops if view.hop is not Hop.PODS],
        "pods": _pods(seen(snapshot)),
        "findings": [_brief(finding) for finding in diagnosis.findings[:SHOWN_FINDINGS]],
        "nextStep": f"{step.action.value} {step.target.path}: {step.why}" if step else "",
        **_told({"keySince": time_to_json(key_since(snapshot.memory))}),
        **_bridge(snapshot),
        **_rotation(snapshot, plan),
        **_last_verified(proved, before, snapshot),
    }


def _rotation(snapshot: Snapshot, plan: Plan) -> dict[str, Any]:
    """Return the current or the last rotation, for people."""
    rotation = snapshot.memory.rotation
    if rotation is None:
        return {}
    shown = {
        "id": time_to_json(rotation.begun_at),
        "phase": rotation.phase.value if rotation.active else "Idle",
        "startedAt": time_to_json(rotation.begun_at),
        "phaseStartedAt": time_to_json(rotation.phase_since),
        "finishedAt": time_to_json(rotation.ended_at),
        "message": printable(_next_of(plan)[:SHOWN_MESSAGE]) if rotation.active else None,
    }
    return {"rotation": _told(shown)}


def _bridge(snapshot: Snapshot) -> dict[str, Any]:
    bridge = snapshot.memory.bridge
    if bridge is None or bridge.added_at is None:
        return {}
    shown = {
        "fingerprint": short(bridge.pair),
        "since": time_to_json(bridge.added_at),
        "until": time_to_json(bridge.until),
    }
    return {"bridge": shown}


def _condition_to_json(
    condition: Condition, before: Mapping[str, Any], generation: int, now: datetime
) -> dict[str, Any]:
    known: Mapping[str, Any] = next(
        (c for c in before.get("conditions") or () if c.get("type") == condition.type), {}
    )
    since = known.get("lastTransitionTime") if known.get("status") == condition.status else None
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": printable(condition.message[:SHOWN_MESSAGE]),
        "observedGeneration": generation,
        "lastTransitionTime": since or time_to_json(now),
    }


def _hop(view: HopView) -> dict[str, Any]:
    """Return a hop without the time of External Secrets' last refresh, which changes by itself."""
    still = replace(view, since=None) if view.hop is Hop.DELIVERY else view
    return _told(hop_to_json(still))


def _pods(snapshot: Seen) -> list[dict[str, Any]]:
    words = {Currency.CURRENT: True, Currency.BEHIND: False, Currency.UNKNOWN: None}
    rows = []
    for pod in sorted(snapshot.pods, key=lambda pod: pod.ref.name):
        proved = snapshot.key(pod).proof
        current = words[snapshot.key(pod).currency]
        row: dict[str, Any] = {
            "name": pod.ref.name,
            "startedAt": time_to_json(pod.started_at),
            "current": current,
            "proved": proved is not None,
        }
        rows.append(_told(row))
    return rows


def _brief(finding: Finding) -> dict[str, Any]:
    """Return a finding without what changes at every look (counts, times)."""
    brief = {
        "code": finding.code,
        "cause": finding.cause,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "hop": finding.hop.value if finding.hop else None,
        "object": ref_to_json(finding.object),
        "message": finding.message[:SHOWN_MESSAGE],
    }
    return _told(brief)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known: the API server does not accept nulls here."""
    kept = {key: value for key, value in row.items() if value is not None}
    return {k: _told(v) if isinstance(v, dict) else v for k, v in kept.items()}


def _last_verified(
    proved: Proof | None, before: Mapping[str, Any], snapshot: Snapshot
) -> dict[str, Any]:
    """Return when the route was last proved; the time changes only with the evidence."""
    known = before.get("lastVerified")
    if proved is None or snapshot.secret is None:
        return {"lastVerified": known} if known else {}
    said = f"{proved.value} {short(snapshot.secret.pair.pair)}"
    if known and known.get("evidence") == said:
        return {"lastVerified": known}
    return {"lastVerified": {"time": time_to_json(snapshot.at), "evidence": said}}
