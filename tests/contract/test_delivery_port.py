# SPDX-License-Identifier: Apache-2.0
"""The delivery port and the Secret port on External Secrets, real and stood in for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from contract.clusters import FINGERPRINTER, until
from contract.deliveries import SECRET, Background, Cluster, Delivery, PlainCluster
from contract.serving import serve
from contract.stores import pair_of
from lokeys.adapters.kubernetes.cluster import Cluster as Way
from lokeys.adapters.kubernetes.external_secrets import ExternalSecretPort
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.secrets import KubernetesSecretPort
from lokeys.clock import utc_now
from lokeys.core.kubernetes.external_secrets.onepassword import ItemField, connect_of, item_field
from lokeys.core.kubernetes.external_secrets.reading import Field, read
from lokeys.core.place import Ref
from lokeys.core.route.model import ExternalSecretRef, PairKeys, SecretRef
from lokeys.core.route.snapshot import DeliveryState, SecretState
from lokeys.demo.parts.connect import ConnectServer
from lokeys.demo.parts.external_secrets import ExternalSecrets
from lokeys.demo.parts.kubernetes import KubernetesApi
from lokeys.errors import Conflict
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load

KEYS = PairKeys(access_key_id="AWS_ACCESS_KEY_ID", secret_access_key="AWS_SECRET_ACCESS_KEY")
NEW = pair_of("NEWKEY", "NEWSECRET")
Found = TypeVar("Found")


@dataclass
class Place:
    """A cluster with the operator, for the test's levers and for lokeys."""

    cluster: Cluster
    kubeconfig: Path


@pytest.fixture(scope="module", params=["stand-in", "external-secrets"])
def place(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Place]:
    """Give a cluster in which the operator runs."""
    if request.param == "external-secrets":
        kubernetes = request.getfixturevalue("kubernetes")
        operator = request.getfixturevalue("external_secrets")
        if not operator.running:
            operator.start()
        yield Place(kubernetes.api, kubernetes.kubeconfig)
        return
    with ExitStack() as stack:
        background = stack.enter_context(Background())
        api = stack.enter_context(background.running(KubernetesApi))
        stack.enter_context(background.running(lambda: ExternalSecrets(api.url)))
        plain = PlainCluster(api.url)
        stack.callback(plain.close)
        path = tmp_path_factory.mktemp("cluster") / "kubeconfig"
        yield Place(plain, api.write_kubeconfig(path))


@pytest.fixture
def delivery(place: Place) -> Iterator[Delivery]:
    """Give a namespace with a vault and a valid store."""
    connect = ConnectServer()
    with serve(connect.handle) as url:
        made = Delivery(place.cluster, connect, url)
        yield made
        if made.find("externalsecrets"):
            made.delete("externalsecrets")


@dataclass
class Ports:
    """Both ports of one route."""

    way: Way
    delivery: ExternalSecretPort
    secret: KubernetesSecretPort

    async def state(self) -> DeliveryState:
        reading = await self.delivery.read()
        assert reading.state is not None
        assert not reading.gaps
        return reading.state

    async def held(self) -> SecretState:
        reading = await self.secret.read()
        assert reading.state is not None
        return reading.state

    async def holds_new(self) -> bool:
        return (await self.secret.read()).pair == NEW


def play(place: Place, delivery: Delivery, story: Callable[[Ports], Awaitable[Found]]) -> Found:
    """Play a story with the ports of the test's namespace."""

    async def whole() -> Found:
        namespace = delivery.namespace
        async with Api(load(kubeconfig=str(place.kubeconfig), namespace=namespace)) as api:
            way = Way(objects=LiveObjects(api), api=api, fingerprinter=FINGERPRINTER, clock=utc_now)
            ports = Ports(
                way,
                ExternalSecretPort(way, ExternalSecretRef(name=SECRET), namespace=namespace),
                KubernetesSecretPort(way, SecretRef(name=SECRET, keys=KEYS), namespace=namespace),
            )
            return await story(ports)

    return asyncio.run(whole())


def begin(delivery: Delivery, **spec: Any) -> None:
    delivery.add(**spec)
    delivery.until(lambda: delivery.value() == "OLDKEY" and delivery.ready()[0] == "True")
    # About one sync in four happens twice (measured), and the second would read what comes next.
    time.sleep(1.0)


def renew(delivery: Delivery) -> None:
    """Change both fields of the item."""
    delivery.connect.edit(
        delivery.vault, delivery.item, access_key="NEWKEY", secret_key="NEWSECRET"
    )


def test_an_ordinary_delivery_is_read(place: Place, delivery: Delivery) -> None:
    """State, store, times and the Secret's maker."""
    begin(delivery)

    async def story(ports: Ports) -> None:
        state = await ports.state()
        assert state.ready
        assert state.force_sync_works
        assert state.refresh_interval == timedelta(hours=1)
        assert state.synced_version
        assert state.refreshed_at is not None
        assert state.store is not None
        assert state.store.ready
        assert state.store.connect_host
        held = await ports.held()
        assert held.managed_by_eso
        assert held.written_at is not None
        assert held.pair == FINGERPRINTER.describe(pair_of("OLDKEY", "OLDSECRET"))

    play(place, delivery, story)


