# SPDX-License-Identifier: Apache-2.0
"""An address that gives no answer is asked by one, after pauses that grow and end."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from lokeys.adapters.http import Bounds, NoAnswer, Reason, TooLong, bounded_request
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.silences import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_ADDRESSES,
    ONE_ASKS_FOR,
    Silences,
)
from lokeys.core.proxies import Proxies
from unit.kube.virtual_time import now, run

STORE = "https://store.example/"
BOUNDS = Bounds(total_s=10.0, max_bytes=100)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """Addresses that are silent, or not; `asked` are the requests that were sent to them."""

    def __init__(self, *, jitter: float = 1.0) -> None:
        self.silent: set[str] = {"store.example"}
        self.fails: Exception | None = None
        self.body = b"hello"
        self.asked: list[str] = []
        self.silences = Silences(clock=self.clock, jitter=lambda: jitter)
        self.clients = HttpClients(wire=self.wire, silences=self.silences)
        self.turned_back = timedelta(0)

    def clock(self) -> datetime:
        return EPOCH + timedelta(seconds=now() - 1000.0) - self.turned_back

    def wire(self, _bundle: str | None, _proxies: Proxies) -> httpx2.AsyncBaseTransport:
        return httpx2.MockTransport(self._answer)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        if request.url.host in self.silent:
            await asyncio.Event().wait()
        if self.fails is not None:
            raise self.fails
        return httpx2.Response(200, stream=httpx2.ByteStream(self.body))

    async def ask(self, url: str = STORE, *, asker: str = "tenant") -> str:
        """Return what came of a request: the body, or why there was none."""
        client = self.clients.asked_by(asker).trusting(None)
        try:
            request = httpx2.Request("GET", url)
            return (await bounded_request(client, request, bounds=BOUNDS)).body.decode()
        except NoAnswer as error:
            return error.reason.value
        except TooLong:
            return "too long"


def in_time(test: Callable[[World], Awaitable[None]], *, jitter: float = 1.0) -> None:
    async def main() -> None:
        world = World(jitter=jitter)
        await test(world)
        await world.clients.aclose()

    run(main())


def test_one_waits_and_the_others_are_told() -> None:
    """Six hundred routes with one silent address take the time of one request, not of all."""

    async def test(world: World) -> None:
        began = now()
        assert await world.ask() == "timeout"
        assert {await world.ask() for _ in range(600)} == {"not_asked"}
        assert now() - began == BOUNDS.total_s
        assert len(world.asked) == 1

    in_time(test)


def test_it_says_since_when_and_blames_nobody() -> None:
    """The words stay the same while the silence lasts, so that a status is written once."""

    async def test(world: World) -> None:
        await world.ask()
        said = set()
        client = world.clients.asked_by("tenant").trusting(None)
        for _ in range(5):
            with pytest.raises(NoAnswer) as caught:
                await bounded_request(client, httpx2.Request("GET", STORE), bounds=BOUNDS)
            assert caught.value.reason is Reason.NOT_ASKED
            said.add(str(caught.value))
            await asyncio.sleep(LONGEST_PAUSE.total_seconds())
            await world.ask()
        (only,) = said
        assert only == (
            "store.example:443: not asked again yet (no answer since 2026-01-01T00:00:10Z; "
            f"asked again within {LONGEST_PAUSE.total_seconds():.0f} s)"
        )

    in_time(test)


@pytest.mark.parametrize(
    ("jitter", "share"),
    [pytest.param(0.0, 0.5, id="half of it at least"), pytest.param(1.0, 1.0, id="whole")],
)
def test_pauses_grow_up_to_a_bound(jitter: float, share: float) -> None:
    """They double from five seconds to thirty, less some chance; after each one request goes."""

    async def test(world: World) -> None:
        for pause_s in (5, 10, 20, 30, 30, 30):
            assert await world.ask() == "timeout"
            await asyncio.sleep(share * pause_s - 0.1)
            assert await world.ask() == "not_asked"
            await asyncio.sleep(0.2)

    in_time(test, jitter=jitter)


def test_after_a_pause_one_asks_for_all() -> None:
    """While it waits the others are told; they do not wait with it."""

    async def test(world: World) -> None:
        await world.ask()
        await asyncio.sleep(LONGEST_PAUSE.total_seconds())
        one = asyncio.create_task(world.ask())
        await asyncio.sleep(1.0)
        assert [await world.ask() for _ in range(20)] == ["not_asked"] * 20
        assert await one == "timeout"
        assert len(world.asked) == 2

    in_time(test)


@pytest.mark.parametrize("heard", ["an answer", "a refusal", "an answer without end"])
def test_any_answer_ends_the_silence(heard: str) -> None:
    """Then all ask as before, at once."""

    async def test(world: World) -> None:
        await world.ask()
        world.silent.clear()
        expected = "hello"
        if heard == "a refusal":
            world.fails, expected = httpx2.ConnectError("no"), "closed"
        if heard == "an answer without end":
            world.body, expected = b"x" * 200, "too long"
        await asyncio.sleep(LONGEST_PAUSE.total_seconds())
        assert {await world.ask() for _ in range(5)} == {expected}
        assert len(world.silences) == 0

    in_time(test)


def test_a_request_that_was_given_up_is_no_end() -> None:
    """Who asked for all may be cancelled; the next one asks as soon as it would have ended."""

    async def test(world: World) -> None:
        await world.ask()
        await asyncio.sleep(LONGEST_PAUSE.total_seconds())
        one = asyncio.create_task(world.ask())
        await asyncio.sleep(1.0)
        one.cancel()
        await asyncio.wait({one})
        assert await world.ask() == "not_asked"
        await asyncio.sleep(ONE_ASKS_FOR.total_seconds())
        world.silent.clear()
        assert await world.ask() == "hello"

    in_time(test)


def test_many_that_wait_at_once_are_one_silence() -> None:
    """Twelve workers that began together do not make the first pause the longest."""

    async def test(world: World) -> None:
        assert {*await asyncio.gather(*(world.ask() for _ in range(12)))} == {"timeout"}
        await asyncio.sleep(FIRST_PAUSE.total_seconds())
        assert await world.ask() == "timeout"

    in_time(test)


OTHERS = {
    "another namespace": (STORE, "victim"),
    "another port": ("https://store.example:8443/", "tenant"),
    "another scheme": ("http://store.example:443/", "tenant"),
    "another host": ("https://stores.example/", "tenant"),
}


@pytest.mark.parametrize(("url", "asker"), OTHERS.values(), ids=OTHERS)
def test_a_silence_says_nothing_of_others(url: str, asker: str) -> None:
    """One tenant's silence keeps no other from asking, nor does it keep other addresses."""

    async def test(world: World) -> None:
        await world.ask()
        world.silent.clear()
        assert await world.ask(url, asker=asker) == "hello"
        assert await world.ask() == "not_asked"

    in_time(test)


