# SPDX-License-Identifier: Apache-2.0
"""Hops that lokeys cannot access: they report that, so that their neighbours are compared."""

from __future__ import annotations

from lokeys.core.place import Ref
from lokeys.core.route.snapshot import SourceState, VaultFault, VaultState
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.errors import NeedsHuman
from lokeys.ports import Reading


class NoSource:
    """A `SourcePort` of a route with an unknown source: it offers nothing, and is not unreadable.

    Whoever made such a route reports that.
    """

    async def read(self) -> Reading[SourceState]:
        """Return nothing."""
        return Reading()

    async def refresh(self) -> None:
        """Refuse."""
        raise NeedsHuman("where the key is made is not known")

    async def ensure_user(self) -> bool:
        """Refuse."""
        raise NeedsHuman("where the key is made is not known")


class UnreadableVault:
    """A `VaultPort` that can be neither read nor written."""

    def __init__(self, ref: Ref) -> None:
        self._ref = ref

    async def read(self, *, afresh: bool = False) -> Reading[VaultState]:
        """Report that it cannot be read."""
        del afresh
        return Reading(state=VaultState(ref=self._ref, fault=VaultFault.NOT_READABLE))

    async def write(self, pair: KeyPair, *, over: Fingerprint) -> VaultState:
        """Refuse; neither argument is used."""
        del pair, over
        raise NeedsHuman(f"{self._ref} cannot be written from here")
