# SPDX-License-Identifier: Apache-2.0
"""A pair in a Secret or ConfigMap: under two data keys, or within a YAML text."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.data_keys import DataKey, value_at
from lokeys.core.kubernetes.json_fields import Json, text_at
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_BYTES, MAX_LOKI_CONFIG_VALUES
from lokeys.core.route.model import PairKeys, SecretRef
from lokeys.core.sensitive import KeyPair, Sensitive


def pair_in(held: Json, place: SecretRef) -> KeyPair:
    """Return the pair at a place; a missing half is empty."""
    if place.inside is None:
        return pair_of(held, place.keys)
    ref = place.ref(text_at(held, "metadata", "namespace"))
    text = value_at(DataKey(ref, place.inside), {ref: held}) or ""
    document = None
    if len(text) <= MAX_LOKI_CONFIG_BYTES:
        document = built(text, max_values=MAX_LOKI_CONFIG_VALUES)
    return KeyPair(
        access_key_id=_inside(document, place.keys.access_key_id),
        secret_access_key=_inside(document, place.keys.secret_access_key),
    )


def pair_of(secret: Json, keys: PairKeys) -> KeyPair:
    """Return the pair under two data keys; a missing half is empty."""
    return KeyPair(
        access_key_id=value_of(secret, keys.access_key_id),
        secret_access_key=value_of(secret, keys.secret_access_key),
    )


def data_of(pair: KeyPair, keys: PairKeys) -> dict[str, str]:
    """Return a pair as a Secret's data, under two data keys."""
    return {
        keys.access_key_id: b64encode(pair.access_key_id.reveal()).decode(),
        keys.secret_access_key: b64encode(pair.secret_access_key.reveal()).decode(),
    }


def value_of(secret: Json, key: str) -> Sensitive:
    """Return the value of one data key, empty if it is missing."""
    try:
        return Sensitive(b64decode(text_at(secret, "data", key)))
    except Base64Error:
        return Sensitive(b"")


def _inside(document: Any, path: str) -> Sensitive:
    found = document
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    plain = isinstance(found, str | int) and not isinstance(found, bool)
    return Sensitive(str(found).encode() if plain else b"")
