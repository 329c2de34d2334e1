# SPDX-License-Identifier: Apache-2.0
"""Plain HTTP to outside systems: one way to make a client, one way to send, both bounded.

    make_client ── dial ──▶ transport ──▶ bounded_request ──▶ Reply
    (CA bundle)   (detour)               (seconds, bytes)     or NoAnswer(reason), TooLong

Redirects are answers, not followed. No client reads an environment or ~/.netrc itself: it uses the
proxies that it is given (`core.proxies`: Loki's own rules).
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import socket
import ssl
import string
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import httpx2

from lokeys.core.proxies import NO_PROXIES, Proxies, ProxyAddress, Unusable
from lokeys.core.text.certificates import BEGIN, END, bodies
from lokeys.errors import BadInput, NotReadable, Unreachable

_VIA = "lokeys_proxy"
ON_END = "lokeys_on_end"
"""A request's extension: called with whether no answer came in time."""
_PROXY_WANTS_LOGIN = 407

# Their messages contain whole URLs, and RGW's admin API has key ids in its queries.
for _name in ("httpx2", "httpcore2", "botocore.auth"):
    logging.getLogger(_name).setLevel(logging.WARNING)

Dial = Callable[[str, int], Awaitable[tuple[str, int]]]
"""Takes a request's host and port, returns where to connect; used for port-forwards.

URL, Host header, signature and the TLS name stay those of the original host.
"""


class Reason(StrEnum):
    """Why no answer came."""

    REFUSED = "refused"
    DNS = "dns"
    NO_ROUTE = "no_route"
    NO_CONNECTION = "no_connection"
    TIMEOUT = "timeout"
    NOT_ASKED = "not_asked"
    CLOSED = "closed"
    TLS_UNKNOWN_AUTHORITY = "tls_unknown_authority"
    TLS_NAME_MISMATCH = "tls_name_mismatch"
    TLS_SCHEME_MISMATCH = "tls_scheme_mismatch"
    TLS_FAILED = "tls_failed"
    PROXY = "proxy"


_SAID = {
    Reason.REFUSED: "connection refused",
    Reason.DNS: "the host name does not resolve here",
    Reason.NO_ROUTE: "no route to the host",
    Reason.NO_CONNECTION: "no connection in time: nothing answers at all, as behind a firewall",
    Reason.TIMEOUT: "no answer in time",
    Reason.NOT_ASKED: "not asked again yet",
    Reason.CLOSED: "the connection was closed before the answer was complete",
    Reason.TLS_UNKNOWN_AUTHORITY: "the certificate's authority is not trusted",
    Reason.TLS_NAME_MISMATCH: "the certificate is for another name",
    Reason.TLS_SCHEME_MISMATCH: "http spoken to a TLS port, or https to a plain one",
    Reason.TLS_FAILED: "the TLS handshake failed",
    Reason.PROXY: "the proxy does not let it through",
}


_SILENT = frozenset({Reason.NO_CONNECTION, Reason.TIMEOUT})


class NoAnswer(Unreachable):
    """No complete answer came; `reason` is for machines, the message for people."""

    def __init__(self, where: str, reason: Reason, *, note: str = "") -> None:
        super().__init__(f"{where}: {_SAID[reason]}{f' ({note})' if note else ''}")
        self.reason = reason


class TooLong(NotReadable):
    """The answer is longer than the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits for an answer's total time and its length."""

    total_s: float = 10.0
    max_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, read completely."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """Return only the media type, in lowercase."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


async def bounded_request(
    client: httpx2.AsyncClient, request: httpx2.Request, *, bounds: Bounds
) -> Reply:
    """Return the whole answer; raise NoAnswer, or TooLong after `bounds.max_bytes`."""
    where = f"{request.url.host}:{port_of(request.url)}"
    try:
        async with asyncio.timeout(bounds.total_s):
            return await _ask(client, request, max_bytes=bounds.max_bytes)
    except TimeoutError:
        failure = NoAnswer(where, Reason.TIMEOUT)
    except httpx2.RequestError as error:
        notes = (_expiry_note(error), _proxy_note(request, error))
        failure = NoAnswer(where, _reason_of(error), note="; ".join(filter(None, notes)))
    _say_ended(request, silent=failure.reason in _SILENT)
    # Raised outside of the handlers: the original's text may contain a header, and so a key.
    raise failure


