# SPDX-License-Identifier: Apache-2.0
"""The tests of stacks' credentials: started when they change, and repeated after that.

A test runs beside the reconciler, which continues with what does not depend on it, and looks again
when it has ended. The last result is remembered until the credentials change.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lokeys.core.operate.credentials import first_pods
from lokeys.core.operate.live import LivePodState
from lokeys.core.operate.snapshot import StackSnapshot, Trial
from lokeys.core.route.snapshot import LokiMetrics
from lokeys.core.stack.resource.model import Component
from lokeys.core.trust.tries.identity import accounts_to_try
from lokeys.core.trust.tries.schedule import Tried, due_at
from lokeys.errors import LokeysError
from lokeys.kube.turns import Turns
from lokeys.operator.stacks.cache import StackKey
from lokeys.ports import Clock, CredentialVerifier, Objects

TRIAL_S = 60.0
AT_A_TIME, OF_ONE_NAMESPACE = 8, 4
UNHEARD_FOR = timedelta(minutes=1)

_log = logging.getLogger(__name__)

MakeVerifier = Callable[[str, Objects], CredentialVerifier]
"""Takes a stack's namespace and what to read with."""
Counters = Callable[[str], Awaitable[LokiMetrics | None]]
"""Asks the Loki at a pod's address how its storage requests were answered."""
Use = Callable[[str], Awaitable[None]]
"""Makes the Loki at a pod's address use the storage."""


@dataclass(slots=True)
class _Stack:
    """What is remembered about one stack's tests."""

    of: str
    """The credentials that were tested."""
    trial: Trial | None = None
    last: Tried | None = None
    """None if the next test is due at once."""
    jitter: float = field(default_factory=random.random)
    task: asyncio.Task[None] | None = None


@dataclass(kw_only=True)
class Trials:
    """Tests the credentials of all stacks. `make_verifier` None: nothing can."""

    make_verifier: MakeVerifier | None
    counters: Counters | None
    use: Use | None
    clock: Clock
    every_s: float
    on_result: Callable[[StackKey], None]

    _tried: dict[StackKey, _Stack] = field(default_factory=dict)
    _unheard: dict[StackKey, dict[str, datetime]] = field(default_factory=dict)
    """Since when pods have not answered."""
    _turns: Turns = field(
        default_factory=lambda: Turns(at_a_time=AT_A_TIME, of_one=OF_ONE_NAMESPACE)
    )

    def latest(self, key: StackKey, snapshot: StackSnapshot) -> Trial | None:
        """Return the result of the last test so far; without one, what was known before."""
        tried = self._tried.get(key)
        return (tried.trial if tried else None) or snapshot.trial

    def trial(self, key: StackKey, snapshot: StackSnapshot, *, reads: Objects) -> Trial | None:
        """Return the result of testing the current credentials; start a test if due."""
        if self.make_verifier is None or snapshot.view.storage is None:
            self.forget(key)  # otherwise it would be due, and never started
            return Trial()
        of = f"{snapshot.store_hash} {snapshot.managed_hash} {snapshot.view.storage}"
        tried = self._tried.get(key)
        if tried is None or tried.of != of:
            self.forget(key)
            tried = self._tried[key] = _Stack(of)
        if self._due_in_s(tried, snapshot.now) <= 0 and (tried.task is None or tried.task.done()):
            verifier = self.make_verifier(key[0], reads)
            tried.task = asyncio.create_task(self._try(key, tried, snapshot, verifier))
        return tried.trial

    def try_again(self, key: StackKey) -> None:
        """Test a stack's credentials at once: its own pods are refused."""
        tried = self._tried.get(key)
        if tried is not None:
            tried.last = None
            self.on_result(key)

    def due_in_s(self, key: StackKey, now: datetime) -> float | None:
        """Return when to look again for a scheduled test; None if none is scheduled."""
        tried = self._tried.get(key)
        runs = tried is not None and tried.task is not None and not tried.task.done()
        if tried is None or tried.last is None or runs:  # a running one reports its end
            return None
        return max(0.5, self._due_in_s(tried, now))

    def _due_in_s(self, tried: _Stack, now: datetime) -> float:
        if tried.last is None:
            return 0.0
        every = timedelta(seconds=self.every_s)
        return (due_at(tried.last, every=every, jitter=tried.jitter) - now).total_seconds()

    def forget(self, key: StackKey) -> None:
        """Stop testing a stack's credentials."""
        self._unheard.pop(key, None)
        tried = self._tried.pop(key, None)
        if tried is not None and tried.task is not None:
            tried.task.cancel()

    async def counted(
        self, key: StackKey, snapshot: StackSnapshot
    ) -> Mapping[str, LokiMetrics | None]:
        """Return how the store answers the first pods with untested credentials.

        A pod that has not answered for a minute is left out: its state is not known.
        """
        asked = [pod for pod in first_pods(snapshot) if pod.address]
        unheard = self._unheard.pop(key, {})
        if self.counters is None or not asked:
            return {}
        answers = await asyncio.gather(*(self.counters(pod.address) for pod in asked))
        known = dict(zip((pod.uid for pod in asked), answers, strict=True))
        since = {uid: unheard.get(uid, snapshot.now) for uid, each in known.items() if each is None}
        self._unheard[key] = since
        lost = {uid for uid, at in since.items() if snapshot.now - at >= UNHEARD_FOR}
        return {uid: each for uid, each in known.items() if uid not in lost}

    async def use_storage(self, snapshot: StackSnapshot) -> None:
        """Make a querier request labels, for which the index gateway must use the store."""
        queriers = (pod for pod in snapshot.pods if pod.component == Component.QUERIER.value)
        ready = [pod for pod in queriers if pod.state is LivePodState.READY and pod.address]
        if self.use is not None and ready:
            await self.use(ready[0].address)

    async def _try(
        self, key: StackKey, tried: _Stack, snapshot: StackSnapshot, verifier: CredentialVerifier
    ) -> None:
        trial = Trial()
        try:
            async with self._turns.of(key[0]), asyncio.timeout(TRIAL_S):
                trial = await _outcome(snapshot, verifier)
        except (LokeysError, TimeoutError) as exc:
            _log.warning("%s: the credentials could not be tried: %s", snapshot.ref, exc)
        except Exception as exc:  # noqa: BLE001 - otherwise the credentials would be held forever
            name = type(exc).__name__
            bare = RuntimeError("its words are left out").with_traceback(exc.__traceback__)
            _log.error("%s: unexpected %s in a trial", snapshot.ref, name, exc_info=bare)
        left_open = not trial.verifications or any(e.left_open for e in trial.verifications)
        now = self.clock()
        tried.trial = trial
        tried.last = (tried.last or Tried(at=now)).after(now, left_open=left_open)
        self.on_result(key)


async def _outcome(snapshot: StackSnapshot, verifier: CredentialVerifier) -> Trial:
    view = snapshot.view
    if view.stack is None or view.storage is None or view.secret is None:
        return Trial()
    stack = replace(view.stack, uid=snapshot.uid)
    return Trial(
        verifications=tuple(
            [
                await verifier.verify(stack, view.storage, view.secret, account=account)
                for account in accounts_to_try(stack, view.storage)
            ]
        )
    )
