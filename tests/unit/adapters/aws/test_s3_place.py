# SPDX-License-Identifier: Apache-2.0
"""A stack's buckets tried with one key, temporary or not, told as a link."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx2
import pytest

from lokeys.adapters.aws.s3 import PROBE_BODY
from lokeys.adapters.aws.s3_place import try_s3
from lokeys.adapters.http_clients import HttpClients
from lokeys.core.findings.link import Link
from lokeys.core.route.model import Bucket
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.core.stack.storage.model import Sse, SseType
from lokeys.core.trust.tries.identity import S3Place
from unit.adapters.scripted import Answer, Script, xml

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLACE = S3Place(
    buckets=(Bucket(name="chunks", endpoint="https://store.example", region="eu-west-1"),)
)
STATIC = KeyPair(access_key_id=Sensitive("AKIA1"), secret_access_key=Sensitive("canary"))
TEMPORARY = replace(STATIC, session_token=Sensitive("canary-session"))
GOOD: tuple[Answer, ...] = (
    xml(200, ""),
    httpx2.Response(200, content=PROBE_BODY),
    xml(200, "<ListBucketResult/>"),
    httpx2.Response(204),
)


@dataclass
class OneClient(HttpClients):
    """Every CA bundle gets the script."""

    script: Script

    def trusting(self, ca_bundle: str | None) -> httpx2.AsyncClient:
        return self.script.client


def attempt(
    pair: KeyPair, *answers: Answer, place: S3Place = PLACE, owner: str = "ns/logs/logs"
) -> tuple[Link, Script]:
    script = Script(*answers)
    clients = OneClient(script)
    link = asyncio.run(try_s3(place, pair, owner=owner, clients=clients, clock=lambda: NOW))
    assert "canary" not in repr(link)
    return link, script


def refuses(code: str, message: str = "", *, status: int = 403, request: str = "") -> Answer:
    body = f"<Code>{code}</Code><Message>{message}</Message><RequestId>{request}</RequestId>"
    return xml(status, f"<Error>{body}</Error>")


def test_a_temporary_key_signs_with_its_session_token() -> None:
    """Its object is the owner's, not the key's, which is another one each time."""
    link, script = attempt(TEMPORARY, *GOOD)
    assert link.ok is True
    assert all(a.headers["x-amz-security-token"] == "canary-session" for a in script.asked)
    again, second = attempt(replace(TEMPORARY, access_key_id=Sensitive("AKIA2")), *GOOD)
    assert again.ok is True
    assert script.asked[0].url == second.asked[0].url
    static, plain = attempt(STATIC, *GOOD)
    assert static.ok is True
    assert "x-amz-security-token" not in plain.asked[0].headers


def test_the_put_is_encrypted_as_lokis_would_be() -> None:
    """A bucket's policy may refuse what is not."""
    place = replace(PLACE, sse=Sse(type=SseType.KMS, kms_key_id="key"))
    _, script = attempt(TEMPORARY, *GOOD, place=place)
    assert script.asked[0].headers["x-amz-server-side-encryption"] == "aws:kms"
    signed = script.asked[0].headers["authorization"]
    assert "x-amz-server-side-encryption-aws-kms-key-id" in signed
    assert "x-amz-server-side-encryption" not in script.asked[1].headers


@pytest.mark.parametrize(
    ("pair", "answer", "cause"),
    [
        pytest.param(
            TEMPORARY,
            refuses("AccessDenied", request="tx01"),
            "s3_access_denied_policy",
            id="RGW: the role's policy, for who has a session is known",
        ),
        pytest.param(
            TEMPORARY,
            refuses("AccessDenied", "with an explicit deny in a resource-based policy"),
            "bucket_policy_explicit_deny",
            id="the bucket's own policy",
        ),
        pytest.param(
            TEMPORARY,
            refuses("AccessDenied", "is not authorized to perform: kms:GenerateDataKey on"),
            "kms_permission_denied",
            id="the key that encrypts",
        ),
        pytest.param(
            TEMPORARY,
            refuses("ExpiredToken", status=400),
            "session_token_expired",
            id="expired at once",
        ),
        pytest.param(
            TEMPORARY,
            refuses("InvalidAccessKeyId"),
            "temporary_credentials_refused",
            id="not the store's STS",
        ),
        pytest.param(STATIC, refuses("InvalidAccessKeyId"), "access_key_unknown", id="static"),
        pytest.param(STATIC, refuses("NoSuchBucket", status=404), "bucket_not_found", id="bucket"),
    ],
)
def test_the_store_names_what_is_missing(pair: KeyPair, answer: Answer, cause: str) -> None:
    """One call more than the refused one is made only where it tells more."""
    link, script = attempt(pair, answer)
    assert (link.ok, link.cause) == (False, cause)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(httpx2.ConnectError("no"), "endpoint_unreachable", id="no answer"),
        pytest.param(refuses("SlowDown", status=503), None, id="asked to slow down"),
    ],
)
def test_silence_leaves_the_link_open(answer: Answer, cause: str | None) -> None:
    """Nobody refused anything."""
    link, _ = attempt(TEMPORARY, answer)
    assert (link.ok, link.cause) == (None, cause)


def test_every_bucket_is_tried_and_the_first_bad_one_is_told() -> None:
    """A stack may spread over several."""
    both = replace(PLACE, buckets=(*PLACE.buckets, replace(PLACE.buckets[0], name="more")))
    link, script = attempt(STATIC, *GOOD, *GOOD, place=both)
    assert link.detail == "put, get, list and delete work on chunks, more"
    assert len(script.asked) == 8
    link, _ = attempt(STATIC, *GOOD, refuses("NoSuchBucket", status=404), place=both)
    assert link.detail.startswith("put on more: ")
