# SPDX-License-Identifier: Apache-2.0
"""The store and the vault of most layouts: a bucket of Rook's RGW, and an item on Connect."""

import itertools
import secrets
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from contract.serving import serve
from e2e.layouts.world import Layout
from lokeys.demo.parts.connect import ConnectServer
from parts.hidden import Hidden
from parts.process import wait_for
from parts.rgw import Rgw

SERVICE, STORAGE = "rook-ceph-rgw-lake", "rook-ceph"
ITEM = "loki"
_numbers = itertools.count(1)


@dataclass
class Lake:
    """A user of RGW with a bucket, and a vault with an item; Loki's, both of them."""

    rgw: Rgw
    url: str
    connect: ConnectServer
    user: str = field(default_factory=lambda: f"loki-{next(_numbers)}-{secrets.token_hex(3)}")

    def __post_init__(self) -> None:
        self.bucket = f"logs-{self.user}"
        self.pair = self.mint()
        self.old = self.pair
        made = self.rgw.request(self.pair, "PUT", f"/{self.bucket}")
        assert made.is_success, made.text
        self.vault = self.connect.add_vault("homelab")
        self.token = self.connect.add_token()

    def mint(self) -> tuple[str, str]:
        """Give the user a key, its only one; return the pair."""
        pair = "AK" + secrets.token_hex(9).upper(), Hidden(secrets.token_hex(20))
        words = (f"--access-key={pair[0]}", f"--secret-key={pair[1]}")
        if hasattr(self, "pair"):
            self.rgw.admin("key", "create", f"--uid={self.user}", *words)
            self.rgw.admin("key", "rm", f"--uid={self.user}", f"--access-key={self.pair[0]}")
        else:
            self.rgw.create_user(self.user, *words)
        return pair

    def replace_key(self) -> None:
        """Replace the user's key: `old` is dead from now on."""
        self.old, self.pair = self.pair, self.mint()

    def keep(self, labels: tuple[str, str], pair: tuple[str, str]) -> None:
        """Put a pair into the item."""
        fields = [("note", "keep me"), *zip(labels, map(str, pair), strict=True)]
        self.item = self.connect.add_item(self.vault, ITEM, fields)

    def words(self) -> Mapping[str, str]:
        """Return what manifests say of it: the source's own pair, and the addresses."""
        key_id, secret = self.pair
        return {
            "key_id": key_id,
            "secret": secret,
            "old_id": self.old[0],
            "old_secret": self.old[1],
            "bucket": self.bucket,
            "connect": self.url,
            "token": self.token,
        }

    def make(self, layout: Layout, *names: str) -> None:
        """Make what these files have, and lead the store's Service to RGW."""
        layout.secrets |= {str(self.pair[1]), str(self.old[1]), self.token}
        layout.ns(STORAGE)  # in whose name the texts name its Service
        for name in names:
            layout.apply(name, **self.words())
        layout.lead(SERVICE, STORAGE, 80, to=self.rgw.port)


@contextmanager
def lake_of(rgw: Rgw) -> Iterator[Lake]:
    """Make a lake on a running RGW, with a Connect server of its own."""
    connect = ConnectServer()
    with serve(connect.handle) as url:
        yield Lake(rgw, url, connect)


def delivered(layout: Layout, key_id: str, *, secret: str = "loki-s3") -> None:
    """Wait until External Secrets has put a key id into a Secret."""
    path = f"/api/v1/namespaces/{layout.ns('monitoring')}/secrets/{secret}"

    def held() -> bool:
        data = (layout.kubernetes.api.find(path) or {}).get("data") or {}
        return any(key_id.encode() in b64decode(value) for value in data.values())

    wait_for(held, f"{secret} holds the key", timeout_s=60)
