# SPDX-License-Identifier: Apache-2.0
"""External Secrets' rules as measured: when it reads the vault again, and what it writes. Pure."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from lokeys.core.text.durations import go_duration
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kube_views import at

PREFIX = "reconcile.external-secrets.io/"
MANAGED, CREATED_BY, DATA_HASH = f"{PREFIX}managed", f"{PREFIX}created-by", f"{PREFIX}data-hash"
FINALIZER = "externalsecrets.external-secrets.io/externalsecret-cleanup"

_BACKOFF_S = (0.1, 1.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 420.0)


def format_duration(duration: timedelta) -> str:
    """Return a duration as Go writes it: `1h0m0s`."""
    total = duration.total_seconds()
    if 0 < abs(total) < 1:
        return f"{total * 1000:g}ms"
    hours, rest = divmod(abs(total), 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{seconds:g}s"
    if hours or minutes:
        text = f"{minutes:g}m{text}"
    return ("-" if total < 0 else "") + (f"{hours:g}h{text}" if hours else text)


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row (the first: 1)."""
    return _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]


def digest(value: object) -> str:
    """Return a short hash of some JSON."""
    return hashlib.sha3_224(json.dumps(value, sort_keys=True).encode()).hexdigest()


def synced_version(external: Json) -> str:
    """Return what `status.syncedResourceVersion` is once this ExternalSecret is synced."""
    meta = external["metadata"]
    marks = [meta.get("labels") or {}, meta.get("annotations") or {}]
    return f"{meta['generation']}-{digest(marks)}"


def target_name(external: Json) -> str:
    """Return the name of the Secret that it makes."""
    return str(at(external, "spec.target.name") or external["metadata"]["name"])


def should_refresh(external: Json, now: datetime) -> bool:
    """Tell whether the vault is read again, apart from what the target says."""
    synced = at(external, "status.syncedResourceVersion", "")
    refreshed = at(external, "status.refreshTime")
    policy: str = at(external, "spec.refreshPolicy", "Periodic")
    if not synced or not refreshed:
        return True
    changed = synced != synced_version(external)
    if policy != "Periodic":
        return policy == "OnChange" and changed
    interval = go_duration(external["spec"]["refreshInterval"])
    if interval is None or interval <= timedelta(0):
        return False
    return changed or datetime.fromisoformat(refreshed) + interval <= now


def is_valid(external: Json, target: Json | None) -> bool:
    """Tell whether the target is as it was left; Orphan is never looked at again."""
    if at(external, "spec.target.creationPolicy", "Owner") in {"Orphan", "None"}:
        return True
    if target is None:
        return False
    meta = target["metadata"]
    if (meta.get("labels") or {}).get(MANAGED) != "true":
        return False
    noted: str | None = (meta.get("annotations") or {}).get(DATA_HASH)
    return noted == digest(target.get("data") or {})


def owned_by_another(external: Json, target: Json) -> bool:
    """Tell whether another ExternalSecret owns the target."""
    return any(
        owner.get("controller")
        and owner["kind"] == "ExternalSecret"
        and owner["uid"] != external["metadata"]["uid"]
        for owner in target["metadata"].get("ownerReferences", [])
    )


def desired(external: Json, target: Json | None, data: dict[str, str]) -> Json:
    """Return the Secret that is written; `data` is base64."""
    meta, spec = external["metadata"], external["spec"]["target"]
    policy = spec["creationPolicy"]
    new: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": target_name(external), "namespace": meta["namespace"]},
        **(target or {}),
    }
    new["data"] = data if policy == "Owner" else {**(new.get("data") or {}), **data}
    copied = (spec.get("template") or {}).get("metadata", {}) if "template" in spec else meta
    labels = {**(new["metadata"].get("labels") or {}), **(copied.get("labels") or {})}
    notes = {**(new["metadata"].get("annotations") or {}), **(copied.get("annotations") or {})}
    labels[MANAGED] = "true"
    notes[DATA_HASH] = digest(new["data"])
    new["metadata"] = new["metadata"] | {"labels": labels, "annotations": notes}
    if policy == "Owner":
        labels[CREATED_BY] = digest(f"{meta['namespace']}/{meta['name']}")
        owner = {"apiVersion": external["apiVersion"], "kind": "ExternalSecret"}
        owner |= {"name": meta["name"], "uid": meta["uid"]}
        owner |= {"controller": True, "blockOwnerDeletion": True}
        new["metadata"]["ownerReferences"] = [owner]
    if spec.get("immutable"):
        new["immutable"] = True
    return new
