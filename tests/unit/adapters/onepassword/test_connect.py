# SPDX-License-Identifier: Apache-2.0
"""How Connect's answers are read, and what is sent to it, without a socket."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.adapters.http import make_client
from lokeys.adapters.onepassword.connect import (
    Connect,
    ConnectError,
    Item,
    ItemChange,
    VaultField,
    is_id,
)
from lokeys.core.route.snapshot import VaultFault
from lokeys.core.sensitive import Sensitive

VAULT_ID, ITEM_ID = "v" * 26, "i" * 26
Result = TypeVar("Result")
Answer = Callable[[httpx2.Request], httpx2.Response]


def ask(
    answer: Answer, action: Callable[[Connect], Awaitable[Result]], *, url: str = "http://connect"
) -> Result:
    """Do one thing with a server that answers so."""

    async def token() -> Sensitive:
        return Sensitive("canary-token")

    async def sleep(_: float) -> None:
        return None

    async def run() -> Result:
        async with make_client(transport=httpx2.MockTransport(answer)) as client:
            return await action(Connect(url, token=token, client=client, sleep=sleep))

    return asyncio.run(run())


def always(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx2.Response(status, headers=named, stream=httpx2.ByteStream(body))


@pytest.mark.parametrize(
    "url", ["http://connect:8080", "http://connect:8080/", "http://connect:8080/v1/"]
)
def test_the_url_is_taken_with_or_without_its_version(url: str) -> None:
    """People write Connect's address in three ways."""
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        return httpx2.Response(200, stream=httpx2.ByteStream(b"[]"))

    ask(answer, lambda connect: connect.vaults("Homelab"), url=url)
    assert seen == ["http://connect:8080/v1/vaults?filter=name%20eq%20%22Homelab%22"]


def test_a_patch_is_one_request_with_all_changes() -> None:
    """The pair goes out together, or not at all."""
    bodies: list[object] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append((request.method, msgspec.json.decode(request.content)))
        return httpx2.Response(200, stream=httpx2.ByteStream(b'{"id":"i","version":3}'))

    changes = [
        ItemChange(op="replace", path="/fields/a/value", value="A"),
        ItemChange(op="add", path="/fields/b/value", value="B"),
    ]
    item = ask(answer, lambda connect: connect.patch(VAULT_ID, ITEM_ID, changes))
    assert item.version == 3
    assert bodies == [
        (
            "PATCH",
            [
                {"op": "replace", "path": "/fields/a/value", "value": "A"},
                {"op": "add", "path": "/fields/b/value", "value": "B"},
            ],
        )
    ]


def test_nothing_of_an_item_prints_its_values() -> None:
    """Items, fields and changes show labels and places, never values."""
    item = Item(id="i", fields=(VaultField(id="f", label="secret_key", value="CANARY"),))
    change = ItemChange(op="replace", path="/fields/f/value", value="CANARY")
    assert "CANARY" not in f"{item} {item!r} {change} {change!r}"
    assert "secret_key" in repr(item)


@pytest.mark.parametrize(
    ("after", "seconds"), [("7", 7.0), ("0", 0.0), ("soon", 1.0), ("-3", 1.0), ("9" * 400, 3600.0)]
)
def test_retry_after_is_heeded_within_reason(after: str, seconds: float) -> None:
    """A number of seconds is taken, an hour at the most; anything else is a second."""
    with pytest.raises(ConnectError) as caught:
        ask(always(429, retry_after=after), lambda connect: connect.item(VAULT_ID, ITEM_ID))
    assert caught.value.fault is VaultFault.RATE_LIMITED
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 418])
def test_another_service_is_not_connect(status: int) -> None:
    """An error without Connect's header and form comes from something else."""
    with pytest.raises(ConnectError, match="not as Connect does") as caught:
        ask(always(status, b"<html>"), lambda connect: connect.item(VAULT_ID, ITEM_ID))
    assert caught.value.fault is VaultFault.NOT_CONNECT


@given(
    status=st.sampled_from([200, 204, 302, 400, 401, 403, 404, 500]), body=st.binary(max_size=99)
)
def test_any_garbage_is_a_connect_error(status: int, body: bytes) -> None:
    """Whatever comes back, it ends in a ConnectError that neither quotes nor chains it."""
    with pytest.raises(ConnectError) as caught:
        ask(always(status, b"CANARY" + body), lambda connect: connect.item(VAULT_ID, ITEM_ID))
    assert "CANARY" not in repr(caught.value)
    assert "canary-token" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abcdefghijklmnopqrstuvwx12", True),
        ("A" * 26, False),
        ("loki s3", False),
        ("a" * 27, False),
    ],
)
def test_ids_are_known_by_their_form(text: str, *, expected: bool) -> None:
    """26 lower-case letters and digits."""
    assert is_id(text) is expected
