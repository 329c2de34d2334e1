# SPDX-License-Identifier: Apache-2.0
"""How RGW's admin answers are read, without a socket."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.adapters.ceph.rgw import AdminApi, Misrouted, RgwUser
from lokeys.adapters.http import make_client
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.errors import Forbidden, LokeysError, NotReadable, Throttled

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADMIN = KeyPair(access_key_id=Sensitive("ADMIN"), secret_access_key=Sensitive("admin-secret"))
Result = TypeVar("Result")


def ask(
    status: int,
    body: bytes,
    action: Callable[[AdminApi], Awaitable[Result]],
    *,
    seen: list[httpx2.Request] | None = None,
) -> Result:
    """Do one thing with an admin API that answers this to everything."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if seen is not None:
            seen.append(request)
        return httpx2.Response(status, stream=httpx2.ByteStream(body))

    async def run() -> Result:
        async with make_client(transport=httpx2.MockTransport(answer)) as client:
            return await action(AdminApi("http://rgw.example/", ADMIN, client, lambda: NOW))

    return asyncio.run(run())


def user_json(**more: Any) -> bytes:
    keys = [
        {"user": "loki", "access_key": "B", "secret_key": "b"},
        {"user": "loki:reader", "access_key": "A", "secret_key": "a"},
        {"user": "loki", "access_key": "C", "secret_key": "c", "active": False},
    ]
    return msgspec.json.encode({"user_id": "loki", "suspended": 0, "keys": keys, **more})


def loki(admin: AdminApi) -> Awaitable[RgwUser]:
    return admin.user("loki")


def test_only_keys_that_authenticate_are_listed() -> None:
    """Subusers' keys count, keys that newer Ceph has switched off do not."""
    user = ask(200, user_json(future_field={"a": 1}), loki)
    assert [key.access_key_id.reveal() for key in user.keys] == [b"A", b"B"]


def test_a_tenant_is_part_of_the_uid() -> None:
    """`tenant$user` is asked for and recognised."""
    user = ask(200, user_json(tenant="logs"), lambda admin: admin.user("logs$loki"))
    assert user.uid == "logs$loki"


def test_another_user_than_asked_for_is_not_taken() -> None:
    """RGW can ignore a uid; what it describes then is not the answer."""
    with pytest.raises(NotReadable, match="another one"):
        ask(200, user_json(), lambda admin: admin.user("other"))


def test_uid_and_access_key_are_never_asked_for_together() -> None:
    """With both, RGW ignores a uid that does not exist and acts on the key's real owner."""
    seen: list[httpx2.Request] = []
    ask(200, user_json(), loki, seen=seen)
    ask(200, user_json(), lambda admin: admin.owner_of(Sensitive("A")), seen=seen)
    assert [set(request.url.params) for request in seen] == [
        {"uid"},
        {"access-key"},
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code></Error>",
        b"<ListBucketResult><Name>rgw.example</Name></ListBucketResult>",
    ],
)
@pytest.mark.parametrize("status", [200, 403, 404])
def test_s3_in_place_of_the_admin_api_is_a_misroute(status: int, body: bytes) -> None:
    """An S3 document on the admin path means that RGW took the path for a bucket."""
    with pytest.raises(Misrouted, match="rgw_dns_name"):
        ask(status, body, loki)


def test_slow_down_asks_for_patience() -> None:
    """SlowDown and 429 are Throttled."""
    with pytest.raises(Throttled):
        ask(503, b'{"Code":"SlowDown"}', loki)


def test_a_bad_admin_pair_is_named() -> None:
    """What is wrong with the admin pair is said in words."""
    with pytest.raises(Forbidden, match="does not belong to its key id"):
        ask(403, b'{"Code":"SignatureDoesNotMatch"}', loki)


@given(status=st.sampled_from([200, 301, 400, 403, 404, 409, 500]), body=st.binary(max_size=200))
def test_any_garbage_is_an_error_of_ours(status: int, body: bytes) -> None:
    """Whatever comes back, it ends in a LokeysError that does not quote it."""
    with pytest.raises(LokeysError) as caught:
        ask(status, b"CANARY" + body, loki)
    assert "CANARY" not in repr(caught.value)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_document_cut_short_does_not_show_its_keys(cut: int) -> None:
    """A broken document is an error without a chain: the parser's own would quote it."""
    with pytest.raises(NotReadable) as caught:
        ask(200, user_json()[:-cut], loki)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
