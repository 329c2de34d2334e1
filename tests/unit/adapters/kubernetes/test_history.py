# SPDX-License-Identifier: Apache-2.0
"""A route's receipts in its ConfigMap: its own alone, and never lost to another writer."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from builders import NOW, a_snapshot
from lokeys.adapters.kubernetes.history import RouteHistory
from lokeys.core.route.receipts.kept import DATA_KEY, kept_in, receipt_to_json, text_of
from lokeys.core.route.receipts.model import Actor, Door, begun, closed
from lokeys.errors import Conflict, Forbidden, NeedsHuman
from lokeys.kube.client import Api
from unit.kube.scripted import answers, status

RESOURCE = {"metadata": {"name": "loki", "namespace": "monitoring", "uid": "uid-1"}}
RECEIPT = closed(
    begun(a_snapshot(), at=NOW, cause="a", why="b", by=Actor(door=Door.OPERATOR, name="one")),
    ending="proved",
    proof=None,
    at=NOW,
)
EARLIER = receipt_to_json(replace(RECEIPT, by=Actor(door=Door.COMMAND_LINE, name="mary")))


def config_map(*, owner: str = "uid-1", text: str | None = None) -> dict[str, Any]:
    """Return the ConfigMap as the API server has it."""
    return {
        "metadata": {
            "name": "lokeys-history-loki",
            "namespace": "monitoring",
            "uid": "uid-of-map",
            "resourceVersion": "7",
            "ownerReferences": [{"kind": "StorageCredential", "name": "loki", "uid": owner}],
        },
        "data": {DATA_KEY: text_of("monitoring/loki", [EARLIER]) if text is None else text},
    }


def found(obj: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(200, json=obj)


def keep(api: Api) -> None:
    asyncio.run(RouteHistory(api).keep(RESOURCE, RECEIPT))


def applied(request: httpx2.Request) -> dict[str, Any]:
    assert (request.method, request.url.path) == (
        "PATCH",
        "/api/v1/namespaces/monitoring/configmaps/lokeys-history-loki",
    )
    body: dict[str, Any] = json.loads(request.content)
    return body


def test_the_first_receipt_makes_the_config_map_the_resources_own() -> None:
    """It goes with the resource, and is told by its uid from a namesake's."""
    api, asked = answers(status(404, reason="NotFound"), found({}))
    keep(api)
    body = applied(asked[1])
    (owner,) = body["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "lokeys.dev/v1alpha1",
        "kind": "StorageCredential",
        "name": "loki",
        "uid": "uid-1",
    }
    assert kept_in(body).receipts == (receipt_to_json(RECEIPT),)


def test_a_later_one_is_put_before_the_others_if_nobody_wrote_meanwhile() -> None:
    """The version that was read is the one that is written over."""
    api, asked = answers(found(config_map()), found({}))
    keep(api)
    body = applied(asked[1])
    assert (body["metadata"]["uid"], body["metadata"]["resourceVersion"]) == ("uid-of-map", "7")
    assert kept_in(body).receipts == (receipt_to_json(RECEIPT), EARLIER)


def test_another_writers_receipt_is_not_lost() -> None:
    """Where somebody wrote in between, it is read again; one who always does is given up on."""
    lost = status(409, reason="Conflict")
    api, asked = answers(found(config_map(text="{}")), lost, found(config_map()), found({}))
    keep(api)
    assert kept_in(applied(asked[3])).receipts == (receipt_to_json(RECEIPT), EARLIER)
    api, _ = answers(*[found(config_map()), lost] * 3)
    with pytest.raises(Conflict):
        keep(api)


@pytest.mark.parametrize("owner", ["", "uid-of-a-stack"])
def test_a_config_map_of_somebody_else_is_left_alone(owner: str) -> None:
    """A name is no proof: a stack `lokeys-history-loki` makes ConfigMaps that begin alike."""
    api, asked = answers(found(config_map(owner=owner)))
    with pytest.raises(NeedsHuman, match="was not made for StorageCredential monitoring/loki"):
        keep(api)
    assert len(asked) == 1


def test_a_missing_right_is_said() -> None:
    """As what it is: whoever acts goes on without."""
    api, _ = answers(status(403, reason="Forbidden", message="may not"))
    with pytest.raises(Forbidden):
        keep(api)
