# SPDX-License-Identifier: Apache-2.0
"""The objects of LokiStacks, reduced to what decisions depend on.

A few hundred bytes are kept of a live object: digests of the part that we own instead of the part
itself, so that thousands of stacks fit into memory.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, moment_at, number_at, text_at
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_BYTES, MAX_LOKI_CONFIG_VALUES
from lokeys.core.operate.intents import (
    MANAGER,
    OWNER,
    OWNER_UID,
    digest,
    fixed_of,
    images_of,
    kept_images,
    marks_of,
)
from lokeys.core.operate.kept import KeptTemplate, ReadConfig, kept_in, read_config_in
from lokeys.core.operate.live import Live, LivePodState, LiveWorkload, Pod, Rollout
from lokeys.core.operate.meaning import as_expanded, meaning_of
from lokeys.core.place import Ref, is_name
from lokeys.core.stack.render import names
from lokeys.core.stack.resource.model import KIND
from lokeys.kube import resources
from lokeys.kube.client import Object
from lokeys.kube.ownership import managers, owned_by
from lokeys.kube.resources import CONFIG_MAP, POD

LABELS = "app.kubernetes.io/managed-by=lokistack-controller"
INSTANCE = "app.kubernetes.io/instance"
SEEN, STACK = "seen", "stack"
"""Keys in a trimmed object: what was read of it, and namespace and name of its stack."""
KINDS = {
    resource.kind: resource
    for resource in (
        resources.CONFIG_MAP,
        resources.SERVICE,
        resources.SERVICE_ACCOUNT,
        resources.DEPLOYMENT,
        resources.STATEFUL_SET,
        resources.POD_DISRUPTION_BUDGET,
        resources.NETWORK_POLICY,
        resources.INGRESS,
        resources.CLUSTER_ROLE,
        resources.CLUSTER_ROLE_BINDING,
        resources.ROUTE,
        resources.CREDENTIALS_REQUEST,
    )
}
"""Every kind that a stack can contain."""
OPTIONAL = frozenset(
    resource.kind
    for resource in (
        resources.ROUTE,
        resources.CREDENTIALS_REQUEST,
        resources.CLUSTER_ROLE,
        resources.CLUSTER_ROLE_BINDING,
    )
)
"""Kinds that only some stacks contain, and that only some clusters have or grant."""
USUAL = (*(kind for kind in KINDS if kind not in OPTIONAL), POD.kind)
WORKLOADS = ("Deployment", "StatefulSet")
_WITH_FORMERS = (*WORKLOADS, CONFIG_MAP.kind)
_CONFIG_FILE = "config.yaml"
_FAILED = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


@dataclass(frozen=True, slots=True)
class Former:
    """What another operator owns of an object, and when it last changed that."""

    part: Object
    since: datetime | None


def trimmed(obj: Object, *, known: Live | None = None) -> Object:
    """Return an object reduced to its identity and, under `seen`, what was read of it.

    `known` is what was read of this very version before.
    """
    metadata = obj["metadata"]
    kept = {
        name: metadata[name]
        for name in ("name", "namespace", "resourceVersion")
        if name in metadata
    }
    return {
        "metadata": kept,
        STACK: _stack_of(obj),
        SEEN: pod_of(obj) if obj.get("kind") == POD.kind else known or live_of(obj),
    }


def _stack_of(obj: Json) -> tuple[str, str]:
    """Return namespace and name of an object's stack, by its labels."""
    namespace = text_at(obj, "metadata", "namespace")
    if namespace:
        return namespace, text_at(obj, "metadata", "labels", INSTANCE)
    owner, _, name = str(at(obj, "metadata", "annotations", OWNER) or "").partition("/")
    return owner, name


def live_of(obj: Json) -> Live:
    """Return what decisions depend on in an object."""
    own = owned_by(dict(obj), MANAGER)
    former = _formers(dict(obj)) if own is None and obj.get("kind") in _WITH_FORMERS else None
    return Live(
        ref=Ref(
            text_at(obj, "kind"),
            text_at(obj, "metadata", "name"),
            text_at(obj, "metadata", "namespace") or None,
        ),
        uid=text_at(obj, "metadata", "uid"),
        version=text_at(obj, "metadata", "resourceVersion"),
        owners=_owners(obj),
        content=None if own is None else digest(own),
        terminating=bool(at(obj, "metadata", "deletionTimestamp")),
        workload=_workload(obj, own, former) if obj.get("kind") in WORKLOADS else None,
        config=_config(own, former) if obj.get("kind") == CONFIG_MAP.kind else None,
        host=_host(obj) if obj.get("kind") == resources.ROUTE.kind else "",
    )


def _host(route: Json) -> str:
    """Return a Route's host; an editor of it may have written anything."""
    host = text_at(route, "spec", "host")
    return host if is_name(host) else ""


def _formers(obj: Object) -> Former | None:
    """Return what its former operator owns of an object; None if nobody has written it."""
    entries = inherited(obj)
    if entries is None:
        return None
    part = owned_by({**obj, "metadata": {**obj["metadata"], "managedFields": entries}}, MANAGER)
    return Former(part or {}, moment_at(entries[-1], "time"))


def _config(own: Object | None, former: Former | None) -> ReadConfig | None:
    """Return the meaning of a Loki configuration that pods have read before ours."""
    if own is not None:
        return read_config_in(own)
    text = text_at(former.part, "data", _CONFIG_FILE) if former else ""
    if former is None or former.since is None or not text:
        return None
    within = len(text) <= MAX_LOKI_CONFIG_BYTES
    said = built(as_expanded(text), max_values=MAX_LOKI_CONFIG_VALUES) if within else None
    means = meaning_of(said) if isinstance(said, dict) else ""
    return ReadConfig(means=means, since=former.since)


