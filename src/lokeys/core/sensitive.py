# SPDX-License-Identifier: Apache-2.0
"""Secret values, and what may be said about them.

A `Sensitive` does not print its value. What travels through the core instead is a `PairFacts`:
keyed fingerprints, always compared whole, and flaws in the value's form. Fingerprints are
HMAC-SHA-256: without the key, nobody can guess a secret from one or compare two installations.
"""

from __future__ import annotations

import string
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType, NoReturn

Fingerprint = NewType("Fingerprint", str)
"""`k:` (kept key) or `r:` (this run's key) and 64 hex digits; show it with `short`."""

SHOWN_HEX_DIGITS = 6


def short(fingerprint: Fingerprint) -> str:
    """Return the form of a fingerprint that people see: its kind and six hex digits."""
    kind, _, digest = fingerprint.partition(":")
    return f"{kind}:{digest[:SHOWN_HEX_DIGITS]}"


class Sensitive:
    """A secret value that is visible only through `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """Return the value. Only adapters may call this."""
        return self._value

    def reveal_text(self) -> str:
        """Return the value as text; undecodable bytes become surrogates."""
        return self._value.decode(errors="surrogateescape")

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sensitive):
            return NotImplemented
        import hmac  # noqa: PLC0415 - loads OpenSSL, and manifests alone are judged without

        return hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> NoReturn:
        raise TypeError("a Sensitive has no hash: compare fingerprints")

    def __repr__(self) -> str:
        return "<sensitive>"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return "<sensitive>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sensitive is not serialised")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyPair:
    """An S3 key pair as some hop holds it; either half may be missing (empty).

    A temporary one, from a token exchange, also has a session token.
    """

    access_key_id: Sensitive
    secret_access_key: Sensitive
    session_token: Sensitive | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyPair):
            return NotImplemented
        return (
            self.access_key_id == other.access_key_id
            and self.secret_access_key == other.secret_access_key
            and self.session_token == other.session_token
        )

    __hash__ = None  # type: ignore[assignment]

    def without_blanks(self) -> KeyPair:
        """Return the pair without leading and trailing blanks in its values, as YAML drops them."""
        halves = (self.access_key_id, self.secret_access_key)
        key_id, secret = (Sensitive(half.reveal().strip(b" \t\r\n")) for half in halves)
        return replace(self, access_key_id=key_id, secret_access_key=secret)


class Flaw(StrEnum):
    """What is wrong with the form of a pair, known without asking a store."""

    ID_EMPTY = "the access key id is empty"
    SECRET_EMPTY = "the secret key is empty"
    ID_TRAILING_NEWLINE = "the access key id ends in a newline"
    SECRET_TRAILING_NEWLINE = "the secret key ends in a newline"
    ID_INVISIBLE = "the access key id holds invisible characters"
    SECRET_INVISIBLE = "the secret key holds invisible characters"
    ID_DOUBLE_BASE64 = "the access key id is base64 of a key id"
    SECRET_DOUBLE_BASE64 = "the secret key is base64 of a secret key"


_FLAWS_OF_HALF = {
    "empty": (Flaw.ID_EMPTY, Flaw.SECRET_EMPTY),
    "newline": (Flaw.ID_TRAILING_NEWLINE, Flaw.SECRET_TRAILING_NEWLINE),
    "invisible": (Flaw.ID_INVISIBLE, Flaw.SECRET_INVISIBLE),
    "base64": (Flaw.ID_DOUBLE_BASE64, Flaw.SECRET_DOUBLE_BASE64),
}
_BLANK = frozenset({Flaw.ID_EMPTY, Flaw.SECRET_EMPTY})
_PRINTABLE = frozenset((string.ascii_letters + string.digits + string.punctuation).encode())


def _form_faults(value: bytes) -> Iterator[str]:
    if not value.strip():
        yield "empty"
        return
    body = value.rstrip(b"\r\n")
    if body != value:
        yield "newline"
    if not _PRINTABLE.issuperset(body):
        yield "invisible"
    elif _is_base64_of_text(body):
        yield "base64"


def _is_base64_of_text(value: bytes) -> bool:
    """Tell whether `value` decodes to a plain printable key; a random secret practically never."""
    if len(value) < 24 or len(value) % 4:
        return False
    try:
        decoded = b64decode(value, validate=True)
    except Base64Error:
        return False
    return _PRINTABLE.issuperset(decoded.rstrip(b"\r\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """Everything that the core ever knows about a key pair."""

    pair: Fingerprint
    key_id: Fingerprint
    secret: Fingerprint
    flaws: frozenset[Flaw] = frozenset()

    @property
    def blank(self) -> bool:
        """Tell whether a half is missing, so that the pair must never be delivered."""
        return bool(self.flaws & _BLANK)


@dataclass(frozen=True, slots=True)
class Fingerprinter:
    """Makes fingerprints with one key; `kept` tells whether they outlive this run."""

    key: Sensitive
    kept: bool

    @property
    def key_name(self) -> str:
        """Return a name for the key: compare fingerprints only if their keys have the same name."""
        return self.of(Sensitive(b""), purpose="name of the key")[:10]

    def of(self, value: Sensitive, *, purpose: str) -> Fingerprint:
        """Return the fingerprint of `value`; equal ids and secrets differ by `purpose`."""
        import hmac  # noqa: PLC0415 - as above

        message = purpose.encode() + b"\0" + value.reveal()
        digest = hmac.new(self.key.reveal(), message, "sha256").hexdigest()
        return Fingerprint(f"{'k' if self.kept else 'r'}:{digest}")

    def describe(self, pair: KeyPair) -> PairFacts:
        """Return what may be known of `pair`."""
        key_id, secret = pair.access_key_id, pair.secret_access_key
        id_length = len(key_id.reveal()).to_bytes(4, "big")
        both = Sensitive(id_length + key_id.reveal() + secret.reveal())
        flaws = {
            _FLAWS_OF_HALF[fault][half]
            for half, value in enumerate((key_id, secret))
            for fault in _form_faults(value.reveal())
        }
        return PairFacts(
            pair=self.of(both, purpose="pair"),
            key_id=self.of(key_id, purpose="id"),
            secret=self.of(secret, purpose="secret"),
            flaws=frozenset(flaws),
        )
