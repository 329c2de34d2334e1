# SPDX-License-Identifier: Apache-2.0
"""Each port's suite runs on the stand-in and, where it can be had, on the real part."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.clusters import Place, RealPlace, StandInPlace
from contract.rook_scenes import Scene, scene
from contract.serving import serve
from contract.stores import RealStore, StandInStore, Store
from lokeys.core.route.resource.crd import crd
from lokeys.demo.parts.object_store import ObjectStore
from parts.external_secrets import apply_crds
from parts.kubernetes import Kubernetes
from parts.plugin import need, not_built


@pytest.fixture(
    scope="module",
    params=["stand-in", "stand-in with STS first", "RGW", "RGW with STS first"],
)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Give an object store in one of RGW's two orders of authentication."""
    sts_first = request.param.endswith("STS first")
    if request.param.startswith("RGW"):
        name = "rgw_sts_first" if sts_first else "rgw"
        yield RealStore(request.getfixturevalue(name), sts_first)
        return
    stand_in = ObjectStore(sts_first=sts_first)
    with serve(stand_in.handle) as url:
        yield StandInStore(url, stand_in)


@pytest.fixture
def stand_in_store() -> Iterator[StandInStore]:
    """Give a stand-in whose faults the test may switch on."""
    stand_in = ObjectStore()
    with serve(stand_in.handle) as url:
        yield StandInStore(url, stand_in)


@pytest.fixture(params=["stand-ins", "Kubernetes and RGW"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a function that plays a test's story in a scene of its own."""

    def run(place: Place, store: Store, story: Callable[[Scene], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with scene(place, store) as given:
                await story(given)

        asyncio.run(whole())

    if request.param == "stand-ins":
        stand_in = ObjectStore()
        with serve(stand_in.handle) as url:
            store = StandInStore(url, stand_in)
            yield lambda story: run(StandInPlace(tmp_path), store, story)
        return
    place = RealPlace(request.getfixturevalue("kubernetes"))
    real = RealStore(request.getfixturevalue("rgw"), False)
    yield lambda story: run(place, real, story)


@pytest.fixture(scope="session")
def serving_readers(pytestconfig: pytest.Config, kubernetes: Kubernetes) -> Kubernetes:
    """Return the control plane once it serves the kinds that may read a source's Secret."""
    need(pytestconfig, "external-secrets", not_built("external-secrets", "external-secrets"))
    apply_crds(kubernetes)
    kubernetes.apply(crd())
    kubernetes.wait_served(crd()["metadata"]["name"])
    return kubernetes
