# SPDX-License-Identifier: Apache-2.0
"""Bytes of a log, from a file, a FIFO or stdin, unpacked and in UTF-8, piece by piece.

Nothing is kept: a file of any size takes as much memory as one piece, and a compressed one as much
as one piece decompressed.
"""

from __future__ import annotations

import codecs
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lokeys.core.findings.doctor.reading import PIECE_BYTES
from lokeys.errors import BadInput

STDIN = "-"
_GZIP = b"\x1f\x8b"
_WITH_GZIP_HEADER = 31
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def pieces(path: str) -> Iterator[bytes]:
    """Yield a log's content as UTF-8; `-` is stdin. Raises BadInput."""
    try:
        if path == STDIN:
            yield from _text(sys.stdin.buffer, path)
            return
        with Path(path).open("rb", 0) as stream:
            yield from _text(stream, path)
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror or exc}") from exc


def _text(stream: BinaryIO, path: str) -> Iterator[bytes]:
    yield from _as_utf8(_unpacked(_raw(stream), path))


def _raw(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE_BYTES):
        yield piece


def _first(pieces: Iterator[bytes], wanted: int) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, and all pieces again: a FIFO may give them one by one."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= wanted:
            break
    return head[:wanted], _again(head, pieces)


def _again(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from pieces


def _unpacked(pieces: Iterator[bytes], path: str) -> Iterator[bytes]:
    head, pieces = _first(pieces, len(_GZIP))
    if head != _GZIP:
        yield from pieces
        return
    unpack = zlib.decompressobj(_WITH_GZIP_HEADER)
    try:
        for piece in pieces:
            left = piece
            while left:
                yield unpack.decompress(left, PIECE_BYTES)
                left = unpack.unconsumed_tail
                if unpack.eof:  # rotated logs may be compressed in several parts
                    left, unpack = unpack.unused_data, zlib.decompressobj(_WITH_GZIP_HEADER)
                    left = left.lstrip(b"\0")
    except zlib.error as exc:
        raise BadInput(f"{path} is packed, and cannot be unpacked") from exc


def _as_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    head, pieces = _first(pieces, 2)
    encoding = _UTF16.get(head)
    if encoding is None:
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for piece in pieces:
        yield decoder.decode(piece).removeprefix("\ufeff").encode(errors="replace")
