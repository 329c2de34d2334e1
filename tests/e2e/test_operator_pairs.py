# SPDX-License-Identifier: Apache-2.0
"""Pairs that are torn, foreign, or brought by a hand: no pod starts on what is not the source's."""

import pytest

from e2e import hands
from e2e.operators import Installation
from e2e.sight import SECRET
from e2e.world import Homelab
from lokeys.http_server import Handler, HttpRequest, Response
from parts.process import wait_for

pytestmark = pytest.mark.usefixtures("operator")


@pytest.mark.parametrize("field", ["access_key", "secret_key"])
def test_half_a_pair_in_the_vault_is_named_and_made_whole(
    home: Homelab, installation: Installation, field: str
) -> None:
    """External Secrets has delivered it: vault and Secret are mended, and the pod stays.

    It read the good pair before the torn one came, and holds it still.
    """
    home.build(with_loki=False)
    pair, pod = home.source_pair(), hands.restart_pod(home)
    installation.follow(home, mode="Observe")
    home.wait_condition("Ready", "True")
    home.wait_looked_again()
    home.connect.edit(home.vault_id, home.item_id, **{field: "half-of-another-pair"})
    hands.sync(home)
    home.wait_finding("vault_pair_torn")
    assert home.pair_in(SECRET) == home.vault_pair() != pair
    installation.follow(home)
    home.wait_healed(pair)
    assert home.pod()["metadata"]["uid"] == pod
    assert installation.calls(home, "create", "pods/eviction") == []


def test_a_torn_read_is_forced_again_and_starts_no_pod(
    home: Homelab, installation: Installation
) -> None:
    """External Secrets gets the old id and the new secret: the pod waits for the whole pair."""
    home.build(with_loki=False)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    old, stale = home.source_pair(), [1, 2]

    async def stale_at_first(request: HttpRequest, answer: Handler) -> Response:
        """Show External Secrets the old item for the first key: it reads it twice a key."""
        reads = request.method == "GET" and request.path.endswith(home.item_id)
        now = home.vault_pair()
        if not (stale and reads and now != old and hands.of_external_secrets(request)):
            return await answer(request)
        stale.pop()
        hands.edit_vault(home, old)
        response = await answer(request)
        hands.edit_vault(home, now)
        return response

    home.on_connect = stale_at_first
    pair = home.replace_key()
    wait_for(lambda: home.pair_in(SECRET) == (old[0], pair[1]), "a torn Secret")
    assert home.held_by_pod(old)
    home.wait_healed(pair)
    assert len(installation.calls(home, "create", "pods/eviction")) == 1


def test_a_working_key_that_a_person_put_into_the_vault_stays(
    home: Homelab, installation: Installation
) -> None:
    """It is named, nothing is written, and the pod goes on with the key that it has."""
    home.build(with_loki=False)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    pair, pod = home.source_pair(), home.pod()["metadata"]["uid"]
    own = ("ZOWNKEY0123456789ABC", "w" * 40)
    home.add_key_at_rgw(*own)
    hands.edit_vault(home, own)
    home.wait_looked_again()
    home.wait_finding("foreign_key_in_vault")
    home.wait_condition("Stalled", "True", reason="ForeignKeyInVault")
    home.wait_looked_again()
    assert home.vault_pair() == own
    assert home.pair_in(SECRET) == pair
    assert home.pod()["metadata"]["uid"] == pod


def test_a_vault_out_of_reach_is_a_step_by_hand(home: Homelab, installation: Installation) -> None:
    """It says what to copy, and goes on by itself when the content arrives in the Secret."""
    home.build(with_loki=False)
    hands.deliver_by_hand(home, home.source_pair())
    installation.follow(home, vault={"pushSecret": {"name": "by-hand"}})
    home.wait_condition("Ready", "True")
    pod = home.pod()["metadata"]["uid"]
    pair = home.replace_key()
    home.wait_finding("secret_behind_source")
    wait_for(lambda: home.status()["nextStep"].startswith("manual"), "a step by hand")
    home.wait_looked_again()
    assert home.pod()["metadata"]["uid"] == pod
    hands.deliver_by_hand(home, pair)
    wait_for(lambda: home.held_by_pod(pair), "the pod holds the key")
    home.wait_condition("Ready", "True")
