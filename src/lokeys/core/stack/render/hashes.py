# SPDX-License-Identifier: Apache-2.0
"""The keyed hashes that roll pods when credentials change. Without the key they reveal nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.core.stack.resource.model import Entry, Tenants
from lokeys.core.stack.storage.secret_data import SecretData, secret_data


def secret_hash(secret: SecretData, fingerprinter: Fingerprinter) -> str:
    """Return a hash of all keys and values of a Secret."""
    parts = ((key, secret.raw(key)) for key in sorted(secret.keys))
    return fingerprinter.of(_framed(parts), purpose="storage Secret")


def store_hash(
    secret: SecretData, ca: Mapping[str, Any] | None, fingerprinter: Fingerprinter
) -> str:
    """Return the hash of the storage Secret, with that of the CA's ConfigMap if there is one."""
    hashed = secret_hash(secret, fingerprinter)
    if ca is None:
        return hashed
    data = ca.get("data")
    texts = data if isinstance(data, Mapping) else {}
    parts = ((str(key), str(texts[key]).encode()) for key in sorted(texts))
    return f"{hashed};{fingerprinter.of(_framed(parts), purpose='storage CA')}"


def tenants_hash(
    tenants: Tenants | None,
    objects: Mapping[Ref, Mapping[str, Any]],
    fingerprinter: Fingerprinter,
    *,
    stack: Ref,
) -> str:
    """Return the hash of what the gateway reads only once, clients' Secrets first; or empty."""
    parts: list[tuple[str, bytes]] = []
    for name in tenants.client_secrets if tenants else ():
        ref = Ref("Secret", name, stack.namespace)
        data = secret_data(objects.get(ref, {}), ref=ref, stack=stack).data
        parts += ((f"{name}/{key}", data.raw(key)) for key in sorted(data.keys))
    for entry in tenants.read_once if tenants else ():
        ref = Ref(entry.kind, entry.name, stack.namespace)
        parts.append((f"{ref}/{entry.key}", _entry(objects.get(ref, {}), entry, ref, stack)))
    return fingerprinter.of(_framed(parts), purpose="tenants") if parts else ""


def _entry(manifest: Mapping[str, Any], entry: Entry, ref: Ref, stack: Ref) -> bytes:
    if entry.kind == "Secret":
        return secret_data(manifest, ref=ref, stack=stack).data.raw(entry.key)
    data = manifest.get("data")
    return str(data.get(entry.key, "")).encode() if isinstance(data, Mapping) else b""


def _framed(parts: Iterable[tuple[str, bytes]]) -> Sensitive:
    """Return names and values, each with its length, so that different contents always differ."""
    framed = bytearray()
    for name, value in parts:
        for piece in (name.encode(), value):
            framed += len(piece).to_bytes(8, "big") + piece
    return Sensitive(bytes(framed))
