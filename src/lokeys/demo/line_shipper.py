# SPDX-License-Identifier: Apache-2.0
"""A log agent stand-in: sends a line now and then, and each again until Loki has taken it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

import httpx2

from lokeys.clock import utc_now

EVERY_S = 0.1
AGAIN_S = 0.1


class LineShipper:
    """Ships while it is entered. `where` says where Loki is at the moment, None for nowhere."""

    def __init__(self, where: Callable[[], str | None]) -> None:
        self.taken: list[str] = []
        """The lines that Loki has acknowledged."""
        self._where = where
        self._http = httpx2.AsyncClient(timeout=2, trust_env=False)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._http.aclose()

    async def _run(self) -> None:
        while True:
            line = f"line {len(self.taken) + 1}"
            at_ns = str(int(utc_now().timestamp() * 1e6) * 1000)
            while not await self._send([at_ns, line]):  # noqa: ASYNC110 - no event shows it
                await asyncio.sleep(AGAIN_S)
            self.taken.append(line)
            await asyncio.sleep(EVERY_S)

    async def _send(self, entry: list[str]) -> bool:
        url = self._where()
        if url is None:
            return False
        body: dict[str, Any] = {"streams": [{"stream": {"app": "shop"}, "values": [entry]}]}
        try:
            answer = await self._http.post(f"{url}/loki/api/v1/push", json=body)
        except httpx2.TransportError:
            return False
        return answer.is_success
