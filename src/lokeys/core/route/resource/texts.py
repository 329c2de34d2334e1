# SPDX-License-Identifier: Apache-2.0
"""The texts of a StorageCredential: all of bounded length, which keeps CEL rules cheap."""

from __future__ import annotations

from functools import partial

from lokeys.core.schema.language import Text

text = partial(Text, at_least=1, at_most=253)
"""A text of at most as many characters as an object's name, by default."""


def moment(description: str) -> Text:
    """Return a time as RFC 3339 writes it."""
    longest = 40
    published = {"format": "date-time", "maxLength": longest}
    return Text(description, at_most=longest, published=published)
