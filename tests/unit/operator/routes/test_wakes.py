# SPDX-License-Identifier: Apache-2.0
"""Which changes bring a route back: those of what it reads, not those of the crowd around it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.core.place import Ref
from lokeys.kube.informer import InformerSet
from lokeys.operator.cache import RouteObjects
from unit.kube.scripted import WatchStream, api, listing, thing
from unit.kube.virtual_time import run

Read = Callable[[RouteObjects], Awaitable[Any]]
OWN = {"app": "loki"}


def _labelled(name: str, version: int, labels: dict[str, str]) -> dict[str, Any]:
    found = thing(name, version)
    found["metadata"]["labels"] = labels
    return found


async def _wakes(read: Read, change: dict[str, Any]) -> int:
    """Return how often a route is woken when, after its look, an object changes."""
    watch, woken = WatchStream(), 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if "watch" in request.url.params:
            return watch.response()
        return listing(7, _labelled("own", 5, OWN), _labelled("foreign", 6, {}))

    client = api(answer)
    async with InformerSet(client) as informers:
        objects = RouteObjects(informers, LiveObjects(client), on_change=wake)
        await read(objects)
        assert woken == 0
        watch.say("MODIFIED", change)
        await asyncio.sleep(0.1)
        objects.close()
    return woken


@pytest.mark.parametrize(
    ("read", "change", "expected"),
    [
        pytest.param(
            lambda objects: objects.get(Ref("StatefulSet", "own", "ns")),
            _labelled("own", 8, OWN),
            1,
            id="what was read by name",
        ),
        pytest.param(
            lambda objects: objects.get(Ref("StatefulSet", "own", "ns")),
            _labelled("foreign", 8, {}),
            0,
            id="a neighbour of what was read by name",
        ),
        pytest.param(
            lambda objects: objects.list("Pod", namespace="ns", labels="app=loki"),
            _labelled("new", 8, OWN),
            1,
            id="a new object with the labels that were read",
        ),
        pytest.param(
            lambda objects: objects.list("Pod", namespace="ns", labels="app=loki"),
            _labelled("foreign", 8, {}),
            0,
            id="an object with other labels",
        ),
        pytest.param(
            lambda objects: objects.list("PodDisruptionBudget", namespace="ns"),
            _labelled("foreign", 8, {}),
            0,
            id="one of a kind that was listed whole",
        ),
    ],
)
def test_a_change_wakes_a_route(read: Read, change: dict[str, Any], expected: int) -> None:
    """Only if the route named the object, or asked for its labels."""
    assert run(_wakes(read, change)) == expected
