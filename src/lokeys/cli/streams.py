# SPDX-License-Identifier: Apache-2.0
"""The three standard streams, which may be closed, and errors while writing to them."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_FLAGS = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))
"""A closed stdout is replaced by one that refuses writes: its data must not seem to be read."""


def have_streams() -> None:
    """Open stdout and stderr, so that no socket gets the number of a closed one."""
    for number, flags in _FLAGS:
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # takes the lowest free number
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def unwritten() -> str | None:
    """Return in words why printed data cannot be written; None if all was."""
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        try:
            stream.flush()
        except OSError as exc:
            silence(stream)
            return f"cannot write to {name}: {(exc.strerror or 'it is closed').lower()}"
    return None


def silence(stream: TextIO) -> None:
    """Redirect a broken stream to nothing, so that the last flush does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
