# SPDX-License-Identifier: Apache-2.0
"""The shared reader of a discovery: what cannot be read is noted and is not an error."""

from __future__ import annotations

from dataclasses import dataclass, field

from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.place import Ref
from lokeys.errors import LokeysError, NotFound
from lokeys.ports import Objects


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Reads objects, and notes in words what could not be read."""

    objects: Objects
    gaps: list[str] = field(default_factory=list)
    _read: dict[Ref, Json | None] = field(default_factory=dict)

    async def get(self, ref: Ref, *, gap: bool = True) -> Json | None:
        """Return an object, read once; None if it does not exist or cannot be read.

        `gap` False: if it cannot be read, that is not noted.
        """
        if ref not in self._read:
            self._read[ref] = await self._get(ref, gap=gap)
        return self._read[ref]

    async def _get(self, ref: Ref, *, gap: bool) -> Json | None:
        try:
            return await self.objects.get(ref)
        except NotFound:
            return None
        except LokeysError as exc:
            if gap:
                self.gaps.append(str(exc))
            return None

    async def list(self, kind: str, *, namespace: str | None, gap: bool = True) -> list[Json]:
        """Return the objects of a kind, as far as they can be read."""
        try:
            return await self.objects.list(kind, namespace=namespace)
        except NotFound:
            return []  # the kind is not installed
        except LokeysError as exc:
            if gap:
                self.gaps.append(str(exc))
            return []
