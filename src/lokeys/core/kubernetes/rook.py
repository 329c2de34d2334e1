# SPDX-License-Identifier: Apache-2.0
"""Which Secrets hold the keys of a CephObjectStoreUser. Only this module decides it.

Without `spec.keys` it is the Secret that Rook generates. Its name joins store and user with a
hyphen, so store `objects` with user `prod-loki` and store `objects-prod` with user `loki` share one
name. So the name proves nothing: the store comes from the user, and a generated Secret counts only
if its controller is this very user, by uid. With `spec.keys` the named Secrets count, and the
generated one is blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lokeys.core.kubernetes.json_fields import Json, mappings_at, text_at
from lokeys.core.place import Ref

Selector = tuple[str, str]
"""The name of a Secret, and the data key in it."""

KIND = "CephObjectStoreUser"
_GROUP = "ceph.rook.io"
SLOT_LABEL = "lokeys.dev/key-of-user"
SLOT_KEYS = ("AccessKey", "SecretKey")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySecrets:
    """Where the keys of one user are."""

    generated: Ref
    entries: tuple[tuple[Selector, Selector], ...]
    """From `spec.keys`: for each, where the key id is, and where the secret."""
    store: str

    @property
    def named(self) -> tuple[str, ...]:
        """Return the Secrets that `spec.keys` names."""
        return tuple(sorted({name for pair in self.entries for name, _ in pair if name}))


def key_secrets(user: Json) -> KeySecrets:
    """Return where a user's keys are; `is_generated_for` says whether the generated one counts."""
    store, name = text_at(user, "spec", "store"), text_at(user, "metadata", "name")
    namespace = text_at(user, "metadata", "namespace")
    return KeySecrets(
        generated=Ref("Secret", f"rook-ceph-object-user-{store}-{name}", namespace),
        entries=tuple(
            (_selector(entry, "accessKeyRef"), _selector(entry, "secretKeyRef"))
            for entry in mappings_at(user, "spec", "keys")
        ),
        store=store,
    )


def slot_names(user: str) -> tuple[str, str]:
    """Return the names of the two Secrets in which lokeys keeps keys of a user."""
    return f"lokeys-key-1-{user}", f"lokeys-key-2-{user}"


def slot_entry(secret: str) -> dict[str, Any]:
    """Return the entry of `spec.keys` for a Secret that lokeys made."""
    return {
        "accessKeyRef": {"name": secret, "key": SLOT_KEYS[0]},
        "secretKeyRef": {"name": secret, "key": SLOT_KEYS[1]},
    }


def slot_metadata(secret: str, user: Json) -> dict[str, Any]:
    """Return the metadata of a Secret with one of a user's keys; it is deleted with the user."""
    owner = {
        "apiVersion": text_at(user, "apiVersion"),
        "kind": KIND,
        "name": text_at(user, "metadata", "name"),
        "uid": text_at(user, "metadata", "uid"),
    }
    return {
        "name": secret,
        "namespace": text_at(user, "metadata", "namespace"),
        "labels": {SLOT_LABEL: "true", "app.kubernetes.io/managed-by": "lokeys"},
        "ownerReferences": [owner],
    }


def is_slot_of(secret: Json, user: Json) -> bool:
    """Tell whether lokeys made this Secret for a key of this very user."""
    uid = text_at(user, "metadata", "uid")
    marked = text_at(secret, "metadata", "labels", SLOT_LABEL) == "true"
    owners = mappings_at(secret, "metadata", "ownerReferences")
    return marked and bool(uid) and any(owner.get("uid") == uid for owner in owners)


def is_generated_for(secret: Json, user: Json) -> bool:
    """Tell whether Rook made this Secret for this very user."""
    uid = text_at(user, "metadata", "uid")
    return bool(uid) and any(
        owner.get("controller") is True
        and owner.get("kind") == KIND
        and text_at(owner, "apiVersion").partition("/")[0] == _GROUP
        and owner.get("uid") == uid
        for owner in mappings_at(secret, "metadata", "ownerReferences")
    )


def _selector(entry: Json, half: str) -> Selector:
    return text_at(entry, half, "name"), text_at(entry, half, "key")
