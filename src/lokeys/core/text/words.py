# SPDX-License-Identifier: Apache-2.0
"""Untrusted text, made safe to show: no control characters, and bounded where documented."""

from __future__ import annotations

from collections.abc import Mapping

SHOWN = 63
MAX_NAME = 253
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_NO_CHARACTER = "\\uFFFD"


def printable(text: str) -> str:
    """Return text with `?` for each character that a terminal or script may interpret."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def object_name(name: str) -> str:
    """Return an object's name, safe to print; one that Kubernetes accepts is unchanged."""
    return printable(name[:MAX_NAME])


def shown(name: object) -> str:
    """Return a name, safe to print: printable, and short."""
    text = printable(str(name)[: SHOWN + 1])
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def quoted(word: object) -> str:
    """Return a word of a spec (not a secret) in the form used in a sentence."""
    return f"`{shown(word)}`"


def apart(one: str, other: str) -> tuple[str, str]:
    """Return two texts in the form used in a sentence; long ones start just before they differ."""
    if max(len(one), len(other)) <= SHOWN:
        return quoted(one), quoted(other)
    pairs = enumerate(zip(one, other, strict=False))
    differ = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
    start = max(0, differ - SHOWN // 2)
    return _piece(one, start), _piece(other, start)


def _piece(text: str, start: int) -> str:
    end = start + SHOWN
    piece = printable(text[start:end])
    return f"`{'…' * (start > 0)}{piece}{'…' * (end < len(text))}`"


def character(letter: str) -> str:
    """Return a character of an untrusted text in the form used in a sentence."""
    if letter.isspace():
        return "white space"
    return f"`{letter}`" if letter.isprintable() else "a character that cannot be printed"


def one_line(text: str) -> str:
    """Return prose in one printable line, with white space collapsed to single blanks."""
    return printable(" ".join(text.split()))


def escaped(text: str) -> str:
    """Return text escaped for double quotes in YAML and in Terraform's language."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if 0xD800 <= code < 0xE000:  # half of a character: not in valid text
        return _NO_CHARACTER
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def form(value: object) -> str:
    """Return what a value looks like, without the value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            count = len(value)
            return f"a text of {count} character{'s' * (count > 1)}" if count else "an empty text"
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case _:
            return "something that JSON has no word for"


def found(value: object) -> str:
    """Return a description of a value that never holds more than a short piece of it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}" if abs(value) < 10**18 else "a huge number"
        case str() if "://" not in value:  # an address may hold a password
            return quoted(value)
        case []:
            return "an empty list"
    return form(value)