def test_forcing_moves_version_and_content(place: Place, delivery: Delivery) -> None:
    """A new annotation makes the operator read the vault again."""
    begin(delivery)
    renew(delivery)

    async def story(ports: Ports) -> None:
        before = (await ports.state()).synced_version
        await ports.delivery.force_sync()
        await until(ports.holds_new, "the new pair")

        async def moved() -> bool:
            return (await ports.state()).synced_version != before

        await until(moved, "a new synced version")

    play(place, delivery, story)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"refreshInterval": "0s"}, id="interval 0"),
        pytest.param({"refreshPolicy": "CreatedOnce"}, id="CreatedOnce"),
    ],
)
def test_a_spoilt_hash_works_where_forcing_does_not(
    place: Place, delivery: Delivery, spec: dict[str, str]
) -> None:
    """The annotation alone is touched, and the operator reads afresh."""
    begin(delivery, **spec)
    renew(delivery)

    async def story(ports: Ports) -> None:
        assert not (await ports.state()).force_sync_works
        await ports.delivery.force_sync()
        await asyncio.sleep(0.5)
        assert not await ports.holds_new()
        await ports.secret.spoil_data_hash(expected=await ports.held())
        await until(ports.holds_new, "the new pair")

    play(place, delivery, story)


def test_spoiling_what_has_changed_is_a_conflict(place: Place, delivery: Delivery) -> None:
    """A foreign edit between look and act stops us."""
    begin(delivery)

    async def story(ports: Ports) -> None:
        before = await ports.held()
        delivery.merge("secrets", {"metadata": {"labels": {"theirs": "yes"}}})
        with pytest.raises(Conflict):
            await ports.secret.spoil_data_hash(expected=before)

    play(place, delivery, story)


def test_the_cause_of_a_failure_is_told(place: Place, delivery: Delivery) -> None:
    """The event's words are found, by name and reason."""
    delivery.connect.edit(delivery.vault, delivery.item, access_key="NEWKEY")
    delivery.add(
        data=[{"secretKey": "AWS_ACCESS_KEY_ID", "remoteRef": {"key": "nothing of that title"}}]
    )

    async def story(ports: Ports) -> None:
        async def told() -> bool:
            return "key not found in 1Password Vaults" in (await ports.state()).last_event

        await until(told, "the cause")
        assert (await ports.state()).ready is False

    play(place, delivery, story)


def test_who_owns_the_target_is_told(place: Place, delivery: Delivery) -> None:
    """The ExternalSecret that came first is named."""
    delivery.add("first", target={"name": SECRET})
    delivery.until(lambda: delivery.value() == "OLDKEY")
    delivery.add()

    async def story(ports: Ports) -> None:
        async def told() -> bool:
            owner = (await ports.state()).target_owner
            return owner == Ref("ExternalSecret", "first", delivery.namespace)

        await until(told, "the owner")

    play(place, delivery, story)
    delivery.delete("externalsecrets", "first")


def test_a_mended_store_is_looked_at_again(place: Place, delivery: Delivery) -> None:
    """After the repair of its token, an annotation on the store and one on the delivery."""
    begin(delivery)
    token = delivery.find("secrets", "token")
    assert token is not None
    delivery.merge("secrets", {"data": {"token": "d3Jvbmc="}}, "token")

    async def story(ports: Ports) -> None:
        async def store_is(ready: bool) -> bool:
            store = (await ports.state()).store
            return store is not None and store.ready is ready

        await ports.delivery.revalidate_store()
        await until(lambda: store_is(False), "a store that is not ready")
        delivery.merge("secrets", {"data": token["data"]}, "token")
        await ports.delivery.revalidate_store()
        await until(lambda: store_is(True), "a store that is ready again")
        renew(delivery)
        await ports.delivery.force_sync()
        await until(ports.holds_new, "the new pair")

    play(place, delivery, story)


def test_deleting_an_immutable_secret_brings_the_new_pair(place: Place, delivery: Delivery) -> None:
    """Only the very Secret that was looked at is deleted."""
    begin(delivery, target={"immutable": True})
    renew(delivery)

    async def story(ports: Ports) -> None:
        before = await ports.held()
        assert before.immutable
        await ports.secret.delete(expected=before)
        await until(ports.holds_new, "the new pair")
        with pytest.raises(Conflict):
            await ports.secret.delete(expected=before)

    play(place, delivery, story)


def test_where_the_pair_comes_from_is_followed(place: Place, delivery: Delivery) -> None:
    """From the Secret's data key to item and field, and to the Connect behind the store."""
    begin(delivery)

    async def story(ports: Ports) -> None:
        get = ports.way.objects.get
        found = await get(Ref("ExternalSecret", SECRET, delivery.namespace))
        field = read(found).field_of("AWS_SECRET_ACCESS_KEY")
        assert isinstance(field, Field)
        assert item_field(field) == ItemField(item="loki-s3", label="secret_key")
        connect = connect_of(await get(Ref("SecretStore", "onepassword", delivery.namespace)))
        assert connect is not None
        assert (connect.vaults, connect.token.name) == (("homelab",), "token")

    play(place, delivery, story)
