# SPDX-License-Identifier: Apache-2.0
"""A rendered stack with static keys really runs: the real Loki on the real RGW."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.stacks.conftest import SOON
from e2e.stacks.world import TENANT, Stack
from lokeys.clock import utc_now
from parts.people import CLIENT, People
from parts.plugin import need, not_built
from parts.process import wait_for

GATEWAY = "lokistack-gateway"
ONLY_STORE = timedelta(days=2)
"""How old a line is that queriers ask no ingester for, in an index that nobody has read yet."""


def test_a_line_travels_through_every_component(static_stack: Stack) -> None:
    """Pushed, flushed, read from memory and, when the ingester has gone, from object storage.

    In the end the compactor has made one index a tenant of what the ingester shipped.
    """
    stack = static_stack
    now = utc_now()
    then = now - ONLY_STORE
    stack.push("fresh")
    stack.push("old", at=then, labels={"app": "test", "age": "old"})
    hour = timedelta(hours=1)
    wait_for(lambda: stack.lines(since=now - hour, until=now + hour) == ["fresh"], "the fresh line")
    stack.flush()
    wait_for(lambda: len(stack.chunks()) >= 2, "both chunks in the bucket")
    stack.restart("ingester")  # which ships its index as it goes
    wait_for(lambda: any(name.startswith("index/") for name in stack.objects()), "an index")
    wait_for(
        lambda: stack.lines(since=then - hour, until=then + hour) == ["old"],
        "the old line, of the store alone",
        timeout_s=60,
    )
    compacted = re.compile(rf"index/index_\d+/{TENANT}/.*-compactor-.*")
    wait_for(
        lambda: any(map(compacted.match, stack.objects())), "the tenant's own index", timeout_s=60
    )
    name = "loki_boltdb_shipper_compact_tables_operation_total"
    assert stack.metric("compactor", name, status="success") > 0
    assert stack.metric("compactor", name, status="failure") == 0


@pytest.fixture
def people(pytestconfig: pytest.Config, static_stack: Stack, tmp_path: Path) -> Iterator[People]:
    """Make people, whose issuer pods reach where this host does."""
    need(pytestconfig, "gateway", not_built("gateway", "observatorium-api"))
    kubelet = static_stack.kubelet
    made = People(tmp_path, names=f"IP:{kubelet.address}")
    made.start(f"https://{kubelet.relay(made.port)}")
    yield made
    made.close()


def tenancy(people: People) -> dict[str, Any]:
    """Return a tenancy with a tenant of the issuer's and one of certificates."""
    ca = {"caName": "people", "caKey": "ca.crt"}
    oidc = {
        "secret": {"name": "client"},
        "issuerURL": people.issuer.url,
        "issuerCA": ca,
        "usernameClaim": "email",
    }
    role = {"resources": ["logs"], "permissions": ["read", "write"], "tenants": ["a", "b"]}
    subjects = [{"kind": "user", "name": "writer@example.com"}]
    own = {"secretName": "serving"}
    return {
        "mode": "static",
        "authentication": [
            {"tenantName": "a", "tenantId": "team-a", "oidc": oidc},
            {"tenantName": "b", "tenantId": "team-b", "mTLS": {"ca": ca}},
        ],
        "authorization": {
            "roles": [{"name": "all", **role}],
            "roleBindings": [{"name": "all", "roles": ["all"], "subjects": subjects}],
        },
        "gateway": {
            "tls": {
                "certificate": {**own, "key": "serving.crt"},
                "privateKey": {**own, "key": "serving.key"},
            }
        },
    }


def named(stack: Stack, people: People) -> list[dict[str, Any]]:
    """Return what that tenancy names."""

    def one(kind: str, name: str, **data: dict[str, str]) -> dict[str, Any]:
        metadata = {"name": name, "namespace": stack.namespace}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **data}

    serving = {name: people.text(name) for name in ("serving.crt", "serving.key")}
    return [
        one("Secret", "client", stringData={"clientID": CLIENT, "clientSecret": "it's"}),
        one("Secret", "serving", stringData=serving),
        one("ConfigMap", "people", data={"ca.crt": people.text("ca.crt")}),
    ]


def test_tenants_come_in_by_the_gateway(static_stack: Stack, people: People) -> None:
    """With a token or a certificate lines go to Loki and come back, each tenant's to it alone."""
    stack = static_stack
    stack.spec = {"tenants": tenancy(people)}
    stack.beside = named(stack, people)
    stack.with_gateway = True
    stack.apply(paces=SOON)
    stack.wait_ready(GATEWAY)
    pod = stack.pods(GATEWAY)[0]["metadata"]["name"]
    address = f"https://{stack.kubelet.pod_address(stack.namespace, pod)}:8080/api/logs/v1"
    token = {"Authorization": f"Bearer {people.token(email='writer@example.com')}"}
    now, query = utc_now(), '{app="people"}'

    def push(tenant: str, certificate: str | None, headers: dict[str, str]) -> int:
        values = [[str(int(now.timestamp() * 1e9)), f"of {tenant}"]]
        body = {"streams": [{"stream": {"app": "people"}, "values": values}]}
        with people.client(certificate) as client:
            url = f"{address}/{tenant}/loki/api/v1/push"
            return client.post(url, json=body, headers=headers).status_code

    def lines(tenant: str, certificate: str | None, headers: dict[str, str]) -> list[str]:
        span = {"query": query, "start": str(now.timestamp() - 60)}
        with people.client(certificate) as client:
            url = f"{address}/{tenant}/loki/api/v1/query_range"
            answer = client.get(url, params=span, headers=headers)
        assert answer.is_success, answer.text
        return [line for each in answer.json()["data"]["result"] for _, line in each["values"]]

    wait_for(lambda: push("a", None, token) == 204, "the issuer's user writes")
    assert push("b", "user", {}) == 204
    wait_for(lambda: lines("a", None, token) == ["of a"], "the line of one tenant")
    wait_for(lambda: lines("b", "user", {}) == ["of b"], "the line of the other")
    hour = timedelta(hours=1)
    kept = stack.lines(since=now - hour, until=now + hour, query=query, tenant="team-a")
    assert kept == ["of a"]
    assert push("a", None, {}) >= 300  # sent to log in, or refused
    assert push("b", "stranger", {}) >= 400
