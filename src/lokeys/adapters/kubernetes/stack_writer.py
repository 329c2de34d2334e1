# SPDX-License-Identifier: Apache-2.0
"""Writes the objects of LokiStacks, always by server-side apply and with one field manager.

All stacks share that manager, so the API server sees no conflict between two of them: an object's
owner must be known before it is written.
"""

from __future__ import annotations

from dataclasses import replace

from lokeys.adapters.kubernetes.stack_objects import KINDS, inherited, live_of
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
"""Far more objects than the operator creates while a watch is behind."""


class NewestRefs:
    """The newest of the added objects: stacks that come and go do not fill memory."""

    def __init__(self) -> None:
        self._refs: dict[Ref, None] = {}

    def __contains__(self, ref: Ref) -> bool:
        return ref in self._refs

    def __len__(self) -> int:
        return len(self._refs)

    def add(self, ref: Ref) -> None:
        """Add one, as the newest; the oldest beyond the limit is forgotten."""
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
        """Objects that belong to somebody else: read before they are written again."""
        self._made = NewestRefs()
        """Our objects, even if their watch is behind: also read if it shows none."""
        self._being_made: set[Ref] = set()

    async def apply(self, intent: Intent, *, live: Live | None, stack: Ref, uid: str) -> Live:
        """Apply an object for a stack; return it as stored.

        Objects of others are not taken: raises Taken if an object of this name has an owner that is
        not the stack. One without an owner becomes the stack's, with everything that was set beside
        our fields: raises Conflict if somebody has set one of these differently.
        """
        ref = intent.ref
        if ref in self._being_made:
            raise Conflict(f"{ref} is just being made for another stack")
        if live is None and (ref in self._anothers or ref in self._made):
            live = await self._seen(ref, stack, uid)
        if live is None:
            try:
                return await self._make(intent, stack, uid)
            except (BadInput, Conflict) as refusal:
                if ref in self._anothers:
                    raise
                live = await self._find(ref)
                self._leave_to_owner(live, stack, uid)
                if isinstance(refusal, BadInput) or live is None or not _is_of(live, uid):
                    raise
        self._leave_to_owner(live, stack, uid)
        if not _is_of(live, uid):
            return await self._apply(intent, force=False)
        if live.content is None:
            await self._inherit(live)
        return await self._apply(intent, force=True)

    async def _seen(self, ref: Ref, stack: Ref, uid: str) -> Live | None:
        """Return an object that no watch shows; raise Taken if another owns it."""
        live = await self._find(ref)
        self._leave_to_owner(live, stack, uid)
        self._anothers.discard(ref)
        return live

    def _leave_to_owner(self, live: Live | None, stack: Ref, uid: str) -> None:
        """Raise Taken if an object has an owner that is not the stack."""
        owner = live.other_owner(stack, uid) if live is not None else None
        if live is not None and owner is not None:
            self._anothers.add(live.ref)
            raise Taken(live.ref, owner)

    async def _make(self, intent: Intent, stack: Ref, uid: str) -> Live:
        """Apply an object that nobody has seen; if another owns it, restore it as it was.

        Reading first would double the requests of every new stack.
        """
        self._being_made.add(intent.ref)
        try:
            stored = await self._send(intent.ref, intent.manifest, force=False)
        finally:
            self._being_made.discard(intent.ref)
        live = live_of(stored)
        owner = _beside(live, stack, uid)
        if owner is None and not _may_have_replaced(stored):
            self._made.add(intent.ref)
            return live
        self._anothers.add(intent.ref)
        nothing = {name: intent.manifest["metadata"].get(name) for name in ("name", "namespace")}
        await self._send(intent.ref, {"metadata": nothing}, force=False)
        if owner is not None:
            raise Taken(intent.ref, owner)
        raise Conflict(f"{intent.ref} was there already; whose it is, is looked at first")

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
        """Take over the fields of the object's previous manager.

        Otherwise they would stay beside ours forever: nothing would remove them.
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
        """Delete an object, if it is still the one that was read."""
        ref = live.ref
        try:
            await self._api.delete(KINDS[ref.kind], ref.name, namespace=ref.namespace, uid=live.uid)
        except NotFound:
            return

    async def delete_pod(self, pod: Pod, *, namespace: str) -> None:
        """Delete an unready pod, so that its StatefulSet creates it from the new template."""
        try:
            await self._api.delete(POD, pod.name, namespace=namespace, uid=pod.uid)
        except NotFound:
            return


class Taken(Conflict):
    """Somebody else owns an object of this name."""

    def __init__(self, ref: Ref, owner: Ref) -> None:
        super().__init__(f"{ref} belongs to {shown(owner)}")
        self.ref, self.owner = ref, owner


def _is_of(live: Live, uid: str) -> bool:
    """Tell whether an object without another controller is the stack's: its own, or left behind."""
    return uid in live.owners or live.content is not None


def _may_have_replaced(stored: Object) -> bool:
    """Tell whether an object existed, and may have been one that we applied for another stack.

    Our apply overwrites everything of that, its owner too. But only an object in which nobody else
    has set a field can be such a one, and it is older than our fields.
    """
    made = text_at(stored, "metadata", "creationTimestamp")
    found = list(managers(stored))
    return all(each.get("manager") == MANAGER and made < str(each.get("time")) for each in found)


def _beside(live: Live, stack: Ref, uid: str) -> Ref | None:
    """Return who owned an object before we applied ours: then it is still theirs."""
    former = {owner: ref for owner, ref in live.owners.items() if owner != uid}
    return replace(live, owners=former).other_owner(stack, uid)
