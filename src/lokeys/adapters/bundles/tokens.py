# SPDX-License-Identifier: Apache-2.0
"""Tokens that stand for secret values in a bundle.

Equal values have equal tokens; the key that makes them is discarded after the run. A token keeps
only what a diagnosis needs of a value's form: blanks around it, invisible characters, `/`, `+` and
`%`, whether it is base64 of a text, and whether it is a key id of AWS's form.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from base64 import b32encode, b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Any

PREFIX = "redacted-"
_HEX_DIGITS = 20
_TOKEN = re.compile(rf"{PREFIX}[0-9a-f]{{{_HEX_DIGITS}}}")
_AWS_ID = re.compile(r"A[KS]IA[A-Z0-9]{16}")
_KEPT = "/+%"
_VISIBLE = frozenset(string.ascii_letters + string.digits + string.punctuation)
_INVISIBLE = frozenset("\t\n\r\x0b\x0c\x00\u00a0\u200b\u200c\u200d\u2060\ufeff ")
_BLANKS = " \t\r\n"
_SHORTEST_BASE64 = 24


@dataclass(slots=True)
class Tokens:
    """Makes tokens with one key; `facts` is what may be known about the values."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)

    def of(self, value: str) -> str:
        """Return the token of a value; an empty text for an empty one."""
        body = value.strip(_BLANKS)
        if not body or self.made(body):
            return value
        start = value.index(body)
        token = self._of_body(body)
        self._made.add(token)
        whole = f"{value[:start]}{token}{value[start + len(body) :]}"
        self.facts[whole] = {
            "length": len(value),
            "endsInNewline": value.endswith("\n"),
            "blanksAround": body != value,
            "invisibleCharacters": sum(each in _INVISIBLE for each in body),
            "nonAscii": not body.isascii(),
        }
        return whole

    def made(self, text: str) -> bool:
        """Tell whether a text is a token already, so that it is not replaced again."""
        return text in self._made or _TOKEN.match(text) is not None

    def _of_body(self, body: str) -> str:
        digest = hmac.new(self.key, body.encode(errors="surrogateescape"), hashlib.sha256).digest()
        if _AWS_ID.fullmatch(body):
            return body[:4] + b32encode(digest).decode()[:16]
        inner = _text_in_base64(body)
        if inner is not None:
            line = inner.rstrip("\r\n")
            return b64encode((self._of_body(line) + inner[len(line) :]).encode()).decode()
        marks = "".join(each for each in _KEPT if each in body)
        hidden = "".join(sorted({_stand_in(each) for each in body if each not in _VISIBLE}))
        tail = f"{hidden}x" if hidden else ""  # a blank at the very end would be another fault
        return f"{PREFIX}{digest.hex()[:_HEX_DIGITS]}{marks}{tail}"


def _stand_in(character: str) -> str:
    """Return a substitute for a character that a key should not contain; hides which one."""
    return character if character in _INVISIBLE else "\u00e9"


def _text_in_base64(body: str) -> str | None:
    """Return the plain text that a value is base64 of, if any."""
    if len(body) < _SHORTEST_BASE64 or len(body) % 4:
        return None
    try:
        inner = b64decode(body, validate=True).decode("ascii")
    except (Base64Error, ValueError):
        return None
    return inner if inner and _VISIBLE.issuperset(inner.rstrip("\r\n")) else None
