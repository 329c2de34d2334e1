# SPDX-License-Identifier: Apache-2.0
"""Signature Version 4 from the server's side: who signed this request, and truly?

Faults come in the order in which Ceph's RGW notices them (measured): malformed, skewed, unknown
id, wrong secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from lokeys.http_server import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=15)
_STREAMED = "STREAMING-"
_UNSIGNED = "UNSIGNED-PAYLOAD"


class SignatureRefused(Exception):
    """The request is not what it says it is; `code` is S3's word for it."""

    def __init__(self, code: str, *, status: int = 403) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the Authorization header says."""

    key_id: str
    scope: str  # date/region/service/aws4_request
    signed_headers: tuple[str, ...]
    signature: str


def signer_of(
    request: HttpRequest, *, secret_of: Callable[[str], str | None], now: datetime
) -> str | None:
    """Return the key id that signed `request`, None for an anonymous one; raises Refused."""
    header = request.headers.get("authorization", "")
    if not header:
        return None
    claim = _read(header)
    stamp = request.headers.get("x-amz-date", "")
    if abs(_moment(stamp) - now) > MAX_SKEW:
        raise SignatureRefused("RequestTimeTooSkewed")
    secret = secret_of(claim.key_id)
    if secret is None:
        raise SignatureRefused("InvalidAccessKeyId")
    digest = hashlib.sha256(_canonical(request, claim).encode(errors="surrogateescape"))
    text = f"{ALGORITHM}\n{stamp}\n{claim.scope}\n{digest.hexdigest()}"
    expected = hmac.new(_signing_key(secret, claim.scope), text.encode(), hashlib.sha256)
    if not hmac.compare_digest(expected.hexdigest(), claim.signature):
        raise SignatureRefused("SignatureDoesNotMatch")
    _check_payload(request)
    return claim.key_id


def payload_of(request: HttpRequest) -> bytes:
    """Return the body without the framing in which SDKs stream it."""
    if not request.headers.get("x-amz-content-sha256", "").startswith(_STREAMED):
        return request.body
    return b"".join(_chunks(request.body))


def _read(header: str) -> _Claim:
    algorithm, _, rest = header.partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    credential = parts.get("Credential", "").split("/")
    if algorithm != ALGORITHM or len(credential) != 5 or not parts.get("SignedHeaders"):
        raise SignatureRefused("InvalidArgument", status=400)
    return _Claim(
        key_id=credential[0],
        scope="/".join(credential[1:]),
        signed_headers=tuple(parts["SignedHeaders"].split(";")),
        signature=parts.get("Signature", ""),
    )


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise SignatureRefused("AccessDenied") from None


def _canonical(request: HttpRequest, claim: _Claim) -> str:
    headers = [
        f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in claim.signed_headers
    ]
    return "\n".join(
        (
            request.method,
            request.raw_path,
            _canonical_query(request.target.partition("?")[2]),
            *headers,
            "",
            ";".join(claim.signed_headers),
            request.headers.get("x-amz-content-sha256", _UNSIGNED),
        )
    )


def _canonical_query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs))


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _signing_key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _check_payload(request: HttpRequest) -> None:
    said = request.headers.get("x-amz-content-sha256", _UNSIGNED)
    if said == _UNSIGNED or said.startswith(_STREAMED):
        return
    if hashlib.sha256(request.body).hexdigest() != said:
        raise SignatureRefused("XAmzContentSHA256Mismatch", status=400)


def _chunks(body: bytes) -> Iterator[bytes]:
    """Yield the data of `<hex size>;chunk-signature=…` frames; a broken frame ends them."""
    rest = body
    while rest:
        head, _, rest = rest.partition(b"\r\n")
        try:
            size = int(head.partition(b";")[0], 16)
        except ValueError:
            return
        if size == 0:
            return
        yield rest[:size]
        rest = rest[size + 2 :]
