# SPDX-License-Identifier: Apache-2.0
"""The store port without a socket: which calls it makes, and how they are addressed and signed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.adapters.aws import sign as aws_sign
from lokeys.adapters.aws.endpoint_addresses import EndpointAddresses
from lokeys.adapters.aws.s3 import S3Store, probe_name
from lokeys.adapters.ceph.rgw import AdminApi
from lokeys.adapters.http import make_client
from lokeys.adapters.http_clients import HttpClients
from lokeys.core.findings.verdict import Answer, StoreVerdict, of_all
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo.parts.object_store import ObjectStore, error
from lokeys.demo.parts.sigv4 import SignatureRefused, signer_of
from lokeys.demo.parts.store_accounts import StoredBucket
from lokeys.http_server import HttpRequest, Response

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Result = TypeVar("Result")


def pair_of(key_id: str, secret: str) -> KeyPair:
    return KeyPair(access_key_id=Sensitive(key_id), secret_access_key=Sensitive(secret))


def as_server_sees(request: httpx2.Request) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        target=request.url.raw_path.decode(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.content,
    )


class Wire:
    """Carries requests to a stand-in without a socket; `spoil` may answer in its place."""

    def __init__(self, *, spoil: Callable[[HttpRequest], Response | None] = lambda _: None) -> None:
        self.store = ObjectStore(clock=lambda: NOW)
        self.pair = pair_of(*self.store.create_user("loki"))
        self.bucket = Bucket(name="logs", endpoint="http://store.example:9000")
        self.seen: list[httpx2.Request] = []
        self.spoil = spoil
        self.store.buckets["logs"] = StoredBucket(owner="loki", created_at=NOW)

    async def carry(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        asked = as_server_sees(request)
        answer = self.spoil(asked) or await self.store.handle(asked)
        assert isinstance(answer.body, bytes)
        stream = httpx2.ByteStream(answer.body)
        return httpx2.Response(answer.status, headers=dict(answer.headers), stream=stream)

    def run(
        self, action: Callable[[S3Store], Awaitable[Result]], *, bucket: Bucket | None = None
    ) -> Result:
        async def run() -> Result:
            transport = httpx2.MockTransport(self.carry)
            async with make_client(transport=transport) as client:
                return await action(S3Store(bucket or self.bucket, client, lambda: NOW))

        return asyncio.run(run())

    def test(self) -> StoreVerdict:
        return self.run(lambda store: store.try_fully(self.pair))

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.seen]


def test_a_full_test_is_four_calls_signed_and_checked() -> None:
    """Put, get, list, delete: each signed, the put with a checksum of its content."""
    wire = Wire()
    assert wire.test().trusted
    assert wire.methods == ["PUT", "GET", "GET", "DELETE"]
    assert all("x-amz-content-sha256" in request.headers for request in wire.seen)
    assert wire.seen[0].headers["content-md5"]
    assert wire.test().at == NOW


@pytest.mark.parametrize(
    ("method", "action", "calls"),
    [
        ("GET", "get", ["PUT", "GET", "DELETE"]),
        ("DELETE", "delete", ["PUT", "GET", "GET", "DELETE"]),
    ],
)
def test_a_failure_in_the_middle_still_tries_the_delete(
    method: str, action: str, calls: list[str]
) -> None:
    """The first failure is the verdict, and what was put is taken away where that works."""
    wire = Wire(spoil=lambda asked: error("SlowDown", 503) if asked.method == method else None)
    verdict = wire.test()
    assert (verdict.answer, verdict.action) == (Answer.UNSPECIFIC, action)
    assert wire.methods == calls
    assert len(wire.store.buckets["logs"].objects) == (1 if method == "DELETE" else 0)


@pytest.mark.parametrize(
    ("code", "status", "calls"),
    [
        ("QuotaExceeded", 403, ["PUT"]),
        ("InternalError", 500, ["PUT", "DELETE"]),
    ],
    ids=["surely refused: nothing to delete", "unsure: deleted"],
)
def test_a_put_that_failed_is_deleted_only_if_it_may_have_happened(
    code: str, status: int, calls: list[str]
) -> None:
    """A put that was refused left nothing; one that broke off may have."""
    wire = Wire(spoil=lambda asked: error(code, status) if asked.method == "PUT" else None)
    assert wire.test().action == "put"
    assert wire.methods == calls


def test_a_store_that_returns_something_else_is_not_trusted() -> None:
    """What comes back must be what was put."""

    def spoil(asked: HttpRequest) -> Response | None:
        return Response(body=b"other") if asked.method == "GET" and "probe/" in asked.path else None

    verdict = Wire(spoil=spoil).test()
    assert (verdict.answer, verdict.action) == (Answer.NOT_S3, "get")
    assert not verdict.trusted


def test_a_page_in_place_of_a_list_is_not_s3() -> None:
    """200 alone proves nothing: the list must be one."""
    wire = Wire(spoil=lambda _: Response(body=b"<html></html>"))
    verdict = wire.run(lambda store: store.try_list(wire.pair))
    assert verdict.answer is Answer.NOT_S3


def test_a_gateway_that_takes_its_host_for_the_bucket_is_named() -> None:
    """RGW with another DNS name than the one we use looks for a bucket of the host's name."""
    wire = Wire(spoil=lambda _: error("NoSuchBucket", 404, bucket="store.example"))
    verdict = wire.run(lambda store: store.try_list(wire.pair))
    assert verdict.answer is Answer.NO_BUCKET
    assert "rgw_dns_name" in verdict.detail


