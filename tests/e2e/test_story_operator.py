# SPDX-License-Identifier: Apache-2.0
"""The story, untouched by hands: the operator finds, heals and proves it."""

import pytest

from e2e import hands
from e2e.operators import Installation, Operator
from e2e.world import Homelab


@pytest.mark.real_node
def test_a_key_replaced_at_its_source_is_carried_to_loki_by_itself(
    home: Homelab, installation: Installation, operator: Operator
) -> None:
    """Source, vault, Secret and pod all hold the new key, Loki writes, and no line is lost."""
    home.build()
    before = [f"before {number}" for number in range(20)]
    home.push(*before)
    home.wait_written()
    installation.follow(home)
    home.wait_condition("Ready", "True", reason="ProvedByLoki")
    old = home.pod()["metadata"]["uid"]
    during = [f"during {number}" for number in range(20)]
    home.push(*during)
    pair = home.replace_key()
    home.wait_condition("InSync", "True", timeout_s=90)
    home.wait_ready(after=old)
    home.wait_condition("Ready", "True", reason="ProvedByLoki", timeout_s=90)
    assert home.vault_pair() == pair
    assert home.pair_in("loki-s3-credentials") == pair
    assert home.connect.values(home.vault_id, home.item_id)["note"] == "keep me"
    assert home.lines() == sorted(before + during)
    assert home.requests(403) == 0
    (healed,) = home.status()["history"]
    assert healed["cause"] == "vault_behind_source"
    steps = [step.partition(":")[0] for step in healed["steps"]]
    assert steps[:4] == ["test-key", "write-vault", "force-sync", "replace-pod"]
    (event,) = hands.events(home, reason="Healed")
    assert event["message"] == f"ProvedByLoki after: {', '.join(steps)}"
    told = home.lokeys("history", "loki", "-o", "json")
    assert told.code == 0, told.err
    (receipt,) = told.json()["receipts"]
    assert receipt["by"]["door"] == "operator"
    assert (receipt["ending"], receipt["proof"]) == ("proved", "ProvedByLoki")
    assert receipt["before"] != receipt["after"]
    assert any(each.get("answeredBy") for each in receipt["pods"])
    assert not [half for half in pair if half in told.out]