def test_other_proxies_lead_to_the_same_silences() -> None:
    """A stack with proxies of its own asks no more often."""

    async def test(world: World) -> None:
        await world.ask()
        async with world.clients.asked_by("tenant").through(Proxies()) as clients:
            with pytest.raises(NoAnswer, match="not asked"):
                await bounded_request(
                    clients.trusting(None), httpx2.Request("GET", STORE), bounds=BOUNDS
                )

    in_time(test)


def test_a_clock_that_is_set_back_ends_the_pause() -> None:
    """Else an hour's correction would be an hour's silence."""

    async def test(world: World) -> None:
        await world.ask()
        world.turned_back = timedelta(hours=1)
        world.silent.clear()
        assert await world.ask() == "hello"

    in_time(test)


def test_few_addresses_are_remembered() -> None:
    """Whoever names thousands is asked more often, and takes no memory."""

    async def test(world: World) -> None:
        world.silent |= {f"host-{number}.example" for number in range(2 * MOST_ADDRESSES)}
        urls = [f"http://host-{number}.example/" for number in range(2 * MOST_ADDRESSES)]
        await asyncio.gather(*(world.ask(url) for url in urls))
        assert len(world.silences) == MOST_ADDRESSES

    in_time(test)


def test_who_is_asked_by_a_person_is_asked() -> None:
    """The command line counts no silences: somebody waits for the answer."""

    async def test(world: World) -> None:
        client = HttpClients(wire=world.wire).trusting(None)
        for _ in range(2):
            with pytest.raises(NoAnswer, match="no answer in time"):
                await bounded_request(client, httpx2.Request("GET", STORE), bounds=BOUNDS)

    in_time(test)
