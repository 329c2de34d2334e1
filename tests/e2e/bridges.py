# SPDX-License-Identifier: Apache-2.0
"""A homelab whose user nobody but RGW's admin manages, and what people do to its keys."""

import secrets
from typing import Any

from e2e.hands import ADMIN, encoded
from e2e.sight import SECRET, Json, Pair
from e2e.world import Homelab
from lokeys.core.kubernetes.consent import ALLOWED_URLS
from lokeys.core.route.bridging import ALLOWED_BRIDGE
from parts.hidden import Hidden
from parts.process import wait_for

STAGING = "lokeys-bridge-loki"


class RgwLab(Homelab):
    """The source is the user at RGW itself; what it offers is what a person replaced last."""

    _pair: Pair

    def source_pair(self) -> Pair:
        """Return the pair that was made last."""
        return self._pair

    def _make_user(self) -> None:
        self._pair = self.rgw.create_user(self.user)
        self.secrets.add(self._pair[1])
        self.make_admin()
        wait_for(self._make_bucket, "the bucket", timeout_s=60)

    def make_admin(self) -> None:
        """Make or change the Secret with RGW's admin, and what its owner allows."""
        pair = {"accessKey": self.rgw.admin_access_key, "secretKey": self.rgw.admin_secret_key}
        urls = filter(None, (self.rgw.endpoint, self.endpoint, self.by))
        allowed = {ALLOWED_URLS: ",".join(urls)}
        allowed |= {ALLOWED_BRIDGE: self.bridge} if self.bridge else {}
        self.apply("v1", "Secret", ADMIN, self.monitoring, annotations=allowed, data=encoded(pair))

    def replace_key(self) -> Pair:
        """Replace the user's key; return the new pair."""
        old = self._pair
        key, secret = "N" + secrets.token_hex(9).upper() + "X", Hidden(secrets.token_hex(20))
        self.add_key_at_rgw(key, secret)
        self._pair = key, secret
        self.remove_key_at_rgw(old[0])
        return self._pair

    def keys(self) -> set[str]:
        """Return the ids of the keys that the user has now."""
        user = self.rgw.admin("user", "info", f"--uid={self.user}")
        return {key["access_key"] for key in user["keys"]}

    def wait_refused_by_store(self) -> None:
        """Wait until RGW refuses what the Secret holds."""
        held = self.pair_in(SECRET)
        assert held is not None
        wait_for(
            lambda: self.rgw.request(held, "GET", f"/{self.bucket}").status_code == 403,
            "RGW refuses the old key",
        )

    def kept(self) -> bool:
        """Tell whether lokeys keeps a pair."""
        return self.kubernetes.api.find(self._staging_path) is not None

    @property
    def _staging_path(self) -> str:
        return f"/api/v1/namespaces/{self.monitoring}/secrets/{STAGING}"

    def route(self, **changes: Any) -> Json:
        """Return the StorageCredential with the user at RGW as its source."""
        source = {
            "rgw": {
                "endpoint": self.by or self.rgw.endpoint,
                "uid": self.user,
                "adminSecretRef": {"name": ADMIN},
            }
        }
        return super().route(**({"source": source} | changes))