def _say_ended(request: httpx2.Request, *, silent: bool) -> None:
    """Report the request's result to whoever counts missing answers."""
    on_end: Callable[[bool], None] | None = request.extensions.get(ON_END)
    if on_end is not None:
        on_end(silent)


async def _ask(client: httpx2.AsyncClient, request: httpx2.Request, *, max_bytes: int) -> Reply:
    response = await client.send(request, stream=True)
    body = bytearray()
    try:
        if response.status_code == _PROXY_WANTS_LOGIN and _VIA in request.extensions:
            raise httpx2.ProxyError(str(response.status_code), request=request)
        # Raw: a few compressed bytes can expand to gigabytes. We do not request any.
        async for part in response.aiter_raw():
            body += part
            if len(body) > max_bytes:
                _say_ended(request, silent=False)
                raise TooLong(f"{request.url.host}: the answer is longer than {max_bytes} bytes")
    finally:
        await response.aclose()
    _say_ended(request, silent=False)
    return Reply(status=response.status_code, headers=response.headers, body=bytes(body))


# --- clients ------------------------------------------------------------------------------------


def make_client(
    ca_bundle: str | None = None,
    *,
    dial: Dial | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> httpx2.AsyncClient:
    """Return a client that trusts only `ca_bundle` (PEM text), by default the system's CAs.

    A `transport` replaces the network, in tests.
    """
    wire = transport or make_wire(ca_bundle)
    if dial is not None:
        wire = _Dialling(wire, dial)
    return httpx2.AsyncClient(transport=wire, trust_env=False, follow_redirects=False)


def make_wire(ca_bundle: str | None, proxies: Proxies = NO_PROXIES) -> httpx2.AsyncBaseTransport:
    """Return a transport that trusts `ca_bundle`."""
    context = tls_context(ca_bundle)
    direct = _wire(context, None)
    if proxies == NO_PROXIES:
        return direct
    return _Proxied(direct, proxies, lambda proxy: _wire(context, proxy))


def _wire(context: ssl.SSLContext, proxy: ProxyAddress | None) -> httpx2.AsyncBaseTransport:
    named = None
    if proxy is not None:  # Go's client also trusts the same CAs for proxy and store
        secure = context if proxy.shown.startswith("https:") else None
        named = httpx2.Proxy(proxy.shown, auth=proxy.login, ssl_context=secure)
    return httpx2.AsyncHTTPTransport(
        verify=context,
        trust_env=False,
        proxy=named,
        # A kept connection that the server closes at the wrong moment looks like a dead store. Five
        # seconds are enough for the four calls of a test, and nothing is kept between two tests.
        limits=httpx2.Limits(
            max_connections=None, max_keepalive_connections=20, keepalive_expiry=5.0
        ),
    )


@functools.lru_cache(maxsize=64)
def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a verifying context; cached for each bundle, as it takes a megabyte."""
    # Bundles contain comments in any alphabet, which OpenSSL's parser does not accept.
    blocks = "\n".join(_certificates(ca_bundle)) if ca_bundle else None
    if blocks == "":
        raise _no_certificate()
    try:
        context = ssl.create_default_context(cadata=blocks)
    except (ssl.SSLError, ValueError):
        raise _no_certificate() from None
    # Python 3.13 is stricter than Loki's Go; certificates that Loki accepts must pass here.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


_BASE64 = frozenset(f"{string.ascii_letters}{string.digits}+/={string.whitespace}")


def _certificates(pem: str) -> Iterator[str]:
    found = (body for body in bodies(pem) if body and _BASE64.issuperset(body))
    return (f"{BEGIN}{body}{END}" for body in found)


def _no_certificate() -> BadInput:
    return BadInput(
        "the CA bundle holds no certificate that can be read",
        hint="give PEM text that begins with -----BEGIN CERTIFICATE-----",
    )


class _Dialling(httpx2.AsyncBaseTransport):
    """Connects where `dial` says, and changes nothing above the connection."""

    def __init__(self, wire: httpx2.AsyncBaseTransport, dial: Dial) -> None:
        self._wire = wire
        self._dial = dial

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        named = (url.host, port_of(url))
        host, port = await self._dial(*named)
        if (host, port) == named:
            return await self._wire.handle_async_request(request)
        detour = httpx2.Request(
            request.method,
            url.copy_with(host=host, port=port),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return await self._wire.handle_async_request(detour)

    async def aclose(self) -> None:
        await self._wire.aclose()


class _Proxied(httpx2.AsyncBaseTransport):
    """Connects through an address's proxy, or directly if it has none."""

    def __init__(
        self,
        direct: httpx2.AsyncBaseTransport,
        proxies: Proxies,
        through: Callable[[ProxyAddress], httpx2.AsyncBaseTransport],
    ) -> None:
        self._direct = direct
        self._proxies = proxies
        self._through = through
        self._wires: dict[ProxyAddress, httpx2.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        try:
            proxy = self._proxies.of(url.scheme, url.raw_host.decode("ascii"), port_of(url))
        except Unusable as problem:
            raise NoAnswer(f"{url.host}:{port_of(url)}", Reason.PROXY, note=str(problem)) from None
        if proxy is None:
            return await self._direct.handle_async_request(request)
        request.extensions[_VIA] = proxy.shown
        if proxy not in self._wires:  # at most one per scheme
            self._wires[proxy] = self._through(proxy)
        return await self._wires[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        for wire in (self._direct, *self._wires.values()):
            await wire.aclose()


def port_of(url: httpx2.URL) -> int:
    """Return the port of a URL."""
    return url.port or (443 if url.scheme == "https" else 80)


# --- what went wrong ----------------------------------------------------------------------------

_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})  # OpenSSL's X509_V_ERR_*: no chain to a known root
_EXPIRED = 10
_NAME_MISMATCH = frozenset({62, 64})  # host name, IP address
_PLAIN_ANSWER = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER")
_TLS_ALERT = r"\x15\x03"  # the start of a TLS record, as h11 quotes an invalid status line
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})


