# SPDX-License-Identifier: Apache-2.0
"""The objects of LokiStacks: read to what decisions hang on, and written with one field manager.

What is kept of a live object is a few hundred bytes: digests of the part that we own instead of the
part itself, so that thousands of stacks fit into memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokeys.adapters.cluster import moment_at
from lokeys.core.json_fields import Json, at, mappings_at, number_at, text_at
from lokeys.core.loki import names
from lokeys.core.model import Ref
from lokeys.core.operate.intents import (
    MANAGER,
    OWNER,
    OWNER_UID,
    Intent,
    digest,
    fixed_of,
    marks_of,
)
from lokeys.core.operate.live import Live, Pod, PodState, Rollout, Workload
from lokeys.errors import Conflict, NotFound
from lokeys.kube import resources
from lokeys.kube.client import Api, Object
from lokeys.kube.ownership import managers, owned_by
from lokeys.kube.resources import POD

LABELS = "app.kubernetes.io/managed-by=lokistack-controller"
INSTANCE = "app.kubernetes.io/instance"
SEEN, STACK = "seen", "stack"
"""Where a trimmed object keeps what was read of it, and namespace and name of its stack."""
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
"""Every kind that a stack can be made of."""
OPTIONAL = frozenset(
    resource.kind
    for resource in (
        resources.ROUTE,
        resources.CREDENTIALS_REQUEST,
        resources.CLUSTER_ROLE,
        resources.CLUSTER_ROLE_BINDING,
    )
)
"""Those that only some stacks are made of, and that only some clusters know or grant."""
USUAL = (*(kind for kind in KINDS if kind not in OPTIONAL), POD.kind)
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


def trimmed(obj: Object, *, known: Live | None = None) -> Object:
    """Return an object cut down to its identity and, under `seen`, what was read of it.

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
    """Return namespace and name of the stack whose an object is, by its labels."""
    namespace = text_at(obj, "metadata", "namespace")
    if namespace:
        return namespace, text_at(obj, "metadata", "labels", INSTANCE)
    owner, _, name = str(at(obj, "metadata", "annotations", OWNER) or "").partition("/")
    return owner, name


def live_of(obj: Json) -> Live:
    """Return what decisions hang on of an object."""
    own = owned_by(dict(obj), MANAGER)
    owners = {text_at(owner, "uid") for owner in mappings_at(obj, "metadata", "ownerReferences")}
    annotated = at(obj, "metadata", "annotations", OWNER_UID)
    if not text_at(obj, "metadata", "namespace") and isinstance(annotated, str):
        owners.add(annotated)
    return Live(
        ref=Ref(
            text_at(obj, "kind"),
            text_at(obj, "metadata", "name"),
            text_at(obj, "metadata", "namespace") or None,
        ),
        uid=text_at(obj, "metadata", "uid"),
        version=text_at(obj, "metadata", "resourceVersion"),
        owners=frozenset(owners),
        content=None if own is None else digest(own),
        terminating=bool(at(obj, "metadata", "deletionTimestamp")),
        workload=_workload(obj, own) if obj.get("kind") in ("Deployment", "StatefulSet") else None,
    )


def _workload(obj: Json, own: Object | None) -> Workload:
    template = at(own, "spec", "template")
    stateful = obj["kind"] == "StatefulSet"
    status = ("status",)
    return Workload(
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
        marks=marks_of(obj),
        fixed=_bare_claims(fixed_of(obj)),
        account=text_at(obj, "spec", "template", "spec", "serviceAccountName"),
    )


def _bare_claims(fixed: dict[str, Any]) -> dict[str, Any]:
    """Return claim templates without the status that the API server gives them."""
    claims = fixed.get("volumeClaimTemplates")
    if claims is None:
        return fixed
    bare = [{k: v for k, v in claim.items() if k != "status"} for claim in claims]
    return {**fixed, "volumeClaimTemplates": bare}


def pod_of(obj: Json) -> Pod:
    """Return what decisions hang on of a pod."""
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
        unready_since=None if state is PodState.READY else since,
        terminating=bool(at(obj, "metadata", "deletionTimestamp")),
    )


def _state(obj: Json) -> tuple[PodState, str]:
    reasons = [
        text_at(status, "state", "waiting", "reason")
        for part in ("initContainerStatuses", "containerStatuses")
        for status in mappings_at(obj, "status", part)
    ]
    waits = next((reason for reason in reasons if reason), "")
    match text_at(obj, "status", "phase"):
        case "Failed":
            return PodState.FAILED, text_at(obj, "status", "reason")
        case "Running" if text_at(_ready(obj), "status") == "True":
            return PodState.READY, ""
        case "Pending" | "Running" if waits in _FAILED:
            return PodState.FAILED, waits
        case "Running":
            return PodState.RUNNING, waits
        case "Pending":
            return PodState.PENDING, waits
    return PodState.UNKNOWN, ""


