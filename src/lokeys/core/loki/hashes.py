# SPDX-License-Identifier: Apache-2.0
"""The keyed hashes that roll pods when credentials change. Who lacks the key learns nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.storage.secret_data import SecretData


def secret_hash(secret: SecretData, fingerprinter: Fingerprinter) -> str:
    """Return a hash of all keys and values of a Secret."""
    parts = ((key, secret.raw(key)) for key in sorted(secret.keys))
    return fingerprinter.of(_framed(parts), purpose="storage Secret")


def store_hash(
    secret: SecretData, ca: Mapping[str, Any] | None, fingerprinter: Fingerprinter
) -> str:
    """Return the hash of the storage Secret, with that of the CA's ConfigMap where there is one."""
    hashed = secret_hash(secret, fingerprinter)
    if ca is None:
        return hashed
    data = ca.get("data")
    texts = data if isinstance(data, Mapping) else {}
    parts = ((str(key), str(texts[key]).encode()) for key in sorted(texts))
    return f"{hashed};{fingerprinter.of(_framed(parts), purpose='storage CA')}"


def _framed(parts: Iterable[tuple[str, bytes]]) -> Sensitive:
    """Return names and values, each with its length, so that no two contents look alike."""
    framed = bytearray()
    for name, value in parts:
        for piece in (name.encode(), value):
            framed += len(piece).to_bytes(8, "big") + piece
    return Sensitive(bytes(framed))
