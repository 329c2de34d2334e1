# SPDX-License-Identifier: Apache-2.0
"""Decides by its first bytes what an input is: one place for files, stdin and bundles."""

from __future__ import annotations

from enum import StrEnum

HEAD_BYTES = 65_536
"""As much of an input as tells what it is."""
_ODD = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_MANY = 0.05


class Kind(StrEnum):
    """What an input can be."""

    EMPTY = "nothing"
    BINARY = "binary data"
    LOG = "a log"


def kind_of(head: bytes) -> Kind:
    """Return what an input is whose text begins so; gzip and UTF-16 were undone before."""
    if not head.strip(b" \t\r\n\v\f\0"):
        return Kind.EMPTY
    head = head.lstrip(b"\0")  # what a log that was cut while it was written begins with
    odd = len(head) - len(head.translate(None, _ODD))
    if odd > _MANY * len(head):
        return Kind.BINARY
    return Kind.LOG
