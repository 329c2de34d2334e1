# SPDX-License-Identifier: Apache-2.0
"""What went wrong, named by what the caller must do next.

    LokeysError
    ├── Waiting            ask again later; nothing is wrong yet
    ├── Transient          the other side failed for now: retry with backoff
    │   ├── Unreachable    no answer at all from here
    │   ├── Conflict       somebody else wrote first: read again, then decide again
    │   └── Throttled      asked to slow down; `retry_after_s` says how long
    ├── NotReadable        reading is refused or impossible: data for a report, not a crash
    │   ├── NotFound       the object does not exist
    │   └── Forbidden      the object may exist; we may not read it
    ├── NeedsHuman         no retry will help; the message says what to change
    │   ├── NotAllowed     a credential's owner has not allowed it to go to this address
    │   └── NotShared      a credential's owner has not allowed this namespace to use it
    ├── BadInput           the user's input cannot be used; names the place and the fix
    └── LeaseLost          another holder acts on this route: stop at once, write nothing more

A message names the object and the reason. It never holds a secret value nor a whole reply body.
"""

from __future__ import annotations


class LokeysError(Exception):
    """The root of every error that lokeys raises on purpose."""


class Waiting(LokeysError):
    """Nothing is wrong; the awaited thing has not happened yet."""

    def __init__(self, message: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Transient(LokeysError):
    """The other side failed in a way that a later call may not."""


class Unreachable(Transient):
    """No answer arrived here: refused, no such host, timed out, TLS failed."""


class Conflict(Transient):
    """Somebody else changed the object first (HTTP 409, or a failed precondition)."""


class Throttled(Transient):
    """The other side asked to slow down (HTTP 429)."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadable(LokeysError):
    """The object cannot be read; a report continues without it."""


class NotFound(NotReadable):
    """The object does not exist."""


class Forbidden(NotReadable):
    """We are not allowed to do this to the object."""


class NeedsHuman(LokeysError):
    """Only a person can fix this; the message says how."""


class NotAllowed(NeedsHuman):
    """A credential's owner has not allowed it to go to this address; nothing was sent."""


class NotShared(NeedsHuman):
    """A credential's owner has not allowed another namespace to use it; nothing was sent."""


class BadInput(LokeysError):
    """The user's input cannot be used.

    `place` is where it is (a file with its line, a field); `hint` is the fix.
    """

    def __init__(self, message: str, *, place: str | None = None, hint: str | None = None) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
        self.hint = hint


class LeaseLost(LokeysError):
    """Somebody else holds the route's Lease; nothing more may be written."""
