# SPDX-License-Identifier: Apache-2.0
"""How long a route's first read of something waits for the informer that begins with it."""

import asyncio

import httpx2
import pytest

from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.core.kubernetes.size import MAX_READ_BYTES
from lokeys.core.place import Ref
from lokeys.errors import NotReadable
from lokeys.kube.informer import InformerSet
from lokeys.operator.cache import FIRST_LIST_TAKES_S, KEPT_LOOKS, RouteObjects
from unit.kube.scripted import Answer, WatchStream, api, listing, status, thing
from unit.kube.virtual_time import now, run

POD = Ref("Pod", "loki-0", "ns")


async def _read_takes_s(answer: Answer) -> float:
    """Return how long the first read of POD takes."""
    client = api(answer)
    async with InformerSet(client) as informers:
        objects = RouteObjects(informers, LiveObjects(client), on_change=lambda: None)
        began = now()
        found = await objects.get(POD)
        assert found["metadata"]["name"] == "loki-0"
        took = now() - began
        objects.close()
        return took


def test_a_first_read_is_answered_by_the_first_list() -> None:
    """As soon as the list is here, without a request of its own."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0.1)
        assert request.url.path.endswith("/pods")
        watched = "watch" in request.url.params
        return WatchStream().response() if watched else listing(7, thing("loki-0", 7))

    assert run(_read_takes_s(answer)) < 0.15


def test_a_first_read_does_not_wait_for_a_list_that_was_refused() -> None:
    """The API server is asked itself, at once."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/pods"):
            return status(403, reason="Forbidden", message="no right")
        return httpx2.Response(200, json=thing("loki-0", 7))

    assert run(_read_takes_s(answer)) < 0.1


def test_a_first_read_waits_so_long_for_a_slow_list_and_no_longer() -> None:
    """A list that does not come is not awaited for ever."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/pods"):
            await asyncio.sleep(20)
        return httpx2.Response(200, json=thing("loki-0", 7))

    assert FIRST_LIST_TAKES_S <= run(_read_takes_s(answer)) < FIRST_LIST_TAKES_S + 1


def test_what_was_read_past_its_watch_is_known_for_blind() -> None:
    """What changes before a watch's first list wakes nobody: one has to look again by oneself."""
    listed = asyncio.Event()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if "watch" in request.url.params:
            return WatchStream().response()
        if request.url.path.endswith("/pods"):
            await listed.wait()
            return listing(8, thing("loki-0", 8))
        return httpx2.Response(200, json=thing("loki-0", 7))

    async def main() -> None:
        client = api(answer)
        woken: list[None] = []
        async with InformerSet(client) as informers:
            live = LiveObjects(client)
            objects = RouteObjects(informers, live, on_change=lambda: woken.append(None))
            blind = [objects.blind]
            await objects.get(POD)
            objects.end_of_look()
            blind.append(objects.blind)
            listed.set()
            await asyncio.sleep(1)
            assert woken == []
            found = await objects.get(POD)
            assert found["metadata"]["resourceVersion"] == "8"
            assert [*blind, objects.blind] == [False, True, False]
            objects.close()

    run(main())


def test_a_secret_that_no_look_reads_any_more_is_forgotten() -> None:
    """Its value does not stay in memory for as long as its route lives."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if "watch" in request.url.params:
            return WatchStream().response()
        secret = thing("old", 7, data={"k": "dg=="})
        listed = request.url.path.endswith("/secrets")
        return listing(7, secret) if listed else httpx2.Response(200, json=secret)

    async def main() -> None:
        client = api(answer)
        async with InformerSet(client) as informers:
            objects = RouteObjects(informers, LiveObjects(client), on_change=lambda: None)
            await objects.get(Ref("Secret", "old", "ns"))
            assert objects.kept_secrets == {Ref("Secret", "old", "ns")}
            for _ in range(KEPT_LOOKS + 1):
                objects.end_of_look()
            assert objects.kept_secrets == set()
            objects.close()

    run(main())


def test_an_object_that_is_too_large_is_not_read() -> None:
    """It would be judged at each look; a Secret may have the MiB that it holds."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if "watch" in request.url.params:
            return WatchStream().response()
        large = thing("large", 7, data={"k": "x" * (MAX_READ_BYTES + 1)})
        is_list = request.url.path.endswith(("/secrets", "/pods"))
        return listing(7, large) if is_list else httpx2.Response(200, json=large)

    async def main() -> None:
        client = api(answer)
        async with InformerSet(client) as informers:
            objects = RouteObjects(informers, LiveObjects(client), on_change=lambda: None)
            assert await objects.get(Ref("Secret", "large", "ns"))
            with pytest.raises(NotReadable, match="larger than 256 KiB"):
                await objects.get(Ref("Pod", "large", "ns"))
            objects.close()

    run(main())
