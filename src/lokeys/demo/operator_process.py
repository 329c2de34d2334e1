# SPDX-License-Identifier: Apache-2.0
"""`lokeys operator` as a process of its own, and what it says."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lokeys.demo.manifests import MONITORING, ROUTE
from lokeys.operator.routes import reconciler

STOPS_WITHIN_S = 0.5
_STEP = re.compile(
    rf" {re.escape(reconciler.__name__)}: {MONITORING}/{ROUTE}: ([a-z-]+):(\S+?)(: .*)?$"
)


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A step that the operator says it has done; `at_s` is the event loop's time."""

    at_s: float
    action: str
    target: str
    note: str


class OperatorProcess:
    """The product's own operator, running while this is entered."""

    def __init__(self, kubeconfig: Path) -> None:
        self.said: list[str] = []
        self.steps: list[StepTaken] = []
        self._kubeconfig = kubeconfig

    async def __aenter__(self) -> Self:
        words = ("operator", "--kubeconfig", str(self._kubeconfig), "--host", "127.0.0.1")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "lokeys",
            *words,
            "--port",
            "0",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._reading

    @property
    def running(self) -> bool:
        """Tell whether it still runs."""
        return self._process.returncode is None

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        output = self._process.stdout
        while output is not None and (raw := await output.readline()):
            line = raw.decode(errors="replace").rstrip()
            self.said.append(line)
            if found := _STEP.search(line):
                action, target, note = found.groups()
                self.steps.append(StepTaken(loop.time(), action, target, (note or "")[2:]))
