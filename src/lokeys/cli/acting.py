# SPDX-License-Identifier: Apache-2.0
"""Carries out a route's steps for a person: under its Lease, with a receipt however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from lokeys.cli.routes import NamedRoute
from lokeys.cli.session import Session
from lokeys.core.findings.verdict import Answer
from lokeys.core.route.plan import Step
from lokeys.engine.route.act import Executor
from lokeys.engine.route.heal import Done, Healing, Listener, Patience, heal
from lokeys.engine.route.look import Look, LookOptions
from lokeys.engine.route.receipts import ReceiptBook
from lokeys.errors import Forbidden, LokeysError, Unreachable

INTERRUPTED = "interrupted"
RECEIPT_TAKES_S = 5.0
"""It is not waited for longer: a person who interrupts wants it to end."""


def insist_on_store(look: Look) -> None:
    """Refuse at once if no key can be tested from here: waiting would not help."""
    verdicts = look.snapshot.verdicts.values()
    if verdicts and all(verdict.answer is Answer.UNREACHABLE for verdict in verdicts):
        said = next(iter(verdicts)).detail or "no answer"
        raise Unreachable(
            f"the store cannot be reached from here, so no key can be tested and none is spread: "
            f"{said}"
        )


def insist_on_readable(look: Look) -> None:
    """Refuse before any change if the plan waits for what may not or cannot be read.

    A permission may also be removed meanwhile, so this is checked again at each look.
    """
    gap = look.plan.hopeless
    if gap is not None:
        said = gap.detail or gap.why
        raise Forbidden(f"{gap.ref} cannot be read, so waiting would not help: {said}")


class Teller(Protocol):
    """Reports the progress to a person."""

    def on_look(self, look: Look) -> None:
        """Report a look."""
        ...

    def on_step(self, step: Step) -> None:
        """Report the start of a step."""
        ...

    def on_done(self, done: Done) -> None:
        """Report the end of a step."""
        ...


@dataclass(frozen=True, slots=True)
class Acting:
    """One route, and the executor that acts on it for a person."""

    session: Session
    route: NamedRoute
    hand: Executor
    book: ReceiptBook

    async def heal(
        self, healing: Healing, teller: Teller, *, wishes: LookOptions, patience: Patience
    ) -> None:
        """Heal as far as possible under the route's Lease. Raises as `heal` and the Lease do."""
        session, spec = self.session, self.route.spec
        listener = Listener(
            on_look=teller.on_look,
            on_step=teller.on_step,
            on_done=teller.on_done,
            remember=partial(session.remember, spec) if self.route.remembers else None,
        )
        async with session.hold(spec) as remaining_s, self._kept(healing):
            hand = replace(self.hand, lease_remaining_s=remaining_s)
            await heal(hand, healing, wishes=wishes, patience=patience, listener=listener)

    @asynccontextmanager
    async def _kept(self, healing: Healing) -> AsyncIterator[None]:
        """Keep a receipt of what was done, however it ends; report if it cannot be kept."""
        try:
            yield
        finally:
            receipt = self.book.close(healing.ending.value if healing.ending else INTERRUPTED)
            if receipt is not None:
                try:
                    async with asyncio.timeout(RECEIPT_TAKES_S):
                        await self.session.keep(self.route.spec, receipt)
                except (LokeysError, TimeoutError) as exc:
                    said = str(exc) or f"no answer in {RECEIPT_TAKES_S:.0f} s"
                    self.session.printer.talk((f"no receipt of this is kept: {said}", "warning"))
