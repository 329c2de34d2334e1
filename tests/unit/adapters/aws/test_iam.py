# SPDX-License-Identifier: Apache-2.0
"""How IAM's answers are read, AWS's and Ceph's, without a socket."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx2
import pytest
from botocore.credentials import ReadOnlyCredentials

from lokeys.adapters.aws.iam import Iam
from lokeys.adapters.http import make_client
from lokeys.core.trust.fetched import DocumentKind, Fetched
from lokeys.errors import Conflict, Forbidden, LokeysError, NotReadable, Throttled

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "c4nary-secret"
CALLER = ReadOnlyCredentials("AKIAEXAMPLE", SECRET, "c4nary-token")
ARN = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com"
TRUST, POLICY = {"Statement": [{"Sid": "a b"}]}, {"Statement": [{"Sid": "c"}]}
Answer = Callable[[Mapping[str, str]], tuple[int, str]]


def result(action: str, inner: str) -> tuple[int, str]:
    """Return an answer as AWS wraps it."""
    name = f"{action}Response"
    body = f"<{action}Result>{inner}</{action}Result><ResponseMetadata/>"
    return 200, f'<{name} xmlns="https://iam.amazonaws.com/doc/2010-05-08/">{body}</{name}>'


def encoded(document: Any) -> str:
    return quote(json.dumps(document))


def error(status: int, code: str) -> tuple[int, str]:
    return status, f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"


INNER = {
    "GetRole": "<Role><AssumeRolePolicyDocument>"
    f"{encoded(TRUST)}</AssumeRolePolicyDocument></Role>",
    "ListRolePolicies": "<PolicyNames/><IsTruncated>false</IsTruncated>",
    "ListAttachedRolePolicies": "<AttachedPolicies/><IsTruncated>false</IsTruncated>",
    "GetOpenIDConnectProvider": "<Url>oidc.example.com</Url><ClientIDList><member>one</member>"
    "<member>two</member></ClientIDList><ThumbprintList><member>0</member></ThumbprintList>",
}


def ask(
    answers: Mapping[str, Answer | tuple[int, str]], seen: list[httpx2.Request] | None = None
) -> list[Fetched]:
    """Return all documents of a role at an IAM that answers so, and else as a bare one does."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if seen is not None:
            seen.append(request)
        words = dict(parse_qsl(request.content.decode()))
        said = answers.get(words["Action"]) or result(words["Action"], INNER[words["Action"]])
        status, body = said(words) if callable(said) else said
        return httpx2.Response(status, stream=httpx2.ByteStream(body.encode()))

    async def run() -> list[Fetched]:
        async with make_client(transport=httpx2.MockTransport(answer)) as client:
            iam = Iam(
                client=client,
                credentials=CALLER,
                endpoint="https://iam.example",
                region="us-east-1",
                clock=lambda: NOW,
            )
            return [document async for document in iam.documents("loki", ARN)]

    return asyncio.run(run())


def test_a_role_without_rights_is_told_from_one_that_is_not_read() -> None:
    """Its trust, a policy that grants nothing, its provider with the audiences alone."""
    trust, policy, provider = ask({})
    assert (trust.kind, trust.content) == (DocumentKind.TRUST, TRUST)
    assert (policy.kind, policy.content) == (DocumentKind.POLICY, {"Statement": []})
    assert provider.content == {"Url": "oidc.example.com", "ClientIDList": ["one", "two"]}


def test_policies_of_every_kind_and_page_are_read() -> None:
    """Inline ones over two pages; a managed one in its default version; encoded or plain."""

    def names(words: Mapping[str, str]) -> tuple[int, str]:
        more = "<IsTruncated>true</IsTruncated><Marker>m</Marker>"
        last = "<IsTruncated>false</IsTruncated>"
        name, end = ("second", last) if words.get("Marker") == "m" else ("first", more)
        inner = f"<PolicyNames><member>{name}</member></PolicyNames>{end}"
        return result("ListRolePolicies", inner)

    attached = "<AttachedPolicies><member><PolicyArn>arn:p</PolicyArn></member></AttachedPolicies>"

    def version(words: Mapping[str, str]) -> tuple[int, str]:
        assert (words["PolicyArn"], words["VersionId"]) == ("arn:p", "v3")
        inner = f"<PolicyVersion><Document>{encoded(POLICY)}</Document></PolicyVersion>"
        return result("GetPolicyVersion", inner)

    plain = f"<PolicyDocument>{json.dumps(POLICY)}</PolicyDocument>"
    found = ask(
        {
            "ListRolePolicies": names,
            "GetRolePolicy": result("GetRolePolicy", plain),
            "ListAttachedRolePolicies": result("ListAttachedRolePolicies", attached),
            "GetPolicy": result(
                "GetPolicy", "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>"
            ),
            "GetPolicyVersion": version,
        }
    )
    assert [each.content for each in found if each.kind is DocumentKind.POLICY] == [POLICY] * 3


def test_what_is_not_there_comes_without_content() -> None:
    """Role and provider each for itself, whatever the store says it with."""
    missing = error(404, "NoSuchEntity")
    role, provider = ask({"GetRole": missing, "GetOpenIDConnectProvider": (404, "")})
    assert (role.content, provider.content) == (None, None)


@pytest.mark.parametrize("answer", [(405, ""), error(400, "InvalidAction"), (501, "no")])
def test_ceph_knows_no_managed_policies(answer: tuple[int, str]) -> None:
    """A call that the store does not know is no policy that it has."""
    assert len(ask({"ListAttachedRolePolicies": answer})) == 3


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (error(403, "AccessDenied"), Forbidden, "grant iam:GetRole"),
        (
            error(403, "InvalidClientTokenId"),
            Forbidden,
            "asked with are refused",
        ),
        (error(409, "LimitExceeded"), Conflict, "LimitExceeded"),
        (error(400, "Throttling"), Throttled, "slow down"),
        (error(500, "ServiceFailure"), NotReadable, "ServiceFailure HTTP 500"),
        ((200, "<html>"), NotReadable, "HTTP 200"),
        (result("GetRole", "<Role/>"), NotReadable, "no JSON"),
        (
            result("GetRole", "<AssumeRolePolicyDocument>[]</AssumeRolePolicyDocument>"),
            NotReadable,
            "no JSON",
        ),
    ],
)
def test_other_answers_are_errors_in_words(
    answer: tuple[int, str], kind: type[LokeysError], said: str
) -> None:
    """With the action, and nothing of the reply but its code."""
    with pytest.raises(kind, match=said) as raised:
        ask({"GetRole": answer})
    assert SECRET not in str(raised.value)


def test_pages_without_end_are_refused() -> None:
    """After twenty."""
    inner = "<PolicyNames/><IsTruncated>true</IsTruncated><Marker>m</Marker>"
    with pytest.raises(NotReadable, match="more than 20 pages"):
        ask({"ListRolePolicies": result("ListRolePolicies", inner)})


def test_requests_are_signed_for_iam_and_hold_no_secret() -> None:
    """At the clock's time, with the session's token, for the region of the partition."""
    seen: list[httpx2.Request] = []
    ask({}, seen)
    for request in seen:
        scope = "AKIAEXAMPLE/20260102/us-east-1/iam/aws4_request"
        assert scope in request.headers["authorization"]
        assert request.headers["x-amz-date"] == "20260102T030405Z"
        assert request.headers["x-amz-security-token"] == "c4nary-token"
        assert SECRET not in str(request.headers) + request.content.decode()
