# SPDX-License-Identifier: Apache-2.0
"""lokeys is where Loki is not: what only one of them reaches is no fault of the store's."""

import socket
import threading
from collections.abc import Iterator

import pytest

from contract.serving import serve
from e2e.layouts.world import Layout, Told
from lokeys.http_server import HttpRequest, Response, text
from parts.kubelet.network import Outpost, splice
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw

KEY_ID, SECRET, BUCKET = (
    "AKAPART000000000000A",
    "a-secret-from-apart-0123456789-abcdefghij",
    "apart",
)
LAYOUT = "only-user-of-another-store"
NO_ANSWER, NOT_S3 = "LK1003", "LK0808"


@pytest.fixture(scope="module")
def store(rgw: Rgw) -> Rgw:
    """Make the bucket that Loki writes to."""
    rgw.create_user("apart", f"--access-key={KEY_ID}", f"--secret-key={SECRET}")
    assert rgw.request((KEY_ID, SECRET), "PUT", f"/{BUCKET}").is_success
    return rgw


@pytest.fixture(scope="module")
def outpost(cluster: Kubernetes, node: Kubelet) -> Outpost:
    """Make a place that reaches the API server and nothing else."""
    return node.network.add_outpost(cluster.port)


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    """Run a proxy that lets nobody through, and says so with a page."""

    async def refuse(request: HttpRequest) -> Response:
        del request
        page = "<html><body>Ask your administrator.</body></html>"
        return text(page, status=403, kind="text/html")

    with serve(refuse) as url:
        yield url


@pytest.fixture
def by_ipv6(store: Rgw) -> Iterator[str]:
    """Let the store answer under an IPv6 address alone."""
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)

    def accept() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            callee = socket.create_connection(("127.0.0.1", store.port))
            threading.Thread(target=splice, args=(caller, callee), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://[::1]:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def doctor(layout: Layout, endpoint: str, *words: str) -> Told:
    """Ask about a Loki whose requests to `endpoint` are answered."""
    layout.apply(LAYOUT, endpoint=endpoint, bucket=BUCKET, key_id=KEY_ID, secret=SECRET)
    layout.show("loki", accepted=12)
    layout.run()
    return layout.doctor(*words)


def assert_nothing_is_blamed(told: Told, codes: set[str]) -> None:
    """It is said that the store did not answer here, and no more: exit 5, and no error."""
    assert told.code == 5
    assert set(told.codes) == codes
    assert told.errors == []
    assert {each["cause"] for each in told.findings} <= {None, "endpoint_not_s3_api"}
    assert not told.document["complete"]


def test_a_place_without_a_route_to_the_store(layout: Layout, store: Rgw, outpost: Outpost) -> None:
    """Neither the store nor Loki's pods can be reached from there: both are said."""
    layout.outpost = outpost
    endpoint = f"http://{layout.kubelet.relay(store.port)}"
    told = doctor(layout, endpoint, "--reach", "direct")
    assert_nothing_is_blamed(told, {NO_ANSWER})
    assert {each["object"]["kind"] for each in told.findings} == {"Bucket", "Pod"}
    assert "could not be reached from where lokeys runs" in " ".join(told.screen.split())


def test_a_proxy_that_refuses(layout: Layout, proxy: str) -> None:
    """Its page is no word of the store's, and Loki has no proxy."""
    layout.variables = {"HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
    told = doctor(layout, "http://archive.example:9000")
    assert_nothing_is_blamed(told, {NOT_S3})
    assert "seen from where lokeys runs" in told.screen
    assert "NO_PROXY" in told.finding(NOT_S3)["remedy"][0]["text"]


def test_a_proxy_that_builds_no_tunnel(layout: Layout, proxy: str) -> None:
    """With https it never comes to the store, and that is what is said."""
    layout.variables = {"HTTPS_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
    told = doctor(layout, "https://archive.example:9000")
    assert_nothing_is_blamed(told, {NO_ANSWER})
    assert "proxy" in told.finding(NO_ANSWER)["message"]


def test_a_store_that_has_an_ipv6_address_alone(layout: Layout, by_ipv6: str) -> None:
    """Where IPv6 works, so does lokeys: the key is tried, and taken."""
    told = doctor(layout, by_ipv6)
    assert told.errors == []
    assert NO_ANSWER not in told.codes
    store = next(hop for hop in told.document["routes"][0]["hops"] if hop["name"] == "store")
    assert (store["agrees"], by_ipv6 in store["ref"]["name"]) == (True, True)


def test_a_place_without_ipv6(layout: Layout) -> None:
    """An address that nothing here leads to: of Loki nothing follows."""
    told = doctor(layout, "http://[fd00:10:88::5]:9000")
    assert_nothing_is_blamed(told, {NO_ANSWER})
