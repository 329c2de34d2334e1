# SPDX-License-Identifier: Apache-2.0
"""The object stores of the contract, the stand-in and the real RGW, behind one set of levers."""

import itertools
from dataclasses import dataclass
from typing import Protocol

from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo.parts.object_store import ObjectStore
from parts.rgw import Rgw

_numbers = itertools.count(1)


def pair_of(key_id: str | bytes, secret: str | bytes) -> KeyPair:
    return KeyPair(access_key_id=Sensitive(key_id), secret_access_key=Sensitive(secret))


def fresh(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"contract-{prefix}-{next(_numbers)}"


class Store(Protocol):
    """What a test may do to a store behind lokeys' back."""

    endpoint: str
    sts_first: bool
    admin_pair: KeyPair

    def create_user(self, uid: str) -> KeyPair: ...
    def add_key(self, uid: str, key_id: str, secret: str) -> KeyPair: ...
    def remove_key(self, uid: str, key_id: str) -> None: ...
    def suspend(self, uid: str) -> None: ...
    def forbid_objects(self, uid: str) -> None: ...


@dataclass
class StandInStore:
    """The store of the demo."""

    endpoint: str
    store: ObjectStore

    def __post_init__(self) -> None:
        self.sts_first = self.store.sts_first
        caps = {"users": "*", "buckets": "*", "metadata": "*"}
        self.admin_pair = pair_of(*self.store.create_user("admin", caps=caps))

    def create_user(self, uid: str) -> KeyPair:
        return pair_of(*self.store.create_user(uid))

    def add_key(self, uid: str, key_id: str, secret: str) -> KeyPair:
        return pair_of(*self.store.add_key(uid, key_id, secret))

    def remove_key(self, uid: str, key_id: str) -> None:
        del self.store.users[uid].keys[key_id]

    def suspend(self, uid: str) -> None:
        self.store.users[uid].suspended = True

    def forbid_objects(self, uid: str) -> None:
        self.store.users[uid].max_objects = 0


@dataclass
class RealStore:
    """Ceph's own."""

    rgw: Rgw
    sts_first: bool

    def __post_init__(self) -> None:
        self.endpoint = self.rgw.endpoint
        self.admin_pair = pair_of(self.rgw.admin_access_key, self.rgw.admin_secret_key)

    def create_user(self, uid: str) -> KeyPair:
        return pair_of(*self.rgw.create_user(uid))

    def add_key(self, uid: str, key_id: str, secret: str) -> KeyPair:
        chosen = (f"--access-key={key_id}", f"--secret-key={secret}")
        self.rgw.admin("key", "create", f"--uid={uid}", "--key-type=s3", *chosen)
        return pair_of(key_id, secret)

    def remove_key(self, uid: str, key_id: str) -> None:
        self.rgw.admin("key", "rm", f"--uid={uid}", "--key-type=s3", f"--access-key={key_id}")

    def suspend(self, uid: str) -> None:
        self.rgw.admin("user", "suspend", f"--uid={uid}")

    def forbid_objects(self, uid: str) -> None:
        scope = (f"--uid={uid}", "--quota-scope=user")
        self.rgw._run("radosgw-admin", "quota", "set", *scope, "--max-objects=0")
        self.rgw._run("radosgw-admin", "quota", "enable", *scope)
