# SPDX-License-Identifier: Apache-2.0
"""The path to a store before any key is sent there: its name, each address, TLS, and its clock.

    dns     every address that the host name has here
    tcp     a connection to each of them
    tls     the handshake, with the CAs that the route trusts, and the certificate's owner
    clock   the store's Date compared with this machine's time

A link without an answer here counts as not tested, never as broken: elsewhere it may work.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

from lokeys.adapters.http import (
    Bounds,
    NoAnswer,
    Reason,
    bounded_request,
    reason_of_tls,
    tls_context,
)
from lokeys.adapters.http_clients import HttpClients
from lokeys.core.findings.link import Link, broken, held, untried
from lokeys.core.text.words import shown
from lokeys.errors import LokeysError
from lokeys.ports import Clock

MOST_ADDRESSES = 16
RESOLVE_S = 5.0
CONNECT_S = 3.0
SKEW = timedelta(minutes=15)
"""As much as AWS and RGW allow between the signature's time and their own."""
_WORTH_SAYING = timedelta(seconds=30)
_BOUNDS = Bounds(total_s=8.0, max_bytes=64 << 10)
_CAUSES = {
    Reason.TLS_UNKNOWN_AUTHORITY: "tls_unknown_authority",
    Reason.TLS_NAME_MISMATCH: "tls_name_mismatch",
    Reason.TLS_SCHEME_MISMATCH: "tls_scheme_mismatch",
}
Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreWay:
    """How a store is reached: its endpoint, the CAs for its certificate, and a detour.

    If a proxy of this machine's environment connects, names and addresses are not checked.
    """

    endpoint: str
    ca_bundle: str | None
    clients: HttpClients
    clock: Clock

    async def links(self) -> tuple[Link, ...]:
        """Return each link up to the first that does not work, without later ones."""
        try:
            parts = urlsplit(self.endpoint)
            host, secure = parts.hostname or "", parts.scheme == "https"
            port = parts.port or (443 if secure else 80)
        except ValueError:
            return (broken("dns", "endpoint_not_s3_api", "the endpoint is no URL"),)
        if self.clients.has_proxy(parts.scheme, host, port):
            way = [held("proxy", "a proxy of this environment connects: see -v")]
        else:
            way = [*await self._to(host, port)]
            if way[-1].ok is not True:
                return tuple(way)
            if secure:
                way.append(await self._tls(host, port))
        if way[-1].ok is True:
            way += await self._clock()
        return tuple(way)

    async def _to(self, host: str, port: int) -> Sequence[Link]:
        """Return the links dns and tcp."""
        try:
            place = await self._dialled(host, port)
        except NoAnswer as error:
            return (untried("dns", str(error), cause="endpoint_unreachable"),)
        if place != (host, port):
            return (held("dns", f"{shown(host)} is a Service: through the API server to a pod"),)
        found = await _addresses(host, port)
        if isinstance(found, str):
            return (untried("dns", found, cause="endpoint_unreachable"),)
        told = ", ".join(address for address, _ in found)
        return (held("dns", told), _tcp([(a, await _connects((a, p))) for a, p in found]))

    async def _dialled(self, host: str, port: int) -> Address:
        dial = self.clients.dial
        return await dial(host, port) if dial is not None else (host, port)

    async def _tls(self, host: str, port: int) -> Link:
        try:
            place = await self._dialled(host, port)
            async with asyncio.timeout(CONNECT_S * 2):
                _, writer = await asyncio.open_connection(
                    *place, ssl=tls_context(self.ca_bundle), server_hostname=host
                )
        except ssl.SSLError as error:
            why = getattr(error, "verify_message", "") or "the handshake failed"
            return broken("tls", _CAUSES.get(reason_of_tls(error)), shown(why))
        except (OSError, TimeoutError, NoAnswer):
            return untried("tls", "no handshake in time", cause="endpoint_unreachable")
        try:
            known = writer.get_extra_info("ssl_object")
            return held("tls", ", ".join(_certificate(known.version(), known.getpeercert())))
        finally:
            writer.close()

    async def _clock(self) -> tuple[Link, ...]:
        """Return the link clock; nothing if the store sends no time, which AWS and RGW do."""
        try:
            request = httpx2.Request("GET", self.endpoint)
            client = self.clients.trusting(self.ca_bundle)
            reply = await bounded_request(client, request, bounds=_BOUNDS)
        except NoAnswer as error:
            cause = _CAUSES.get(error.reason)
            if cause is not None:
                return (broken("clock", cause, str(error)),)
            return (untried("clock", str(error), cause="endpoint_unreachable"),)
        except LokeysError as error:
            return (untried("clock", str(error)),)
        theirs = _moment(reply.headers.get("date", ""))
        if theirs is None:
            return ()
        apart = abs(self.clock() - theirs)
        seconds = f"{apart.total_seconds():.0f} s"
        if apart > SKEW:
            said = f"this machine's clock is {seconds} off the store's"
            return (broken("clock", "clock_skew", said),)
        return (held("clock", f"{seconds} apart" if apart > _WORTH_SAYING else "they agree"),)


async def _addresses(host: str, port: int) -> list[Address] | str:
    """Return every address of a name, each once; a text if there is none."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return f"{shown(host)} does not resolve here"
    except TimeoutError:
        return f"no name server answered for {shown(host)} in time"
    places = dict.fromkeys((str(place[0]), int(place[1])) for *_, place in found)
    return [*places][:MOST_ADDRESSES]


async def _connects(place: Address) -> str:
    """Return the result of a connection: an empty text if it worked."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(*place)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "no answer, as behind a firewall"
    except OSError:
        return "no route"
    writer.close()
    return ""


def _tcp(tried: Sequence[tuple[str, str]]) -> Link:
    """Return the link tcp: it is broken if some addresses answer and others do not."""
    wrong = [f"{address} {why}" for address, why in tried if why]
    if not wrong:
        return held("tcp", "each address answers" if len(tried) > 1 else "it answers")
    if len(wrong) < len(tried):
        good = ", ".join(address for address, why in tried if not why)
        return broken("tcp", "endpoint_unreachable", f"{'; '.join(wrong)}; only {good} answers")
    return untried("tcp", "; ".join(wrong), cause="endpoint_unreachable")


def _certificate(version: str | None, found: Any) -> Iterator[str]:
    """Yield a certificate's data, and who signed it."""
    yield version or "TLS"
    for word, name in (("for", "subject"), ("by", "issuer")):
        parts = {key: value for part in found.get(name, ()) for key, value in part}
        told = parts.get("commonName") or parts.get("organizationName")
        if told:
            yield f"{word} {shown(told)}"
    if found.get("notAfter"):
        yield f"until {found['notAfter']}"


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
