# SPDX-License-Identifier: Apache-2.0
"""Healing from the command line: look, do the next step, look again, until it is proved.

The operator does the same in each of its reconciles; both use `Lookout` and `Executor`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from lokeys.core.route.key_state import Proof, evidence
from lokeys.core.route.memory import Memory
from lokeys.core.route.plan import Action, Step
from lokeys.engine.route.act import Executor
from lokeys.engine.route.look import Look, LookOptions, Lookout
from lokeys.errors import Conflict, Transient, Waiting
from lokeys.ports import Sleep


class Ending(StrEnum):
    """How a heal ended."""

    PROVED = "proved"
    STALLED = "stalled"
    TIMED_OUT = "timed out"
    ONE_STEP = "one step done"
    WAITING = "waiting for others"
    CALLED_OFF = "called off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step that was carried out, and how long it took."""

    step: Step
    took: timedelta
    note: str = ""


@dataclass(slots=True, kw_only=True)
class Healing:
    """What a heal has done so far; always consistent, so that an interruption can report it."""

    memory: Memory
    look: Look | None = None
    done: list[Done] = field(default_factory=list)
    ending: Ending | None = None

    @property
    def proof(self) -> Proof | None:
        """Return what proves the route now."""
        return evidence(self.look.snapshot) if self.look else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Receives the progress."""

    on_look: Callable[[Look], None] = lambda _: None
    on_step: Callable[[Step], None] = lambda _: None
    on_done: Callable[[Done], None] = lambda _: None
    remember: Callable[[Memory], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to continue, and how to wait.

    `longest_wait_s`: longer waits end the heal. `wanted` is called before each step: whether the
    heal may continue with it.
    """

    timeout: timedelta
    sleep: Sleep
    one_step: bool = False
    longest_wait_s: float = math.inf
    wanted: Callable[[Step], bool] = lambda _: True


async def heal(
    hand: Executor, healing: Healing, *, wishes: LookOptions, patience: Patience, listener: Listener
) -> Healing:
    """Heal the route as far as possible; `healing.ending` says how it ended."""
    lookout = hand.lookout
    deadline = lookout.clock() + patience.timeout
    while healing.ending is None:
        look = await _look(lookout, healing, wishes)
        listener.on_look(look)
        step = look.plan.next_step
        if step is None:
            healing.ending = Ending.PROVED if look.plan.settled else Ending.STALLED
        elif lookout.clock() >= deadline:
            healing.ending = Ending.TIMED_OUT
        elif not patience.wanted(step):
            healing.ending = Ending.CALLED_OFF
        elif step.passive:
            await _wait(step, healing, deadline, lookout.clock(), patience)
        else:
            await hand.insist_on_rights(look)
            # What the step is based on must outlive us: the next run would take it for a change.
            await _remember(healing, listener)
            await _do(step, hand, healing, listener, patience)
            # A test does not count as the one step: only this run knows its result.
            if patience.one_step and step.action is not Action.TEST_KEY:
                healing.ending = Ending.ONE_STEP
                await _look(lookout, healing, wishes)
        await _remember(healing, listener)
    return healing


async def _remember(healing: Healing, listener: Listener) -> None:
    if listener.remember is not None:
        await listener.remember(healing.memory)


async def _look(lookout: Lookout, healing: Healing, wishes: LookOptions) -> Look:
    look = await lookout.look(healing.memory, wishes=wishes)
    healing.look, healing.memory = look, look.memory
    return look


async def _wait(
    step: Step, healing: Healing, deadline: datetime, now: datetime, patience: Patience
) -> None:
    look = healing.look
    if look is not None and look.plan.stalled is not None:
        healing.ending = Ending.STALLED
    elif patience.one_step:
        healing.ending = Ending.ONE_STEP
    elif step.look_again_s > patience.longest_wait_s:
        healing.ending = Ending.WAITING
    else:
        await patience.sleep(min(step.look_again_s, max((deadline - now).total_seconds(), 0.05)))


async def _do(
    step: Step, hand: Executor, healing: Healing, listener: Listener, patience: Patience
) -> None:
    """Do one step; a problem that may pass is noted, and the step retried after another look."""
    if healing.look is None:
        return
    listener.on_step(step)
    began = hand.lookout.clock()
    note = ""
    try:
        healing.memory = await hand.act(step, healing.look)
    except (Conflict, Waiting, Transient) as exc:
        note = str(exc)
        await patience.sleep(1.0)
    done = Done(step=step, took=hand.lookout.clock() - began, note=note)
    healing.done.append(done)
    listener.on_done(done)
