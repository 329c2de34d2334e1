# SPDX-License-Identifier: Apache-2.0
"""The story of the runbook, played by the product's own operator and command line.

    all is well ─▶ a key is replaced ─▶ what lokeys says ─▶ mode Heal ─▶ the proof ─▶ and again
                                                                        └─▶ with a bridge

The parts are stand-ins over real HTTP in this process; the operator is `lokeys operator` in one of
its own. Whether the story ended well is asked of the parts, above all of the object store.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from lokeys.clock import utc_now
from lokeys.core.findings.finding import time_to_json
from lokeys.core.findings.report import report
from lokeys.demo.healing import Milestone, bridge_milestones, milestones, ready, words_of
from lokeys.demo.homelab import Homelab
from lokeys.demo.line_shipper import LineShipper
from lokeys.demo.manifests import POD, ROUTE, STORAGE
from lokeys.demo.operator_process import OperatorProcess, StepTaken
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.proof import Claim, claims, name_of
from lokeys.demo.stage import Record, Stage

AWAITED_S = 30.0
NOTICED_S = 90.0
"""How long a change behind Rook's back may take: its trace is looked for every half a minute."""

TO_HEAL = f"""kubectl patch scred {ROUTE} --type merge -p '{{"spec":{{"mode":"Heal"}}}}'"""

TO_BRIDGE = f"""kubectl -n {STORAGE} annotate cephobjectstoreuser loki \\
    lokeys.dev/allowed-bridge=1h"""


