# SPDX-License-Identifier: Apache-2.0
"""The node on which the kubelet stand-in runs its pods: its settings, its folder, its addresses."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lokeys.core.route.model import PairKeys
from lokeys.demo.parts.kube_store import Store
from lokeys.demo.parts.loki import PORT, Loki, LokiBehaviour

AWS_ENV = PairKeys(access_key_id="AWS_ACCESS_KEY_ID", secret_access_key="AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSettings:
    """How pods run. `container`: the one that is a Loki; all others are ready and do nothing."""

    loki: LokiBehaviour
    container: str = "loki"
    env: PairKeys = AWS_ENV
    port: int = PORT
    probe_every_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What pods find on their node. `broken`: (pod, container) that fail their probe."""

    store: Store
    settings: WorkloadSettings
    folder: Path
    broken: set[tuple[str, str]] = field(default_factory=set)

    async def listen(self, make: Callable[[str], Loki]) -> Loki:
        """Start a Loki on an address where the port is free."""
        last: OSError | None = None
        for host in [*(_loopback() for _ in range(20)), "127.0.0.1"]:
            loki = make(host)
            try:
                return await loki.__aenter__()
            except OSError as error:  # taken, or a system with one loopback address only
                await loki.__aexit__(None, None, None)
                last = error
        raise last or OSError("no address")


def _loopback() -> str:
    return f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
