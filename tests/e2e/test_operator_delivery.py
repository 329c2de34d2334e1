# SPDX-License-Identifier: Apache-2.0
"""Deliveries that no forced sync moves, and vaults and sources that hold nothing worth moving."""

from typing import Any

import pytest

from e2e import hands
from e2e.operators import Installation
from e2e.sight import SECRET
from e2e.world import ITEM, Homelab
from parts.process import wait_for

pytestmark = pytest.mark.usefixtures("operator")

STUBBORN: dict[str, dict[str, Any]] = {
    "an interval of 0": {"refreshInterval": "0"},
    "CreatedOnce": {"refreshPolicy": "CreatedOnce"},
}


@pytest.mark.parametrize("spec", STUBBORN.values(), ids=STUBBORN)
def test_where_a_forced_sync_does_nothing_a_wrong_hash_does(
    home: Homelab, installation: Installation, spec: dict[str, Any]
) -> None:
    """The key arrives, and the Secret is the same object as before."""
    home.build(with_loki=False, **spec)
    before = hands.secret_uid(home)
    installation.follow(home, mode="Observe")
    home.wait_condition("Ready", "True")
    pair = home.replace_key()
    home.wait_finding("vault_behind_source")
    hands.edit_vault(home, pair)
    home.wait_looked_again()
    home.wait_finding("secret_cannot_refresh")
    installation.follow(home)
    home.wait_healed(pair)
    assert hands.secret_uid(home) == before


def test_an_immutable_secret_is_made_anew_only_where_that_is_allowed(
    home: Homelab, installation: Installation
) -> None:
    """It stays, and the finding says why; with `recreate: true` the key arrives."""
    home.build(with_loki=False, target={"name": SECRET, "immutable": True})
    pair, old = home.replace_key(), home.pair_in(SECRET)
    installation.follow(home)
    home.wait_finding("secret_cannot_refresh")
    home.wait_condition("Stalled", "True", reason="SecretCannotRefresh")
    uid, pod = hands.secret_uid(home), home.pod()["metadata"]["uid"]
    home.wait_looked_again()
    assert home.pair_in(SECRET) == old
    assert (hands.secret_uid(home), home.pod()["metadata"]["uid"]) == (uid, pod)
    secret = home.route()["spec"]["secret"]
    installation.follow(
        home, secret=secret | {"externalSecret": {"name": SECRET, "recreate": True}}
    )
    home.wait_healed(pair)


def test_a_store_that_was_mended_unseen_is_made_to_look(
    home: Homelab, installation: Installation
) -> None:
    """Its token Secret is right again, nobody looked, and a new key gets through all the same."""
    home.build(with_loki=False)
    hands.give_store_a_token(home, "nonsense")
    installation.follow(home)
    home.wait_finding("eso_store_not_ready")
    hands.set_store_token(home, home.token)
    home.wait_looked_again()
    assert "eso_store_not_ready" in home.causes()
    pair = home.replace_key()
    home.wait_healed(pair)


def test_an_empty_value_in_the_vault_is_filled_and_never_delivered(
    home: Homelab, installation: Installation
) -> None:
    """The finding names it, the pod goes on with the key that works, and the vault is mended."""
    home.build(with_loki=False)
    pair = home.source_pair()
    pod = home.pod()["metadata"]["uid"]
    home.connect.edit(home.vault_id, home.item_id, secret_key="")
    installation.follow(home, mode="Observe")
    home.wait_finding("vault_value_empty")
    assert home.pair_in(SECRET) == pair
    installation.follow(home)
    home.wait_healed(pair)
    assert home.pod()["metadata"]["uid"] == pod


def test_the_keys_that_rook_is_told_to_use_are_the_source(
    home: Homelab, installation: Installation
) -> None:
    """With `spec.keys` Rook blanks its Secret: the listed pair is carried, never the blank one."""
    home.build(with_loki=False)
    first, second = home.source_pair(), ("NEWKEY0123456789ABCD", "s" * 40)
    hands.make_key_secret(home, "key-one", first)
    hands.make_key_secret(home, "key-two", second)
    hands.use_keys(home, "key-one")
    wait_for(lambda: hands.is_blank(home), "a blank Secret")
    installation.follow(home)
    home.wait_condition("Ready", "True")
    assert home.pair_in(SECRET) == first
    hands.use_keys(home, "key-one", "key-two")
    hands.use_keys(home, "key-two")
    home.wait_healed(second)


def test_a_blank_source_is_never_carried(home: Homelab, installation: Installation) -> None:
    """Where `spec.keys` names Rook's own Secret no key is left, and nothing is written."""
    home.build(with_loki=False)
    pair = home.source_pair()
    hands.use_keys(home, home.generated)
    wait_for(lambda: hands.is_blank(home), "a blank Secret")
    installation.follow(home)
    home.wait_finding("rook_generated_secret_blank")
    home.wait_looked_again()
    assert home.vault_pair() == pair
    assert home.pair_in(SECRET) == pair


def test_a_whole_item_in_files_of_pods_that_nobody_rolls(
    home: Homelab, installation: Installation
) -> None:
    """`dataFrom` brings every field, renamed; Loki reads files; its StatefulSet is OnDelete."""
    names = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY"}
    rewrite = [{"regexp": {"source": old, "target": new}} for old, new in names.items()]
    whole = [{"extract": {"key": ITEM}, "rewrite": rewrite}]
    home.build(with_loki=False, files=True, data=[], dataFrom=whole)
    path = f"/apis/apps/v1/namespaces/{home.monitoring}/statefulsets/loki"
    on_delete = {"type": "OnDelete", "rollingUpdate": None}
    home.kubernetes.api.patch(path, {"spec": {"updateStrategy": on_delete}})
    hands.roll(home)  # a new template that no pod has yet, and none will get by itself
    installation.follow(home)
    home.wait_condition("Ready", "True")
    pair = home.replace_key()
    home.wait_healed(pair)
    assert len(installation.calls(home, "create", "pods/eviction")) == 1


def test_a_field_that_no_property_names_is_the_password(
    home: Homelab, installation: Installation
) -> None:
    """Without `remoteRef.property` External Secrets takes the field `password`."""
    home.labels = ("username", "password")
    data = [
        {
            "secretKey": "AWS_ACCESS_KEY_ID",
            "remoteRef": {"key": ITEM, "property": "username"},
        },
        {"secretKey": "AWS_SECRET_ACCESS_KEY", "remoteRef": {"key": ITEM}},
    ]
    home.build(with_loki=False, data=data)
    found = home.lokeys("discover", "statefulset/loki")
    assert "secretAccessKey: password" in found.out, found.out + found.err
    installation.follow(home)
    home.wait_condition("Ready", "True")
    home.wait_healed(home.replace_key())


def test_a_newline_that_was_pasted_is_taken_away(home: Homelab, installation: Installation) -> None:
    """It came into the Secret, and a pod started with it: each is named, and each is mended."""
    home.build(with_loki=False)
    pair = home.source_pair()
    home.connect.edit(home.vault_id, home.item_id, secret_key=str(pair[1]) + "\n")
    hands.sync(home)
    pod = hands.restart_pod(home)
    installation.follow(home, mode="Observe")
    home.wait_finding("secret_trailing_newline")
    assert home.pair_in(SECRET) != pair
    installation.follow(home)
    home.wait_healed(pair)
    assert home.pod()["metadata"]["uid"] != pod
