# SPDX-License-Identifier: Apache-2.0
"""Takes keys from a queue and reconciles each, independently of the others' failures."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lokeys.errors import LeaseLost, LokeysError
from lokeys.kube.queue import ShutDown, WorkQueue

Key = tuple[str, str]
"""Namespace and name."""

WORKERS = 16
MOST_OF_ONE_NAMESPACE = 12
"""The rest is for others: an address that never answers blocks only its own namespace."""


def queue_of_keys(*, first_delay_s: float, max_delay_s: float = 60.0) -> WorkQueue[Key]:
    """Return a queue in which namespaces take turns."""
    return WorkQueue(
        first_delay_s=first_delay_s,
        max_delay_s=max_delay_s,
        group_of=lambda key: key[0],
        most_of_one=MOST_OF_ONE_NAMESPACE,
    )


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Works on a queue; several may run at once. `kind` is the kind that the keys name."""

    kind: str
    queue: WorkQueue[Key]
    reconcile: Callable[[Key], Awaitable[float | None]]
    """Returns when to look again, in seconds."""
    on_surprise: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Work until the queue is shut down. Raises LeaseLost: then all work must stop."""
        while True:
            try:
                key = await self.queue.get()
            except ShutDown:
                return
            try:
                await self._take(key)
            finally:
                self.queue.done(key)

    async def _take(self, key: Key) -> None:
        try:
            again_s = await self.reconcile(key)
        except LeaseLost:
            raise
        except LokeysError as exc:
            delay_s = self.queue.add_rate_limited(key)
            _log.warning("%s %s/%s: %s; again in %.1f s", self.kind, *key, exc, delay_s)
        except Exception as exc:  # noqa: BLE001 - an error in one must not end the others
            self.queue.add_rate_limited(key)
            self.on_surprise()
            # The exception's own text may quote what was read.
            bare = RuntimeError("its words are left out").with_traceback(exc.__traceback__)
            name = type(exc).__name__
            _log.error("%s %s/%s: unexpected %s", self.kind, *key, name, exc_info=bare)
        else:
            self.queue.forget(key)
            if again_s is not None:
                self.queue.add_after(key, again_s)
