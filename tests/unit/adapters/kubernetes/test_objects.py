# SPDX-License-Identifier: Apache-2.0
"""Objects read from the API server each time."""

import asyncio

import httpx2
import pytest

from lokeys.adapters.kubernetes.cluster import quotable
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.core.place import Ref
from lokeys.errors import NotFound, NotReadable
from lokeys.kube.replies import NoSuchKind
from unit.kube.scripted import answers, listing, status, thing, url_of

ES = Ref("ExternalSecret", "es", "ns")


def unknown_kind() -> httpx2.Response:
    return status(404, reason="NotFound", message="the server could not find the resource")


def test_an_older_version_is_tried_where_the_newer_is_not_served() -> None:
    """A cluster that serves only v1beta1 is read all the same."""
    api, asked = answers(unknown_kind(), httpx2.Response(200, json=thing("es", 1)))
    found = asyncio.run(LiveObjects(api).get(ES))
    assert found["metadata"]["name"] == "es"
    assert [url_of(request).split("/")[3] for request in asked] == ["v1", "v1beta1"]


def test_a_missing_object_is_not_a_missing_kind() -> None:
    """What the served version does not have is not looked for elsewhere."""
    api, asked = answers(status(404, reason="NotFound", name="es", kind="externalsecrets"))
    with pytest.raises(NotFound) as missing:
        asyncio.run(LiveObjects(api).get(ES))
    assert not isinstance(missing.value, NoSuchKind)
    assert len(asked) == 1


def test_lists_take_namespace_and_labels() -> None:
    """Without a namespace the whole cluster is asked."""
    api, asked = answers(listing(1, thing("a", 1)), listing(1))
    objects = LiveObjects(api)
    assert len(asyncio.run(objects.list("Pod", namespace="ns", labels="a=b"))) == 1
    assert asyncio.run(objects.list("Pod", namespace=None)) == []
    assert [url_of(request) for request in asked] == [
        "/api/v1/namespaces/ns/pods?limit=500&labelSelector=a%3Db",
        "/api/v1/pods?limit=500",
    ]


def test_a_kind_that_nobody_knows() -> None:
    """It cannot be read, and that is said."""
    api, _ = answers()
    with pytest.raises(NotReadable, match="Gizmo"):
        asyncio.run(LiveObjects(api).get(Ref("Gizmo", "x", "ns")))


def test_others_words_lose_their_queries_and_their_length() -> None:
    """Go quotes whole URLs, and secrets can stand in their queries."""
    said = 'Put "http://rgw/admin/user?access-key=A&secret-key=canary": EOF\nand more'
    assert quotable(said) == 'Put "http://rgw/admin/user?…": EOF and more'
    assert len(quotable("x" * 5000)) == 400
