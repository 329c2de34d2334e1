# SPDX-License-Identifier: Apache-2.0
"""Reads which ExternalSecret makes a Secret, and the vault that it takes the pair from."""

from __future__ import annotations

from dataclasses import dataclass, field

from lokeys.core.kubernetes.external_secrets.reading import read
from lokeys.core.kubernetes.json_fields import Json, text_at
from lokeys.core.kubernetes.makers import READ_AGAIN, item_of
from lokeys.core.kubernetes.references import controller_of
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import Notes
from lokeys.core.route.discovery.vault import fields_of, store_of, vault_of
from lokeys.core.route.made import known_maker
from lokeys.core.route.model import ExternalSecretRef, SecretRef, Vault
from lokeys.core.text.words import quoted
from lokeys.engine.discover.gatherer import Gatherer


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDelivery:
    """What delivers a Secret, the vault behind it, and what is to be said about both."""

    external_secret: ExternalSecretRef | None = None
    made_by: Ref | None = None
    vault: Vault | None = None
    notes: Notes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryReader:
    """Follows a Secret to its ExternalSecret, and on to the vault."""

    gatherer: Gatherer

    async def delivery_of(
        self, secret: SecretRef, held: Json | None, namespace: str
    ) -> FoundDelivery:
        """Return what delivers `secret`; `held` is the Secret itself, if it could be read."""
        found = [
            item
            for item in await self.gatherer.list("ExternalSecret", namespace=namespace)
            if read(item).target == secret.name
        ]
        if not found:
            return await self._made(held)
        owner = controller_of(held or {})
        chosen = next((e for e in found if owner and e["metadata"]["name"] == owner["name"]), None)
        external = chosen or found[0]
        notes: Notes = {}
        if len(found) > 1:
            names = ", ".join(sorted(e["metadata"]["name"] for e in found))
            notes["spec.secret.externalSecret"] = f"several claim this Secret: {names}"
        vault, said = await self._vault(external, secret, namespace)
        return FoundDelivery(
            external_secret=ExternalSecretRef(name=external["metadata"]["name"]),
            vault=vault,
            notes=notes | said,
        )

    async def _made(self, held: Json | None) -> FoundDelivery:
        """Return what makes a Secret that no ExternalSecret makes, by the marks on it."""
        maker = known_maker(held) if held is not None else None
        if maker is None:
            note = "nothing is seen to make it: in modes Heal and Rotate lokeys writes it itself"
            return FoundDelivery(notes={"spec.secret": note})
        item = ""
        if maker.ref is not None and maker.ref.kind in READ_AGAIN:
            found = await self.gatherer.get(maker.ref)
            item = item_of(text_at(found, "spec", "itemPath")) or item_of(maker.source)
        of = f" of item {quoted(item)}" if item else ""
        note = f"{maker.controller} makes it{of}, and lokeys never writes it: {maker.change}"
        path = "spec.secret.madeBy" if maker.ref else "spec.secret"
        return FoundDelivery(made_by=maker.ref, notes={path: note})

    async def _vault(
        self, external: Json, secret: SecretRef, namespace: str
    ) -> tuple[Vault | None, Notes]:
        asked = read(external, namespace=namespace)
        fields = fields_of(asked, secret.keys)
        ref = store_of(asked, fields)
        store = await self.gatherer.get(ref) if ref else None
        if store is None:
            return None, {"spec.source": f"the store {ref} could not be read: is there a vault?"}
        return vault_of(store, fields, namespace=namespace)
