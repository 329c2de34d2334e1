# SPDX-License-Identifier: Apache-2.0
"""What the API server stand-in checks and fills in before it keeps an object."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from lokeys.demo.parts.kube_kinds import Json, Refusal, ServedKind, invalid

_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def admit(kind: ServedKind, old: Json | None, new: Json) -> None:
    """Fill in defaults of `new`; Refusal 400 or 422 for what may not be."""
    if kind.kind == "Secret":
        _admit_secret(kind, old, new)
    elif kind.kind == "Pod" and old is None:
        new.setdefault("status", {}).setdefault("phase", "Pending")
    elif kind.kind == "ExternalSecret":
        _default_external_secret(new)
    elif kind.kind == "Namespace":
        new.setdefault("status", {"phase": "Active"})
    elif kind.kind == "Lease":
        new.setdefault("spec", {})


def _admit_secret(kind: ServedKind, old: Json | None, new: Json) -> None:
    name = new["metadata"]["name"]
    for key, text in (new.pop("stringData", None) or {}).items():
        new.setdefault("data", {})[key] = b64encode(text.encode()).decode()
    new.setdefault("type", "Opaque")
    for key, value in (new.get("data") or {}).items():
        if not _DATA_KEY.fullmatch(key):
            raise invalid(kind, name, f"data[{key}]: Invalid value: {key!r}: not a valid key")
        try:
            b64decode(value, validate=True)
        except (Base64Error, TypeError, ValueError) as error:
            raise Refusal(400, "BadRequest", f"data[{key}]: illegal base64 data") from error
    if old is None or not old.get("immutable"):
        return
    if not new.get("immutable") or old.get("data", {}) != new.get("data", {}):
        raise invalid(kind, name, "data: Forbidden: field is immutable when `immutable` is set")


def _default_external_secret(new: Json) -> None:
    spec = new.setdefault("spec", {})
    spec.setdefault("refreshInterval", "1h0m0s")
    target = spec.setdefault("target", {})
    target.setdefault("creationPolicy", "Owner")
    target.setdefault("deletionPolicy", "Retain")
    for entry in spec.get("data") or []:
        entry["remoteRef"].setdefault("conversionStrategy", "Default")
        entry["remoteRef"].setdefault("decodingStrategy", "None")
        entry["remoteRef"].setdefault("metadataPolicy", "None")
