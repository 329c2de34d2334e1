# SPDX-License-Identifier: Apache-2.0
"""One data key of a Secret or a ConfigMap, and its value as text."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass

from lokeys.core.kubernetes.json_fields import Json, at
from lokeys.core.place import Ref


@dataclass(frozen=True, slots=True, order=True)
class DataKey:
    """Where a value is: an object, and the data key in it."""

    ref: Ref
    key: str

    def __str__(self) -> str:
        return f"{self.ref}, key {self.key}"


def value_at(place: DataKey, held: Mapping[Ref, Json]) -> str | None:
    """Return the text under a data key; None if it cannot be read or is not text."""
    found = held.get(place.ref)
    plain = at(found, "data", place.key)
    if place.ref.kind == "Secret":
        return decoded(plain)
    return plain if isinstance(plain, str) else decoded(at(found, "binaryData", place.key))


def keys_of(held: Json | None) -> tuple[str, ...]:
    """Return the names of an object's data keys."""
    found = (at(held, name) for name in ("data", "binaryData"))
    return tuple(str(key) for data in found if isinstance(data, Mapping) for key in data)


def decoded(value: object) -> str | None:
    """Return base64 as text; None if it is not valid."""
    if not isinstance(value, str):
        return None
    try:
        return b64decode(value, validate=True).decode()
    except (Base64Error, UnicodeDecodeError, ValueError):
        return None
