# SPDX-License-Identifier: Apache-2.0
"""What the stages pass on to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lokeys.core.route.key_state import Seen
from lokeys.core.route.plan.steps import Policy, Step
from lokeys.core.sensitive import PairFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The plan so far: the snapshot, the pair that must be everywhere, and the steps to it."""

    snapshot: Seen
    policy: Policy
    pair: PairFacts
    steps: tuple[Step, ...] = ()
    vault_changes: bool = False
    secret_changes: bool = False
    bridges: bool = False
    """Whether one of its steps makes the pair that the pods hold valid again."""

    def then(self, *steps: Step) -> Draft:
        """Return the plan with further steps."""
        return replace(self, steps=(*self.steps, *steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The plan ends here: with a cause for a person, or (no cause) with something to wait for."""

    steps: tuple[Step, ...] = ()
    cause: str | None = None
    reason: str = ""
