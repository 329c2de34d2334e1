# SPDX-License-Identifier: Apache-2.0
"""The Secret port on an API server, real and stood in for."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contract.clusters import Home, Place, RealPlace, StandInPlace, home
from contract.stores import pair_of
from lokeys.adapters.kubernetes.secrets import KubernetesSecretPort
from lokeys.core.route.model import PairKeys, SecretRef
from lokeys.core.route.snapshot import SecretState, Why
from lokeys.errors import Conflict, NeedsHuman
from lokeys.kube.resources import SECRET

KEYS = PairKeys(access_key_id="id", secret_access_key="key")
OLD, NEW = pair_of("OLDID", "old-canary"), pair_of("NEWID", "new-canary")


@pytest.fixture(params=["stand-in", "Kubernetes"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a function that plays a story in a namespace of its own."""
    place: Place = StandInPlace(tmp_path)
    if request.param == "Kubernetes":
        place = RealPlace(request.getfixturevalue("kubernetes"))

    def run(story: Callable[[Home, KubernetesSecretPort], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with home(place) as found:
                secret = SecretRef(name="loki-s3", keys=KEYS)
                namespace = found.namespace
                await story(found, KubernetesSecretPort(found.cluster, secret, namespace=namespace))

        asyncio.run(whole())

    return run


Play = Callable[[Callable[[Home, KubernetesSecretPort], Awaitable[None]]], None]


async def state_of(port: KubernetesSecretPort) -> SecretState:
    reading = await port.read()
    assert reading.state is not None
    return reading.state


def test_what_is_written_is_read_back(play: Play) -> None:
    """Made where nothing was, changed where it is as expected; both keys at once."""

    async def story(_: Home, port: KubernetesSecretPort) -> None:
        assert [gap.why for gap in (await port.read()).gaps] == [Why.NOT_FOUND]
        await port.write(OLD, expected=None)
        assert (await port.read()).pair == OLD
        before = await state_of(port)
        assert before.written_at is not None
        await port.write(NEW, expected=before)
        reading = await port.read()
        assert reading.pair == NEW
        assert "canary" not in repr(reading)

    play(story)


def test_others_keys_stay(play: Play) -> None:
    """Only the two keys are ours."""

    async def story(home: Home, port: KubernetesSecretPort) -> None:
        await home.put_secret("loki-s3", id="OLDID", key="old-canary", other="kept")
        await port.write(NEW, expected=await state_of(port))
        values = await home.values("loki-s3")
        assert values == {"id": "NEWID", "key": "new-canary", "other": "kept"}

    play(story)


def test_a_secret_that_is_there_is_not_made_again(play: Play) -> None:
    """Who expected none does not overwrite one."""

    async def story(_: Home, port: KubernetesSecretPort) -> None:
        await port.write(OLD, expected=None)
        with pytest.raises(Conflict):
            await port.write(NEW, expected=None)
        assert (await port.read()).pair == OLD

    play(story)


@pytest.mark.parametrize("then", ["edited", "made anew", "gone"])
@pytest.mark.parametrize("act", ["write", "spoil", "delete"])
def test_only_what_was_looked_at_is_touched(play: Play, act: str, then: str) -> None:
    """A Secret that changed between look and act is left alone."""

    async def story(home: Home, port: KubernetesSecretPort) -> None:
        await port.write(OLD, expected=None)
        before = await state_of(port)
        if then == "edited":
            await home.put_secret("loki-s3", other="edited")
        else:
            await home.api.delete(SECRET, "loki-s3", namespace=home.namespace)
        if then == "made anew":
            await home.put_secret("loki-s3", id="THEIRS", key="theirs")
        present = await home.values("loki-s3")
        calls = {
            "write": lambda: port.write(NEW, expected=before),
            "spoil": lambda: port.spoil_data_hash(expected=before),
            "delete": lambda: port.delete(expected=before),
        }
        with pytest.raises(Conflict):
            await calls[act]()
        assert await home.values("loki-s3") == present

    play(story)


def test_an_annotation_moves_the_version_and_not_the_time(play: Play) -> None:
    """Whoever annotates owns no data: the content has not changed since it was written."""

    async def story(home: Home, port: KubernetesSecretPort) -> None:
        await port.write(OLD, expected=None)
        before = await state_of(port)
        await asyncio.sleep(1.1)  # times are in whole seconds
        await home.api.apply(
            SECRET,
            {
                "metadata": {
                    "name": "loki-s3",
                    "namespace": home.namespace,
                    "annotations": {"their": "note"},
                }
            },
            field_manager="somebody",
        )
        after = await state_of(port)
        assert after.resource_version != before.resource_version
        assert after.written_at == before.written_at

    play(story)


def test_an_immutable_secret_is_not_written(play: Play) -> None:
    """A person is told before the API server refuses."""

    async def story(home: Home, port: KubernetesSecretPort) -> None:
        await port.write(OLD, expected=None)
        await home.patch(SECRET, "loki-s3", immutable=True)
        with pytest.raises(NeedsHuman):
            await port.write(NEW, expected=await state_of(port))

    play(story)
