# SPDX-License-Identifier: Apache-2.0
"""One call to the API server: queued, and bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec

from lokeys.errors import Throttled, Transient
from lokeys.kube.connection import CALLS_AT_A_TIME, Connection
from lokeys.kube.replies import Target, body_of, refusal, unreachable

UNAUTHORIZED, TOO_MANY = 401, 429
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """How much of an answer is read, and how long to wait for it."""

    object_bytes: int = 16 * 1024 * 1024
    page_bytes: int = 64 * 1024 * 1024
    page_items: int = 500
    call_s: float = 30.0
    watch_s: float = 290.0
    throttled_tries: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """The request, its target, and how much of the answer is read."""

    method: str
    path: str
    target: Target
    params: Mapping[str, str | int] | None = None
    headers: Mapping[str, str] | None = None
    content: bytes | None = None
    max_bytes: int


class Calls:
    """Sends calls over one connection, a few at a time."""

    def __init__(
        self,
        connection: Connection,
        *,
        server: str,
        limits: CallLimits,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._connection = connection
        self._server = server
        self._root = server.rstrip("/")
        self._limits = limits
        self._sleep = sleep
        self._turn = asyncio.Semaphore(CALLS_AT_A_TIME)

    async def send(self, call: ApiCall) -> bytes:
        """Return the body of a successful answer; retries a few times if asked to slow down."""
        tries = self._limits.throttled_tries
        for attempt in range(tries):
            try:
                return await self._send_once(call)
            except Throttled as exc:
                if attempt + 1 == tries:
                    raise
                await self._sleep(exc.retry_after_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send_once(self, call: ApiCall) -> bytes:
        await self._connection.prepare()
        try:
            async with (
                self._turn,  # waiting here does not count towards the answer's time limit
                asyncio.timeout(self._limits.call_s),
                self.opened(call, client=self._connection.calls) as response,
            ):
                return await body_of(response, target=call.target, max_bytes=call.max_bytes)
        except TimeoutError as exc:
            raise unreachable(exc, server=self._server) from exc

    async def lets_in(self, client: httpx2.AsyncClient, token: str) -> bool:
        """Ask the server, with only this token, which user it belongs to."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        request = client.build_request(
            "POST",
            self._root + _REVIEWS,
            headers={"Authorization": f"Bearer {token}"},
            json=review,
            extensions=self._connection.extensions,
        )
        try:
            async with self._turn, asyncio.timeout(self._limits.call_s):
                response = await client.send(request, stream=True)
                await response.aclose()
        except (httpx2.HTTPError, OSError, TimeoutError) as exc:
            raise unreachable(exc, server=self._server) from exc
        if response.status_code >= 500 or response.status_code == TOO_MANY:
            raise Transient(f"the API server answered {response.status_code}")
        return response.status_code != UNAUTHORIZED

    @asynccontextmanager
    async def opened(
        self, call: ApiCall, *, client: httpx2.AsyncClient
    ) -> AsyncIterator[httpx2.Response]:
        """Send the call; yield its answer if successful, otherwise raise its error."""
        request = client.build_request(
            call.method,
            # The client would parse the URL three times to build it: a sixth of a call's time.
            self._root + call.path + (f"?{urlencode(call.params)}" if call.params else ""),
            headers=call.headers,
            content=call.content,
            extensions=self._connection.extensions,
        )
        try:
            response = await client.send(request, stream=True)
            try:
                if response.status_code >= 300:
                    raise await refusal(response, target=call.target)
                yield response
            finally:
                await response.aclose()
        except (httpx2.HTTPError, OSError) as exc:
            raise unreachable(exc, server=self._server) from exc


def read_object(body: bytes, *, target: Target) -> dict[str, Any]:
    """Return the JSON object in an answer; raises Transient for anything else."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        raise Transient(f"cannot {target.verb} {target}: the answer is no JSON object")
    return found
