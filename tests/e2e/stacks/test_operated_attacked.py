# SPDX-License-Identifier: Apache-2.0
"""What one namespace writes stops no other's stack: neither now nor after a restart."""

import time
from collections.abc import Callable

import pytest

from e2e.operators import Installation, Operator, running, wait_led
from e2e.stacks.operated import Operated
from parts.process import wait_for

MakeOperated = Callable[..., Operated]
SELECTOR = '{a="b"' + " " * 400_000
MARKS = "-----BEGIN CERTIFICATE-----\n" * (1_000_000 // 28)

pytestmark = pytest.mark.timeout(300)


def _answers(replica: Operator, *, for_s: float) -> None:
    """Ask for the health again and again; each answer comes, soon even where all CPUs are busy."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        assert replica.page("/healthz", within_s=10) == "ok\n"


def _mends(stack: Operated) -> None:
    """Delete an object of a stack, and wait until the operator has made it again."""
    stack.delete("Service", f"{stack.name}-gossip-ring")
    wait_for(lambda: stack.find("Service", f"{stack.name}-gossip-ring"), "it is mended")


def _long_selector(stack: Operated) -> None:
    stack.start()
    streams = [{"days": 1, "selector": SELECTOR}]
    limits = {"global": {"retention": {"days": 1, "streams": streams}}}
    stack.patch("LokiStack", stack.name, {"spec": {"limits": limits}})


def _marks(stack: Operated) -> None:
    storage = stack.manifest["spec"]["storage"]
    stack.spec = {"storage": {**storage, "tls": {"caName": "ca"}}}
    stack.allow()
    stack.put_secret()
    metadata = {"name": "ca", "namespace": stack.namespace}
    data = {"service-ca.crt": MARKS}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    stack.kubernetes.api.post(f"/api/v1/namespaces/{stack.namespace}/configmaps", made)
    stack.apply()


@pytest.mark.parametrize(
    ("attack", "reason"),
    [(_long_selector, "TooLarge"), (_marks, "InvalidObjectStorageCAConfigMap")],
    ids=["a selector of 400 KB", "a megabyte of opening marks"],
)
def test_a_stack_that_takes_long_to_judge_keeps_no_other_waiting(
    operated_installation: Installation,
    make_operated: MakeOperated,
    attack: Callable[[Operated], None],
    reason: str,
) -> None:
    """It is reported and left as it is; the health answers, the other stack is mended."""
    victim, attacker = make_operated(), make_operated()
    with running(operated_installation.replica()) as replica:
        wait_led(replica)
        victim.start()
        attack(attacker)
        attacker.wait_main("Degraded", reason)
        _answers(replica, for_s=3)
        _mends(victim)
    with running(operated_installation.replica()) as replica:
        wait_led(replica)
        _answers(replica, for_s=3)
        _mends(victim)
        assert attacker.main == ("Degraded", reason)
