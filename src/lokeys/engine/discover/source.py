# SPDX-License-Identifier: Apache-2.0
"""Reads the users of Rook whose key a Loki may have."""

from __future__ import annotations

from dataclasses import dataclass

from lokeys.core.kubernetes import rook
from lokeys.core.kubernetes.data_keys import decoded
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.route.discovery.model import Candidate
from lokeys.core.route.model import PairKeys, RookSource
from lokeys.core.text.urls import as_printed
from lokeys.engine.discover.gatherer import Gatherer

ROOK_KEYS = PairKeys(access_key_id="AccessKey", secret_access_key="SecretKey")


@dataclass(slots=True)
class UserReader:
    """Reads every visible user of Rook, once."""

    gatherer: Gatherer
    _users: list[Candidate] | None = None

    async def users(self) -> list[Candidate]:
        """Return them, each with its key's id as Kubernetes encodes it."""
        if self._users is None:
            found = await self.gatherer.list("CephObjectStoreUser", namespace=None)
            self._users = [await self._candidate(user) for user in found]
        return self._users

    async def _candidate(self, user: Json) -> Candidate:
        keys = rook.key_secrets(user)
        metadata = user["metadata"]
        held = None if keys.entries else await self.gatherer.get(keys.generated)
        if held is not None and not rook.is_generated_for(held, user):
            held = None
        data = (held or {}).get("data") or {}
        return Candidate(
            source=RookSource(
                user=metadata["name"], namespace=metadata.get("namespace", "default")
            ),
            key_id=data.get(ROOK_KEYS.access_key_id) or None,
            endpoint=as_printed(decoded(data.get("Endpoint")) or ""),
        )
