# SPDX-License-Identifier: Apache-2.0
"""Bytes of a log come piece by piece, unpacked and in UTF-8, from whatever gives them."""

import gzip
import io
import os
import threading
from pathlib import Path

import pytest

from lokeys.adapters.files.logs import pieces
from lokeys.core.findings.doctor.reading import PIECE_BYTES
from lokeys.errors import BadInput

TEXT = "level=error err=NoSuchBucket\nlevel=info msg=\u00fc\n"


def held(path: Path) -> bytes:
    return b"".join(pieces(str(path)))


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT.encode()[:9]) + gzip.compress(TEXT.encode()[9:]),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        gzip.compress(TEXT.encode("utf-16")),
    ],
    ids=["plain", "gzip", "gzip in two parts", "UTF-16", "UTF-16 of big ends", "both"],
)
def test_a_log_is_text_in_the_end(raw: bytes, tmp_path: Path) -> None:
    """Whatever packed or encoded it."""
    (file := tmp_path / "a.log").write_bytes(raw)
    assert held(file).decode() == TEXT


def test_a_packed_file_that_ends_early_is_read_so_far(tmp_path: Path) -> None:
    """A copy that broke off still has lines."""
    raw = os.urandom(1 << 16)
    (file := tmp_path / "a.gz").write_bytes(gzip.compress(TEXT.encode() + raw)[:1000])
    assert held(file).startswith(TEXT.encode())


def test_a_file_that_unpacks_to_much_more_comes_in_pieces(tmp_path: Path) -> None:
    """Ten megabytes in ten kilobytes take no more memory than one piece."""
    (file := tmp_path / "a.gz").write_bytes(gzip.compress(bytes(10 << 20)))
    sizes = [len(piece) for piece in pieces(str(file))]
    assert sum(sizes) == 10 << 20
    assert max(sizes) <= PIECE_BYTES


def test_a_broken_packed_file_is_called_so(tmp_path: Path) -> None:
    """Not a failure of lokeys."""
    (file := tmp_path / "a.gz").write_bytes(b"\x1f\x8b" + b"\xff" * 64)
    with pytest.raises(BadInput, match="cannot be unpacked"):
        held(file)


def test_a_file_that_is_not_there_is_called_so(tmp_path: Path) -> None:
    """With the system's own words."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            held(path)


def test_a_fifo_is_read_to_its_end(tmp_path: Path) -> None:
    """As `<(kubectl logs ...)` gives one, byte by byte if it likes."""
    os.mkfifo(fifo := tmp_path / "fifo")

    def write() -> None:
        with fifo.open("wb", 0) as stream:
            for letter in TEXT.encode():
                stream.write(bytes([letter]))

    writer = threading.Thread(target=write)
    writer.start()
    assert held(fifo).decode() == TEXT
    writer.join()


def test_stdin_is_read_under_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is stdin."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert b"".join(pieces("-")).decode() == TEXT
