# SPDX-License-Identifier: Apache-2.0
"""Clients for many CA bundles, of which few are in use at a time.

    client ─▶ request ─▶ the wire of its bundle ─▶ answer ─▶ closed, if it is not used again soon
                         (made if there is none)

A client holds nothing. A wire is large: a trust store and connections. An editor of a
StorageCredential may name another bundle with every edit, so the number of wires is limited.
"""

from __future__ import annotations

import asyncio
import copy
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

import httpx2

from lokeys.adapters.http import Dial, make_client, make_wire, tls_context
from lokeys.adapters.silences import Heeding, Silences
from lokeys.core.proxies import NO_PROXIES, Proxies, Unusable

MOST_WIRES = 16
"""At most this many are kept open. More are open only while each of them has a request."""
UNUSED_S = 60.0
"""A wire that is unused for this long is closed: routes send again within half a minute."""


Key = tuple[str | None, Proxies]
"""The CA bundle that a wire trusts, and its proxies."""


@dataclass(slots=True)
class Wire:
    """The connections to servers that one bundle verifies."""

    transport: httpx2.AsyncBaseTransport
    requests: int = 0
    """Under way."""
    end: asyncio.TimerHandle | None = None


class HttpClients:
    """Clients by the CA bundle that they trust; those of one bundle share its wire.

    With `silences` an address that gave no answer in time is not contacted for a while.
    """

    def __init__(
        self,
        *,
        dial: Dial | None = None,
        proxies: Proxies = NO_PROXIES,
        wire: Callable[[str | None, Proxies], httpx2.AsyncBaseTransport] = make_wire,
        silences: Silences | None = None,
    ) -> None:
        self._dial = dial
        self._proxies = proxies
        self._make_wire = wire
        self._silences = silences
        self.asker: Hashable = None
        """Whose missing answers are counted together."""
        self._wires: OrderedDict[Key, Wire] = OrderedDict()
        """The most recently used one is last."""
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._wires)

    def trusting(self, ca_bundle: str | None) -> httpx2.AsyncClient:
        """Return a client for `ca_bundle`; raises BadInput if it has no certificate."""
        return self._client(ca_bundle, self._proxies, dial=self._dial)

    def leading_to(self, address: str, ca_bundle: str | None) -> httpx2.AsyncClient:
        """Return a client that connects to one address, whatever host its requests name."""

        async def dial(_host: str, port: int) -> tuple[str, int]:
            return address, port

        return self._client(ca_bundle, NO_PROXIES, dial=dial)

    def direct(self) -> httpx2.AsyncClient:
        """Return a client without a proxy, for pods by their addresses."""
        return self._client(None, NO_PROXIES, dial=self._dial)

    @property
    def dial(self) -> Dial | None:
        """Return the detour that reaches hosts."""
        return self._dial

    def has_proxy(self, scheme: str, host: str, port: int) -> bool:
        """Tell whether a proxy connects to an address for us."""
        try:
            return self._proxies.of(scheme, host, port) is not None
        except Unusable:
            return True

    def asked_by(self, asker: Hashable) -> HttpClients:
        """Return the same clients over the same wires; each asker has its own silences."""
        same = copy.copy(self)
        same.asker = asker
        return same

    def through(self, proxies: Proxies) -> HttpClients:
        """Return clients with other proxies; the caller must close them."""
        other = HttpClients(
            dial=self._dial, proxies=proxies, wire=self._make_wire, silences=self._silences
        )
        return other.asked_by(self.asker)

    def _client(
        self, ca_bundle: str | None, proxies: Proxies, *, dial: Dial | None
    ) -> httpx2.AsyncClient:
        tls_context(ca_bundle)
        wire: httpx2.AsyncBaseTransport = _Shared(self, (ca_bundle, proxies))
        if self._silences is not None:
            wire = Heeding(wire, self._silences, self.asker)
        return make_client(dial=dial, transport=wire)

    def take(self, key: Key) -> Wire:
        """Return the wire of a bundle and its proxies; the caller must call `give_back`."""
        wire = self._wires.pop(key, None) or Wire(self._make_wire(*key))
        self._wires[key] = wire
        wire.requests += 1
        if wire.end is not None:
            wire.end.cancel()
            wire.end = None
        self._close_beyond()
        return wire

    def give_back(self, key: Key, wire: Wire) -> None:
        """Mark one request of a wire as ended."""
        wire.requests -= 1
        if not wire.requests and self._wires.get(key) is wire:
            loop = asyncio.get_running_loop()
            wire.end = loop.call_later(UNUSED_S, lambda: self._close(key))
            self._close_beyond()

    def _close_beyond(self) -> None:
        """Close the least recently used ones, down to the limit."""
        unused = [key for key, wire in self._wires.items() if not wire.requests]
        for key in unused[: max(len(self._wires) - MOST_WIRES, 0)]:
            self._close(key)

    def _close(self, key: Key) -> None:
        wire = self._wires.pop(key)
        if wire.end is not None:
            wire.end.cancel()
        task = asyncio.get_running_loop().create_task(wire.transport.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close every connection."""
        for key in tuple(self._wires):
            self._close(key)
        while self._closing:
            await asyncio.wait(self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()


class _Shared(httpx2.AsyncBaseTransport):
    """Sends each request over its bundle's current wire."""

    def __init__(self, clients: HttpClients, key: Key) -> None:
        self._clients = clients
        self._key = key

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        async with AsyncExitStack() as stack:
            wire = self._clients.take(self._key)
            stack.callback(self._clients.give_back, self._key, wire)
            response = await wire.transport.handle_async_request(request)
            stream = response.stream
            assert isinstance(stream, httpx2.AsyncByteStream)  # noqa: S101 - of an async transport
            response.stream = _UntilClosed(stream, stack.pop_all())
        return response


class _UntilClosed(httpx2.AsyncByteStream):
    """An answer's body; its request ends when it is closed."""

    def __init__(self, stream: httpx2.AsyncByteStream, over: AsyncExitStack) -> None:
        self._stream = stream
        self._over = over

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        """Close the body, then report it."""
        async with self._over:
            await self._stream.aclose()
