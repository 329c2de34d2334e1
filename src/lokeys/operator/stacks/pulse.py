# SPDX-License-Identifier: Apache-2.0
"""Loki's own storage requests, counted every 30 s: a new 403 causes a test of the credentials.

    pods of components that use the storage ─▶ their counters ─▶ more refused than before ─▶ test

Few pods are asked at a time, so that a thousand stacks do not cause bursts. A pod that does not
answer is ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lokeys.core.operate.live import Pod
from lokeys.core.stack.render import names
from lokeys.operator.stacks.cache import StackKey
from lokeys.operator.stacks.trials import Counters

EVERY_S = 30.0
AT_A_TIME = 8
ANSWER_S = 5.0
_WITH_STORAGE = frozenset(component.value for component in names.WITH_STORAGE)


@dataclass(kw_only=True)
class Pulse:
    """Reads the counters of all stacks' pods, until cancelled."""

    stacks: Callable[[], Iterable[StackKey]]
    pods_of: Callable[[StackKey], Iterable[Pod]]
    counters: Counters
    on_refusal: Callable[[StackKey], None]
    every_s: float = EVERY_S

    _refused: dict[str, int] = field(default_factory=dict)
    """Refused requests by the pod's uid, as last seen."""
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_A_TIME))

    async def run(self) -> None:
        """Ask all pods repeatedly."""
        while True:
            await asyncio.sleep(self.every_s)
            await self.feel()

    async def feel(self) -> None:
        """Ask all pods once."""
        asked = [
            (key, pod)
            for key in self.stacks()
            for pod in self.pods_of(key)
            if pod.address and pod.component in _WITH_STORAGE and not pod.terminating
        ]
        seen = await asyncio.gather(*(self._ask(pod) for _, pod in asked))
        now: dict[str, int] = {}
        for (key, pod), refused in zip(asked, seen, strict=True):
            before = self._refused.get(pod.uid)
            now[pod.uid] = (before or 0) if refused is None else refused
            if refused is not None and refused > (before or 0):
                self.on_refusal(key)
        self._refused = now

    async def _ask(self, pod: Pod) -> int | None:
        async with self._turns:
            try:
                async with asyncio.timeout(ANSWER_S):
                    answer = await self.counters(pod.address)
            except TimeoutError:
                return None
        return None if answer is None else answer.refused
