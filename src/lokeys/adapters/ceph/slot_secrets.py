# SPDX-License-Identifier: Apache-2.0
"""The two Secrets in which lokeys keeps keys of a CephObjectStoreUser, in the user's namespace.

Their names are fixed, so that permissions can name them, and they are deleted with the user. One
that `spec.keys` names is never written: a new secret under a known id leaves the user without a key
for a moment, and Rook deletes the key of a blank Secret. One that nothing names is free.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from lokeys.adapters.ceph.rook import GENERATED_KEYS
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.pairs import pair_of
from lokeys.core.kubernetes import rook
from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.errors import Conflict, NeedsHuman, NotFound
from lokeys.kube.resources import SECRET


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSecrets:
    """The Secrets of one user's keys; `cluster` is read live."""

    cluster: Cluster
    ref: Ref

    async def keep(self, user: Json, pair: KeyPair, *, besides: Iterable[Json]) -> Json:
        """Make sure that one of them holds the pair; return the entry that names it.

        `besides`: entries that will be declared with it. Raises NeedsHuman if both are in use.
        """
        taken = {*rook.key_secrets(user).named}
        taken |= {text_at(each, "accessKeyRef", "name") for each in besides}
        found: dict[str, Json | None] = {}
        for name in rook.slot_names(self.ref.name):
            found[name] = secret = await self._secret(name)
            if secret is not None and not rook.is_slot_of(secret, user):
                raise NeedsHuman(f"Secret {self.ref.namespace}/{name} is not of lokeys' making")
            if secret is not None and name not in taken and pair_of(secret, GENERATED_KEYS) == pair:
                return rook.slot_entry(name)
        free = [name for name in found if name not in taken]
        if not free:
            raise NeedsHuman(f"{self.ref} has two keys of lokeys already: one must retire first")
        await self._write(free[0], found[free[0]], user, pair)
        return rook.slot_entry(free[0])

    async def _write(self, name: str, present: Json | None, user: Json, pair: KeyPair) -> None:
        halves = (pair.access_key_id, pair.secret_access_key)
        data = {
            key: b64encode(half.reveal()).decode()
            for key, half in zip(rook.SLOT_KEYS, halves, strict=True)
        }
        if present is None:
            body = {"apiVersion": "v1", "kind": "Secret", "data": data}
            metadata = rook.slot_metadata(name, user)
            await self.cluster.api.create(SECRET, body | {"metadata": metadata})
            return
        metadata = {"resourceVersion": text_at(present, "metadata", "resourceVersion")}
        await self.cluster.api.merge_patch(
            SECRET, name, {"metadata": metadata, "data": data}, namespace=self.ref.namespace
        )

    async def sweep(self, user: Json, key_id: Fingerprint) -> None:
        """Delete the one with a key that nothing names any more."""
        named = rook.key_secrets(user).named
        for name in rook.slot_names(self.ref.name):
            secret = await self._secret(name)
            if secret is None or name in named or not rook.is_slot_of(secret, user):
                continue
            held = self.cluster.fingerprinter.describe(pair_of(secret, GENERATED_KEYS))
            if held.key_id == key_id:
                await self._delete(secret)

    async def _delete(self, secret: Json) -> None:
        metadata = at(secret, "metadata")
        try:
            await self.cluster.api.delete(
                SECRET,
                text_at(metadata, "name"),
                namespace=self.ref.namespace,
                uid=text_at(metadata, "uid"),
                resource_version=text_at(metadata, "resourceVersion"),
            )
        except (NotFound, Conflict):
            return  # gone, or somebody else's by now

    async def _secret(self, name: str) -> Json | None:
        try:
            return await self.cluster.objects.get(Ref("Secret", name, self.ref.namespace))
        except NotFound:
            return None
