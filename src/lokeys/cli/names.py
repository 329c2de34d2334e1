# SPDX-License-Identifier: Apache-2.0
"""Names from the command line, checked before they are used in a request."""

from __future__ import annotations

from lokeys.core.place import is_name
from lokeys.core.text.words import shown
from lokeys.errors import BadInput


def named(word: str) -> str:
    """Return a name from the command line that is valid for an object. Raises BadInput."""
    if not is_name(word):
        said = f"`{shown(word)}` is no object's name" if word else "the name given is empty"
        hint = "a name is of a-z, 0-9, - and dots" if word else "is a variable of the shell unset?"
        raise BadInput(said, hint=hint)
    return word
