# SPDX-License-Identifier: Apache-2.0
"""Calls are spread over small pools of connections."""

import asyncio

import httpx2

from lokeys.kube.connection import Lanes


class Lane(httpx2.AsyncBaseTransport):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = False
        self.may_answer = asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        await self.may_answer.wait()
        if request.url.path == "/broken":
            raise httpx2.ReadError("broke")
        return httpx2.Response(200)

    async def aclose(self) -> None:
        self.closed = True


def test_a_call_takes_the_first_of_the_least_busy_lanes() -> None:
    """One call after another keeps one connection warm; calls at once spread; so do failures."""

    async def test() -> None:
        lanes = [Lane(), Lane(), Lane()]
        transport = Lanes(lanes)
        at_once = [asyncio.create_task(_get(transport, "/broken")) for _ in range(4)]
        await asyncio.sleep(0)
        assert [lane.asked for lane in lanes] == [2, 1, 1]
        for lane in lanes:
            lane.may_answer.set()
        await asyncio.gather(*at_once, return_exceptions=True)
        for _ in range(3):
            await _get(transport, "/")
        assert [lane.asked for lane in lanes] == [5, 1, 1]
        await transport.aclose()
        assert all(lane.closed for lane in lanes)

    asyncio.run(test())


async def _get(transport: Lanes, path: str) -> None:
    await transport.handle_async_request(httpx2.Request("GET", f"https://api{path}"))
