# SPDX-License-Identifier: Apache-2.0
"""What the object store stand-in holds: users with their keys, buckets with their objects."""

from __future__ import annotations

import hashlib
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime

_ID_LETTERS = string.ascii_uppercase + string.digits
_SECRET_LETTERS = string.ascii_letters + string.digits


@dataclass(slots=True, kw_only=True)
class User:
    """A user with keys, as RGW keeps it."""

    uid: str
    display_name: str = ""
    keys: dict[str, str] = field(default_factory=dict)  # id -> secret
    suspended: bool = False
    caps: dict[str, str] = field(default_factory=dict)  # `users` -> `*`, `read`
    max_objects: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object."""

    body: bytes
    modified_at: datetime
    signer: str
    """The id of the key that signed the put."""

    @property
    def etag(self) -> str:
        """Return the MD5 of the body, as S3 quotes it."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass(slots=True, kw_only=True)
class StoredBucket:
    """One bucket and its owner."""

    owner: str
    created_at: datetime
    objects: dict[str, StoredObject] = field(default_factory=dict)


class Accounts:
    """All users and buckets of one store, without HTTP."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.buckets: dict[str, StoredBucket] = {}

    def create_user(self, uid: str, *, caps: dict[str, str] | None = None) -> tuple[str, str]:
        """Make a user with one key; return that key's id and secret."""
        self.users[uid] = User(uid=uid, display_name=uid, caps=dict(caps or {}))
        return self.add_key(uid)

    def add_key(self, uid: str, key_id: str = "", secret: str = "") -> tuple[str, str]:
        """Give a user one more key, made up where not given."""
        key_id = key_id or "".join(secrets.choice(_ID_LETTERS) for _ in range(20))
        secret = secret or "".join(secrets.choice(_SECRET_LETTERS) for _ in range(40))
        self.users[uid].keys[key_id] = secret
        return key_id, secret

    def owner_of(self, key_id: str) -> User | None:
        """Return the user who has this key."""
        return next((user for user in self.users.values() if key_id in user.keys), None)
