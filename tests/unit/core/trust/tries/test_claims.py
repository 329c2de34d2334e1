# SPDX-License-Identifier: Apache-2.0
"""What a token says of itself, read without believing it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.trust.tries.claims import (
    Claims,
    as_evidence,
    claims_of,
    is_of_api_server,
    is_reachable_from_outside,
    subject_of,
)

EKS = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"


def token_of(payload: Any) -> bytes:
    """Return a token that carries this, signed by nobody."""
    body = urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=")
    return b"e30." + body + b".c2ln"


def test_the_claims_of_a_service_accounts_token_are_read() -> None:
    """Issuer, subject, audiences and end, as the API server writes them."""
    payload = {"iss": EKS, "sub": "system:serviceaccount:ns:logs", "aud": ["sts"], "exp": 0}
    assert claims_of(token_of(payload)) == Claims(
        issuer=EKS,
        subject=subject_of("ns", "logs"),
        audiences=("sts",),
        expires_at=datetime(1970, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"aud": "one"}, Claims(audiences=("one",)), id="one audience as a text"),
        pytest.param({"aud": [1, "two"]}, Claims(audiences=("two",)), id="a number among them"),
        pytest.param({"aud": {"a": 1}}, Claims(), id="an audience that is none"),
        pytest.param({"iss": 3, "exp": True}, Claims(), id="of other types"),
        pytest.param({"exp": 1e300}, Claims(), id="an end beyond all time"),
        pytest.param({"exp": "soon"}, Claims(), id="an end in words"),
    ],
)
def test_what_a_token_lacks_is_empty(payload: Any, expected: Claims) -> None:
    """A claim of another form counts as none."""
    assert claims_of(token_of(payload)) == expected


@pytest.mark.parametrize("token", [b"", b"a.b", b"a.!.c", b"a.e30.c.d", token_of([1])])
def test_what_is_no_token_has_no_claims(token: bytes) -> None:
    """Opaque tokens and other texts are told from tokens."""
    assert claims_of(token) is None


@given(st.binary(max_size=200))
def test_any_bytes_may_come(token: bytes) -> None:
    """Reading never raises."""
    claims_of(token)


@pytest.mark.parametrize(
    ("audience", "own"),
    [
        pytest.param(EKS, True, id="its issuer"),
        pytest.param(f"{EKS}/", True, id="its issuer with a slash"),
        pytest.param("https://kubernetes.default.svc", True, id="its name in the cluster"),
        pytest.param("https://kubernetes.default.svc.cluster.local", True, id="its long name"),
        pytest.param("", True, id="none: the API server puts its own"),
        pytest.param("sts.amazonaws.com", False, id="AWS"),
        pytest.param("api://AzureADTokenExchange", False, id="Azure"),
        pytest.param("openshift", False, id="Google on OpenShift"),
    ],
)
def test_the_api_servers_own_audiences_are_known(audience: str, own: bool) -> None:
    """A token for one of them would be a login to the cluster."""
    assert is_of_api_server(audience, issuer=EKS) is own


@pytest.mark.parametrize(
    ("issuer", "outside"),
    [
        (EKS, True),
        ("https://kubernetes.default.svc", False),
        ("https://kubernetes.default.svc.cluster.local", False),
        ("https://issuer", False),
        ("http://issuer.example.com", False),
        ("https://issuer.example.com:8443/a", True),
    ],
)
def test_only_a_public_name_can_be_fetched_by_a_cloud(issuer: str, outside: bool) -> None:
    """Plain http and the cluster's own names are out of a cloud's reach; the evidence tells."""
    assert is_reachable_from_outside(issuer) is outside
    told = as_evidence(Claims(issuer=issuer, subject="s", audiences=("a", "b")))
    assert "its audience is a, b" in told
    assert (len(told) == 3) is outside
