# SPDX-License-Identifier: Apache-2.0
"""Any plain Secret as a source, and who may read a source."""

from __future__ import annotations

from dataclasses import dataclass

from lokeys.adapters.kubernetes.cluster import Cluster, allows, unreadable
from lokeys.adapters.kubernetes.consents import secret_consent
from lokeys.adapters.kubernetes.pairs import pair_of
from lokeys.core.kubernetes.json_fields import Json, text_at
from lokeys.core.kubernetes.references import controller_of
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import SecretSource
from lokeys.core.route.snapshot import SourceState, Unreadable, Why
from lokeys.errors import LokeysError
from lokeys.ports import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReader:
    """The reader of a source: a route of this namespace, or with `callers_rights` a person.

    A route needs the permission of the source's owner; a person has their own permissions.
    `endpoint` is where a route's keys are tested.
    """

    namespace: str
    endpoint: str = ""
    callers_rights: bool = False

    def may_read(self, obj: Json) -> bool:
        """Tell whether the object's owner lets this reader use it as a source."""
        return self.callers_rights or allows(obj, self.namespace)


class SecretSourcePort:
    """A `SourcePort` on any Secret, whose pair is the source; `owner` is what made it."""

    def __init__(
        self,
        cluster: Cluster,
        source: SecretSource,
        *,
        reader: SourceReader,
        owner: Ref | None = None,
    ) -> None:
        self._cluster = cluster
        self._keys = source.secret.keys
        self._reader = reader
        self._owner = owner
        self._ref = source.secret.ref(source.namespace)

    async def read(self) -> Reading[SourceState]:
        """Return the Secret's pair; nothing if its owner has not allowed us."""
        try:
            secret = await self._cluster.objects.get(self._ref)
        except LokeysError as error:
            return Reading(gaps=(unreadable(error, hop=Hop.SOURCE, ref=self._ref),))
        if not self._reader.may_read(secret):
            return Reading(gaps=(not_allowed(self._ref),))
        pair = pair_of(secret, self._keys)
        facts = self._cluster.fingerprinter.describe(pair)
        state = SourceState(
            ref=self._ref,
            owner=self._owner or _owner_of(secret) or self._ref,
            pair=facts,
            resource_version=text_at(secret, "metadata", "resourceVersion"),
            generated_blank=facts.blank and text_at(secret, "type") == "kubernetes.io/rook",
            consent=secret_consent(secret, at_home=self._ref.namespace == self._reader.namespace),
        )
        return Reading(state=state, pair=pair)

    async def refresh(self) -> None:
        """Do nothing: the Secret itself is the source."""

    async def ensure_user(self) -> bool:
        """Return False: whoever made the Secret made the user."""
        return False


def not_allowed(ref: Ref) -> Unreadable:
    """Return that the owner of a source has not allowed the reader's namespace."""
    return Unreadable(hop=Hop.SOURCE, ref=ref, why=Why.NOT_ALLOWED)


def _owner_of(secret: Json) -> Ref | None:
    owner, namespace = controller_of(secret), text_at(secret, "metadata", "namespace")
    return Ref(text_at(owner, "kind"), text_at(owner, "name"), namespace) if owner else None
