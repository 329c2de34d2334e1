# SPDX-License-Identifier: Apache-2.0
"""What Entra and a blob container are asked, and which link their refusals break."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import UTC, datetime

import httpx2
import pytest

from lokeys.adapters.aws.s3 import PROBE_BODY
from lokeys.adapters.azure.blob import BlobContainer
from lokeys.adapters.azure.identity import exchange_at_entra
from lokeys.adapters.azure.sign import authorization
from lokeys.core.findings.link import Link
from lokeys.core.sensitive import Sensitive
from lokeys.core.trust.tries.claims import Claims
from lokeys.core.trust.tries.identity import AccountKey, BlobPlace, FederatedApp
from lokeys.ports import Exchanged, IssuedToken
from unit.adapters.scripted import Answer, Script, says, xml

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ISSUED = IssuedToken(
    token=Sensitive("canary-token"),
    claims=Claims(issuer="https://oidc.example.com", subject="s", audiences=("a",)),
)
APP = FederatedApp(
    authority="https://login.microsoftonline.com/", tenant_id="tenant", client_id="client"
)
PLACE = BlobPlace(url="https://logs.blob.core.windows.net", account="logs", container="chunks")
KEY = AccountKey(account="logs", key=Sensitive(b64encode(b"k" * 64)))
BEARER = Sensitive("canary-bearer")


def exchange(answer: Answer) -> tuple[Exchanged, Script]:
    script = Script(answer)
    return asyncio.run(exchange_at_entra(APP, ISSUED, client=script.client)), script


def aadsts(code: int, *, listed: bool = True) -> httpx2.Response:
    words = f"AADSTS{code}: canary words. Trace ID: 1 Correlation ID: 2"
    document = {"error": "invalid_client", "error_description": words, "correlation_id": "canary"}
    return says(401, document | ({"error_codes": [code]} if listed else {}))


def test_the_token_is_the_clients_assertion() -> None:
    """Client credentials at the tenant's token endpoint, for Azure's storage."""
    exchanged, script = exchange(says(200, {"access_token": "canary-bearer", "expires_in": 3599}))
    assert str(script.asked[0].url) == "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
    form = script.form()
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion"] == "canary-token"
    assert form["client_assertion_type"].endswith(":jwt-bearer")
    assert (form["client_id"], form["scope"]) == ("client", "https://storage.azure.com/.default")
    assert exchanged.credential == BEARER
    assert [link.ok for link in exchanged.links] == [True, True]
    assert "canary" not in repr(exchanged)


MISMATCH, WRONG = "azure_federated_credential_mismatch", "azure_client_or_tenant_wrong"


@pytest.mark.parametrize(
    ("answer", "link", "cause"),
    [
        pytest.param(aadsts(700016), "trust", WRONG, id="no such application"),
        pytest.param(aadsts(90002), "trust", WRONG, id="no such tenant"),
        pytest.param(aadsts(700211), "issuer", MISMATCH, id="issuer"),
        pytest.param(aadsts(700212), "audience", MISMATCH, id="audience"),
        pytest.param(aadsts(700213), "subject", MISMATCH, id="subject"),
        pytest.param(aadsts(7002138), "subject", MISMATCH, id="subject in capitals"),
        pytest.param(aadsts(70021, listed=False), "trust", MISMATCH, id="one of the three"),
        pytest.param(aadsts(700223), "trust", MISMATCH, id="none at all"),
        pytest.param(aadsts(50027), "trust", "oidc_token_invalid", id="no token"),
        pytest.param(aadsts(700024), "trust", "clock_skew", id="out of date"),
        pytest.param(aadsts(50166), "issuer", "oidc_issuer_unreachable", id="no keys"),
        pytest.param(aadsts(53003), "trust", None, id="a code that is not known"),
    ],
)
def test_entra_names_the_link_by_its_code(
    answer: httpx2.Response, link: str, cause: str | None
) -> None:
    """Only code and status are quoted; the evidence says what the token claims."""
    exchanged, _ = exchange(answer)
    (found,) = exchanged.links
    assert (found.ok, found.name, found.cause) == (False, link, cause)
    assert "the token's issuer is https://oidc.example.com" in found.evidence
    assert "canary" not in repr(exchanged)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx2.ConnectError("no"), id="no answer"),
        pytest.param(says(503, {"error": "x"}), id="out of order"),
        pytest.param(says(400, {"error": "temporarily_unavailable"}), id="later"),
        pytest.param(xml(404, "<html/>"), id="a web page"),
        pytest.param(says(200, [1]), id="no token in it"),
    ],
)
def test_entras_silence_leaves_the_link_open(answer: Answer) -> None:
    """Nobody refused anything."""
    exchanged, _ = exchange(answer)
    (found,) = exchanged.links
    assert found.ok is None
    assert found.untried is not None


def attempt(credential: Sensitive | AccountKey, *answers: Answer) -> tuple[Link, Script]:
    script = Script(*answers)
    container = BlobContainer(
        place=PLACE, credential=credential, client=script.client, clock=lambda: NOW
    )
    return asyncio.run(container.try_fully(owner="ns/logs")), script


CREATED, GOT = xml(201, ""), httpx2.Response(200, content=PROBE_BODY)
LISTED, DELETED = xml(200, "<EnumerationResults/>"), xml(202, "")


@pytest.mark.parametrize("credential", [BEARER, KEY], ids=["bearer", "account key"])
def test_a_container_is_tried_with_four_calls(credential: Sensitive | AccountKey) -> None:
    """Put, get, list, delete of one object of a fixed name."""
    found, script = attempt(credential, CREATED, GOT, LISTED, DELETED)
    assert found.ok is True
    assert [asked.method for asked in script.asked] == ["PUT", "GET", "GET", "DELETE"]
    put, got, listed, deleted = script.asked
    assert put.url.path.startswith("/chunks/lokeys-probe/")
    assert got.url == put.url == deleted.url
    assert dict(listed.url.params)["comp"] == "list"
    assert put.headers["x-ms-blob-type"] == "BlockBlob"
    scheme = "Bearer canary-bearer" if credential is BEARER else "SharedKey logs:"
    assert all(asked.headers["authorization"].startswith(scheme) for asked in script.asked)


def refuses(status: int, code: str) -> httpx2.Response:
    return xml(status, f"<Error><Code>{code}</Code><Message>canary</Message></Error>")


@pytest.mark.parametrize(
    ("credential", "answer", "cause"),
    [
        pytest.param(
            BEARER,
            xml(403, "", **{"x-ms-error-code": "AuthorizationPermissionMismatch"}),
            "azure_rbac_missing",
            id="no role",
        ),
        pytest.param(
            BEARER,
            refuses(403, "AuthorizationFailure"),
            "azure_authorization_failure",
            id="firewall",
        ),
        pytest.param(BEARER, refuses(404, "ContainerNotFound"), "bucket_not_found", id="container"),
        pytest.param(BEARER, refuses(401, "InvalidAuthenticationInfo"), WRONG, id="tenant"),
        pytest.param(
            KEY, refuses(403, "AuthenticationFailed"), "azure_account_key_invalid", id="key"
        ),
        pytest.param(
            KEY,
            xml(
                403,
                "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>"
                "Request date header too old</AuthenticationErrorDetail></Error>",
            ),
            "clock_skew",
            id="clock",
        ),
        pytest.param(
            KEY,
            refuses(403, "KeyBasedAuthenticationNotPermitted"),
            "azure_authorization_failure",
            id="no keys at all",
        ),
        pytest.param(KEY, refuses(400, "InvalidResourceName"), None, id="unheard of"),
    ],
)
def test_the_container_names_what_is_missing(
    credential: Sensitive | AccountKey, answer: httpx2.Response, cause: str | None
) -> None:
    """By the store's own code; after a refused put nothing is left to delete."""
    found, script = attempt(credential, answer)
    assert (found.ok, found.cause) == (False, cause)
    assert len(script.asked) == 1
    assert "canary" not in repr(found)


