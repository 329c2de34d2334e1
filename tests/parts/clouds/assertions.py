# SPDX-License-Identifier: Apache-2.0
"""Tokens that somebody else signed, looked at as the clouds do: nothing is believed unread."""

import base64
import hashlib
import json
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

Json = dict[str, Any]
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 digest in a signature (PKCS #1 v1.5)."""


class Refused(Exception):
    """The token is not good; `fault` is a word: format, issuer, signature, expired, early."""

    def __init__(self, fault: str, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, kw_only=True)
class Issuers:
    """The issuers that are trusted, whose keys are fetched afresh for each token."""

    urls: frozenset[str]
    ca_file: Path

    async def claims(self, token: str, *, now: datetime) -> Json:
        """Return the claims of a token that one of the issuers signed and that is in force."""
        head, claims = read(token)
        issuer = str(claims.get("iss", ""))
        if issuer not in self.urls:
            raise Refused("issuer", f"no trusted issuer: {issuer}")
        context = ssl.create_default_context(cafile=str(self.ca_file))
        async with httpx2.AsyncClient(verify=context, trust_env=False, timeout=5) as client:
            discovery = await client.get(f"{issuer}/.well-known/openid-configuration")
            keys = (await client.get(discovery.json()["jwks_uri"])).json()["keys"]
        known = [key for key in keys if key["kid"] == head.get("kid")]
        if head.get("alg") != "RS256" or not known or not is_signed(token, key=known[0]):
            raise Refused("signature", "the signature is not the issuer's")
        in_force(claims, now=now)
        return claims


def in_force(claims: Json, *, now: datetime) -> None:
    """Refuse a token that has ended or has not begun."""
    moment = now.timestamp()
    if moment >= claims.get("exp", 0):
        raise Refused("expired", "the token has ended")
    if moment < claims.get("nbf", 0):
        raise Refused("early", "the token has not begun")


def read(token: str) -> tuple[Json, Json]:
    """Return head and claims of a token, whoever signed it."""
    try:
        head, claims, _ = token.split(".")
        return json.loads(decoded(head)), json.loads(decoded(claims))
    except ValueError as error:
        raise Refused("format", "this is no token") from error


def is_signed(token: str, *, key: Json) -> bool:
    """Tell whether the owner of an RSA key signed the token with RS256."""
    signed, _, signature = token.rpartition(".")
    modulus = int.from_bytes(decoded(key["n"]), "big")
    exponent = int.from_bytes(decoded(key["e"]), "big")
    size = (modulus.bit_length() + 7) // 8
    opened = pow(int.from_bytes(decoded(signature), "big"), exponent, modulus).to_bytes(size, "big")
    digest = DIGEST_INFO + hashlib.sha256(signed.encode()).digest()
    return opened == b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest


def unsigned(claims: Json) -> str:
    """Return a token of ours that nobody checks the signature of."""
    parts = ({"alg": "RS256", "typ": "JWT", "kid": "test"}, claims)
    return ".".join([*(encoded(json.dumps(part).encode()) for part in parts), encoded(b"none")])


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
