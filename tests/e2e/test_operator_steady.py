# SPDX-License-Identifier: Apache-2.0
"""A route at rest: nothing is written, and nobody is asked more often than agreed.

The same minute is long enough for its neighbour: a key that dies behind everybody's back, with no
Loki that asks, is told before it is over.
"""

import time
from collections.abc import Iterator

import pytest

from e2e import hands
from e2e.canary import assert_no_secret_shows
from e2e.operators import Installation
from e2e.proxy import Proxy
from e2e.world import Homelab, Loop
from parts.rgw import Rgw

REST_S = 60.0
LATE_S = 10.0
"""How late a busy machine may be; by the clock alone unit/operator/test_controller.py holds it."""
LEADING = "lokeys-operator"


@pytest.fixture
def stores(loop: Loop, rgw: Rgw) -> Iterator[tuple[Proxy, Proxy]]:
    """Put a counter in front of RGW for each of two routes."""
    proxies = Proxy(loop, rgw.endpoint), Proxy(loop, rgw.endpoint)
    yield proxies
    for proxy in proxies:
        proxy.close()


def follow(installation: Installation, home: Homelab, store: Proxy) -> None:
    """Let the operator look after a homelab, by way of a counter."""
    hands.name_address(home, store.url)
    bucket = home.route()["spec"]["bucket"] | {"endpoint": store.url}
    installation.follow(home, bucket=bucket)


@pytest.mark.usefixtures("operator")
def test_a_minute_costs_what_was_agreed_and_shows_a_key_that_died(
    home: Homelab,
    neighbour: Homelab,
    installation: Installation,
    stores: tuple[Proxy, Proxy],
) -> None:
    """At rest one list, no item read, two looks at metrics, no write; beside it the key dies.

    It dies right after a list, the worst moment: the next one is early enough, and the only one. No
    Loki meets a 403 meanwhile.
    """
    store, neighbours_store = stores
    home.build(with_loki=False)
    neighbour.build(with_loki=False, idle=True)
    follow(installation, home, store)
    follow(installation, neighbour, neighbours_store)
    neighbour.wait_condition("Ready", "True")
    home.wait_condition("Ready", "True")
    home.wait_looked_again()
    neighbour.wait_looked_again()
    calls = len(installation.audit())
    asked, served, scraped = len(store.requests), len(home.connect.served), home.scrapes()
    before, key = len(neighbours_store.requests), neighbour.source_pair()[0]
    died = time.monotonic()
    neighbour.remove_key_at_rgw(key)
    neighbour.wait_finding("source_key_dead", timeout_s=REST_S + LATE_S)
    assert len(neighbours_store.requests) - before == 1
    time.sleep(max(REST_S - (time.monotonic() - died), 0))
    minutes = 1 if time.monotonic() - died <= REST_S + 1 else 2
    made = [e for e in installation.audit()[calls:] if e["objectRef"].get("name") != LEADING]
    mine = [e for e in made if e["objectRef"].get("namespace") != neighbour.monitoring]
    assert [e for e in mine if e["verb"] not in {"get", "list", "watch"}] == []
    assert [e["requestURI"] for e in mine if e["verb"] != "watch"] == []
    assert len(store.requests) - asked <= minutes
    assert {method for method, _ in store.requests[asked:]} <= {"GET"}
    assert len(home.connect.served) - served <= 1
    assert home.scrapes() - scraped <= 3 * minutes
    assert home.condition("Ready")["status"] == "True"
    assert_no_secret_shows(neighbour, installation)


@pytest.mark.usefixtures("operator")
def test_a_proved_pod_that_does_not_serve_is_not_called_ready(
    home: Homelab, installation: Installation
) -> None:
    """The key is right everywhere; Ready waits for the pod's own readiness, and names it."""
    home.build(with_loki=False)
    installation.follow(home)
    home.wait_condition("Ready", "True")
    home.say_ready(ready=False)
    told = home.wait_condition("Ready", "Unknown", reason="PodsNotReady")
    assert told["message"] == "not ready: loki-0 (0/1)"
    assert home.condition("Verified")["status"] == "True"
    assert home.causes() == set()
    home.say_ready(ready=True)
    home.wait_condition("Ready", "True")
