# SPDX-License-Identifier: Apache-2.0
"""Secret values that no failing test shows."""

from hashlib import sha256


class Hidden(str):
    """A text like any other, but for its repr: pytest, dataclasses and tracebacks show a hash."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<hidden {sha256(self.encode()).hexdigest()[:6]}>"
