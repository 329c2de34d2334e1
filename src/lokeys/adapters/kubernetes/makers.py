# SPDX-License-Identifier: Apache-2.0
"""What makes a Secret instead of an ExternalSecret: its state, and how to ask for a new one."""

from __future__ import annotations

from lokeys.adapters.kubernetes.cluster import Cluster, quotable, unreadable
from lokeys.adapters.kubernetes.objects import as_served
from lokeys.core.kubernetes.conditions import ready_of
from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.kubernetes.makers import READ_AGAIN, item_of
from lokeys.core.place import Hop, Ref
from lokeys.core.route.snapshot import MakerState
from lokeys.core.text.words import shown
from lokeys.errors import LokeysError, NeedsHuman
from lokeys.kube.client import Object
from lokeys.kube.resources import Resource
from lokeys.ports import Reading


def maker_state(ref: Ref, found: Json) -> MakerState:
    """Return the status of a maker's object."""
    ready, message = ready_of(found)
    return MakerState(
        ref=ref,
        item=shown(item_of(text_at(found, "spec", "itemPath"))),
        ready=ready,
        message=quotable(message),
        suspended=at(found, "spec", "suspend") is True,
    )


class KubernetesMaker:
    """A `MakerPort` on an object whose controller can be asked."""

    def __init__(self, cluster: Cluster, ref: Ref) -> None:
        self._cluster = cluster
        self._ref = ref

    async def read(self) -> Reading[MakerState]:
        """Return what its object says."""
        try:
            found = await self._cluster.objects.get(self._ref)
        except LokeysError as error:
            return Reading(gaps=(unreadable(error, hop=Hop.DELIVERY, ref=self._ref),))
        return Reading(state=maker_state(self._ref, found))

    async def ask(self) -> None:
        """Give the object a new annotation, so that its controller reads it again."""
        annotation = READ_AGAIN.get(self._ref.kind)
        if annotation is None:
            raise NeedsHuman(f"nobody can ask for {self._ref} from here")
        now = self._cluster.clock().isoformat()
        patch: Object = {"metadata": {"annotations": {annotation: now}}}

        async def call(resource: Resource) -> None:
            ref = self._ref
            await self._cluster.api.merge_patch(resource, ref.name, patch, namespace=ref.namespace)

        await as_served(self._ref.kind, call)
