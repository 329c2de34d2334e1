# SPDX-License-Identifier: Apache-2.0
"""The certificates in a PEM text, and when they are valid; read without a file or a connection.

The text may be anybody's and a megabyte long, so it is split at its marks, in one pass. A regular
expression from mark to mark takes hours where one of the two marks is repeated.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from datetime import UTC, datetime

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_UTC_TIME, _GENERALIZED_TIME, _EXPLICIT_VERSION = 0x17, 0x18, 0xA0
_CENTURY_TURNS = 50


class NoCertificate(ValueError):
    """A block that says it is a certificate and is none."""


def bodies(pem: str) -> Iterator[str]:
    """Yield what stands between the marks of each certificate."""
    *blocks, _ = pem.split(END)
    for block in blocks:
        _, begin, body = block.rpartition(BEGIN)
        if begin:
            yield body


def behind_the_last(pem: str) -> str:
    """Return what stands behind the line that ends the last certificate; nothing without one."""
    _, end, rest = pem.rpartition(END)
    return rest.lstrip(" \t").removeprefix("\r").removeprefix("\n") if end else ""


def validities(pem: str) -> Iterator[tuple[datetime, datetime]]:
    """Yield from when to when each certificate is valid. Raises NoCertificate."""
    for body in bodies(pem):
        try:
            yield _validity(b64decode("".join(body.split()).encode(), validate=True))
        except (Base64Error, ValueError, IndexError):
            raise NoCertificate from None


def end_of_first(pem: str) -> datetime | None:
    """Return when the first certificate ends; None where none can be read."""
    try:
        return next((end for _, end in validities(pem)), None)
    except NoCertificate:
        return None


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """Walk Certificate > TBSCertificate > validity (RFC 5280, 4.1)."""
    _, certificate, _ = _element(der)
    _, fields, _ = _element(certificate)
    tag, _, rest = _element(fields)
    for _ in range(3 if tag == _EXPLICIT_VERSION else 2):  # serial, algorithm, issuer
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    first_tag, first, rest = _element(validity)
    last_tag, last, _ = _element(rest)
    return _time(first_tag, first), _time(last_tag, last)


def _time(tag: int, text: bytes) -> datetime:
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise NoCertificate
    said = text.decode("ascii")
    if tag == _UTC_TIME:  # two digits of a year, from 1950 to 2049
        said = f"{'19' if int(said[:2]) >= _CENTURY_TURNS else '20'}{said}"
    return datetime.strptime(said, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the first element's tag and content, and what follows it."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise NoCertificate
    return tag, der[start : start + length], der[start + length :]