@pytest.mark.parametrize(
    ("bucket", "list_url", "object_url"),
    [
        (
            Bucket(name="logs", endpoint="http://store.example:9000/"),
            "http://store.example:9000/logs?",
            "http://store.example:9000/logs/",
        ),
        (
            Bucket(name="logs", endpoint="https://s3.eu-west-1.amazonaws.com", path_style=False),
            "https://logs.s3.eu-west-1.amazonaws.com/?",
            "https://logs.s3.eu-west-1.amazonaws.com/",
        ),
        (
            Bucket(name="logs", endpoint="https://store.example/s3"),
            "https://store.example/s3/logs?",
            "https://store.example/s3/logs/",
        ),
        (
            Bucket(name="logs", endpoint="http://store.example:8080/s3/", path_style=False),
            "http://logs.store.example:8080/s3/?",
            "http://logs.store.example:8080/s3/",
        ),
    ],
    ids=["path style", "virtual host", "path prefix", "virtual host with port and prefix"],
)
def test_buckets_are_addressed_in_both_styles(
    bucket: Bucket, list_url: str, object_url: str
) -> None:
    """Style, port and path prefix of the endpoint are all kept."""
    wire = Wire(spoil=lambda _: Response(status=500))
    wire.run(lambda store: store.try_list(wire.pair), bucket=bucket)
    wire.run(lambda store: store.try_fully(wire.pair), bucket=bucket)
    assert str(wire.seen[0].url).startswith(list_url)
    assert str(wire.seen[1].url) == object_url + probe_name(wire.pair)


@pytest.mark.parametrize(
    ("region", "constraint"),
    [("us-east-1", False), ("", False), ("default", False), ("eu-west-1", True)],
)
def test_only_other_regions_are_named_when_a_bucket_is_made(
    region: str, *, constraint: bool
) -> None:
    """AWS refuses us-east-1 as a constraint, so none is sent for it."""
    bodies: list[bytes] = []

    def spoil(asked: HttpRequest) -> Response:
        bodies.append(asked.body)
        return Response()

    wire = Wire()
    wire.spoil = spoil
    bucket = replace(wire.bucket, name="fresh", region=region)
    wire.run(lambda store: store.create_bucket(wire.pair), bucket=bucket)
    assert bodies[0].startswith(b"<CreateBucketConfiguration") is constraint
    assert (region.encode() in bodies[0]) or not constraint


def test_a_bucket_that_is_ours_already_is_fine() -> None:
    """AWS says 409 to the owner's second create."""
    wire = Wire()
    wire.spoil = lambda _: error("BucketAlreadyOwnedByYou", 409)
    wire.run(lambda store: store.create_bucket(wire.pair))


# --- signer and verifier, one against the other -------------------------------------------------

ODD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(
    lambda text: text.strip("/.")
)
KEY_IDS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/,="),
    min_size=1,
    max_size=40,
)


@given(key_id=KEY_IDS, secret=ODD, key=ODD, prefix=ODD)
def test_what_is_signed_verifies(key_id: str, secret: str, key: str, prefix: str) -> None:
    """Any id, secret, object key and query survive the way to a verifier of our own."""
    url = f"http://store.example:9000/b/{quote(key, safe='')}?prefix={quote(prefix, safe='')}&list"
    call = aws_sign.SignedCall(method="GET", url=url)
    request = as_server_sees(
        aws_sign.signed(call, pair_of(key_id, secret), region="us-east-1", now=NOW)
    )

    assert signer_of(request, secret_of={key_id: secret}.get, now=NOW) == key_id
    with pytest.raises(SignatureRefused, match="SignatureDoesNotMatch"):
        signer_of(request, secret_of={key_id: secret + "x"}.get, now=NOW)
    with pytest.raises(SignatureRefused, match="InvalidAccessKeyId"):
        signer_of(request, secret_of=lambda _: None, now=NOW)
    with pytest.raises(SignatureRefused, match="SignatureDoesNotMatch"):
        signer_of(
            replace(request, target=request.target + "x"), secret_of={key_id: secret}.get, now=NOW
        )


