# SPDX-License-Identifier: Apache-2.0
"""An IAM user's key is removed under a running pod: no bridge, why not, and the ordinary heal.

moto is IAM, with its signatures and rights checked; the store is RGW, which is told of each key.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from e2e import hands
from e2e.bridges import RgwLab
from e2e.sight import ROUTE, SECRET, Json, Pair
from lokeys.core.kubernetes.consent import ALLOWED_URLS
from lokeys.core.route.bridging import ALLOWED_BRIDGE
from parts.hidden import Hidden
from parts.moto_iam import MotoIam

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("fingerprints")]
WHY = "IAM never takes a removed key back"


class IamLab(RgwLab):
    """The source is a user of IAM, which chooses its keys."""

    moto: MotoIam

    def _make_user(self) -> None:
        made = self.moto.make_user(self.user)
        first = made["AWS_ACCESS_KEY_ID"], Hidden(made["AWS_SECRET_ACCESS_KEY"])
        super()._make_user()
        rgws_own, self._pair = self._pair, first
        self.add_key_at_rgw(*first)
        self.remove_key_at_rgw(rgws_own[0])

    def make_admin(self) -> None:
        """Make the Secret of IAM's administrator, who allows what is not possible."""
        allowed = {ALLOWED_URLS: f"{self.moto.endpoint},{self.endpoint}", ALLOWED_BRIDGE: "1h"}
        self.secrets.add(self.moto.administrator["AWS_SECRET_ACCESS_KEY"])
        data = hands.encoded(dict(self.moto.administrator))
        self.apply("v1", "Secret", hands.ADMIN, self.monitoring, annotations=allowed, data=data)

    def replace_key(self) -> Pair:
        """Let an administrator make another key, and delete the first one."""
        old, iam = self._pair, self.moto.client()
        made = iam.create_access_key(UserName=self.user)["AccessKey"]
        self._pair = made["AccessKeyId"], Hidden(made["SecretAccessKey"])
        iam.delete_access_key(UserName=self.user, AccessKeyId=old[0])
        self.add_key_at_rgw(*self._pair)
        self.remove_key_at_rgw(old[0])
        return self._pair

    def keys(self) -> set[str]:
        """Return the ids of the keys that IAM lists."""
        listed = self.moto.client().list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return {each["AccessKeyId"] for each in listed}

    def route(self, **changes: Any) -> Json:
        """Return the StorageCredential with the IAM user as its source."""
        source = {
            "awsIAM": {
                "userName": self.user,
                "endpoint": self.moto.endpoint,
                "adminSecretRef": {"name": hands.ADMIN},
            }
        }
        return super().route(**({"source": source} | changes))


@pytest.fixture
def lab(rgw_lab: RgwLab, moto_iam: MotoIam) -> Iterator[IamLab]:
    """Make a homelab whose key an IAM user has; it is not built yet."""
    kubernetes, delivery = rgw_lab.kubernetes, rgw_lab.external_secrets
    parts = kubernetes, delivery, rgw_lab.rgw, rgw_lab.kubelet, rgw_lab.loop
    made = IamLab(*parts, f"iam-{os.getpid()}")
    made.has_rook, made.moto = False, moto_iam
    yield made
    made.close()


def test_a_key_that_iam_removed_is_not_bridged(lab: IamLab) -> None:
    """It says why before anything is written; once a person has put the new pair in, it heals."""
    lab.build(with_loki=False)
    lab.kubernetes.apply(lab.route())
    pair = lab.replace_key()
    lab.wait_refused_by_store()
    for _ in range(2):
        refused = lab.lokeys("heal", ROUTE, "--bridge", "--yes")
        assert refused.code == 1, refused
        assert WHY in refused.err
        assert (lab.keys(), lab.kept()) == ({pair[0]}, False)
        hands.edit_vault(lab, pair)
    planned = lab.lokeys("heal", ROUTE, "--dry-run")
    assert "add-key" not in planned.out
    healed = lab.lokeys("heal", ROUTE)
    assert healed.code == 0, healed.out + healed.err
    assert lab.pair_in(SECRET) == pair
    assert (lab.keys(), lab.kept()) == ({pair[0]}, False)
