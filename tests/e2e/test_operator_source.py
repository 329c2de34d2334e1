# SPDX-License-Identifier: Apache-2.0
"""Keys that change behind Rook, die, or leave with their user: what is carried on, and what not."""

import pytest

from e2e import hands
from e2e.operators import Installation
from e2e.sight import SECRET, Json
from e2e.world import Homelab
from parts.process import wait_for

pytestmark = pytest.mark.usefixtures("operator")


def seen(home: Homelab) -> tuple[object, ...]:
    """Return what must not change while no key may be carried."""
    return home.vault_pair(), home.pair_in(SECRET), home.pod()["metadata"]["uid"]


def rook(home: Homelab, *, admin: bool = True, refresh: bool = False) -> Json:
    """Return a Rook source, with a look at RGW's own list of keys or without."""
    source: Json = {"user": home.user, "namespace": home.storage, "refresh": refresh}
    if admin:
        hands.make_admin_secret(home)
        source["admin"] = {"endpoint": home.endpoint, "secretRef": {"name": hands.ADMIN}}
    return {"rook": source}


def test_a_key_replaced_behind_rook_is_named_and_read_again_where_that_is_allowed(
    home: Homelab, installation: Installation
) -> None:
    """Dead source; then, with RGW's list, stale Rook; then, with `refresh`, the new key arrives."""
    home.build(with_loki=False)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    pair = home.replace_key_at_rgw()
    home.wait_looked_again()
    home.wait_finding("source_key_dead")
    before = seen(home)
    installation.follow(home, source=rook(home))
    home.wait_finding("rook_stale_user_secret")
    home.wait_looked_again()
    assert seen(home) == before
    installation.follow(home, source=rook(home, refresh=True))
    home.wait_healed(pair)


def test_a_key_that_rook_will_delete_is_foretold(home: Homelab, installation: Installation) -> None:
    """A warning while both keys live; when Rook has deleted the old one the new one arrives."""
    home.build(with_loki=False)
    installation.follow(home, source=rook(home))
    home.wait_condition("Ready", "True")
    before = seen(home)
    survivor = ("0" * 20, "t" * 40)  # no id that RGW makes is smaller
    home.add_key_at_rgw(*survivor)
    home.wait_looked_again()
    home.wait_finding("rook_extra_keys_doomed")
    assert home.condition("Ready")["status"] == "True"
    assert seen(home) == before
    home.touch_ceph_cluster()
    home.wait_healed(survivor)


def test_a_user_that_rook_cannot_delete_goes_on_working(
    home: Homelab, installation: Installation
) -> None:
    """The resource is deleted, its user owns the bucket: Rook is stuck, and so nothing changes."""
    home.build(with_loki=False)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    before = seen(home)
    home.kubernetes.api.delete(hands.user_path(home))
    home.wait_finding("rook_user_deletion_blocked")
    home.wait_looked_again()
    assert seen(home) == before
    assert home.rgw.request(home.source_pair(), "GET", f"/{home.bucket}").is_success


def test_a_user_purged_with_its_bucket_gets_a_key_only_with_a_bucket(
    home: Homelab, installation: Installation
) -> None:
    """Rook makes user and key anew; the key travels when the bucket may be made, not before."""
    home.build(with_loki=False)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    old = home.source_pair()
    home.rgw.admin("user", "rm", f"--uid={home.user}", "--purge-data", "--purge-keys")
    home.touch_ceph_cluster()
    wait_for(lambda: home.source_pair() != old, "Rook makes the user anew", timeout_s=60)
    pair, before = home.source_pair(), seen(home)
    home.wait_finding("bucket_not_found")
    home.wait_looked_again()
    assert seen(home) == before
    installation.follow(home, bucket=home.route()["spec"]["bucket"] | {"create": True})
    home.wait_healed(pair)


def test_a_dead_key_is_not_carried_over_a_dead_key(
    home: Homelab, installation: Installation
) -> None:
    """Source and vault are both refused: nothing is written, and the finding is the source's."""
    home.build(with_loki=False)
    home.connect.edit(home.vault_id, home.item_id, access_key="OLDER", secret_key="u" * 40)
    home.replace_key_at_rgw()
    before = seen(home)
    installation.follow(home)
    home.wait_finding("source_key_dead")
    home.wait_condition("Stalled", "True", reason="SourceKeyDead")
    home.wait_looked_again()
    assert seen(home) == before


def test_a_user_without_any_key_is_named(home: Homelab, installation: Installation) -> None:
    """Rook panics and stays Ready; RGW's own list says that there is nothing to carry."""
    home.build(with_loki=False)
    installation.follow(home, source=rook(home))
    home.wait_condition("Ready", "True")
    before = seen(home)
    home.remove_key_at_rgw(home.source_pair()[0])
    home.touch_ceph_cluster()
    home.wait_looked_again()
    home.wait_finding("source_has_no_key")
    assert seen(home) == before
