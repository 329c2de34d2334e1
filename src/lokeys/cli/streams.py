# SPDX-License-Identifier: Apache-2.0
"""The three streams that a process is born with, or without, and what cannot be written to them."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_FLAGS = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))
"""A closed stdout is replaced by what refuses to be written to: nobody is to think it was read."""


def have_streams() -> None:
    """Have a stdout and a stderr, and no socket in place of one that was closed."""
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
    """Return in words why something that was printed cannot be written; None where all was."""
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        try:
            stream.flush()
        except OSError as exc:
            silence(stream)
            return f"cannot write to {name}: {(exc.strerror or 'it is closed').lower()}"
    return None


def silence(stream: TextIO) -> None:
    """Point a stream that nobody can read at nothing, so that the last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
