# SPDX-License-Identifier: Apache-2.0
"""The story, untouched by hands: the operator finds, heals and proves it."""

from collections.abc import Callable

from e2e.world import Homelab, Operator, running


def test_a_key_replaced_at_its_source_is_carried_to_loki_by_itself(
    homelab: Homelab, operator: Callable[[], Operator]
) -> None:
    """Source, vault, Secret and pod all hold the new key, Loki writes, and no line is lost."""
    homelab.build()
    before = [f"before {number}" for number in range(20)]
    homelab.push(*before)
    homelab.wait_written()
    homelab.kubernetes.apply(homelab.route())
    with running(operator()):
        homelab.wait_condition("Ready", "True", reason="ProvedByLoki")
        old = homelab.pod()["metadata"]["uid"]
        during = [f"during {number}" for number in range(20)]
        homelab.push(*during)
        pair = homelab.replace_key()
        homelab.wait_condition("InSync", "True", timeout_s=90)
        homelab.wait_ready(after=old)
        homelab.wait_condition("Ready", "True", reason="ProvedByLoki", timeout_s=90)
    assert homelab.vault_pair() == pair
    assert homelab.pair_in("loki-s3-credentials") == pair
    assert homelab.connect.values(homelab.vault_id, homelab.item_id)["note"] == "keep me"
    assert homelab.lines() == sorted(before + during)
    assert homelab.requests(403) == 0