def _reason_of(error: httpx2.RequestError) -> Reason:
    if isinstance(error, httpx2.ProxyError):
        return Reason.PROXY
    if isinstance(error, httpx2.ConnectTimeout):
        return Reason.NO_CONNECTION
    if isinstance(error, httpx2.TimeoutException):
        return Reason.TIMEOUT
    for cause in _causes(error):
        reason = _reason_of_cause(cause)
        if reason is not None:
            return reason
    if _TLS_ALERT in str(error):
        return Reason.TLS_SCHEME_MISMATCH
    return Reason.CLOSED


def _reason_of_cause(cause: BaseException) -> Reason | None:
    match cause:
        case ssl.SSLError():
            return reason_of_tls(cause)
        case socket.gaierror():
            return Reason.DNS
        case ConnectionRefusedError():
            return Reason.REFUSED
        case OSError(errno=number) if number in _NO_ROUTE:
            return Reason.NO_ROUTE
    return None


def reason_of_tls(error: ssl.SSLError) -> Reason:
    """Return why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _NAME_MISMATCH:
            return Reason.TLS_NAME_MISMATCH
        known = error.verify_code not in _UNKNOWN_AUTHORITY
        return Reason.TLS_FAILED if known else Reason.TLS_UNKNOWN_AUTHORITY
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Reason.CLOSED
    plain = any(word in str(error).upper() for word in _PLAIN_ANSWER)
    return Reason.TLS_SCHEME_MISMATCH if plain else Reason.TLS_FAILED


def _expiry_note(error: httpx2.RequestError) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code == _EXPIRED:
            return "the certificate has expired"
    return ""


def _proxy_note(request: httpx2.Request, error: httpx2.RequestError) -> str:
    """Return which proxy was used; of its own answer only the status."""
    via = request.extensions.get(_VIA)
    if via is None:
        return ""
    status = str(error)[:3] if isinstance(error, httpx2.ProxyError) else ""
    return f"through {via}, which answers {status}" if status.isdecimal() else f"through {via}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of `error`, the innermost ones included."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
