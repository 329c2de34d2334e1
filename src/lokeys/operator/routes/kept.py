# SPDX-License-Identifier: Apache-2.0
"""The routes that the operator runs: one `Route` per StorageCredential."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lokeys.core.route.memory import Memory
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.rotation.model import RotationWish
from lokeys.engine.route.look import Lookout
from lokeys.engine.route.receipts import ReceiptBook
from lokeys.kube.lease import Lease
from lokeys.operator.cache import RouteObjects


@dataclass(slots=True)
class KeptRoute:
    """One route between two reconciles."""

    uid: str
    spec: RouteSpec
    generation: int
    lookout: Lookout
    objects: RouteObjects
    lease: Lease
    """Kept from heal to heal: only a continuous observer knows how long a dead holder is silent."""
    memory: Memory
    receipts: ReceiptBook
    """Its receipt covers what was done since the route was last Ready."""
    status: Mapping[str, Any]
    """The resource's status as we last wrote it, or found it."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something that the route reads has changed; wakes a waiting heal."""
    told: tuple[str, str] = ("", "")
    """The Ready condition's status and reason in the last event."""
    bridged: str = ""
    """The last event about a bridge: it `stands`, is `overdue`, or (empty) does not exist."""
    bridge_refused: str = ""
    """Why the last attempt to start a bridge was refused: it is not retried without a request."""
    waited: int = 0
    """How often it has waited for older routes that were not read yet."""
    pause_s: float = 0.0
    """Until the next look, as long as the state does not change."""
    wish: RotationWish | None = None
    """The rotation that is due now."""
    rotation_said: tuple[str, str] | None = None
    """What the last event of its rotation said, or would have said when it was first seen."""
    begins: bool = False
    """Whether a rotation is being recorded at this moment."""
    kept_deeds: int = 0
    """How many steps of the current receipt are in its ConfigMap."""

    async def sleep(self, seconds: float) -> None:
        """Wait for a change, at most this long."""
        self.news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.news.wait()
        except TimeoutError:
            return
