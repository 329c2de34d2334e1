# SPDX-License-Identifier: Apache-2.0
"""What can stand in a new key's way between the source and the Secret, a fault at a time.

Each time: the fault is named, nothing is harmed, and the key arrives by itself once it is mended.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2e import hands
from e2e.operators import Installation
from e2e.sight import SECRET, Json
from e2e.world import ITEM, Homelab
from lokeys.demo.parts.connect import ConnectFault, new_id
from parts.process import wait_for

pytestmark = pytest.mark.usefixtures("operator")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A fault: how it comes and goes, and which cause names it."""

    cause: str
    comes: Callable[[Homelab], None]
    goes: Callable[[Homelab], None]


def second_item(home: Homelab) -> None:
    home.connect.add_item(home.vault_id, ITEM, [("access_key", "x")])


def no_second_item(home: Homelab) -> None:
    items = home.connect.vaults[home.vault_id].items
    for name in items.keys() - {home.item_id}:
        del items[name]


def second_field(home: Homelab) -> None:
    fields = home.connect.vaults[home.vault_id].items[home.item_id].now["fields"]
    fields.append({"id": new_id(), "type": "STRING", "label": "secret_key", "value": ""})


def no_second_field(home: Homelab) -> None:
    home.connect.vaults[home.vault_id].items[home.item_id].now["fields"].pop()


def relabel(old: str, new: str) -> Callable[[Homelab], None]:
    def change(home: Homelab) -> None:
        fields = home.connect.vaults[home.vault_id].items[home.item_id].now["fields"]
        for field in fields:
            field["label"] = new if field["label"] == old else field["label"]

    return change


def suffer(fault: ConnectFault) -> Callable[[Homelab], None]:
    def begin(home: Homelab) -> None:
        home.connect.fault = fault

    return begin


def recover(home: Homelab) -> None:
    """End a fault, and whatever still waits for an answer."""
    home.connect.fault = None
    home.stop_connect()
    home.start_connect()


def an_interval_of_a_day(home: Homelab) -> None:
    home.apply_external_secret("other", refreshInterval="1d", target={"name": "other"})


def no_interval_of_a_day(home: Homelab) -> None:
    home.delete_external_secret("other")


def another_owner(home: Homelab) -> None:
    """Let another ExternalSecret have the Secret, so that the route's own cannot."""
    home.delete_external_secret()
    home.apply_external_secret("other")
    wait_for(lambda: home.owned_by(SECRET, "other"), "another owns the Secret")
    home.apply_external_secret()


def no_other_owner(home: Homelab) -> None:
    home.delete_external_secret("other")


TROUBLES = {
    "two items of one title": Trouble(
        cause="op_item_ambiguous", comes=second_item, goes=no_second_item
    ),
    "a field that is missing": Trouble(
        cause="op_field_not_found",
        comes=relabel("secret_key", "secret"),
        goes=relabel("secret", "secret_key"),
    ),
    "a field that is there twice": Trouble(
        cause="op_field_ambiguous",
        comes=second_field,
        goes=no_second_field,
    ),
    "Connect down": Trouble(
        cause="op_connect_unreachable", comes=Homelab.stop_connect, goes=Homelab.start_connect
    ),
    "Connect hanging": Trouble(
        cause="op_connect_unreachable", comes=suffer(ConnectFault.HANG), goes=recover
    ),
    "Connect asks to slow down": Trouble(
        cause="op_rate_limited", comes=suffer(ConnectFault.RATE_LIMITED), goes=recover
    ),
    "an interval that stops External Secrets": Trouble(
        cause="eso_stopped_by_bad_interval", comes=an_interval_of_a_day, goes=no_interval_of_a_day
    ),
    "a Secret that another owns": Trouble(
        cause="eso_target_owned_by_other", comes=another_owner, goes=no_other_owner
    ),
}


def seen(home: Homelab) -> Json:
    """Return what must not change while a fault lasts."""
    return {
        "secret": home.pair_in(SECRET),
        "pod": home.pod()["metadata"]["uid"],
        "note": home.connect.values(home.vault_id, home.item_id).get("note"),
    }


def test_what_may_not_be_read_is_missed_before_a_key_is_spread(
    home: Homelab, installation: Installation
) -> None:
    """One workload of two is forbidden: nothing is proved, and nothing begun until it is not."""
    home.build(with_loki=False)
    name = "read"
    hands.add_deployment(home, name)
    own = home.route()["spec"]["workloads"]
    whole = home.route(workloads=[*own, {"kind": "Deployment", "name": name}])
    installation.allow(home, home.route())
    home.kubernetes.apply(whole)
    stalled = home.wait_condition("Stalled", "True", reason="NotReadable")
    assert f"Deployment {home.monitoring}/{name} cannot be read" in stalled["message"]
    assert home.condition("Verified")["status"] == "Unknown"
    version, pair = hands.item_version(home), home.replace_key()
    home.wait_finding("vault_behind_source")
    home.wait_looked_again()
    assert hands.item_version(home) == version
    assert installation.calls(home, "create", "pods/eviction") == []
    assert installation.calls(home, "patch", "externalsecrets") == []
    installation.allow(home, whole)
    home.wait_healed(pair)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_fault_is_named_does_no_harm_and_passes(
    home: Homelab, installation: Installation, trouble: Trouble
) -> None:
    """A key that cannot travel on stays where it is, and travels as soon as it can."""
    home.build(with_loki=False)
    trouble.comes(home)
    pair, before = home.replace_key(), seen(home)
    installation.follow(home)
    home.wait_finding(trouble.cause)
    home.wait_looked_again()
    assert trouble.cause in home.causes()
    assert seen(home) == before
    trouble.goes(home)
    home.wait_healed(pair)


def test_a_second_item_of_the_title_is_told_at_rest(
    home: Homelab, installation: Installation
) -> None:
    """External Secrets' next refresh fails on it: the route says why, and rests again later."""
    home.build(with_loki=False)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    home.wait_looked_again()
    before = seen(home)
    second_item(home)
    hands.touch(home, "externalsecrets", SECRET)
    home.wait_condition("Ready", "False", reason="OpItemAmbiguous", timeout_s=40)
    assert home.status()["findings"][0]["code"] == "LK0408"
    no_second_item(home)
    hands.touch(home, "externalsecrets", SECRET)
    home.wait_condition("Ready", "True")
    assert seen(home) == before