def test_a_refused_read_is_told_and_what_was_put_is_deleted() -> None:
    """The first failure is the word; the object does not stay."""
    found, script = attempt(BEARER, CREATED, refuses(403, "AuthorizationFailure"), DELETED)
    assert found.cause == "azure_authorization_failure"
    assert script.asked[-1].method == "DELETE"
    found, _ = attempt(BEARER, CREATED, httpx2.Response(200, content=b"other"), DELETED)
    assert (found.ok, found.detail) == (False, "get: what was put is not what came back")
    found, _ = attempt(BEARER, CREATED, GOT, refuses(403, "AuthorizationFailure"), DELETED)
    assert found.detail.endswith("(list: 403 AuthorizationFailure)")


def test_two_tries_at_once_find_no_fault_with_each_other() -> None:
    """An object that another try deleted is no missing container."""
    gone = refuses(404, "BlobNotFound")
    assert attempt(BEARER, CREATED, gone, gone)[0].ok is None
    assert attempt(BEARER, CREATED, GOT, LISTED, gone)[0].ok is True
    denied = refuses(403, "AuthorizationPermissionMismatch")
    assert attempt(BEARER, CREATED, GOT, LISTED, denied)[0].cause == "azure_rbac_missing"


@pytest.mark.parametrize(
    "answer", [httpx2.ConnectError("no"), xml(503, "busy"), xml(404, "<html/>")]
)
def test_the_containers_silence_leaves_the_link_open(answer: Answer) -> None:
    """Nobody refused anything."""
    assert attempt(BEARER, answer)[0].ok is None


def test_a_key_that_is_no_base64_is_not_sent() -> None:
    """What cannot sign is told without asking anybody."""
    found, script = attempt(AccountKey(account="logs", key=Sensitive("canary?")), CREATED)
    assert (found.ok, found.cause) == (False, "azure_account_key_invalid")
    assert script.asked == []
    assert "canary" not in repr(found)


def test_a_signature_is_the_one_that_azures_own_library_makes() -> None:
    """Computed with azure-storage-blob 12 for the same request and key."""
    headers = {
        "x-ms-date": "Fri, 02 Jan 2026 03:04:05 GMT",
        "x-ms-version": "2021-08-06",
        "x-ms-blob-type": "BlockBlob",
        "Content-Type": "text/plain",
        "Content-Length": "5",
    }
    url = "https://logs.blob.core.windows.net/chunks/a/b?restype=container&comp=list&prefix=x%2Fy"
    assert (
        authorization("PUT", url, headers, KEY)
        == "SharedKey logs:sgCljkOYqWm8qMZGQkOdcA2M81J25Lj/0o/L2Jih5iA="
    )
