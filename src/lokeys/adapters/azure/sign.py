# SPDX-License-Identifier: Apache-2.0
"""Requests signed with an Azure storage account's key (Shared Key).

Forty lines of our own instead of a library that has its own HTTP client: docs/adr/0015.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from lokeys.core.trust.tries.identity import AccountKey
from lokeys.errors import NeedsHuman

_SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def authorization(method: str, url: str, headers: Mapping[str, str], key: AccountKey) -> str:
    """Return the Authorization header; `headers` are all that are sent, with x-ms-date.

    Raises NeedsHuman if the key is not base64.
    """
    try:
        secret = b64decode(key.key.reveal(), validate=True)
    except Base64Error:
        secret = b""
    if not secret:
        raise NeedsHuman("the account key is no base64")
    text = _string_to_sign(method, url, headers, account=key.account)
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"SharedKey {key.account}:{b64encode(digest).decode()}"


def _string_to_sign(method: str, url: str, headers: Mapping[str, str], *, account: str) -> str:
    sent = {name.lower(): value.strip() for name, value in headers.items()}
    if sent.get("content-length") == "0":
        sent["content-length"] = ""  # since 2015: no length is an empty text
    own = sorted(name for name in sent if name.startswith("x-ms-"))
    parts = urlsplit(url)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name.lower(), []).append(value)
    return "\n".join(
        [
            method,
            *(sent.get(name, "") for name in _SIGNED),
            *(f"{name}:{sent[name]}" for name in own),
            f"/{account}{parts.path}",
            *(f"{name}:{','.join(sorted(query[name]))}" for name in sorted(query)),
        ]
    )
