# SPDX-License-Identifier: Apache-2.0
"""When a certificate ends. The standard library reads that only from a live connection."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

_UTC_TIME, _GENERALIZED_TIME, _EXPLICIT_VERSION = 0x17, 0x18, 0xA0


def certificate_end(pem: bytes) -> datetime | None:
    """Return the end of the first certificate's validity, or None where none can be read."""
    start, end = pem.find(b"-----BEGIN CERTIFICATE-----"), pem.find(b"-----END CERTIFICATE-----")
    if start < 0 or end < start:
        return None
    try:
        der = ssl.PEM_cert_to_DER_cert(
            pem[start:end].decode("ascii") + "-----END CERTIFICATE-----\n"
        )
        return _not_after(der)
    except (ValueError, IndexError):
        return None


def _not_after(der: bytes) -> datetime:
    """Walk Certificate > TBSCertificate > validity (RFC 5280, 4.1) and read its second time."""
    _, certificate, _ = _element(der)
    _, fields, _ = _element(certificate)
    tag, _, rest = _element(fields)
    skipped = 3 if tag == _EXPLICIT_VERSION else 2  # serial, algorithm, issuer follow a version
    for _ in range(skipped):
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    _, _, second = _element(validity)
    tag, text, _ = _element(second)
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError("no time where the validity should end")
    pattern = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), pattern).replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the first element's tag and content, and what follows it."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise ValueError("truncated certificate")
    return tag, der[start : start + length], der[start + length :]
