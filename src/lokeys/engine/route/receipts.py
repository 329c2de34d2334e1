# SPDX-License-Identifier: Apache-2.0
"""Writes the receipt of a heal while it runs: each look is included, each step noted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lokeys.core.route.key_state import evidence
from lokeys.core.route.plan import Action
from lokeys.core.route.receipts.model import (
    Actor,
    Deed,
    Receipt,
    ReceiptKind,
    begun,
    closed,
    seen_in,
    with_deed,
)
from lokeys.engine.route.heal import Done
from lokeys.engine.route.look import Look
from lokeys.ports import Clock


@dataclass(slots=True, kw_only=True)
class ReceiptBook:
    """The receipt of what is being done on one route; None before the first step."""

    by: Actor
    clock: Clock
    receipt: Receipt | None = None
    _last: Look | None = None

    def saw(self, look: Look) -> None:
        """Include a look; before the first step it is kept as the route's initial state."""
        self._last = look
        if self.receipt is not None:
            self.receipt = seen_in(self.receipt, look.snapshot)

    def did(self, done: Done) -> None:
        """Note a step that was attempted after the last look."""
        now = self.clock()
        if self.receipt is None:
            if self._last is None:
                return
            cause = self._last.diagnosis.cause
            self.receipt = begun(
                self._last.snapshot,
                at=now - done.took,
                cause=(cause.cause or cause.code) if cause else "",
                why=cause.title if cause else "",
                by=self.by,
            )
        if done.step.action is Action.BEGIN_ROTATION:
            self.receipt = replace(
                self.receipt, kind=ReceiptKind.ROTATION, why=done.step.why, cause=""
            )
        deed = Deed(step=done.step.id, at=now, took=done.took, note=done.note)
        self.receipt = with_deed(self.receipt, deed)

    def close(self, ending: str) -> Receipt | None:
        """Return the receipt of a heal that has ended, if anything was done; then start again."""
        receipt, self.receipt = self.receipt, None
        if receipt is None:
            return None
        proof = evidence(self._last.snapshot) if self._last else None
        return closed(receipt, ending=ending, proof=proof, at=self.clock())
