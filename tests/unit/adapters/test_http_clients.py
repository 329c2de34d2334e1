# SPDX-License-Identifier: Apache-2.0
"""However many CA bundles are named, few wires are open, and none that nobody uses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest

from lokeys.adapters.http import Bounds, bounded_request
from lokeys.adapters.http_clients import MOST_WIRES, UNUSED_S, HttpClients
from lokeys.core.proxies import Proxies
from lokeys.errors import BadInput
from manifests.lokistack import AUTHORITY
from unit.kube.virtual_time import run

EDITS = 500


class Wires:
    """Makes wires that answer at once, or never; says which are open."""

    def __init__(self) -> None:
        self.open: list[str | None] = []
        self.made = 0
        self.most = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.clients = HttpClients(wire=self.make)

    def make(self, ca_bundle: str | None, _proxies: Proxies) -> httpx2.AsyncBaseTransport:
        self.open.append(ca_bundle)
        self.made += 1
        self.most = max(self.most, len(self.open))
        return _Wire(self, ca_bundle)

    async def ask(self, ca_bundle: str | None) -> int:
        client = self.clients.trusting(ca_bundle)
        request = client.build_request("GET", "http://store.example/")
        return (await bounded_request(client, request, bounds=Bounds(total_s=9e9))).status


class _Wire(httpx2.AsyncBaseTransport):
    def __init__(self, wires: Wires, ca_bundle: str | None) -> None:
        self.wires = wires
        self.ca_bundle = ca_bundle

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert self.ca_bundle in self.wires.open, "a closed wire was used"
        if request.url.path == "/fails":
            raise httpx2.ConnectError("no", request=request)
        return httpx2.Response(200, stream=_Body(self.wires))

    async def aclose(self) -> None:
        self.wires.open.remove(self.ca_bundle)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, wires: Wires) -> None:
        self.wires = wires

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self.wires.answers.wait()
        yield b"hello"


@pytest.fixture(scope="module")
def bundles() -> list[str]:
    """Return many texts with a certificate in each: each is a bundle of its own."""
    return [f"# {number}\n{AUTHORITY}" for number in range(EDITS)]


def in_time(test: Callable[[Wires], Awaitable[None]]) -> None:
    async def main() -> None:
        wires = Wires()
        await test(wires)
        await wires.clients.aclose()
        assert wires.open == []

    run(main())


def test_a_bundle_with_every_edit_leaves_few_wires(bundles: list[str]) -> None:
    """Five hundred edits, five hundred bundles: at most sixteen wires, and after a minute none."""

    async def test(wires: Wires) -> None:
        for bundle in bundles:
            assert await wires.ask(bundle) == 200
            await asyncio.sleep(0.1)
        assert wires.made == EDITS
        assert wires.most <= MOST_WIRES + 1  # one closes while another opens
        assert len(wires.clients) == len(wires.open) == MOST_WIRES
        await asyncio.sleep(UNUSED_S + 1)
        assert wires.open == []

    in_time(test)


def test_one_bundle_is_one_wire(bundles: list[str]) -> None:
    """For all clients that trust it, for as long as somebody asks now and then."""

    async def test(wires: Wires) -> None:
        for _ in range(5):
            await asyncio.gather(wires.ask(bundles[0]), wires.ask(bundles[0]), wires.ask(None))
            await asyncio.sleep(UNUSED_S / 2)
        assert wires.made == 2

    in_time(test)


def test_what_is_in_use_is_not_closed(bundles: list[str]) -> None:
    """However many ask at once, and however long it takes; then the bound holds again."""

    async def test(wires: Wires) -> None:
        wires.answers.clear()
        asking = [asyncio.create_task(wires.ask(each)) for each in bundles[: 2 * MOST_WIRES]]
        await asyncio.sleep(2 * UNUSED_S)
        assert len(wires.open) == 2 * MOST_WIRES
        wires.answers.set()
        assert set(await asyncio.gather(*asking)) == {200}
        await asyncio.sleep(0)
        assert len(wires.open) == MOST_WIRES

    in_time(test)


def test_a_client_outlives_its_wire(bundles: list[str]) -> None:
    """A route keeps its client for ever; asked again after an hour it has a new wire."""

    async def test(wires: Wires) -> None:
        client = wires.clients.trusting(bundles[0])
        for _ in range(2):
            request = client.build_request("GET", "http://store.example/")
            assert (await bounded_request(client, request, bounds=Bounds())).body == b"hello"
            await asyncio.sleep(3600)
            assert wires.open == []
        assert wires.made == 2

    in_time(test)


def test_a_failed_request_is_over(bundles: list[str]) -> None:
    """Its wire is closed in time, like any other."""

    async def test(wires: Wires) -> None:
        client = wires.clients.trusting(bundles[0])
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://store.example/fails")
        await asyncio.sleep(UNUSED_S + 1)
        assert wires.open == []

    in_time(test)


def test_closing_ends_what_is_under_way_without_harm(bundles: list[str]) -> None:
    """Its end is no news to the wire that somebody has opened since."""

    async def test(wires: Wires) -> None:
        wires.answers.clear()
        asking = asyncio.create_task(wires.ask(bundles[0]))
        await asyncio.sleep(0)
        await wires.clients.aclose()
        other = asyncio.create_task(wires.ask(bundles[0]))
        await asyncio.sleep(0)
        wires.answers.set()
        await asyncio.gather(asking, other)
        assert wires.made == 2

    in_time(test)


def test_what_is_no_certificate_is_refused_at_once() -> None:
    """Before anything is asked."""
    with pytest.raises(BadInput):
        HttpClients().trusting("no certificate")
