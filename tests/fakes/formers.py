# SPDX-License-Identifier: Apache-2.0
"""A stack that the Loki Operator runs, as an API server keeps it, and as a takeover sees it."""

import json
from dataclasses import replace
from typing import Any

from fakes.stacks import UID, StackWorld
from lokeys.adapters.kubernetes.stack_objects import live_of
from lokeys.core.operate.intents import MANAGER
from lokeys.core.operate.losses import LiveStack
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from manifests.former import Former
from manifests.lokistack import NOW

Json = dict[str, Any]
KEYS = (("name",), ("containerPort", "protocol"), ("port", "protocol"), ("mountPath",))


def kept(manifest: Json, *, manager: str = "manager", operation: str = "Update") -> Json:
    """Return an object as an API server keeps it that somebody has written whole."""
    metadata = manifest["metadata"]
    owned = {
        **{k: v for k, v in manifest.items() if k not in ("apiVersion", "kind", "metadata")},
        "metadata": {k: v for k, v in metadata.items() if k in ("labels", "annotations")},
    }
    entry = {
        "manager": manager,
        "operation": operation,
        "time": NOW.isoformat(),
        "fieldsV1": fields_of(owned),
    }
    owner = {"kind": "LokiStack", "name": "my-stack", "uid": UID, "controller": True}
    added = {"uid": "u", "resourceVersion": "1", "managedFields": [entry]}
    return {**manifest, "metadata": {**metadata, **added, "ownerReferences": [owner]}}


def fields_of(value: Any) -> Json:
    """Return who-owns-what of a value, as `fieldsV1` has it."""
    if isinstance(value, dict):
        return {f"f:{key}": fields_of(item) for key, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        found = {}
        for each in value:
            key = next((k for k in KEYS if set(k) <= set(each)), None)
            if key is None:
                return {}
            found[f"k:{json.dumps({k: each[k] for k in key})}"] = {".": {}, **fields_of(each)}
        return found
    return {}


def taken_from(former: Former, world: StackWorld, **live: Any) -> tuple[StackSnapshot, LiveStack]:
    """Return a stack of the Loki Operator's as `lokeys takeover` looks at it."""
    found = [kept(each) for each in former.objects()]
    refs = {
        Ref(each["kind"], each["metadata"]["name"], each["metadata"]["namespace"]): each
        for each in found
    }
    ours = {ref: kept_by_us(each) for ref, each in refs.items()}
    snapshot = world.snapshot(objects={ref: live_of(each) for ref, each in refs.items()})
    return snapshot, replace(LiveStack(objects=ours, config=former.config()), **live)


def kept_by_us(manifest: Json) -> Json:
    """Return an object in which the former operator's fields have become ours."""
    (entry,) = manifest["metadata"]["managedFields"]
    ours = {**entry, "manager": MANAGER, "operation": "Apply"}
    return {**manifest, "metadata": {**manifest["metadata"], "managedFields": [ours]}}
