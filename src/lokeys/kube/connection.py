# SPDX-License-Identifier: Apache-2.0
"""The two connections to the API server: one for calls, one for watches.

Calls use a few kept HTTP/1.1 connections. Thousands of idle watches share HTTP/2 connections (see
`multiplexed`); without HTTP/2 (plain http, a proxy) each needs its own connection.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2

from lokeys.core.proxies import Unusable, address_of, from_environment
from lokeys.errors import BadInput
from lokeys.kube.credentials import ExecAuth
from lokeys.kube.kubeconfig import ClusterConfig
from lokeys.kube.multiplexed import MultiplexedTransport
from lokeys.kube.tls import context_for, present
from lokeys.kube.tokens import BearerAuth, TokenFileAuth

CALLS_AT_A_TIME = 16

_LANES = 8
_CONNECTIONS = httpx2.Limits(
    max_connections=None, max_keepalive_connections=CALLS_AT_A_TIME // _LANES
)
_KEPT_TRANSPORTS = 2
_CALL_TIMEOUT = httpx2.Timeout(connect=5.0, read=30.0, write=10.0, pool=30.0)
_WATCH_TIMEOUT = httpx2.Timeout(connect=5.0, read=None, write=10.0, pool=None)


class Connection:
    """`calls` and `watches` are clients for one API server, with its TLS and the user's name."""

    def __init__(
        self, config: ClusterConfig, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._config = config
        self._given = transport
        self._contexts: list[ssl.SSLContext] = []
        self._renewables: list[_Renewable] = []
        name = config.cluster.get("tls-server-name")
        self.extensions: dict[str, Any] = {"sni_hostname": name} if name else {}
        self._auth = self._authentication()
        self.calls = self._client(transport or self._call_transport(), _CALL_TIMEOUT)
        self.watches = self._client(transport or self._watch_transport(), _WATCH_TIMEOUT)

    async def prepare(self) -> None:
        """Get credentials: a plugin may wait for a person, longer than any call may take."""
        if isinstance(self._auth, ExecAuth):
            await self._auth.ready()

    def stranger(self) -> httpx2.AsyncClient:
        """Return a client without an identity: no token, no certificate, no impersonation."""
        context = context_for(self._config.cluster, {})
        transport = self._given or httpx2.AsyncHTTPTransport(verify=context, proxy=self._proxy())
        return httpx2.AsyncClient(
            base_url=self._config.server,
            transport=transport,
            timeout=_CALL_TIMEOUT,
            headers=[("User-Agent", "lokeys"), ("Accept", "application/json")],
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self.watches.aclose()
        await self.calls.aclose()

    @property
    def watch_transport(self) -> httpx2.AsyncBaseTransport:
        """Return the current transport for watches."""
        return self._renewables[-1].current

    def _authentication(self) -> httpx2.Auth | None:
        user = self._config.user
        if "exec" in user:
            return ExecAuth(self._config, on_certificate=self._take_certificate)
        if "tokenFile" in user:
            return TokenFileAuth(user["tokenFile"])
        if "token" in user:
            return BearerAuth(user["token"], place=self._config.origin)
        if "username" in user and "password" in user:
            return httpx2.BasicAuth(user["username"], user["password"])
        return None

    def _client(
        self,
        transport: httpx2.AsyncBaseTransport,
        timeout: httpx2.Timeout,
    ) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._config.server,
            transport=transport,
            auth=self._auth,
            timeout=timeout,
            headers=[
                ("User-Agent", "lokeys"),
                ("Accept", "application/json"),
                *self._config.impersonation,
            ],
        )

    def _call_transport(self) -> httpx2.AsyncBaseTransport:
        plain = self._plain()
        return self._renewable(lambda: Lanes([plain() for _ in range(_LANES)]))

    def _watch_transport(self) -> httpx2.AsyncBaseTransport:
        alone = self._plain()
        if self._config.server.startswith("http://") or self._proxy():
            return self._renewable(alone)
        context = self.new_context()
        return self._renewable(lambda: MultiplexedTransport(context, fallback=alone()))

    def _plain(self) -> Callable[[], httpx2.AsyncBaseTransport]:
        context, proxy = self.new_context(), self._proxy()
        return lambda: httpx2.AsyncHTTPTransport(verify=context, limits=_CONNECTIONS, proxy=proxy)

    def _renewable(self, make: Callable[[], httpx2.AsyncBaseTransport]) -> _Renewable:
        self._renewables.append(_Renewable(make))
        return self._renewables[-1]

    def _proxy(self) -> httpx2.Proxy | None:
        """Return the proxy of the kubeconfig, otherwise of the environment, as kubectl does."""
        url = urlsplit(self._config.server)
        named: str | None = self._config.cluster.get("proxy-url")
        if named:
            found = address_of(named)
        else:
            try:
                found = from_environment(os.environ).of(url.scheme, url.hostname or "", url.port)
            except Unusable as problem:
                hint = "http://HOST:PORT"
                raise BadInput("no URL of a proxy", place=problem.where, hint=hint) from None
        return httpx2.Proxy(found.shown, auth=found.login) if found else None

    def new_context(self) -> ssl.SSLContext:
        """Return a new TLS context: HTTP/1.1 and HTTP/2 each set their own ALPN name."""
        try:
            context = context_for(self._config.cluster, self._config.user)
        except (OSError, ValueError) as exc:
            raise BadInput(
                f"the certificates of context `{self._config.context_name}` cannot be used: "
                f"{getattr(exc, 'strerror', None) or exc}",
                place=self._config.origin,
            ) from exc
        self._contexts.append(context)
        return context

    def _take_certificate(self, certificate: bytes, key: bytes) -> None:
        """Use a client certificate from now on, for new connections only."""
        for context in self._contexts:
            present(context, certificate, key)
        for renewable in self._renewables:
            renewable.renew()


class Lanes(httpx2.AsyncBaseTransport):
    """Several small pools instead of a large one.

    A pool checks each idle connection's socket before every request: with sixteen of them that is a
    tenth of a busy operator's CPU.
    """

    def __init__(self, lanes: Sequence[httpx2.AsyncBaseTransport]) -> None:
        self._lanes = lanes
        self._awaited = [0] * len(lanes)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request on the lane with the fewest answers outstanding."""
        lane = self._awaited.index(min(self._awaited))
        self._awaited[lane] += 1
        try:
            return await self._lanes[lane].handle_async_request(request)
        finally:
            self._awaited[lane] -= 1

    async def aclose(self) -> None:
        """Close every lane."""
        for lane in self._lanes:
            await lane.aclose()


class _Renewable(httpx2.AsyncBaseTransport):
    """A transport that can be renewed: a connection keeps the certificate that it started with."""

    def __init__(self, make: Callable[[], httpx2.AsyncBaseTransport]) -> None:
        self._make = make
        self._used = [make()]

    @property
    def current(self) -> httpx2.AsyncBaseTransport:
        """Return the transport for the next request."""
        return self._used[-1]

    def renew(self) -> None:
        """Open new connections for later requests; running ones may end on the old ones."""
        self._used.append(self._make())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        while len(self._used) > _KEPT_TRANSPORTS:
            await self._used.pop(0).aclose()
        return await self.current.handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._used:
            await transport.aclose()
