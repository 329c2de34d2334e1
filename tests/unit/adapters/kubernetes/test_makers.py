# SPDX-License-Identifier: Apache-2.0
"""What makes a Secret in an ExternalSecret's place: how it stands, and how it is asked."""

import asyncio

import pytest

from lokeys.adapters.kubernetes.makers import KubernetesMaker
from lokeys.core.place import Hop, Ref
from lokeys.core.route.snapshot import MakerState, Unreadable, Why
from lokeys.errors import NeedsHuman
from unit.adapters.kubernetes.cluster_fakes import Json, Server, cluster

REF = Ref("OnePasswordItem", "loki-s3", "ns")


def item(path: object, status: str = "True", message: str = "") -> Json:
    """Return a OnePasswordItem."""
    ready = {"type": "Ready", "status": status, "message": message}
    return {
        "kind": REF.kind,
        "metadata": {"name": REF.name, "namespace": REF.namespace},
        "spec": {"itemPath": path},
        "status": {"conditions": [ready]},
    }


@pytest.mark.parametrize(
    ("found", "state"),
    [
        pytest.param(
            item("vaults/home/items/loki"),
            MakerState(ref=REF, item="home/loki", ready=True),
            id="one that is ready",
        ),
        pytest.param(
            item("vaults/home/items/loki", "False", "failed to retrieve item"),
            MakerState(ref=REF, item="home/loki", ready=False, message="failed to retrieve item"),
            id="one that is not",
        ),
        pytest.param(
            item("vaults/a\x1b[31m/items/" + "b" * 99, "Unknown"),
            MakerState(ref=REF, item="a?[31m/" + "b" * 56 + "…"),
            id="a hostile path is shown as it may be",
        ),
        pytest.param(
            {**item(None), "spec": {"suspend": True}},
            MakerState(ref=REF, ready=True, suspended=True),
            id="one that is told to stop",
        ),
        pytest.param(item(7), MakerState(ref=REF, ready=True), id="no path"),
    ],
)
def test_what_its_object_says(found: Json, state: MakerState) -> None:
    """The item's place, and whether it could be read."""
    where, _ = cluster(found)
    assert asyncio.run(KubernetesMaker(where, REF).read()).state == state


def test_one_that_is_not_there() -> None:
    """A gap of the delivery."""
    where, _ = cluster()
    gap = Unreadable(hop=Hop.DELIVERY, ref=REF, why=Why.NOT_FOUND)
    assert asyncio.run(KubernetesMaker(where, REF).read()).gaps == (gap,)


def test_it_is_asked_by_an_annotation() -> None:
    """Its controller reads the item at each change of the object."""
    server = Server()
    where, _ = cluster(item("vaults/home/items/loki"), server=server)
    asyncio.run(KubernetesMaker(where, REF).ask())
    ((method, path, body),) = server.calls
    assert (method, path) == (
        "PATCH",
        "/apis/onepassword.com/v1/namespaces/ns/onepassworditems/loki-s3",
    )
    assert list(body["metadata"]["annotations"]) == ["lokeys.dev/read-again"]


def test_what_cannot_be_asked_says_so() -> None:
    """Nothing is sent."""
    server = Server()
    where, _ = cluster(server=server)
    with pytest.raises(NeedsHuman):
        asyncio.run(KubernetesMaker(where, Ref("SealedSecret", "s", "ns")).ask())
    assert server.calls == []
