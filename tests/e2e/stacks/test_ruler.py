# SPDX-License-Identifier: Apache-2.0
"""The ruler reads object storage as itself: it has an account of its own, in every tenancy."""

from datetime import timedelta
from typing import Any

import pytest

from e2e.stacks.conftest import MakeStack
from e2e.stacks.world import TENANT, Stack, rules
from lokeys.clock import utc_now
from parts.process import wait_for
from parts.rgw import Rgw

OLD = timedelta(days=2)
QUICK = {"join_after": "0s"}
STATIC = {
    "mode": "static",
    "authentication": [{"tenantName": "apps", "tenantId": TENANT}],
    "authorization": {"roles": [], "roleBindings": []},
}
LIMITS = {"tenants": {TENANT: {"queries": {"queryTimeout": "1m"}}}}
COUNT = 'sum(count_over_time({app="test"}[3d])) > 0'


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"limits": LIMITS}, id="no tenancy"),
        pytest.param({"tenants": STATIC}, id="static tenancy"),
    ],
)
def test_a_rule_is_evaluated_over_a_chunk_in_the_store(
    make_stack: MakeStack, rgw: Rgw, spec: dict[str, Any]
) -> None:
    """An alert fires for lines that only object storage has, read with the ruler's own token."""
    stack = make_stack(only=("distributor", "ingester", "index-gateway", "ruler"))
    stack.spec = {"rules": {"enabled": True}, **spec}
    stack.make_bucket()
    stack.secret = stack.token_secret(stack.make_role())
    stack.apply(paces=QUICK)
    stack.wait_pushed("one", "two", at=utc_now() - OLD)
    stack.flush()
    stack.restart("ingester")  # which ships its index as it goes
    wait_for(lambda: any(name.startswith("index/") for name in stack.objects()), "an index")
    stack.kubernetes.apply(rules(stack, tenant=TENANT, alert="Seen", query=COUNT))
    stack.restart("ruler")  # which looks for rules when it starts, and then once a minute
    wait_for(stack.alerts, "the alert", timeout_s=60)
    (alert,) = stack.alerts()
    assert (alert["labels"]["alertname"], float(alert["value"])) == ("Seen", 2)
    assert f"$oidc$system:serviceaccount:{stack.namespace}:{stack.name}-ruler [" in read_by(
        stack, rgw
    )


def read_by(stack: Stack, rgw: Rgw) -> str:
    """Return RGW's record of who read the stack's chunks."""
    log = (rgw.folder / "log" / "client.rgw.a.log").read_text()
    wanted = f'"GET /{stack.namespace}/{TENANT}/'
    return "\n".join(line for line in log.splitlines() if wanted in line and '" 200 ' in line)
