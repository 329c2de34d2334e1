# SPDX-License-Identifier: Apache-2.0
"""The template functions whose result depends on their arguments alone, as Go computes them."""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SPACE = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)
_SPACE += "\u2028\u2029\u202f\u205f\u3000"
_NO_SPACE = str.maketrans("", "", _SPACE)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of `takes` constant arguments, followed by the value.

    `harmless` tells whether it leaves a valid key (no blanks, not empty) unchanged.
    """

    takes: int
    result: Callable[..., str | None]
    harmless: bool = False


def decoded(value: bytes) -> str:
    """Return bytes as a text from which `encoded` restores them, UTF-8 or not."""
    return value.decode(errors="surrogateescape")


def encoded(text: str) -> bytes:
    """Return the bytes that `decoded` made this text from."""
    return text.encode(errors="surrogateescape")


def _each(change: Callable[[str], str]) -> Callable[[str], str]:
    """Return a change of letter case that, as in Go, maps each letter to one letter."""
    return lambda text: "".join(new if len(new := change(one)) == 1 else one for one in text)


def base64(text: str) -> str | None:
    """Return the text that standard base64 encodes, None if it is not valid."""
    return _unpacked(text, urlsafe=False)


def base64_url(text: str) -> str | None:
    """Return the text that base64 with `-` and `_` encodes, None if it is not valid."""
    return _unpacked(text, urlsafe=True)


def base64_if_valid(text: str) -> str:
    """Return the text that either base64 encodes, or the text itself if it is not valid."""
    for found in (base64(text), base64_url(text)):
        if found is not None:
            return found
    return text


def _replaced(old: str, new: str, text: str) -> str | None:
    """Return the text with `new` for `old`; None if the result would be too long."""
    length = len(text) + text.count(old) * (len(new) - len(old))
    return text.replace(old, new) if length <= LONGEST else None


def _unpacked(text: str, *, urlsafe: bool) -> str | None:
    packed = encoded(text.replace("\n", "").replace("\r", ""))
    if urlsafe and (b"+" in packed or b"/" in packed):
        return None
    try:
        return decoded(urlsafe_b64decode(packed) if urlsafe else b64decode(packed, validate=True))
    except (Base64Error, ValueError):
        return None


FUNCTIONS: Mapping[str, Function] = {
    "toString": Function(0, str, harmless=True),
    "trim": Function(0, lambda text: text.strip(_SPACE), harmless=True),
    "nospace": Function(0, lambda text: text.translate(_NO_SPACE), harmless=True),
    "default": Function(1, lambda other, text: text or other, harmless=True),
    "upper": Function(0, _each(str.upper)),
    "lower": Function(0, _each(str.lower)),
    "trimPrefix": Function(1, lambda start, text: text.removeprefix(start)),
    "trimSuffix": Function(1, lambda end, text: text.removesuffix(end)),
    "trimAll": Function(1, lambda letters, text: text.strip(letters) if letters else text),
    "replace": Function(2, _replaced),
    "b64enc": Function(0, lambda text: b64encode(encoded(text)).decode()),
    "b64dec": Function(0, base64),
}
"""`b64dec` of an invalid value writes Go's error into the Secret: that is not computed here."""

DECODING: Mapping[str, Function] = {
    "Base64": Function(0, base64),
    "Base64URL": Function(0, base64_url),
    "Auto": Function(0, base64_if_valid),
}
"""Values of `decodingStrategy`; if it is `None` or absent, nothing is decoded."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its constant arguments."""

    name: str
    function: Function
    arguments: tuple[str, ...] = ()

    @property
    def harmless(self) -> bool:
        """Tell whether a key from a store passes through it unchanged."""
        unchanging = self.name == "trimSuffix" and self.arguments[0].isspace()
        return self.function.harmless or unchanging

    def of(self, text: str) -> str | None:
        """Return the function's result, None if it has none."""
        if len(text) > LONGEST:
            return None
        result = self.function.result(*self.arguments, text)
        return result if result is None or len(result) <= LONGEST else None


LONGEST = 1 << 14
"""No key is longer. Longer values, also those that a template expands, are not computed."""
