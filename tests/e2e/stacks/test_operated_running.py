# SPDX-License-Identifier: Apache-2.0
"""An operated stack that runs: the real Loki on the real RGW, and its key is replaced."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from e2e.operators import Installation, Operator
from e2e.stacks.operated import Operated
from e2e.stacks.world import SECRET, Stack
from lokeys.clock import utc_now
from parts.process import wait_for

pytestmark = pytest.mark.timeout(900)

ROLLED_S = 300.0
COMPONENTS = ("distributor", "ingester", "querier", "query-frontend", "compactor", "index-gateway")
WITH_CREDENTIALS = ("index-gateway", "ingester", "querier", "compactor")


def new_key(stack: Stack) -> tuple[str, str]:
    """Give the stack's user of RGW a second key."""
    words = ("key", "create", f"--uid={stack.namespace}", "--gen-access-key", "--gen-secret")
    keys = stack.rgw.admin(*words)["keys"]
    (fresh,) = (key for key in keys if key["access_key"] != stack.pair[0])
    return fresh["access_key"], fresh["secret_key"]


def test_a_key_is_replaced_and_no_line_is_lost(
    make_stack: Callable[..., Stack], operated_installation: Installation, stack_operator: Operator
) -> None:
    """A key that RGW does not know reaches no pod; a good one reaches all; the old one dies."""
    stack = make_stack(spec={"rules": {"enabled": False}})
    stack.make_bucket()
    stack.secret = stack.static_secret()
    seen = Operated(
        stack.kubernetes,
        operated_installation,
        stack.namespace,
        name=stack.name,
        secret_name=SECRET,
        spec={"rules": {"enabled": False}, "storageClassName": "local"},
    )
    seen.allow()
    stack.kubernetes.apply(stack.secret_manifest())
    seen.apply()
    seen.wait_main("Ready", timeout_s=ROLLED_S)
    assert stack_operator.running
    wait_for(lambda: seen.condition("CredentialsVerified").get("status") == "True", "verified")
    before, pods = seen.hashes(), seen.pods()
    began = utc_now()
    stack.push("with the old key")

    stack.secret = stack.secret | {"access_key_id": "AKIANOBODYKNOWSTHIS0"}
    stack.kubernetes.apply(stack.secret_manifest())
    seen.wait_main("Degraded", "CredentialsRefused")
    assert (seen.hashes(), seen.pods()) == (before, pods)
    assert seen.condition("CredentialsVerified")["reason"] == "AccessKeyUnknown"

    old, fresh = stack.pair, new_key(stack)
    stack.pair = fresh
    stack.secret = stack.static_secret()
    stack.kubernetes.apply(stack.secret_manifest())
    wait_for(
        lambda: all(seen.hashes()[name] != before[name] for name in WITH_CREDENTIALS),
        "all have the new key",
        timeout_s=ROLLED_S,
    )
    seen.wait_main("Ready", timeout_s=ROLLED_S)
    stack.rgw.admin("key", "rm", f"--uid={stack.namespace}", f"--access-key={old[0]}")
    stack.push("with the new key")
    stack.flush()
    wait_for(lambda: stack.chunks() != [], "a chunk with the new key")
    hour = timedelta(hours=1)
    expected = ["with the new key", "with the old key"]
    wait_for(
        lambda: stack.lines(since=began - hour, until=began + hour) == expected,
        "both lines are read",
        timeout_s=60,
    )