def _ready(obj: Json) -> Json:
    conditions = mappings_at(obj, "status", "conditions")
    return next((each for each in conditions if text_at(each, "type") == "Ready"), {})


class StackWriter:
    """Writes a stack's objects. Every write is server-side apply by one field manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._anothers: set[Ref] = set()
        """What was found to be somebody else's: looked at before it is written again."""
        self._made: set[Ref] = set()
        """What is ours even where its watch lags behind: looked at, too, where it is not shown."""

    async def apply(self, intent: Intent, *, live: Live | None, owner: str) -> Live:
        """Apply an object for the stack with the uid `owner`; return it as stored.

        What is not the stack's is not taken: raises Conflict where somebody else has made an object
        of this name, or has set its fields otherwise.
        """
        ref = intent.ref
        if live is None and (ref in self._anothers or ref in self._made):
            live = await self._seen(ref, owner)
        if live is None:
            try:
                return await self._make(intent)
            except Conflict:
                if ref in self._anothers:
                    raise
                live = await self._find(ref)
        if live is None or not _is_of(live, owner):
            return await self._apply(intent, force=False)
        if live.content is None:
            await self._inherit(live)
        return await self._apply(intent, force=True)

    async def _seen(self, ref: Ref, owner: str) -> Live | None:
        """Return an object of the stack's that no watch shows; raise Conflict while it is not."""
        live = await self._find(ref)
        if ref in self._anothers and live is not None and not _is_of(live, owner):
            raise _taken(ref)
        self._anothers.discard(ref)
        return live

    async def _make(self, intent: Intent) -> Live:
        """Apply an object that nobody has seen; where it was there all the same, give it back.

        Looking first would double the requests of every new stack.
        """
        stored = await self._send(intent.ref, intent.manifest, force=False)
        if not _was_anothers(stored):
            self._made.add(intent.ref)
            return live_of(stored)
        self._anothers.add(intent.ref)
        nothing = {name: intent.manifest["metadata"].get(name) for name in ("name", "namespace")}
        await self._send(intent.ref, {"metadata": nothing}, force=False)
        raise _taken(intent.ref)

    async def _apply(self, intent: Intent, *, force: bool) -> Live:
        return live_of(await self._send(intent.ref, intent.manifest, force=force))

    async def _send(self, ref: Ref, manifest: Object, *, force: bool) -> Object:
        return await self._api.apply(KINDS[ref.kind], manifest, field_manager=MANAGER, force=force)

    async def _find(self, ref: Ref) -> Live | None:
        try:
            return live_of(await self._api.get(KINDS[ref.kind], ref.name, namespace=ref.namespace))
        except NotFound:
            return None

    async def _inherit(self, live: Live) -> None:
        """Take over the fields of whoever managed the object before us.

        Else they would stay beside ours for ever: nobody would be left to remove them.
        """
        ref, resource = live.ref, KINDS[live.ref.kind]
        found = await self._api.get(resource, ref.name, namespace=ref.namespace)
        if found["metadata"].get("uid") != live.uid:
            raise Conflict(f"{ref} was made anew meanwhile")
        entries = inherited(found)
        if entries is None:
            return
        version = found["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version, "managedFields": entries}}
        await self._api.merge_patch(resource, ref.name, patch, namespace=ref.namespace)

    async def delete(self, live: Live) -> None:
        """Delete an object, if it still is the one that was seen."""
        ref = live.ref
        try:
            await self._api.delete(KINDS[ref.kind], ref.name, namespace=ref.namespace, uid=live.uid)
        except NotFound:
            return

    async def delete_pod(self, pod: Pod, *, namespace: str) -> None:
        """Delete a pod that is not ready, so that its StatefulSet makes it of the new template."""
        try:
            await self._api.delete(POD, pod.name, namespace=namespace, uid=pod.uid)
        except NotFound:
            return


def _is_of(live: Live, owner: str) -> bool:
    return owner in live.owners or live.content is not None


def _taken(ref: Ref) -> Conflict:
    return Conflict(f"{ref} is there already, and is not this stack's")


def _was_anothers(stored: Object) -> bool:
    """Tell whether an object was there before we set fields of it: then it is somebody else's.

    What we have just made is no older than our fields and has no other manager yet. An object in
    which nobody set a field has no manager at all.
    """
    made = text_at(stored, "metadata", "creationTimestamp")
    times: dict[bool, list[str]] = {True: [], False: []}
    for each in managers(stored):
        times[each.get("manager") == MANAGER].append(str(each.get("time", "")))
    return any(made < ours or any(other <= ours for other in times[False]) for ours in times[True])


def inherited(obj: Object) -> list[Mapping[str, Any]] | None:
    """Return `managedFields` in which what the former manager has set is ours by apply.

    The former manager is whoever has set most; None where nobody has set anything.
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
