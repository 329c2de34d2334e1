# SPDX-License-Identifier: Apache-2.0
"""The ruler reads object storage as itself, in every tenancy, for the tenants that there are in it.

The tenancies share one store with lines of every tenant and one ConfigMap with a rule of each; what
differs is whose rules the ruler is given.
"""

from datetime import timedelta
from typing import Any

import pytest

from e2e.stacks.conftest import MakeStack
from e2e.stacks.world import Stack, rules
from lokeys.clock import utc_now
from parts.process import wait_for
from parts.rgw import Rgw

OLD = timedelta(days=2)
QUICK = {"join_after": "0s"}
COUNT = 'sum(count_over_time({app="test"}[3d])) > 0'
LINES = {
    tenant: [f"{tenant} {number}" for number in range(count)]
    for count, tenant in enumerate(
        ("application", "infrastructure", "audit", "network", "team-a", "team-b"), start=1
    )
}
"""Each tenant has as many lines as no other: an alert's value tells whose lines were counted."""
LIMITS = {"tenants": {"team-b": {"queries": {"queryTimeout": "1m"}}}}


def named(mode: str, *tenants: str) -> dict[str, Any]:
    """Return a tenancy in which the spec names the tenants."""
    client = {"secret": {"name": "client"}, "issuerURL": "https://issuer.example"}
    users = [{"tenantName": f"a-{each}", "tenantId": each, "oidc": client} for each in tenants]
    whose = [user["tenantName"] for user in users]
    role = {"name": "r", "permissions": ["read"], "resources": ["logs"], "tenants": whose}
    binding = {"name": "b", "roles": ["r"], "subjects": [{"kind": "user", "name": "u"}]}
    static = {"roles": [role], "roleBindings": [binding]}
    dynamic = {"opa": {"url": "https://judge.example"}}
    authorization = static if mode == "static" else dynamic
    return {"mode": mode, "authentication": users, "authorization": authorization}


TENANCIES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "no tenancy": ({"limits": LIMITS}, {"team-b"}),
    "static": ({"tenants": named("static", "team-a"), "limits": LIMITS}, {"team-a", "team-b"}),
    "dynamic": ({"tenants": named("dynamic", "team-a")}, {"team-a"}),
    "openshift-logging": (
        {"tenants": {"mode": "openshift-logging", "disableIngress": True}},
        {"application", "infrastructure", "audit"},
    ),
    "openshift-network": (
        {"tenants": {"mode": "openshift-network", "disableIngress": True}},
        {"network"},
    ),
    "passthrough": ({"tenants": {"mode": "passthrough"}, "limits": LIMITS}, {"team-b"}),
}


@pytest.fixture(scope="module")
def stack(make_stack: MakeStack) -> Stack:
    """Run what a ruler reads from; lines of all tenants are in object storage alone."""
    made = make_stack(only=("distributor", "ingester", "index-gateway", "ruler"))
    made.spec = {"rules": {"enabled": True}}
    client = {"name": "client", "namespace": made.namespace}
    made.beside = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": client,
            "stringData": {"clientID": "gateway"},
        }
    ]
    made.make_bucket()
    made.secret = made.token_secret(made.make_role())
    all_rules = [rules(made, tenant=each, alert=f"Seen-{each}", query=COUNT) for each in LINES]
    data = {key: text for each in all_rules for key, text in each["data"].items()}
    made.apply({**all_rules[0], "data": data}, paces=QUICK)
    (first, *_), *_ = LINES.values()
    made.wait_pushed(first, at=utc_now() - OLD, tenant="application")
    for tenant, lines in LINES.items():
        if tenant != "application":
            made.push(*lines, at=utc_now() - OLD, tenant=tenant)
    made.flush()
    made.restart("ingester")  # which ships its index as it goes
    wait_for(lambda: any(name.startswith("index/") for name in made.objects()), "an index")
    return made


@pytest.mark.parametrize(("spec", "tenants"), TENANCIES.values(), ids=TENANCIES)
def test_a_rule_is_evaluated_over_a_chunk_in_the_store(
    stack: Stack, rgw: Rgw, spec: dict[str, Any], tenants: set[str]
) -> None:
    """Alerts fire for lines that only object storage has, read with the ruler's own token."""
    log = rgw.folder / "log" / "client.rgw.a.log"
    read_before = log.stat().st_size
    stack.spec = {"rules": {"enabled": True}, **spec}
    stack.apply(paces=QUICK)
    stack.restart("ruler")  # which looks for rules when it starts, and then once a minute
    expected = {(f"Seen-{each}", len(LINES[each])) for each in tenants}

    def fired() -> set[tuple[str, int]]:
        return {
            (alert["labels"]["alertname"], int(float(alert["value"])))
            for tenant in LINES
            for alert in stack.alerts(tenant)
        }

    wait_for(lambda: fired() >= expected, f"{sorted(expected)} fire", timeout_s=90)
    assert fired() == expected
    with log.open() as written:
        written.seek(read_before)
        lines = [line for line in written if '" 200 ' in line]
    who = f"$oidc$system:serviceaccount:{stack.namespace}:{stack.name}-ruler ["
    for tenant in LINES:
        read = [line for line in lines if f'"GET /{stack.namespace}/{tenant}/' in line]
        assert bool(read) == (tenant in tenants)
        assert all(who in line for line in read)
