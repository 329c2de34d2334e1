# SPDX-License-Identifier: Apache-2.0
"""The routes that the operator looks after: one `Route` for each StorageCredential."""

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
    """Kept from heal to heal: only who has watched a dead holder knows how long it is silent."""
    memory: Memory
    receipts: ReceiptBook
    """Its receipt is of what was done since the route was last Ready."""
    status: Mapping[str, Any]
    """The resource's status as we last wrote it, or found it."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something that the route reads has changed; wakes a healing that waits."""
    told: tuple[str, str] = ("", "")
    """The Ready condition's status and reason that the last event was about."""
    bridged: str = ""
    """What the last event about a bridge said: that it `stands`, is `overdue`, or (empty) is not.
    """
    bridge_refused: str = ""
    """Why the last attempt to begin a bridge was refused: it is not tried again unasked."""
    waited: int = 0
    """How often it has waited for older routes that were not looked at yet."""
    pause_s: float = 0.0
    """Until the next look, as long as the state stays what it is."""
    wish: RotationWish | None = None
    """The rotation that is due now."""
    rotation_said: tuple[str, str] | None = None
    """What the last event of its rotation said, or would have said when it was first seen."""
    begins: bool = False
    """Whether a rotation is just being recorded."""
    kept_deeds: int = 0
    """How many steps of the present receipt are in its ConfigMap."""

    async def sleep(self, seconds: float) -> None:
        """Wait for news, at most so long."""
        self.news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.news.wait()
        except TimeoutError:
            return
