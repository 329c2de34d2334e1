# SPDX-License-Identifier: Apache-2.0
"""What writes the objects of LokiStacks, always by server-side apply and one field manager.

All stacks share that manager, so the API server sees no conflict between two of them: whose an
object is must be known before it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from lokeys.adapters.kubernetes.stack_objects import KINDS, live_of
from lokeys.core.kubernetes.json_fields import text_at
from lokeys.core.operate.intents import MANAGER, Intent
from lokeys.core.operate.live import Live, Pod
from lokeys.core.place import Ref
from lokeys.core.text.words import shown
from lokeys.errors import BadInput, Conflict, NotFound
from lokeys.kube.client import Api, Object
from lokeys.kube.ownership import managers
from lokeys.kube.resources import POD

MOST_REMEMBERED = 16_384
"""Far more objects than the operator makes while a watch lags behind."""


class NewestRefs:
    """The newest of the objects that were put in: stacks that come and go fill no memory."""

    def __init__(self) -> None:
        self._refs: dict[Ref, None] = {}

    def __contains__(self, ref: Ref) -> bool:
        return ref in self._refs

    def __len__(self) -> int:
        return len(self._refs)

    def add(self, ref: Ref) -> None:
        """Put one in, as the newest; the oldest beyond the bound is forgotten."""
        self.discard(ref)
        self._refs[ref] = None
        if len(self._refs) > MOST_REMEMBERED:
            del self._refs[next(iter(self._refs))]

    def discard(self, ref: Ref) -> None:
        """Forget one, if it is there."""
        self._refs.pop(ref, None)


class StackWriter:
    """Writes a stack's objects. Every write is server-side apply by one field manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._anothers = NewestRefs()
        """What was found to be somebody else's: looked at before it is written again."""
        self._made = NewestRefs()
        """What is ours even where its watch lags behind: looked at, too, where it is not shown."""
        self._being_made: set[Ref] = set()

    async def apply(self, intent: Intent, *, live: Live | None, stack: Ref, uid: str) -> Live:
        """Apply an object for a stack; return it as stored.

        What is not the stack's is not taken: raises Taken where another controls an object of this
        name, and Conflict where somebody else has made it or has set its fields otherwise.
        """
        ref = intent.ref
        if ref in self._being_made:
            raise Conflict(f"{ref} is just being made for another stack")
        if live is None and (ref in self._anothers or ref in self._made):
            live = await self._seen(ref, stack, uid)
        if live is None:
            try:
                return await self._make(intent)
            except (BadInput, Conflict) as refusal:
                if ref in self._anothers:
                    raise
                live = await self._find(ref)
                if isinstance(refusal, BadInput) and not _is_anothers(live, stack, uid):
                    raise
        if _is_anothers(live, stack, uid):
            raise Taken(live)
        if live is None or not _is_of(live, uid):
            return await self._apply(intent, force=False)
        if live.content is None:
            await self._inherit(live)
        return await self._apply(intent, force=True)

    async def _seen(self, ref: Ref, stack: Ref, uid: str) -> Live | None:
        """Return an object of the stack's that no watch shows; raise Conflict while it is not."""
        live = await self._find(ref)
        if _is_anothers(live, stack, uid):
            raise Taken(live)
        if ref in self._anothers and live is not None and not _is_of(live, uid):
            raise _taken(ref)
        self._anothers.discard(ref)
        return live

    async def _make(self, intent: Intent) -> Live:
        """Apply an object that nobody has seen; where it was there all the same, give it back.

        Looking first would double the requests of every new stack.
        """
        self._being_made.add(intent.ref)
        try:
            stored = await self._send(intent.ref, intent.manifest, force=False)
        finally:
            self._being_made.discard(intent.ref)
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


class Taken(Conflict):
    """Somebody else controls an object of this name."""

    def __init__(self, live: Live) -> None:
        super().__init__(f"{live.ref} belongs to {shown(live.controller)}")
        self.live = live


def _is_anothers(live: Live | None, stack: Ref, uid: str) -> TypeGuard[Live]:
    return live is not None and live.is_anothers(stack, uid)


def _is_of(live: Live, uid: str) -> bool:
    """Tell whether an object that no other controls is the stack's: its own, or left by itself."""
    return uid in live.owners or live.content is not None


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
