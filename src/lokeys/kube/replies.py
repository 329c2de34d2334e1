# SPDX-License-Identifier: Apache-2.0
"""The API server's refusals, as errors named by what the caller must do next.

A message never contains a reply's body. For Secrets not even the API server's own message is quoted
if the object was invalid: it can repeat a value.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from lokeys.errors import (
    BadInput,
    Conflict,
    Forbidden,
    LokeysError,
    NotFound,
    Throttled,
    Transient,
    Unreachable,
)
from lokeys.kube.resources import SECRET, Resource

MAX_MESSAGE = 256
MAX_RETRY_AFTER_S = 60.0
MAX_ERROR_BYTES = 64 * 1024


class Expired(Transient):
    """The resourceVersion is too old (HTTP 410): list again."""


class EvictionBlocked(Transient):
    """A disruption budget refuses the eviction for now; the message names the budget."""


class NoSuchKind(NotFound):
    """The API server does not have this kind: its CRD is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a call was about, for messages."""

    verb: str
    resource: Resource | None = None
    namespace: str | None = None
    name: str | None = None
    path: str | None = None

    def __str__(self) -> str:
        if self.resource is None:
            return self.path or "the API server"
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.resource.kind} {where}" if where else f"{self.resource} (all namespaces)"


async def refusal(response: httpx2.Response, *, target: Target) -> LokeysError:
    """Return what a refused call means."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    if target.verb == "evict" and (budget := _budget_message(bytes(body))):
        return EvictionBlocked(f"{target} is not evicted: {budget}")
    retry_after = response.headers.get("Retry-After")
    return error_of(response.status_code, bytes(body), target=target, retry_after=retry_after)


async def body_of(response: httpx2.Response, *, target: Target, max_bytes: int) -> bytes:
    """Return the whole body, unless it is larger than allowed."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large("the answer", target=target, max_bytes=max_bytes)
    return bytes(body)


async def lines_of(
    response: httpx2.Response, *, target: Target, max_bytes: int
) -> AsyncGenerator[bytes]:
    """Yield whole lines; nothing else is kept between them, as thousands of watches are idle."""
    parts: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join((*parts, whole[0]))
            parts, size = [], 0
        if rest:
            parts.append(rest)
            size += len(rest)
        if size > max_bytes:
            raise _too_large("an event", target=target, max_bytes=max_bytes)
        for line in whole:
            if line:
                yield line


def error_of(
    status_code: int, body: bytes, *, target: Target, retry_after: str | None
) -> LokeysError:
    """Return the error for a refused call."""
    status = status_of(body)
    what = f"cannot {target.verb} {target}"
    said = _said(status, target=target) or "no reason given"
    error: LokeysError
    match status_code:
        case 401:
            error = Forbidden(f"{what}: the API server does not accept these credentials (401)")
        case 403:
            error = Forbidden(f"{what}: {said}")
        case 404:
            error = _missing(status.get("details") or {}, target=target)
        case 409:
            error = Conflict(f"{what}: {said}")
        case 410:
            error = Expired(f"{what}: the resourceVersion is too old")
        case 429:
            seconds = retry_after_s(retry_after)
            error = Throttled(f"{what}: the API server is busy (429)", retry_after_s=seconds)
        case _ if status_code >= 500:
            error = Transient(f"{what}: the API server answered {status_code}: {said}")
        case _:
            error = BadInput(f"{what}: the API server answered {status_code}: {said}")
    return error


def status_of(body: bytes) -> dict[str, Any]:
    """Return the Status object of a reply, or an empty one if the body is not valid."""
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def retry_after_s(header: str | None) -> float:
    """Return the seconds of a Retry-After header, bounded; one second if it has none."""
    try:
        seconds = float(header or 1)
    except ValueError:
        return 1.0
    return min(max(seconds, 0.05), MAX_RETRY_AFTER_S) if seconds == seconds else 1.0  # noqa: PLR0124


def unreachable(exc: Exception, *, server: str) -> Unreachable:
    """Return the error for a call that got no answer, with the reason in words."""
    return Unreachable(f"no answer from the API server {server}: {_reason(exc)}")


def _reason(exc: Exception) -> str:
    """Return why there was no answer, in our words or the system's.

    Never an exception's own text: an HTTP library quotes an invalid header.
    """
    if isinstance(exc, httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return "timed out while connecting"
    if isinstance(exc, httpx2.TimeoutException | TimeoutError):
        return "timed out"
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and (said := _system_words(cause)):
            return said
        cause = cause.__cause__ or cause.__context__
    return next(
        (words for kind, words in _REASONS if isinstance(exc, kind)),
        f"the connection failed ({type(exc).__name__})",
    )


def _system_words(exc: OSError) -> str | None:
    """Return the system's own text for an error; asyncio replaces some."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message}"
    if isinstance(exc, ssl.SSLError):
        return f"TLS failed: {exc.reason}" if exc.reason else None
    if isinstance(exc, ConnectionRefusedError):
        return "connection refused"
    if isinstance(exc, socket.gaierror):
        return exc.strerror or "no such host"
    return os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else None


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (httpx2.ProxyError, "the proxy does not let it through"),
    (httpx2.RemoteProtocolError, "it ended the connection, or speaks no HTTP"),
    (httpx2.LocalProtocolError, "the request is none that HTTP can carry"),
    (httpx2.ConnectError, "no connection"),
    (httpx2.NetworkError, "the connection broke"),
)


def _too_large(what: str, *, target: Target, max_bytes: int) -> Transient:
    said = f"{what} is larger than {max_bytes} bytes"
    return Transient(f"cannot {target.verb} {target}: {said}")


def _budget_message(body: bytes) -> str | None:
    """Return a disruption budget's message; a plain request to slow down has no such cause."""
    status = status_of(body)
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "DisruptionBudget":
            return str(cause.get("message") or status.get("message"))[:MAX_MESSAGE]
    said = str(status.get("message") or "")
    # Waiting does not help: it is an internal error (500) that occurs every time.
    return said[:MAX_MESSAGE] if "more than one PodDisruptionBudget" in said else None


def _said(status: dict[str, Any], *, target: Target) -> str:
    """Return the API server's own message as far as it may be repeated."""
    reason = str(status.get("reason") or "")
    if target.resource == SECRET and reason not in ("Forbidden", "Conflict", "AlreadyExists"):
        causes = (status.get("details") or {}).get("causes") or []
        fields = [f"{cause.get('field')} ({cause.get('reason')})" for cause in causes[:5]]
        return ", ".join([reason, *fields])[:MAX_MESSAGE]
    return str(status.get("message") or "")[:MAX_MESSAGE]


def _missing(details: dict[str, Any], *, target: Target) -> NotFound:
    resource = target.resource
    if resource is not None and not details.get("name"):
        kind = f"{resource.kind} of {resource.api_version}"
        return NoSuchKind(f"cannot {target.verb} {target}: the API server knows no {kind}")
    if resource is not None and details.get("kind") == "namespaces":
        return NotFound(f"namespace {details['name']} does not exist")
    return NotFound(f"{target} does not exist")
