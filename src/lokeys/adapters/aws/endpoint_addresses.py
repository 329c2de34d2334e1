# SPDX-License-Identifier: Apache-2.0
"""The addresses of an endpoint's name, each with a client that connects only there.

A client picks one address of several, and a gateway behind another one may not know a new key yet.
URL, Host header, signature and TLS name stay those of the endpoint.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx2

from lokeys.adapters.http import port_of
from lokeys.adapters.http_clients import HttpClients

MOST_ADDRESSES = 16
"""At most this many are tested: the first ones, sorted."""
_RESOLVE_AT_MOST_S = 3.0

Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]


async def resolved(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, none if its name does not resolve here."""
    try:
        async with asyncio.timeout(_RESOLVE_AT_MOST_S):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return ()
    return tuple(sorted({str(address[0]) for *_, address in found}))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAddresses:
    """The addresses of one endpoint, over the connections of `clients`."""

    clients: HttpClients
    ca_bundle: str | None = None
    resolve: Resolve = resolved

    async def each(self, url: str) -> Mapping[str, httpx2.AsyncClient]:
        """Return a client per address; none if a proxy or a forwarded port chooses the address."""
        where = httpx2.URL(url)
        host, port = where.host, port_of(where)
        dial = self.clients.dial
        if self.clients.has_proxy(where.scheme, host, port):
            return {}
        if dial is not None and await dial(host, port) != (host, port):
            return {}
        addresses = (await self.resolve(host, port))[:MOST_ADDRESSES]
        return {each: self.clients.leading_to(each, self.ca_bundle) for each in addresses}
