# SPDX-License-Identifier: Apache-2.0
"""What Google's token exchange, IAM and storage are asked, and which link a refusal breaks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from lokeys.adapters.aws.s3 import PROBE_BODY
from lokeys.adapters.google import answers as google_answers
from lokeys.adapters.google.identity import exchange_at_google
from lokeys.adapters.google.storage import GcsBucket
from lokeys.adapters.http import Reply
from lokeys.core.findings.link import Link
from lokeys.core.sensitive import Sensitive
from lokeys.core.trust.tries.claims import Claims
from lokeys.core.trust.tries.identity import GcsPlace, PoolProvider
from lokeys.ports import Exchanged, IssuedToken
from unit.adapters.scripted import Answer, Script, says, xml

POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
ACCOUNT = "loki@project.iam.gserviceaccount.com"
IMPERSONATE = (
    f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}"
    ":generateAccessToken"
)
PROVIDER = PoolProvider(name=POOL, token_url="https://sts.googleapis.com/v1/token")
AS_ACCOUNT = replace(PROVIDER, impersonation_url=IMPERSONATE)
ISSUED = IssuedToken(
    token=Sensitive("canary-token"),
    claims=Claims(issuer="https://oidc.example.com", subject="s", audiences=("a",)),
)
TAKEN = says(200, {"access_token": "canary-federated", "token_type": "Bearer"})


def exchange(provider: PoolProvider, *answers: Answer) -> tuple[Exchanged, Script]:
    script = Script(*answers)
    return asyncio.run(exchange_at_google(provider, ISSUED, client=script.client)), script


def test_the_token_is_exchanged_at_the_files_own_address() -> None:
    """The provider is the audience; without an account to act as, that token opens the bucket."""
    exchanged, script = exchange(PROVIDER, TAKEN)
    assert str(script.asked[0].url) == "https://sts.googleapis.com/v1/token"
    form = script.form()
    assert form["grant_type"].endswith(":token-exchange")
    assert (form["audience"], form["subject_token"]) == (POOL, "canary-token")
    assert form["subject_token_type"].endswith(":jwt")
    assert exchanged.credential == Sensitive("canary-federated")
    assert [link.ok for link in exchanged.links] == [True, True]
    assert "canary" not in repr(exchanged)


def test_where_an_account_is_named_the_token_acts_as_it() -> None:
    """A second call, with the first one's token, gives the account's own."""
    exchanged, script = exchange(AS_ACCOUNT, TAKEN, says(200, {"accessToken": "canary-own"}))
    second = script.asked[1]
    assert str(second.url) == IMPERSONATE
    assert second.headers["authorization"] == "Bearer canary-federated"
    assert json.loads(second.content)["lifetime"] == "600s"
    assert exchanged.credential == Sensitive("canary-own")
    assert exchanged.links[1].detail == f"service account {ACCOUNT}"


def oauth(error: str, words: str = "", *, status: int = 400) -> httpx2.Response:
    return says(status, {"error": error, "error_description": words})


@pytest.mark.parametrize(
    ("answer", "link", "cause"),
    [
        pytest.param(
            oauth(
                "invalid_target",
                'The target service indicated by the "audience" parameters is invalid.',
            ),
            "trust",
            "gcs_wif_pool_missing",
            id="no such pool",
        ),
        pytest.param(
            oauth("invalid_request", 'Invalid value for "audience".'),
            "trust",
            "gcs_wif_pool_missing",
            id="no provider's name",
        ),
        pytest.param(
            oauth("invalid_grant", "The audience in ID Token [x] does not match the expected"),
            "audience",
            "gcs_wif_audience_mismatch",
            id="audience",
        ),
        pytest.param(
            oauth("invalid_grant", "The issuer in ID Token x does not match the expected ones"),
            "issuer",
            "gcs_wif_issuer_mismatch",
            id="issuer",
        ),
        pytest.param(
            oauth("invalid_grant", "Error connecting to the given credential's issuer."),
            "issuer",
            "oidc_issuer_unreachable",
            id="keys out of reach",
        ),
        pytest.param(
            oauth(
                "unauthorized_client",
                "The given credential is rejected by the attribute condition.",
            ),
            "subject",
            "gcs_wif_condition_denied",
            id="condition",
        ),
        pytest.param(
            oauth("invalid_grant", "ID Token is stale to sign-in."),
            "trust",
            "clock_skew",
            id="stale",
        ),
        pytest.param(
            oauth("invalid_grant", "Invalid JWT signature"),
            "trust",
            "oidc_token_invalid",
            id="forged",
        ),
        pytest.param(
            oauth("invalid_grant", "something else"), "trust", "oidc_token_invalid", id="unheard of"
        ),
        pytest.param(oauth("invalid_client"), "trust", None, id="another error"),
    ],
)
def test_google_names_the_link_by_error_and_words(
    answer: httpx2.Response, link: str, cause: str | None
) -> None:
    """The words are matched, not quoted; the evidence says what the token claims."""
    exchanged, script = exchange(AS_ACCOUNT, answer)
    (found,) = exchanged.links
    assert (found.ok, found.name, found.cause) == (False, link, cause)
    assert "the token's issuer is https://oidc.example.com" in found.evidence
    assert len(script.asked) == 1


def api_error(status: int, message: str) -> httpx2.Response:
    return says(status, {"error": {"code": status, "message": message, "errors": []}})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            api_error(403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource"),
            "it lacks iam.serviceAccounts.getAccessToken",
            id="no right to act as it",
        ),
        pytest.param(api_error(404, "Gaia id not found"), "there is no service account", id="gone"),
        pytest.param(
            api_error(403, "IAM Service Account Credentials API has not been used in project 1"),
            "not enabled",
            id="API off",
        ),
    ],
)
def test_acting_as_an_account_can_be_refused(answer: httpx2.Response, words: str) -> None:
    """The trust holds, the identity does not."""
    exchanged, _ = exchange(AS_ACCOUNT, TAKEN, answer)
    trust, identity = exchanged.links
    assert (trust.ok, identity.ok, identity.cause) == (True, False, "gcs_impersonation_denied")
    assert words in identity.detail


@pytest.mark.parametrize(
    "answer", [httpx2.ConnectError("no"), says(503, {}), xml(404, "<html/>"), says(200, {})]
)
def test_googles_silence_leaves_the_link_open(answer: Answer) -> None:
    """Nobody refused anything, in the first call nor in the second."""
    exchanged, _ = exchange(PROVIDER, answer)
    assert exchanged.links[0].ok is None
    second, _ = exchange(AS_ACCOUNT, TAKEN, answer)
    assert second.links[0].ok is True
    assert second.credential is None


def attempt(*answers: Answer) -> tuple[Link, Script]:
    script = Script(*answers)
    bucket = GcsBucket(
        place=GcsPlace(bucket="chunks"), token=Sensitive("canary-bearer"), client=script.client
    )
    return asyncio.run(bucket.try_fully(owner="ns/logs")), script


PUT, GOT = says(200, {"name": "x"}), httpx2.Response(200, content=PROBE_BODY)
LISTED, DELETED = says(200, {"items": []}), httpx2.Response(204)


def test_a_bucket_is_tried_with_four_calls() -> None:
    """Put, get, list, delete of one object of a fixed name."""
    found, script = attempt(PUT, GOT, LISTED, DELETED)
    assert found.ok is True
    assert [asked.method for asked in script.asked] == ["POST", "GET", "GET", "DELETE"]
    assert script.asked[0].url.path == "/upload/storage/v1/b/chunks/o"
    name = dict(script.asked[0].url.params)["name"]
    assert (
        script.asked[1].url.raw_path.decode().startswith("/storage/v1/b/chunks/o/lokeys-probe%2F")
    )
    assert script.asked[3].url.path.endswith(name)
    assert all(asked.headers["authorization"] == "Bearer canary-bearer" for asked in script.asked)


DENIED = (
    "canary@x does not have storage.objects.create access to the Google Cloud Storage bucket. "
    "Permission 'storage.objects.create' denied on resource (or it may not exist)."
)


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        pytest.param(
            api_error(403, DENIED), "gcs_permission_denied", "storage.objects.create", id="denied"
        ),
        pytest.param(api_error(403, "no"), "gcs_permission_denied", "a permission", id="vaguely"),
        pytest.param(
            api_error(403, "Request had insufficient authentication scopes."),
            "gcs_scope_insufficient",
            "scopes",
            id="scopes",
        ),
        pytest.param(
            api_error(403, "… requires uniform bucket-level access"),
            "gcs_wif_needs_uniform_access",
            "object by object",
            id="uniform access",
        ),
        pytest.param(
            api_error(404, "The specified bucket does not exist."),
            "bucket_not_found",
            "no such bucket",
            id="no bucket",
        ),
        pytest.param(
            api_error(401, "Invalid Credentials"), "gcs_invalid_credentials_401", "token", id="401"
        ),
        pytest.param(api_error(409, "conflict"), None, "409", id="unheard of"),
    ],
)
def test_the_bucket_names_what_is_missing(
    answer: httpx2.Response, cause: str | None, words: str
) -> None:
    """The permission is quoted, the person is not; nothing is left to delete."""
    found, script = attempt(answer)
    assert (found.ok, found.cause) == (False, cause)
    assert words in found.detail
    assert "canary" not in repr(found)
    assert len(script.asked) == 1


def test_a_refused_read_is_told_and_what_was_put_is_deleted() -> None:
    """The first failure is the word; the object does not stay."""
    found, script = attempt(PUT, api_error(403, "no"), DELETED)
    assert found.cause == "gcs_permission_denied"
    assert script.asked[-1].method == "DELETE"
    assert attempt(PUT, httpx2.Response(200, content=b"other"), DELETED)[0].ok is False
    assert attempt(PUT, GOT, api_error(403, "no"), DELETED)[0].detail.endswith("(list: 403)")
    assert attempt(PUT, GOT, LISTED, api_error(403, "no"))[0].detail.endswith("(delete: 403)")


def test_two_tries_at_once_find_no_fault_with_each_other() -> None:
    """An object that another try deleted is no missing bucket."""
    gone = api_error(404, "No such object")
    assert attempt(PUT, gone, gone)[0].ok is None
    assert attempt(PUT, GOT, LISTED, gone)[0].ok is True
    assert attempt(says(503, {}))[0].ok is None


def _login(status: int, document: Any) -> Link:
    body = json.dumps(document).encode()
    return google_answers.judge_login(Reply(status=status, headers={}, body=body))


@pytest.mark.parametrize(
    ("status", "document", "ok", "cause"),
    [
        pytest.param(
            400,
            {"error": "invalid_grant", "error_description": "Invalid JWT Signature."},
            False,
            "gcs_invalid_jwt",
            id="signature",
        ),
        pytest.param(
            400,
            {"error": "invalid_grant", "error_description": "account not found"},
            False,
            "gcs_invalid_jwt",
            id="no account",
        ),
        pytest.param(
            400,
            {"error": "invalid_grant", "error_description": "check your iat and exp and the clock"},
            False,
            "clock_skew",
            id="clock",
        ),
        pytest.param(500, {}, None, None, id="out of order"),
        pytest.param(404, {}, None, None, id="no token endpoint"),
    ],
)
def test_a_refused_login_says_what_is_wrong_with_the_key(
    status: int, document: Any, ok: bool | None, cause: str | None
) -> None:
    """A deleted key and a clock that is wrong look different."""
    found = _login(status, document)
    assert (found.ok, found.cause) == (ok, cause)