def _owners(obj: Json) -> dict[str, Ref]:
    """Return an object's owners by their uids; without a namespace, the stack that it names."""
    namespace = text_at(obj, "metadata", "namespace")
    if namespace:
        return {
            text_at(each, "uid"): _shared_ref(
                text_at(each, "kind"), text_at(each, "name"), namespace
            )
            for each in mappings_at(obj, "metadata", "ownerReferences")
        }
    (owner, name), uid = _stack_of(obj), text_at(obj, "metadata", "annotations", OWNER_UID)
    if not (owner and name):
        return {uid: Ref(KIND, uid)} if uid else {}
    return {uid: _shared_ref(KIND, name, owner)}


@functools.lru_cache(maxsize=4096)
def _shared_ref(kind: str, name: str, namespace: str) -> Ref:
    """Return one shared Ref for these words: all objects of a stack use it."""
    return Ref(kind, name, namespace)


def _workload(obj: Json, own: Object | None, former: Former | None) -> LiveWorkload:
    template = at(own, "spec", "template")
    stateful = obj["kind"] == "StatefulSet"
    kept = kept_in(own) if own is not None else _unkept(former)
    status = ("status",)
    return LiveWorkload(
        component=text_at(obj, "metadata", "labels", names.COMPONENT_LABEL),
        rollout=Rollout(
            generation=number_at(obj, "metadata", "generation"),
            observed=number_at(obj, *status, "observedGeneration"),
            wanted=number_at(obj, "spec", "replicas", default=1),
            current=number_at(obj, *status, "replicas"),
            updated=number_at(obj, *status, "updatedReplicas"),
            ready=number_at(obj, *status, "readyReplicas"),
            revision=text_at(obj, *status, "updateRevision") if stateful else "",
        ),
        template=None if template is None else digest(template),
        marks=kept.marks if own is not None and kept is not None else marks_of(obj),
        kept=kept,
        fixed=_bare_claims(fixed_of(obj)),
        images=images_of(obj) if own is None else kept_images(obj),
        account=text_at(obj, "spec", "template", "spec", "serviceAccountName"),
    )


def _unkept(former: Former | None) -> KeptTemplate | None:
    """Return the template of a workload that another operator has."""
    template = at(former.part, "spec", "template") if former else None
    if former is None or template is None:
        return None
    text = json.dumps(template, separators=(",", ":"))
    return KeptTemplate(text=text, since=former.since)


def _bare_claims(fixed: dict[str, Any]) -> dict[str, Any]:
    """Return claim templates without the status that the API server adds."""
    claims = fixed.get("volumeClaimTemplates")
    if claims is None:
        return fixed
    bare = [{k: v for k, v in claim.items() if k != "status"} for claim in claims]
    return {**fixed, "volumeClaimTemplates": bare}


def pod_of(obj: Json) -> Pod:
    """Return what decisions depend on in a pod."""
    state, reason = _state(obj)
    ready = _ready(obj)
    since = moment_at(ready, "lastTransitionTime") or moment_at(
        obj, "metadata", "creationTimestamp"
    )
    return Pod(
        name=text_at(obj, "metadata", "name"),
        uid=text_at(obj, "metadata", "uid"),
        component=text_at(obj, "metadata", "labels", names.COMPONENT_LABEL),
        state=state,
        reason=reason,
        revision=text_at(obj, "metadata", "labels", "controller-revision-hash"),
        address=text_at(obj, "status", "podIP"),
        unready_since=None if state is LivePodState.READY else since,
        terminating=bool(at(obj, "metadata", "deletionTimestamp")),
    )


def _state(obj: Json) -> tuple[LivePodState, str]:
    reasons = [
        text_at(status, "state", "waiting", "reason")
        for part in ("initContainerStatuses", "containerStatuses")
        for status in mappings_at(obj, "status", part)
    ]
    waits = next((reason for reason in reasons if reason), "")
    match text_at(obj, "status", "phase"):
        case "Failed":
            return LivePodState.FAILED, text_at(obj, "status", "reason")
        case "Running" if text_at(_ready(obj), "status") == "True":
            return LivePodState.READY, ""
        case "Pending" | "Running" if waits in _FAILED:
            return LivePodState.FAILED, waits
        case "Running":
            return LivePodState.RUNNING, waits
        case "Pending":
            return LivePodState.PENDING, waits
    return LivePodState.UNKNOWN, ""


def _ready(obj: Json) -> Json:
    conditions = mappings_at(obj, "status", "conditions")
    return next((each for each in conditions if text_at(each, "type") == "Ready"), {})


def inherited(obj: Object) -> list[Mapping[str, Any]] | None:
    """Return `managedFields` in which the former manager's fields are ours by apply.

    The former manager is the one with most fields; None if nobody has set anything.
    """
    entries = obj["metadata"].get("managedFields") or []
    former = max(managers(obj), key=_size, default=None)
    if former is None:
        return None
    ours = {
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": former.get("apiVersion"),
        "time": former.get("time"),
        "fieldsType": "FieldsV1",
        "fieldsV1": former.get("fieldsV1"),
    }
    return [*(each for each in entries if each is not former), ours]


def _size(entry: Mapping[str, Any]) -> int:
    def count(fields: Any) -> int:
        return 1 + sum(map(count, fields.values())) if isinstance(fields, Mapping) else 0

    return count(entry.get("fieldsV1"))
