# SPDX-License-Identifier: Apache-2.0
"""A token is worth a login: it crosses no network in clear unless the stack's owner allows it."""

import pytest

from lokeys.core.kubernetes.consent import origins
from lokeys.core.trust.clear_text import in_clear
from lokeys.core.trust.tries.identity import FederatedApp, PoolProvider, Role, Trust

STS = "http://rgw.storage.svc:8080"


def role(url: str) -> Role:
    """Return a role that this STS gives."""
    return Role(arn="arn:aws:iam:::role/r", sts_url=url, region="us-east-1", is_aws=False)


@pytest.mark.parametrize(
    "trust",
    [
        pytest.param(role("https://sts.example.com"), id="TLS"),
        pytest.param(role("http://127.0.0.1:7480"), id="this machine"),
        pytest.param(role("http://[::1]:7480"), id="this machine, IPv6"),
        pytest.param(role("http://localhost:7480"), id="this machine by name"),
        pytest.param(role(f"{STS}/"), id="what the owner allows"),
        pytest.param(FederatedApp(authority="https://a", tenant_id="t", client_id="c"), id="Entra"),
        pytest.param(PoolProvider(name="n", token_url="https://a"), id="Google"),
    ],
)
def test_a_token_may_go_there(trust: Trust) -> None:
    """Nobody on the way can read it, or the owner knows."""
    assert in_clear(trust, origins([STS])) is None


@pytest.mark.parametrize(
    ("trust", "url"),
    [
        (role("http://rgw.storage.svc"), "http://rgw.storage.svc"),
        (role("http://127.0.0.1.evil.example"), "http://127.0.0.1.evil.example"),
        (role("nonsense"), "nonsense"),
        (FederatedApp(authority="http://a", tenant_id="t", client_id="c"), "http://a"),
        (PoolProvider(name="n", token_url="http://a"), "http://a"),
        (PoolProvider(name="n", token_url="https://a", impersonation_url="http://b"), "http://b"),
    ],
)
def test_a_token_does_not_go_there(trust: Trust, url: str) -> None:
    """Plain HTTP to another machine, or no URL at all."""
    assert in_clear(trust, origins([STS])) == url
