# SPDX-License-Identifier: Apache-2.0
"""Which stacks are lokeys': those that say so, or all of the cluster."""

from collections.abc import Callable

import pytest

from e2e.operators import Installation, running, wait_led
from e2e.rights import forbidden
from e2e.stacks.operated import Operated, Requests, quiet
from lokeys.core.rbac import StackWish
from parts.process import wait_for

MakeOperated = Callable[..., Operated]
GATEWAY = {"tenants": {"mode": "openshift-logging", "disableIngress": True}}
LABEL = "lokeys.dev/managed"

pytestmark = pytest.mark.timeout(300)


def test_a_stack_is_left_alone_when_its_label_goes(
    operated_installation: Installation, make_operated: MakeOperated
) -> None:
    """Nothing of it is written or deleted any more; with the label it is lokeys' again."""
    stack = make_operated(spec=GATEWAY)
    with running(operated_installation.replica()) as replica:
        wait_led(replica)
        stack.start()
        requests = Requests(operated_installation)
        stack.patch("LokiStack", stack.name, {"metadata": {"labels": {LABEL: None}}})
        quiet(requests)
        requests.restart()
        stack.delete("Service", "logs-gossip-ring")
        quiet(requests)
        assert requests.writes() == []
        assert len(stack.unowned()) == 2
        stack.patch("LokiStack", stack.name, {"metadata": {"labels": {LABEL: "true"}}})
        wait_for(lambda: stack.find("Service", "logs-gossip-ring"), "it is mended")
        stack.wait_main("Ready")


def test_all_stacks_are_operated_with_the_rights_for_all(
    operated_installation: Installation, make_operated: MakeOperated
) -> None:
    """Without a label or Roles of their own; nothing is forbidden, and one that goes is gone."""
    operated_installation.allow_all_stacks(StackWish(openshift=True, secrets=True))
    stacks = [make_operated(spec=GATEWAY, labels={}) for _ in range(2)]
    replica = operated_installation.replica()
    replica.options = ("--lokistacks=all",)
    with running(replica):
        wait_led(replica)
        for stack in stacks:
            stack.put_secret()
            stack.apply()
        for stack in stacks:
            stack.wait_main("Ready", timeout_s=60)
        gone, kept = stacks
        gone.delete("LokiStack", gone.name)
        wait_for(lambda: not (gone.owned() or gone.unowned()), "all of it goes", timeout_s=60)
        assert len(kept.unowned()) == 2
        kept.wait_main("Ready")
    assert not forbidden(operated_installation.audit())
