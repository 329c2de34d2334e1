# SPDX-License-Identifier: Apache-2.0
"""A route at rest: nothing is written, and nobody is asked more often than agreed."""

import time
from collections.abc import Iterator

import pytest

from e2e.operators import Installation, Operator
from e2e.proxy import Proxy
from e2e.world import Homelab, Loop
from parts.rgw import Rgw

REST_S = 60.0
LEADING = "lokeys-operator"


@pytest.fixture
def store(loop: Loop, rgw: Rgw) -> Iterator[Proxy]:
    """Put a counter in front of RGW."""
    proxy = Proxy(loop, rgw.endpoint)
    yield proxy
    proxy.close()


def test_a_route_at_rest_costs_what_was_agreed(
    home: Homelab, installation: Installation, operator: Operator, store: Proxy
) -> None:
    """In a minute: one list at the store, no item read, two looks at metrics, no write."""
    home.build(with_loki=False)
    bucket = home.route()["spec"]["bucket"] | {"endpoint": store.url}
    installation.follow(home, bucket=bucket)
    home.wait_condition("Ready", "True")
    home.wait_looked_again()
    calls = len(installation.audit())
    asked, served, scraped = len(store.requests), len(home.connect.served), home.scrapes()
    time.sleep(REST_S)
    made = [e for e in installation.audit()[calls:] if e["objectRef"].get("name") != LEADING]
    assert [e for e in made if e["verb"] not in {"get", "list", "watch"}] == []
    assert [e["requestURI"] for e in made if e["verb"] != "watch"] == []
    assert len(store.requests) - asked <= 1
    assert {method for method, _ in store.requests[asked:]} <= {"GET"}
    assert len(home.connect.served) - served <= 1
    assert home.scrapes() - scraped <= 3
    assert home.condition("Ready")["status"] == "True"
