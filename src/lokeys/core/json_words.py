# SPDX-License-Identifier: Apache-2.0
"""What a JSON value is, in words that never show it."""

from __future__ import annotations

from collections.abc import Mapping


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
            return f"text of {len(value)} characters" if value else "empty text"
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case _:
            return "something that JSON has no word for"
