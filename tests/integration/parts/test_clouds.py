# SPDX-License-Identifier: Apache-2.0
"""The stand-ins of the clouds' token services are as strict as the clouds, on real tokens."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from lokeys.clock import utc_now
from lokeys.http_server import HttpRequest
from parts.clouds import google
from parts.clouds.assertions import Issuers, Refused
from parts.clouds.entra import JWT_BEARER, SCOPE, Entra, FederatedCredential
from parts.clouds.google import EXCHANGE, Google, Provider
from parts.kubernetes import Kubernetes

TENANT, CLIENT, AUDIENCE, ACCOUNT = "tenant", "client", "api://test", "sa@test.example"
SUBJECT = "system:serviceaccount:default:default"


def token(kubernetes: Kubernetes, audience: str = AUDIENCE) -> str:
    """Return a token of the real API server's."""
    spec = {"audiences": [audience], "expirationSeconds": 600}
    body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    text: str = kubernetes.api.post(path, body)["status"]["token"]
    return text


def forged(text: str) -> str:
    """Return the token with another subject, which nobody signed."""
    head, claims, signature = text.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sub": SUBJECT + "-x"}
    other = base64.urlsafe_b64encode(json.dumps(read).encode()).rstrip(b"=").decode()
    return f"{head}.{other}.{signature}"


def issuers(kubernetes: Kubernetes) -> Issuers:
    return Issuers(urls=frozenset({kubernetes.issuer.url}), ca_file=kubernetes.ca_file)


def posted(path: str, **form: str) -> HttpRequest:
    return HttpRequest(method="POST", target=path, headers={}, body=urlencode(form).encode())


@pytest.mark.parametrize(
    ("subject", "audience", "change", "codes"),
    [
        pytest.param(SUBJECT, AUDIENCE, str, [], id="all fits"),
        pytest.param("another", AUDIENCE, str, [700213], id="another subject"),
        pytest.param(SUBJECT, "another", str, [700212], id="another audience"),
        pytest.param(SUBJECT, AUDIENCE, forged, [700027], id="claims that nobody signed"),
        pytest.param(SUBJECT, AUDIENCE, lambda _: "no token", [50027], id="no token at all"),
    ],
)
def test_entra_takes_only_the_federated_credential(
    kubernetes: Kubernetes,
    subject: str,
    audience: str,
    change: Callable[[str], str],
    codes: list[int],
) -> None:
    """Signature, subject and audience must be the credential's."""
    known = FederatedCredential(issuer=kubernetes.issuer.url, subject=subject, audience=audience)
    entra = Entra(TENANT, issuers(kubernetes), {CLIENT: [known]})
    request = posted(
        f"/{TENANT}/oauth2/v2.0/token",
        client_id=CLIENT,
        scope=SCOPE,
        client_assertion_type=JWT_BEARER,
        client_assertion=change(token(kubernetes)),
    )
    answer = asyncio.run(entra.handle(request))
    assert entra.refused == codes
    assert (answer.status == 200, bool(entra.given)) == (not codes, not codes)


def test_a_token_that_has_ended_is_refused(kubernetes: Kubernetes) -> None:
    """Ten minutes later nobody takes it."""
    text, trusted = token(kubernetes), issuers(kubernetes)
    assert asyncio.run(trusted.claims(text, now=utc_now()))["sub"] == SUBJECT
    with pytest.raises(Refused, match="ended"):
        asyncio.run(trusted.claims(text, now=utc_now() + timedelta(seconds=601)))
    with pytest.raises(Refused, match="not begun"):
        asyncio.run(trusted.claims(text, now=utc_now() - timedelta(seconds=60)))


@pytest.mark.parametrize(
    ("audience", "user", "change", "refusal"),
    [
        pytest.param(AUDIENCE, SUBJECT, str, "", id="all fits"),
        pytest.param("another", SUBJECT, str, "invalid_grant", id="another audience"),
        pytest.param(AUDIENCE, "another", str, "PERMISSION_DENIED", id="another subject"),
        pytest.param(AUDIENCE, SUBJECT, forged, "invalid_grant", id="claims that nobody signed"),
    ],
)
def test_google_takes_only_the_providers_tokens(
    kubernetes: Kubernetes,
    audience: str,
    user: str,
    change: Callable[[str], str],
    refusal: str,
) -> None:
    """Signature and audience must be the provider's, the subject the service account's."""
    provider = Provider(name="p", issuer=kubernetes.issuer.url, audiences=(audience,))
    cloud = Google(issuers(kubernetes), {"p": provider}, {ACCOUNT: {user}})
    text = change(token(kubernetes))
    exchange = posted("/v1/token", audience="p", grant_type=EXCHANGE, subject_token=text)
    answer = asyncio.run(cloud.handle(google.STS, exchange))
    if answer.status == 200:
        assert isinstance(answer.body, bytes)
        bearer = {"authorization": f"Bearer {json.loads(answer.body)['access_token']}"}
        path = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
        body = json.dumps({"scope": ["https://www.googleapis.com/auth/cloud-platform"]}).encode()
        request = HttpRequest(method="POST", target=path, headers=bearer, body=body)
        asyncio.run(cloud.handle(google.IMPERSONATION, request))
    assert [text.partition(":")[0] for text in cloud.refused] == [refusal] * bool(refusal)
    assert bool(cloud.given) is not bool(refusal)