def test_a_changed_body_does_not_verify() -> None:
    """The signature covers the content."""
    call = aws_sign.SignedCall(method="PUT", url="http://store.example/b/k", body=b"mine")
    request = as_server_sees(aws_sign.signed(call, pair_of("A", "B"), region="x", now=NOW))
    with pytest.raises(SignatureRefused, match="XAmzContentSHA256Mismatch"):
        signer_of(replace(request, body=b"theirs"), secret_of={"A": "B"}.get, now=NOW)


@given(half=st.binary(max_size=30), other=st.binary(max_size=30))
def test_any_bytes_are_signed_or_refused_with_a_reason(half: bytes, other: bytes) -> None:
    """No pair whatever crashes the signer, and no refusal holds a half of it."""
    pair = KeyPair(access_key_id=Sensitive(half), secret_access_key=Sensitive(other))
    call = aws_sign.SignedCall(method="GET", url="http://store.example/b")
    try:
        request = aws_sign.signed(call, pair, region="us-east-1", now=NOW)
    except aws_sign.Unsendable as error:
        refusal = error
    else:
        assert half.decode() in request.headers["authorization"]
        return
    for value in (half, other):
        assert len(value) < 8 or value.decode(errors="replace") not in str(refusal)


def test_no_key_is_logged_even_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Libraries would log whole URLs, and RGW's admin API is asked with key ids in them."""
    wire = Wire()
    canary = pair_of("CANARYID", "canary-secret")

    async def run() -> None:
        transport = httpx2.MockTransport(wire.carry)
        async with make_client(transport=transport) as client:
            admin = AdminApi("http://store.example", wire.pair, client, lambda: NOW)
            with pytest.raises(Exception, match="403"):
                await admin.owner_of(canary.access_key_id)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(run())
        wire.run(lambda store: store.try_fully(canary))
    assert "access-key=CANARYID" in str(wire.seen[0].url)
    assert not any(word in caplog.text for word in ("CANARYID", "canary-secret", "Signature"))


def refusal() -> httpx2.Response:
    """Return what a gateway says that does not know the key."""
    text = b"<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>"
    xml = {"content-type": "application/xml"}
    return httpx2.Response(403, headers=xml, stream=httpx2.ByteStream(text))


def everywhere(
    wire: Wire, *addresses: str, answers: Callable[[httpx2.Request], httpx2.Response | None]
) -> Mapping[str, StoreVerdict]:
    """Return what the store says at each address; `answers` stands for a gateway of its own."""

    async def carry(request: httpx2.Request) -> httpx2.Response:
        own = answers(request)
        if own is not None:
            wire.seen.append(request)
            return own
        return await wire.carry(request)

    async def resolve(_host: str, _port: int) -> tuple[str, ...]:
        return addresses

    async def run() -> Mapping[str, StoreVerdict]:
        clients = HttpClients(wire=lambda _bundle, _proxies: httpx2.MockTransport(carry))
        ways = EndpointAddresses(clients=clients, resolve=resolve)
        async with clients:
            store = S3Store(wire.bucket, clients.trusting(None), lambda: NOW, addresses=ways)
            return await store.try_everywhere(wire.pair)

    return asyncio.run(run())


def test_each_address_of_the_endpoint_has_its_own_verdict() -> None:
    """A gateway that does not know the key yet is named; both hear the endpoint's own name."""
    wire = Wire()
    host = urlsplit(wire.bucket.endpoint).netloc

    def lagging(request: httpx2.Request) -> httpx2.Response | None:
        return refusal() if request.url.host == "10.0.0.2" else None

    found = everywhere(wire, "10.0.0.1", "10.0.0.2", answers=lagging)
    assert {address: verdict.answer for address, verdict in found.items()} == {
        "10.0.0.1": Answer.ACCEPTED,
        "10.0.0.2": Answer.UNKNOWN_KEY,
    }
    assert of_all(found).detail.startswith("at 10.0.0.2: ")
    assert {request.headers["host"] for request in wire.seen} == {host}
    named = {request.extensions["sni_hostname"] for request in wire.seen}
    assert named == {urlsplit(wire.bucket.endpoint).hostname}
    assert wire.store.buckets["logs"].objects == {}


def test_a_name_that_leads_nowhere_is_asked_as_it_stands() -> None:
    """Then the ordinary test says why."""
    found = everywhere(Wire(), answers=lambda _: None)
    assert {address: verdict.trusted for address, verdict in found.items()} == {"": True}
