# SPDX-License-Identifier: Apache-2.0
"""Faults in the form of a value, whatever it means: invisible characters, double base64."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from binascii import Error as Base64Error

NEWLINE_AT_THE_END, BLANKS_AT_THE_END = "ends in a newline", "ends in blanks"
_BOM = "\ufeff"
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_SHORT_FORMS = {
    "endpoint": r"https?://\S+",
    "sts_endpoint": r"https?://\S+",
    "auth_url": r"https?://\S+",
    "role_arn": r"arn:\S+",
    "region": r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}",
    "forcepathstyle": r"true|false",
    "sse_type": r"SSE-(S3|KMS)",
    "environment": r"Azure\w+",
    "endpoint_suffix": r"blob\.[a-z.]+",
    "audience": r"(https?://|//|api://|sts\.)\S+",
    "account_key": r"[A-Za-z0-9+/]{80,}={0,2}",
    "access_key_id": r"[A-Za-z0-9]{16,128}",
    "key.json": r"\s*\{.*",
}
_NAME = r"[a-z0-9][a-z0-9._-]{2,}"
_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NAMES = ("bucketnames", "bucketname", "bucket", "container", "container_name", "account_name")
_FORMS = {
    **_SHORT_FORMS,
    **dict.fromkeys(_NAMES, _NAME),
    **dict.fromkeys(("client_id", "tenant_id", "subscription_id"), _GUID),
}
_WHAT = {"key.json": "a JSON object", "account_key": "an account key", "access_key_id": "a key id"}
_LONG_ENOUGH = 24
_SHORTEST_HALF = 8
_LINES = "\t\r\n"
_BLANKS = f" {_LINES}"
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Cs"})


def unseen(value: bytes, *, spaces: bool = True) -> str | None:
    """Return the invisible part of a value, in words; `spaces`: whether inner ones are fine."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    if not text.strip():
        return None  # an empty value is reported as such
    if text.startswith(_BOM):
        return "begins with a byte order mark"
    plain = text.rstrip(_BLANKS)
    if plain != text and plain == text.strip():
        return NEWLINE_AT_THE_END if text.rstrip("\r\n") == plain else BLANKS_AT_THE_END
    if text != text.strip():
        return "begins or ends with white space"
    strange = _strange(text)
    if strange:
        first = next(letter for letter in text if letter in strange)
        name = unicodedata.name(first, "").lower()
        return f"holds {f'a {name}' if name else 'a control character'}"
    return "holds white space" if not spaces and re.search(r"\s", text) else None


def unseen_before_the_end(value: bytes, *, spaces: bool = True) -> str | None:
    """Return the invisible part of a value, without blanks and line breaks at its end."""
    return unseen(value.rstrip(_BLANKS.encode()), spaces=spaces)


def seen(text: str) -> str:
    """Return the visible part of a text with its lines: what was meant, without the mistake."""
    return text.translate(dict.fromkeys(map(ord, _strange(text).difference(_LINES)))).strip()


def unseen_in_json(value: bytes) -> str | None:
    """Return what a JSON parser rejects in a text; white space around it is allowed."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    return "begins with a byte order mark" if text.startswith(_BOM) else None


def _strange(text: str) -> frozenset[str]:
    """Return the invisible characters of a text. A text may be long; it has few characters."""
    if text.isascii() and text.isprintable():  # as most are: a quick check
        return frozenset()
    return frozenset(letter for letter in set(text) if _is_strange(letter))


def _is_strange(letter: str) -> bool:
    return unicodedata.category(letter) in _UNSEEN or (
        unicodedata.category(letter) == "Zs" and letter != " "
    )


def encoded_twice(key: str, value: str) -> str | None:
    """Return what a base64 value decodes to if it should be plain, in words; None if it is fine."""
    decoded = _decoded(value)
    if decoded is None:
        return None
    wanted = _FORMS.get(key)
    if wanted is None:
        long = len(value) >= _LONG_ENOUGH and _PRINTABLE.fullmatch(decoded)
        return "a plain text" if long else None
    if key in _NAMES and not any(letter.isupper() for letter in value):
        return None  # a bucket's name in lowercase is what it says it is
    if re.fullmatch(wanted, decoded, re.DOTALL):
        return _WHAT.get(key, "what it should be")
    return None


def _decoded(value: str) -> str | None:
    text = value.replace("\n", "").replace("\r", "")
    if not text or len(text) % 4:
        return None
    try:
        return b64decode(text.encode(), validate=True).decode().strip()
    except (Base64Error, ValueError):
        return None


def both_encoded_twice(key_id: str, secret: str) -> bool:
    """Tell whether both halves of a pair are base64 of plain text.

    A single short half may be so by chance. Both, with one of them padded or long, are not: no
    store makes keys like that.
    """
    pair = (key_id, secret)
    plain = [_decoded(half) for half in pair if len(half) >= _SHORTEST_HALF]
    readable = [text for text in plain if text and _PRINTABLE.fullmatch(text)]
    certain = any(half.endswith("=") for half in pair) or min(map(len, pair)) >= _LONG_ENOUGH
    return len(readable) == len(pair) and certain


_KEY_ID = re.compile("[A-Z0-9]{12,24}|LTAI[A-Za-z0-9]{12,26}")
_SECRET_KEY = re.compile("[A-Za-z0-9/+=]{30,}")


def swapped(key_id: str, secret: str) -> bool:
    """Tell whether the halves of a pair are swapped."""
    return _SECRET_KEY.fullmatch(key_id) is not None and _KEY_ID.fullmatch(secret) is not None


def is_base64(value: str) -> bool:
    """Tell whether this is base64 of anything."""
    try:
        return bool(b64decode("".join(value.split()).encode(), validate=True))
    except (Base64Error, ValueError):
        return False


_GUID_FORM = re.compile(_GUID)


def is_guid(value: str) -> bool:
    """Tell whether this is a GUID."""
    return _GUID_FORM.fullmatch(value) is not None
