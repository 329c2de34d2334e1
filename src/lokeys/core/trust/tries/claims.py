# SPDX-License-Identifier: Apache-2.0
"""What a service account's token says about itself: issuer, audience, subject, expiry.

The token is a secret, its claims are not: each is the name of something that a trust document also
names.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

CLUSTERS_OWN = frozenset(
    f"https://kubernetes.default.svc{suffix}" for suffix in ("", ".cluster.local")
)
"""Issuers that only the cluster can reach; also the API servers' own audiences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims on which an exchange depends; empty if the token does not have them."""

    issuer: str = ""
    subject: str = ""
    audiences: tuple[str, ...] = ()
    expires_at: datetime | None = None


def claims_of(token: bytes) -> Claims | None:
    """Return what a JSON Web Token claims; None if it is not one. Nothing is verified."""
    parts = token.split(b".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    except (Base64Error, ValueError, RecursionError):
        return None
    return _claims(payload) if isinstance(payload, Mapping) else None


def _claims(payload: Mapping[str, Any]) -> Claims:
    audience = payload.get("aud", ())
    listed = [audience] if isinstance(audience, str) else audience
    return Claims(
        issuer=_text(payload.get("iss")),
        subject=_text(payload.get("sub")),
        audiences=tuple(each for each in listed if isinstance(each, str))
        if isinstance(listed, list)
        else (),
        expires_at=_moment(payload.get("exp")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def subject_of(namespace: str, account: str) -> str:
    """Return the subject of a service account's tokens, as trust documents name it."""
    return f"system:serviceaccount:{namespace}:{account}"


def is_of_api_server(audience: str, *, issuer: str) -> bool:
    """Tell whether a token for this audience would be accepted by the API server itself.

    Its audiences are its issuer, unless others are configured; those names are known by convention.
    """
    plain = audience.rstrip("/")
    return not plain or plain in {issuer.rstrip("/"), *CLUSTERS_OWN, "api", "kubernetes"}


def is_reachable_from_outside(issuer: str) -> bool:
    """Tell whether a cloud may be able to fetch this issuer's keys: https and a public name."""
    host = issuer.removeprefix("https://").partition("/")[0].partition(":")[0]
    inside = host.endswith((".svc", ".local", ".internal")) or "." not in host
    return issuer.startswith("https://") and not inside


def as_evidence(claims: Claims) -> tuple[str, ...]:
    """Return what the token says, to be compared with what the trust requires."""
    lines = (
        f"the token's issuer is {claims.issuer}",
        f"its subject is {claims.subject}",
        f"its audience is {', '.join(claims.audiences)}",
    )
    if is_reachable_from_outside(claims.issuer):
        return lines
    return (*lines, f"{claims.issuer} is no address from which a cloud could fetch keys")
