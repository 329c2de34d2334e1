# SPDX-License-Identifier: Apache-2.0
"""What a StorageCredential in the cluster asks of the operator, and what its status said before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lokeys.core.findings.finding import time_to_json
from lokeys.core.kubernetes.json_fields import at, moment_at
from lokeys.core.route.model import Mode, RouteSpec
from lokeys.core.route.plan import Step
from lokeys.core.route.resource.parse import INVALID, Refused
from lokeys.core.route.standing import owes_an_end

PAUSED = "lokeys.dev/paused"
RECONCILE = "lokeys.dev/reconcile"


def left_alone(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a resource that is deleted or paused needs nothing from the operator.

    A bridge does: its end was promised to the source's owner, whoever stops the rest of the route.
    So does the second key of a rotation, if the finalizer keeps a deleted resource.
    """
    return stands_still(manifest) and not owes_an_end(manifest)


def goes(manifest: Mapping[str, Any]) -> bool:
    """Tell whether the resource is being deleted."""
    return bool(manifest["metadata"].get("deletionTimestamp"))


def stands_still(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a person has paused the resource, or deleted it."""
    return _is_paused(manifest) or goes(manifest)


def _is_paused(manifest: Mapping[str, Any]) -> bool:
    return (manifest["metadata"].get("labels") or {}).get(PAUSED) == "true"


def may_do(step: Step, spec: RouteSpec, manifest: Mapping[str, Any]) -> bool:
    """Tell whether the operator may do a step; it must end a bridge in any case.

    A rotation of a resource that is being deleted is completed in every mode.
    """
    if step.ends_a_bridge:
        return True
    if _is_paused(manifest):
        return False
    return owes_an_end(manifest) if goes(manifest) else spec.mode is not Mode.OBSERVE


def asked_anew(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a person has asked for a new look that has not happened yet."""
    asked = manifest["metadata"].get("annotations", {}).get(RECONCILE)
    handled = (manifest.get("status") or {}).get("lastHandled", {}).get("reconcile")
    return asked is not None and asked != handled


def told_before(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Return status and reason of Ready as the status has them."""
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, str] = next((c for c in conditions if c.get("type") == "Ready"), {})
    return ready.get("status", ""), ready.get("reason", "")


def bridged_before(manifest: Mapping[str, Any]) -> str:
    """Return whether a bridge existed when the status was written."""
    return "stands" if at(manifest, "status", "bridge") is not None else ""


def bridge_until_before(manifest: Mapping[str, Any]) -> datetime | None:
    """Return the end of the bridge in the status, if there is one."""
    stands = at(manifest, "status", "memory", "bridge", "addedAt") is not None
    return moment_at(manifest, "status", "memory", "bridge", "until") if stands else None


def same_wish(then: Mapping[str, Any], now: Mapping[str, Any] | None) -> bool:
    """Tell whether the resource still asks for what a heal was started for."""
    if now is None:
        return False
    same = all(now["metadata"][part] == then["metadata"][part] for part in ("uid", "generation"))
    return same and stands_still(now) == stands_still(then)


def refused_status(
    manifest: Mapping[str, Any], refused: Exception, now: datetime
) -> dict[str, Any]:
    """Return the status of a resource that is not a valid route."""
    before = manifest.get("status") or {}
    generation = manifest["metadata"]["generation"]
    known = {c["type"]: c for c in before.get("conditions") or ()}
    owed = "; nobody ends its bridge meanwhile: remove the old key at the store"
    said = str(refused)[:800] + owed * owes_an_end(manifest)

    def condition(kind: str, value: str) -> dict[str, Any]:
        same = known.get(kind, {}).get("status") == value
        return {
            "type": kind,
            "status": value,
            "reason": refused.reason if isinstance(refused, Refused) else INVALID,
            "message": said[:1024],
            "observedGeneration": generation,
            "lastTransitionTime": known[kind]["lastTransitionTime"] if same else time_to_json(now),
        }

    survives = ("memory", "history", "lastHandled", "bridge")
    kept = {name: before[name] for name in survives if name in before}
    conditions = [condition("Ready", "False"), condition("Stalled", "True")]
    conditions += [known["Bridged"]] if "bridge" in kept and "Bridged" in known else []
    return {**kept, "observedGeneration": generation, "conditions": conditions}
