# SPDX-License-Identifier: Apache-2.0
"""A whole rotation on real Ceph RGW under the real Loki, which is written to all the time."""

import base64
import itertools
import os
import secrets
from collections.abc import Iterator

import pytest

from e2e.bridges import RgwLab
from e2e.hands import make_admin_secret
from e2e.rotations import Counters, Keys, Shipper, Watcher, lines_found, working
from e2e.sight import ROUTE, SECRET
from e2e.world import Homelab, Loop
from lokeys.adapters.kubernetes.fingerprints import SECRET_NAME, SYSTEM_NAMESPACE
from parts.external_secrets import ExternalSecrets
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw

_numbers = itertools.count(1)
ROTATION = {"every": "720h", "overlap": "3s", "retire": "AfterGrace"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def lab(
    defined: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[RgwLab]:
    """Make a homelab of RGW's own user, where fingerprints outlive a run of a command."""
    name = f"rotation-{os.getpid()}-{next(_numbers)}"
    made = RgwLab(defined, external_secrets, rgw, kubelet, loop, name)
    made.has_rook = False
    made.bridge = None
    made.secrets.add(rgw.admin_secret_key)
    metadata = {"name": SECRET_NAME, "namespace": SYSTEM_NAMESPACE}
    data = {"key": base64.b64encode(secrets.token_bytes(32)).decode()}
    place = {"name": SYSTEM_NAMESPACE}
    defined.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": place})
    defined.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    yield made
    made.close()
    defined.api.delete(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/{SECRET_NAME}")


def test_a_key_is_replaced_under_load_and_nothing_fails(lab: RgwLab) -> None:
    """No failed flush, no 403, no lost line; at no look did a pod hold a key that was refused."""
    lab.build()
    lab.push("before")
    lab.wait_written()
    lab.kubernetes.apply(lab.route(mode="Rotate", rotation=ROTATION, prove="Flush"))
    (old,) = lab.keys()
    shipper, watcher, trouble, keys = Shipper(lab), Watcher(lab), Counters(lab), Keys(lab)
    with working(shipper, watcher, trouble, keys):
        wait_for(lambda: shipper.sent > 0, "the load runs")
        said = lab.lokeys("rotate", ROUTE, timeout_s=400)
        assert said.code == 0, said.out + said.err
        more = shipper.sent
        wait_for(lambda: shipper.sent > more, "the load goes on", timeout_s=60)
    (new,) = lab.keys()
    held = lab.pair_in(SECRET)
    assert held is not None
    lab.secrets.add(held[1])
    assert (held[0], lab.vault_pair()) == (new, held)
    assert new != old
    assert watcher.refused == []
    assert watcher.looks > 10
    assert watcher.held == keys.all == {old, new}
    assert trouble.looks > 10
    assert trouble.seen == {"flush failures": 0.0, "403": 0.0}
    wait_for(
        lambda: lines_found(lab) == shipper.sent, "every acknowledged line is found", timeout_s=90
    )
    assert not lab.kept()
    (receipt,) = lab.lokeys("history", ROUTE, "-o", "json").json()["receipts"]
    assert receipt["kind"] == "Rotation"
    assert receipt["ending"] == "proved"
    again = lab.lokeys("rotate", ROUTE, "--status")
    assert again.code == 0, again
    assert lab.lokeys("heal", ROUTE, "--dry-run").code == 0


@pytest.mark.usefixtures("lab")
def test_a_key_of_rook_is_replaced_through_spec_keys(homelab: Homelab) -> None:
    """Its present key is adopted first; in the end the user declares the new one alone."""
    homelab.build(with_loki=False)
    rook = {"user": homelab.user, "namespace": homelab.storage}
    admin = {"endpoint": homelab.rgw.endpoint, "secretRef": {"name": make_admin_secret(homelab)}}
    route = homelab.route(
        mode="Rotate", rotation=ROTATION, source={"rook": {**rook, "admin": admin}}
    )
    homelab.kubernetes.apply(route)
    old = homelab.pair_in(SECRET)
    assert old is not None
    said = homelab.lokeys("rotate", ROUTE, timeout_s=300)
    assert said.code == 0, said.out + said.err
    new = homelab.pair_in(SECRET)
    assert new is not None
    homelab.secrets.add(new[1])
    assert new[0] != old[0]
    assert homelab.vault_pair() == new
    info = homelab.rgw.admin("user", "info", f"--uid={homelab.user}")
    assert {key["access_key"] for key in info["keys"]} == {new[0]}
