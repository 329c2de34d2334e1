# SPDX-License-Identifier: Apache-2.0
"""The certificates in a PEM text, and when they are valid; read without a file or a connection.

The text is not trusted and may be a megabyte long, so it is split at its markers in one pass. A
regular expression from marker to marker takes hours if one of the two markers is repeated.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lokeys.core.text.words import shown

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_UTC_TIME, _GENERALIZED_TIME, _EXPLICIT_VERSION = 0x17, 0x18, 0xA0
_CENTURY_TURNS = 50
_BMP_STRING = 0x1E
_NAMED_BY = (b"\x55\x04\x03", b"\x55\x04\x0a", b"\x55\x04\x0b")
"""Attributes of a subject: common name, organization, organizational unit."""


class _NoCertificateError(ValueError):
    """A block that is marked as a certificate and does not contain one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate: its period of validity, and its subject, in DER."""

    start: datetime
    end: datetime
    subject: bytes = b""

    @property
    def name(self) -> str:
        """Return its subject's common name, or organization, safe to print; often empty."""
        try:
            names = dict(_names(self.subject))
        except (_NoCertificateError, ValueError, IndexError):
            return ""
        return shown(next((names[oid] for oid in _NAMED_BY if names.get(oid)), ""))


def bodies(pem: str) -> Iterator[str]:
    """Yield the text between the markers of each certificate."""
    *blocks, _ = pem.split(END)
    for block in blocks:
        _, begin, body = block.rpartition(BEGIN)
        if begin:
            yield body


def behind_the_last(pem: str) -> str:
    """Return the text after the end line of the last certificate; empty if there is none."""
    _, end, rest = pem.rpartition(END)
    return rest.lstrip(" \t").removeprefix("\r").removeprefix("\n") if end else ""


def certificates(pem: str) -> Iterator[Certificate | None]:
    """Yield each certificate; None for one that cannot be read."""
    for body in bodies(pem):
        try:
            yield _certificate(b64decode("".join(body.split()).encode(), validate=True))
        except (Base64Error, _NoCertificateError, ValueError, IndexError):
            yield None


def end_of_first(pem: str) -> datetime | None:
    """Return when the first certificate expires; None if it cannot be read."""
    first = next(certificates(pem), None)
    return first.end if first else None


def _certificate(der: bytes) -> Certificate:
    """Walk Certificate > TBSCertificate > validity, subject (RFC 5280, 4.1)."""
    _, certificate, _ = _element(der)
    _, fields, _ = _element(certificate)
    tag, _, rest = _element(fields)
    for _ in range(3 if tag == _EXPLICIT_VERSION else 2):  # serial, algorithm, issuer
        _, _, rest = _element(rest)
    _, validity, rest = _element(rest)
    first_tag, first, more = _element(validity)
    last_tag, last, _ = _element(more)
    return Certificate(start=_time(first_tag, first), end=_time(last_tag, last), subject=rest)


def _names(der: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield the parts of a subject: sets of pairs of a kind and a text (RFC 5280, 4.1.2.4)."""
    _, sets, _ = _element(der)
    while sets:
        _, pairs, sets = _element(sets)
        _, pair, _ = _element(pairs)
        _, oid, rest = _element(pair)
        tag, text, _ = _element(rest)
        yield oid, text.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", errors="replace")


def _time(tag: int, text: bytes) -> datetime:
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise _NoCertificateError
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
        raise _NoCertificateError
    return tag, der[start : start + length], der[start + length :]
