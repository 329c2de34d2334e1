# SPDX-License-Identifier: Apache-2.0
"""Follows a running Loki's key back to where it is created, and says how certain each step is.

    workload ─▶ its configuration ─▶ Secret ─▶ ExternalSecret ─▶ store ─▶ item
                                             ╰──────── same key id ────────▶ CephObjectStoreUser

Only names are used, and from Loki's configuration only where it writes: a key id is compared in the
encoding in which Kubernetes returns it, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from lokeys.core.place import Ref
from lokeys.core.route.discovery.bucket import bucket_of
from lokeys.core.route.discovery.model import Discovered, LokiWorkload, Notes
from lokeys.core.route.discovery.naming import groups_of, names_of
from lokeys.core.route.discovery.source import source_behind
from lokeys.core.route.model import Mode, RouteSpec
from lokeys.engine.discover.delivery import DeliveryReader, key_id_in
from lokeys.engine.discover.gatherer import Gatherer
from lokeys.engine.discover.loki import LokiReader
from lokeys.engine.discover.source import UserReader
from lokeys.errors import NotReadable
from lokeys.ports import Objects

CANDIDATES = 50
"""Limit for the users whose keys are tested at the store."""

Opens = Callable[[RouteSpec], Awaitable[bool]]
"""Tells whether the key of a route's source may use the route's bucket."""


async def settled(found: Discovered, opens: Opens) -> Discovered:
    """Return the route with its source decided at the store, if exactly one candidate fits.

    A key that changed at its source is no longer the one that Loki reads, but it still opens the
    bucket that Loki writes to, and an unrelated key does not.
    """
    if found.sure or not found.lookable:
        return found
    specs = [replace(found.spec, source=source) for source in found.candidates[:CANDIDATES]]
    fitting = [spec for spec in specs if await opens(spec)]
    if len(fitting) != 1:
        return found
    notes = {path: note for path, note in found.notes.items() if not path.startswith("spec.source")}
    notes["spec.source.rook.user"] = (
        "its key opens Loki's bucket, and no other key that may be tried there does; the key that "
        "Loki reads is another"
    )
    return replace(found, spec=fitting[0], notes=notes, sure=True)


class Discoverer:
    """Reads a cluster once; what cannot be read becomes a note, never an error."""

    def __init__(self, objects: Objects) -> None:
        self._gatherer = Gatherer(objects)
        self._lokis = LokiReader(self._gatherer)
        self._deliveries = DeliveryReader(self._gatherer)
        self._users = UserReader(self._gatherer)

    @property
    def gaps(self) -> list[str]:
        """Return what could not be read, in words."""
        return self._gatherer.gaps

    async def workloads(self, namespace: str | None) -> list[LokiWorkload]:
        """Return the workloads that look like Loki; `namespace` None means all."""
        return await self._lokis.all(namespace)

    async def workload(self, ref: Ref) -> LokiWorkload:
        """Return one workload, or the one that owns a pod. Raises NotFound, NotReadable."""
        return await self._lokis.one(ref)

    async def routes(self, workloads: Sequence[LokiWorkload]) -> list[Discovered]:
        """Return one route for each Secret that some of the workloads read."""
        found: list[Discovered] = []
        for namespace in dict.fromkeys(each.ref.namespace for each in workloads):
            here = [each for each in workloads if each.ref.namespace == namespace]
            found += [await self.route(group) for group in groups_of(here).values()]
        return found

    async def route(self, group: Sequence[LokiWorkload]) -> Discovered:
        """Return the route of workloads that read the same Secret.

        Everything else in the namespace that reads that Secret is included: a key that is replaced
        for one component alone leaves the others with the old one.
        """
        secret = group[0].secret
        if secret is None:
            raise NotReadable(f"{group[0].ref} takes no key pair from a Secret")
        around = groups_of(await self._lokis.all(group[0].ref.namespace))
        group = list({w.ref: w for w in (*group, *around.get(secret.name, ()))}.values())
        first = next((each for each in group if each.storage.bucket), group[0])
        namespace = first.ref.namespace or "default"
        held = await self._gatherer.get(secret.ref(namespace))
        delivery = await self._deliveries.delivery_of(secret, held, namespace)
        users = await self._users.users()
        held_id = key_id_in(held, secret, namespace)
        source = source_behind(first, (held_id, delivery.key_id), users, claim=delivery.claim)
        bucket, said = bucket_of(first.storage, source.endpoint)
        listed = {(w.kind, w.name): w for w in (each.as_workload for each in group)}
        spec = RouteSpec(
            name=names_of({secret.name: group} | around)[secret.name],
            namespace=namespace,
            mode=Mode.OBSERVE,
            source=source.source,
            vault=delivery.vault,
            secret=secret,
            external_secret=delivery.external_secret,
            made_by=delivery.made_by,
            values=delivery.values,
            bucket=bucket,
            workloads=tuple(listed.values()),
        )
        mode: Notes = {"spec.mode": "Observe changes nothing; Heal mends by itself"}
        notes = delivery.notes | source.notes | said | mode
        known = () if source.sure else tuple(user.source for user in users)
        return Discovered(spec=spec, notes=notes, sure=source.sure, candidates=known)
