# SPDX-License-Identifier: Apache-2.0
"""Which Secrets hold the keys of a CephObjectStoreUser. This alone decides it.

Without `spec.keys` it is the one that Rook generates. Its name puts store and user together with a
hyphen, so that store `objects`, user `prod-loki` and store `objects-prod`, user `loki` share one
name. So the name proves nothing: the store comes from the user, and a generated Secret counts only
if its controller is this very user, by uid. With `spec.keys` the named Secrets count, and the
generated one is blank.
"""

from __future__ import annotations

from dataclasses import dataclass

from lokeys.core.kubernetes.json_fields import Json, mappings_at, text_at
from lokeys.core.place import Ref

Selector = tuple[str, str]
"""The name of a Secret, and the data key in it."""

KIND = "CephObjectStoreUser"
_GROUP = "ceph.rook.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySecrets:
    """Where the keys of one user are."""

    generated: Ref
    entries: tuple[tuple[Selector, Selector], ...]
    """Of `spec.keys`: where the key id of each is, and where the secret."""
    store: str

    @property
    def named(self) -> tuple[str, ...]:
        """Return the Secrets that `spec.keys` names."""
        return tuple(sorted({name for pair in self.entries for name, _ in pair if name}))


def key_secrets(user: Json) -> KeySecrets:
    """Return where a user's keys are; whether the generated one counts says `is_generated_for`."""
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