class Missed(Exception):
    """The story cannot go on: what should have happened did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryEnding:
    """What the story amounts to: the report, and what is missing from a good end."""

    document: Json
    missing: tuple[str, ...]

    @property
    def code(self) -> int:
        """Return the exit code: 0 only if Loki really writes again, with the new key."""
        return 1 if self.missing else 0


async def play(stage: Stage, *, behind_rook: bool = False) -> StoryEnding:
    """Play the story. `behind_rook`: also a change that Rook never notices, a minute more."""
    story = Story(Record(stage, utc_now))
    began_s, started_at = asyncio.get_running_loop().time(), utc_now()
    missing: list[str] = []
    try:
        await story.play(behind_rook=behind_rook)
    except Missed as problem:
        missing = [str(problem)]
    except (TimeoutError, httpx2.HTTPError) as problem:
        missing = [f"a stand-in did not answer ({type(problem).__name__})"]
    missing += [claim.missing for claim in story.proof if not claim.holds]
    document = report(
        "DemoReport",
        ok=not missing,
        startedAt=time_to_json(started_at),
        took=round(asyncio.get_running_loop().time() - began_s, 2),
        **story.to_json(),
        missing=missing,
    )
    return StoryEnding(document=document, missing=tuple(missing))


@dataclass(slots=True)
class Story:
    """One playing of the story."""

    record: Record
    proof: tuple[Claim, ...] = ()
    _diagnosis: Json | None = None
    _route: Json | None = None
    _steps: list[Json] = field(default_factory=list)
    _home: Homelab = field(init=False)
    _operator: OperatorProcess = field(init=False)
    _shipper: LineShipper = field(init=False)

    def to_json(self) -> dict[str, Any]:
        """Return what the story adds to the report."""
        return {
            "acts": self.record.to_json(),
            "diagnosis": self._diagnosis,
            "steps": self._steps,
            "route": self._route,
            "proof": {claim.name: claim.holds for claim in self.proof},
        }

    async def play(self, *, behind_rook: bool) -> None:
        """Play all acts. Raises Missed."""
        self.record.stage.say(
            "A homelab in this process, on loopback: Ceph's RGW, Rook, 1Password Connect, External "
            "Secrets, Kubernetes and Loki are stand-ins that speak real HTTP. The operator and the "
            "commands are lokeys' own."
        )
        async with AsyncExitStack() as stack:
            await self._set_up(stack)
            await self._all_is_well()
            await self._key_is_replaced()
            await self._what_lokeys_says()
            await self._heal()
            await self._prove()
            await self._once_more("The same again, and nobody does anything", rook_told=True)
            if behind_rook:
                await self._once_more("A change that Rook never notices", rook_told=False)
            await self._bridge()
            await self._end()

    async def _set_up(self, stack: AsyncExitStack) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lokeys-demo-"))
        self._home = home = await stack.enter_async_context(Homelab(Path(folder)))
        home.describe_route()
        self._operator = await stack.enter_async_context(OperatorProcess(home.kubeconfig))
        self._shipper = LineShipper(lambda: home.loki_url)
        await stack.enter_async_context(self._shipper)

    # --- the acts -------------------------------------------------------------------------------

    async def _all_is_well(self) -> None:
        home, record = self._home, self.record
        record.act("All is well")
        await self._until("the operator, in mode Observe, finds all well", lambda: ready(home))
        await self._until("Loki writes a first chunk", lambda: home.newest_chunk is not None)
        record.happened("Loki", f"writes; its chunks are signed with {name_of(home.key)}")
        await record.stage.trace(home.kubeconfig, ROUTE)
        await record.end_act()

    async def _key_is_replaced(self) -> None:
        home, record = self._home, self.record
        record.act("Somebody replaces the key at Ceph")
        old = home.key
        await home.replace_key()
        record.happened(
            "RGW", f"user loki has a new key, {name_of(home.key)}, and {name_of(old)} is gone"
        )
        home.edit_ceph_cluster()
        await self._until("Rook writes the new key", lambda: home.source_pair == home.key)
        record.happened("Rook", "writes it into its Secret; nobody else is told")
        await self._flushes_fail()
        answer = (await home.ask_loki("/ready")).text.strip()
        pod = f"{POD} is {home.containers_ready}"
        record.happened("Loki", f"GET /ready says 200 {answer}, and {pod}", tone="good")
        refused = await home.refusals()
        record.happened(
            "Loki", f"but the store refused {refused} of its writes with 403:", tone="bad"
        )
        record.stands("", "", _why(await home.complaint()), tone="bad")
        await record.end_act()

    async def _what_lokeys_says(self) -> None:
        home, record = self._home, self.record
        record.act("What lokeys says")
        await self._until("the operator finds it", lambda: not ready(home))
        self._diagnosis = await record.stage.doctor(home.kubeconfig)
        await record.end_act()

    async def _heal(self) -> None:
        record = self.record
        record.act("The operator may heal")
        record.stage.command(TO_HEAL)
        ahead = milestones(self._home)
        self._home.set_mode("Heal")
        await self._follow(ahead)
        await record.end_act()

    async def _prove(self) -> None:
        record = self.record
        record.act("The proof, asked of the parts themselves")
        await self._ask_for_proof()
        for claim in self.proof:
            if claim.holds:
                record.stands("ok", claim.title, claim.text, tone="good")
            else:
                record.stands("FAIL", claim.title, claim.missing, tone="bad")
        self._route = await record.stage.trace(self._home.kubeconfig, ROUTE)
        await record.end_act()

    async def _once_more(self, title: str, *, rook_told: bool) -> None:
        home, record = self._home, self.record
        record.act(title)
        ahead = [each for each in milestones(home) if each.name in {"Loki", "proved"}]
        await home.replace_key()
        record.happened("RGW", f"user loki has a new key, {name_of(home.key)}")
        if rook_told:
            home.edit_ceph_cluster()
            await self._follow(ahead, brief=True)
        else:
            await self._follow(ahead, brief=True, timeout_s=NOTICED_S)
        await record.end_act()

    async def _bridge(self) -> None:
        """Replace the key once more, where a bridge is allowed; Rook keeps `spec.keys` after it."""
        home, record = self._home, self.record
        record.act("With a bridge: the source's owner allows it, and no restart is waited for")
        record.stage.command(TO_BRIDGE)
        home.allow_bridge("1h")
        old, began = home.key, utc_now()
        await home.replace_key()
        record.happened("RGW", f"user loki has a new key, {name_of(home.key)}")
        ahead = bridge_milestones(home, old=old, since=began)
        home.edit_ceph_cluster()
        await self._follow(ahead)
        await record.end_act()

    async def _end(self) -> None:
        """Ask for the proof a last time, when everything is over."""
        await self._ask_for_proof()
        if all(claim.holds for claim in self.proof):
            self.record.stage.say(
                f"\nThe end: Loki writes with {name_of(self._home.key)}, and all "
                f"{len(self._shipper.taken)} log lines are readable. Nothing of this stays on your "
                "machine. On your own cluster: lokeys doctor -A"
            )

    # --- following ------------------------------------------------------------------------------

    async def _follow(
        self, ahead: list[Milestone], *, brief: bool = False, timeout_s: float = AWAITED_S
    ) -> None:
        """Tell each step of the operator and what comes of it, until the last has come."""
        first = told = len(self._operator.steps)
        done: set[str] = set()

        def all_seen() -> bool:
            nonlocal told
            for step in self._operator.steps[told:]:
                told += 1
                done.add(step.action)
                self._tell(step, brief=brief)
            while ahead and ahead[0].after in done and ahead[0].seen():
                milestone = ahead.pop(0)
                self.record.happened(milestone.name, milestone.text(), tone=milestone.tone)
            return not ahead

        await self._until("the operator heals and proves", all_seen, timeout_s=timeout_s)
        if brief:
            actions = ", ".join(step.action for step in self._operator.steps[first:])
            self.record.happened("lokeys", f"did: {actions}")

    def _tell(self, step: StepTaken, *, brief: bool) -> None:
        if not brief:
            self.record.happened(step.action, words_of(step), at_s=step.at_s)
        act = self.record.acts[-1]
        self._steps.append(
            {
                "act": act.number,
                "at": round(step.at_s - act.began_s, 2),
                "action": step.action,
                "target": step.target,
                "note": step.note,
            }
        )

    async def _flushes_fail(self) -> None:
        """Wait until the store has refused a retry too."""
        async with asyncio.timeout(AWAITED_S):
            while await self._home.refusals() < 2:  # noqa: ASYNC110 - Loki tells nobody
                await asyncio.sleep(0.1)

    async def _ask_for_proof(self) -> None:
        shown = [self.record.stage.said, json.dumps(self.to_json()), *self._operator.said]
        self.proof = await claims(self._home, lines=list(self._shipper.taken), shown=shown)

    async def _until(
        self, what: str, condition: Callable[[], object], *, timeout_s: float = AWAITED_S
    ) -> None:
        """Wait for a part of the story; Missed where it does not come, or the operator ends."""
        operator = self._operator
        try:
            await self._home.until(lambda: condition() or not operator.running, timeout_s=timeout_s)
        except TimeoutError:
            problem = f"not within {timeout_s:.0f} s: {what}"
        else:
            if operator.running:
                return
            problem = "the operator ended"
        raise Missed(
            f"{problem}; it last said: {operator.said[-1] if operator.said else 'nothing'}"
        )


def _why(complaint: str) -> str:
    """Return the part of Loki's complaint that says why."""
    why = complaint.partition("upload s3 object: ")[2].partition(", num_chunks")[0]
    return f'"{why.rstrip(".")}"' if why else complaint
