# SPDX-License-Identifier: Apache-2.0
"""Tokens asked of the API server: short-lived, for a provider, never for the server itself."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest

from lokeys.adapters.kubernetes.token_request import TokenRequests
from lokeys.core.place import Ref
from lokeys.errors import Forbidden, LokeysError, NeedsHuman, NotReadable, Transient
from lokeys.ports import IssuedToken
from unit.core.trust.tries.test_claims import token_of
from unit.kube.scripted import answers, status, url_of

ISSUER = "https://oidc.example.com"
ACCOUNT = Ref("ServiceAccount", "logs", "ns")
DISCOVERY = httpx2.Response(200, json={"issuer": ISSUER})
TOKEN = token_of({"iss": ISSUER, "sub": "s", "aud": ["sts.amazonaws.com"]}).decode()
GIVEN = httpx2.Response(201, json={"status": {"token": TOKEN}})
STRANGER = status(401, message="Unauthorized")


def ask(
    *replies: httpx2.Response, audience: str = "sts.amazonaws.com"
) -> tuple[IssuedToken | LokeysError, list[httpx2.Request]]:
    api, asked = answers(*replies)

    async def run() -> IssuedToken | LokeysError:
        try:
            return await TokenRequests(api).request(ACCOUNT, audience=audience)
        except LokeysError as error:
            return error

    return asyncio.run(run()), asked


def test_a_token_is_asked_for_ten_minutes_and_one_audience() -> None:
    """The account's `token` subresource; the claims are read, the token does not show itself."""
    issued, asked = ask(DISCOVERY, GIVEN, STRANGER)
    assert isinstance(issued, IssuedToken)
    assert url_of(asked[0]) == "/.well-known/openid-configuration"
    assert url_of(asked[1]) == "/api/v1/namespaces/ns/serviceaccounts/logs/token"
    spec = json.loads(asked[1].content)["spec"]
    assert spec == {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}
    assert issued.claims.issuer == ISSUER
    assert issued.token.reveal_text() == TOKEN
    assert TOKEN not in repr(issued)


def test_a_token_is_tried_at_the_api_server_with_nothing_but_itself() -> None:
    """No other name may help it in: what is asked is whether the token alone is a login."""
    _, asked = ask(DISCOVERY, GIVEN, STRANGER)
    assert url_of(asked[2]) == "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    assert asked[2].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("code", [201, 403, 404])
def test_a_token_that_the_api_server_accepts_goes_nowhere(code: int) -> None:
    """Its audience is one of `--api-audiences`: only 401 says that it opens nothing here."""
    refused, _ = ask(DISCOVERY, GIVEN, httpx2.Response(code, json={}), audience="k3s")
    assert isinstance(refused, NeedsHuman)
    assert TOKEN not in str(refused)


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_token_that_could_not_be_tried_goes_nowhere(code: int) -> None:
    """It is asked again later."""
    refused, _ = ask(DISCOVERY, GIVEN, httpx2.Response(code, json={}))
    assert isinstance(refused, Transient)


@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/", "https://kubernetes.default.svc", ""])
def test_the_api_servers_own_audience_is_never_asked_for(audience: str) -> None:
    """Such a token would be a login to the cluster."""
    refused, asked = ask(DISCOVERY, GIVEN, audience=audience)
    assert isinstance(refused, NeedsHuman)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        pytest.param([status(403, message="no")], Forbidden, id="the issuer is not told"),
        pytest.param(
            [httpx2.Response(200, json={"issuer": 1})], NotReadable, id="there is no issuer"
        ),
        pytest.param([httpx2.Response(200, content=b"<")], NotReadable, id="no document"),
        pytest.param([DISCOVERY, status(403, message="no")], Forbidden, id="no right"),
        pytest.param(
            [DISCOVERY, httpx2.Response(201, json={"status": {"token": "opaque"}})],
            NotReadable,
            id="no token in it",
        ),
        pytest.param(
            [DISCOVERY, httpx2.Response(201, json={"status": None})], NotReadable, id="no status"
        ),
    ],
)
def test_without_issuer_or_right_no_token_comes(
    replies: list[httpx2.Response], error: type[LokeysError]
) -> None:
    """Where it cannot be told whose an audience is, no token is asked for."""
    refused, asked = ask(*replies)
    assert isinstance(refused, error)
    assert len(asked) == len(replies)
