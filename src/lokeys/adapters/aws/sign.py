# SPDX-License-Identifier: Apache-2.0
"""Requests signed with AWS Signature Version 4, as S3 and RGW's admin API require them.

Import this module late: it loads botocore's signers (5 MB), though never its clients (60 MB).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import httpx2
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lokeys.core.sensitive import KeyPair
from lokeys.errors import NeedsHuman

_SENDABLE = frozenset(range(0x20, 0x7F))


class Unsendable(NeedsHuman):
    """A half of the pair cannot be part of a request; `secret` tells which half."""

    def __init__(self, message: str, *, secret: bool) -> None:
        super().__init__(message)
        self.secret = secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCall:
    """One request before it is signed. `url` is percent-encoded and sent unchanged."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def signed(call: SignedCall, pair: KeyPair, *, region: str, now: datetime) -> httpx2.Request:
    """Return `call` as a request signed by `pair` at `now`; raises Unsendable."""
    key_id, secret = _halves(pair)
    session = pair.session_token.reveal_text() if pair.session_token else None
    unsigned = AWSRequest(
        method=call.method, url=call.url, data=call.body, headers=dict(call.headers)
    )
    signer = S3SigV4Auth(Credentials(key_id, secret, session), "s3", region)
    sign_at(signer, unsigned, now=now)
    headers = dict(unsigned.headers.items())
    return httpx2.Request(call.method, call.url, headers=headers, content=call.body)


def _halves(pair: KeyPair) -> tuple[str, str]:
    """Return both halves as text that can be signed and sent."""
    raw_id, raw_secret = pair.access_key_id.reveal(), pair.secret_access_key.reveal()
    if not raw_id:
        raise Unsendable("the access key id is empty", secret=False)
    if not _SENDABLE.issuperset(raw_id):
        raise Unsendable(
            "the access key id cannot be sent: it holds a newline, or a character outside of ASCII",
            secret=False,
        )
    if not raw_secret:
        raise Unsendable("the secret key is empty", secret=True)
    try:
        secret = raw_secret.decode()
    except UnicodeDecodeError:
        secret = ""
    if not secret:
        raise Unsendable("the secret key cannot be used to sign: it is not text", secret=True)
    return raw_id.decode("ascii"), secret


def sign_at(signer: Any, request: AWSRequest, *, now: datetime) -> None:
    """Sign for a given time with one of botocore's signers, which would use the clock."""
    request.context["timestamp"] = now.strftime(SIGV4_TIMESTAMP)
    signer._modify_request_before_signing(request)  # noqa: SLF001 - its own steps
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signature = signer.signature(text, request)
    signer._inject_signature_to_request(request, signature)  # noqa: SLF001 - its own steps
