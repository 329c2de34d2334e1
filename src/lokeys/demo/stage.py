# SPDX-License-Identifier: Apache-2.0
"""Where the story is shown, and the record that is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from lokeys.core.findings.finding import time_to_json
from lokeys.demo.parts.kube_kinds import Json


class Stage(Protocol):
    """Shows the story to a person, or to nobody."""

    def act(self, number: int, title: str) -> None:
        """Begin an act."""

    def say(self, text: str) -> None:
        """Say a few sentences."""

    def command(self, command: str) -> None:
        """Show a command as if somebody had typed it."""

    def row(self, mark: str, name: str, text: str, tone: str) -> None:
        """Show what happened; `mark` is when, or how it went; `tone` is "", good or bad."""

    async def trace(self, kubeconfig: Path, name: str) -> Json | None:
        """Run `lokeys trace` for the audience; return its report where that is what it wants."""

    async def doctor(self, kubeconfig: Path) -> Json | None:
        """Run `lokeys doctor` for the audience; return its report where that is what it wants."""

    async def pause(self) -> None:
        """Let a person read."""

    @property
    def said(self) -> str:
        """Return everything that was shown."""


@dataclass(slots=True, kw_only=True)
class Act:
    """One act: what happened in it, in seconds since it began."""

    number: int
    title: str
    started_at: datetime
    began_s: float
    took_s: float = 0.0
    events: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Record:
    """Shows each thing on the stage, and keeps it."""

    stage: Stage
    clock: Callable[[], datetime]
    acts: list[Act] = field(default_factory=list)

    def act(self, title: str) -> Act:
        """Begin the next act."""
        number = len(self.acts) + 1
        act = Act(number=number, title=title, started_at=self.clock(), began_s=_now_s())
        self.acts.append(act)
        self.stage.act(number, title)
        return act

    def happened(self, name: str, text: str, *, tone: str = "", at_s: float | None = None) -> None:
        """Tell what happened, at a moment of the event loop's time or now."""
        act = self.acts[-1]
        since_s = max((_now_s() if at_s is None else at_s) - act.began_s, 0.0)
        self.stage.row(f"{since_s:4.1f} s", name, text, tone)
        act.events.append({"at": round(since_s, 2), "name": name, "text": text})

    def stands(self, mark: str, name: str, text: str, *, tone: str = "") -> None:
        """Tell what is so; when it began does not matter."""
        self.stage.row(mark, name, text, tone)
        self.acts[-1].events.append({"at": None, "name": name, "text": text})

    async def end_act(self) -> None:
        """End the act, and let a person read."""
        self.acts[-1].took_s = _now_s() - self.acts[-1].began_s
        await self.stage.pause()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the acts for a report."""
        return [
            {
                "number": act.number,
                "title": act.title,
                "startedAt": time_to_json(act.started_at),
                "took": round(act.took_s, 2),
                "events": act.events,
            }
            for act in self.acts
        ]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
