# SPDX-License-Identifier: Apache-2.0
"""Reads what makes the Secret or ConfigMap that Loki reads, and the vault behind it.

ExternalSecret ─▶ Secret                              made by External Secrets …… ─▶ values ─▶
HelmRelease ─▶ configuration          a chart's, rendered from its values another maker ─▶ Secret
by the marks that it leaves on it
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field, replace
from functools import partial

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes import flux
from lokeys.core.kubernetes.data_keys import DataKey, value_at
from lokeys.core.kubernetes.external_secrets.reading import read
from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.kubernetes.makers import Maker, item_of
from lokeys.core.kubernetes.references import controller_of
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_BYTES, MAX_LOKI_CONFIG_VALUES
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import Notes
from lokeys.core.route.discovery.vault import fields_in, store_of, vault_of
from lokeys.core.route.made import RELEASE, known_maker
from lokeys.core.route.model import (
    ClaimSource,
    ExternalSecretRef,
    PairKeys,
    SecretRef,
    Vault,
)
from lokeys.core.text.words import quoted
from lokeys.engine.discover.gatherer import Gatherer

_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)
_MADE_BY = "spec.secret.madeBy"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDelivery:
    """What delivers a Secret, what is behind it, and notes about both.

    `values` is what a HelmRelease takes the pair from, `key_id` the id there, as Kubernetes encodes
    it. `claim` is the ObjectBucketClaim whose key it is.
    """

    external_secret: ExternalSecretRef | None = None
    made_by: Ref | None = None
    values: SecretRef | None = None
    key_id: str | None = field(default=None, repr=False)
    claim: ClaimSource | None = None
    vault: Vault | None = None
    notes: Notes = field(default_factory=dict)


def key_id_in(held: Json | None, place: SecretRef, namespace: str) -> str | None:
    """Return the key id at a place, in the encoding in which Kubernetes returns Secrets."""
    name = place.keys.access_key_id
    if place.inside is None:
        found = at(held, "data", name)
        return found if isinstance(found, str) else None
    ref = place.ref(namespace)
    text = value_at(DataKey(ref, place.inside), {ref: held} if held is not None else {}) or ""
    found = at(_PARSE(text), *name.split(".")) if len(text) <= MAX_LOKI_CONFIG_BYTES else None
    return b64encode(found.encode()).decode() if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class DeliveryReader:
    """Finds what makes the object that Loki reads, and the vault behind it."""

    gatherer: Gatherer

    async def delivery_of(
        self, secret: SecretRef, held: Json | None, namespace: str
    ) -> FoundDelivery:
        """Return what delivers `secret`; `held` is the object itself, if it could be read."""
        found = await self._of_external_secret(secret, held, namespace)
        if found is not None:
            return found
        release, said = await self._release(secret, held, namespace)
        if release is not None:
            return await self._rendered(release, said, namespace)
        return await self._made(secret, held)

    async def _of_external_secret(
        self, secret: SecretRef, held: Json | None, namespace: str
    ) -> FoundDelivery | None:
        if secret.kind != "Secret":
            return None
        found = [
            item
            for item in await self.gatherer.list("ExternalSecret", namespace=namespace)
            if read(item).target == secret.name
        ]
        if not found:
            return None
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

    async def _release(
        self, secret: SecretRef, held: Json | None, namespace: str
    ) -> tuple[Json | None, str]:
        """Return the HelmRelease that renders what Loki reads, and how that is known."""
        maker = known_maker(held) if held is not None else None
        ref = maker.ref if maker else None
        if ref is not None and ref.kind == RELEASE:
            return await self.gatherer.get(ref), "renders it of its values"
        if ref is not None or secret.inside is None:
            return None, ""
        fitting = [
            release
            for release in await self.gatherer.list(RELEASE, namespace=namespace)
            if flux.target_of(release) == namespace and await self._has_pair(release)
        ]
        only = fitting[0] if len(fitting) == 1 else None
        return only, "the only HelmRelease here whose values have a key pair"

    async def _has_pair(self, release: Json) -> bool:
        return flux.has_pair_inline(release) or await self._values(release) is not None

    async def _values(self, release: Json) -> flux.PairValues | None:
        held = {
            ref: found
            for ref in flux.values_named(release)
            if (found := await self.gatherer.get(ref)) is not None
        }
        return flux.pair_values(release, held, _PARSE)

    async def _rendered(self, release: Json, said: str, namespace: str) -> FoundDelivery:
        """Return the delivery of a pair that a chart writes into Loki's configuration."""
        metadata = release["metadata"]
        ref = Ref(RELEASE, metadata["name"], metadata.get("namespace"))
        found = await self._values(release)
        if found is None or found.ref.namespace != namespace:
            where = "in its own values" if flux.has_pair_inline(release) else "where, is not seen"
            note = f"{said}; the pair stands {where}, and is changed in Git"
            return FoundDelivery(made_by=ref, notes={_MADE_BY: note})
        values = SecretRef(
            name=found.ref.name,
            kind=found.ref.kind,
            inside=found.inside,
            keys=PairKeys(access_key_id=found.key_id, secret_access_key=found.secret),
        )
        held = await self.gatherer.get(found.ref)
        before = await self._of_external_secret(values, held, namespace)
        before = before or await self._made(values, held, rendered=True)
        own = (_MADE_BY, "spec.secret")
        notes = {("spec.secret.values" if p in own else p): n for p, n in before.notes.items()}
        return replace(
            before,
            made_by=ref,
            values=values,
            key_id=key_id_in(held, values, namespace),
            notes=notes | {_MADE_BY: said},
        )

    async def _made(
        self, secret: SecretRef, held: Json | None, *, rendered: bool = False
    ) -> FoundDelivery:
        """Return what makes a Secret that no ExternalSecret makes, by the marks on it."""
        maker = known_maker(held) if held is not None else None
        if maker is None:
            writes = "in modes Heal and Rotate lokeys writes it itself"
            ours = secret.inside is None and not rendered
            does = writes if ours else "it is changed where it is kept"
            return FoundDelivery(notes={"spec.secret": f"nothing is seen to make it: {does}"})
        item = await self._item(maker)
        of = f" of item {quoted(item)}" if item else ""
        note = f"{maker.controller} makes it{of}, and lokeys never writes it: {maker.change}"
        path = _MADE_BY if maker.ref else "spec.secret"
        return FoundDelivery(made_by=maker.ref, claim=_claim_of(maker), notes={path: note})

    async def _item(self, maker: Maker) -> str:
        if maker.ref is None or maker.ref.kind != "OnePasswordItem":
            return ""
        found = await self.gatherer.get(maker.ref)
        return item_of(text_at(found, "spec", "itemPath")) or item_of(maker.source)

    async def _vault(
        self, external: Json, secret: SecretRef, namespace: str
    ) -> tuple[Vault | None, Notes]:
        asked = read(external, namespace=namespace)
        fields = fields_in(asked, secret, _PARSE)
        ref = store_of(asked, fields)
        store = await self.gatherer.get(ref) if ref else None
        if store is None:
            lost = f"the store {ref} could not be read" if ref else "it names no store"
            note = f"{lost}, so no vault is followed: source and Secret are compared"
            return None, {"spec.secret.externalSecret": note}
        return vault_of(store, fields, namespace=namespace)


def _claim_of(maker: Maker) -> ClaimSource | None:
    ref = maker.ref
    if ref is None or ref.kind != "ObjectBucketClaim":
        return None
    return ClaimSource(claim=ref.name, namespace=ref.namespace or "default")
