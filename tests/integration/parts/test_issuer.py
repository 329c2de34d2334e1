# SPDX-License-Identifier: Apache-2.0
"""Tokens of the real API server at the real RGW: whom its STS believes."""

import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw
from parts.rgw_iam import Iam

AUDIENCE = "loki"


@dataclass(kw_only=True)
class Trust:
    """A role that the account `loki` of a namespace may play, with one bucket."""

    kubernetes: Kubernetes
    iam: Iam
    namespace: str
    role_arn: str
    pair: tuple[str, str] = field(repr=False)

    def token(self, account: str, audience: str) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        spec = {"audiences": [audience], "expirationSeconds": 600}
        body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
        token: str = self.kubernetes.api.post(path, body)["status"]["token"]
        return token


@pytest.fixture
def trust(kubernetes: Kubernetes, rgw: Rgw, namespace: str) -> Trust:
    """Make the role, its bucket and the account."""
    pair = rgw.create_user(namespace)
    for bucket in (namespace, f"{namespace}-other"):
        assert rgw.request(pair, "PUT", f"/{bucket}").is_success
    iam = Iam(rgw)
    iam.trust(kubernetes.issuer.url, AUDIENCE, "another")
    account = {"metadata": {"name": "loki"}}
    kubernetes.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    arn = iam.make_role(
        namespace,
        issuer=kubernetes.issuer.url,
        audience=AUDIENCE,
        subjects=[f"system:serviceaccount:{namespace}:loki"],
        buckets=[namespace],
    )
    return Trust(kubernetes=kubernetes, iam=iam, namespace=namespace, role_arn=arn, pair=pair)


def test_the_api_server_names_the_issuer_that_signs_its_tokens(kubernetes: Kubernetes) -> None:
    """The discovery document is the API server's own, and its keys are those outside."""
    document = kubernetes.api.get("/.well-known/openid-configuration")
    assert document["issuer"] == kubernetes.issuer.url
    inside = kubernetes.api.get("/openid/v1/jwks")["keys"]
    outside = httpx2.get(document["jwks_uri"], verify=False, trust_env=False).json()["keys"]
    kept = ("kid", "n", "e", "alg", "kty")
    assert [{name: key[name] for name in kept} for key in outside] == [
        {name: key[name] for name in kept} for key in inside
    ]


def token_of_a_pod(trust: Trust, kubelet: Kubelet, **projection: Any) -> Path:
    """Make a pod with a projected token, and return its file."""
    kubelet.take(trust.namespace)
    source = {"serviceAccountToken": {"path": "token", "audience": AUDIENCE, **projection}}
    container = {
        "name": "main",
        "image": "any",
        "command": ["sleep", "1000"],
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/token"}],
    }
    spec = {
        "serviceAccountName": "loki",
        "containers": [container],
        "volumes": [{"name": "token", "projected": {"sources": [source]}}],
    }
    path = f"/api/v1/namespaces/{trust.namespace}/pods"
    trust.kubernetes.api.post(path, {"metadata": {"name": "pod"}, "spec": spec})
    wait_for(lambda: kubelet.volume(trust.namespace, "pod", "token"), "the volume")
    folder = kubelet.volume(trust.namespace, "pod", "token")
    assert folder is not None
    return folder / "token"


def test_a_pods_projected_token_is_exchanged_for_the_bucket(trust: Trust, kubelet: Kubelet) -> None:
    """What the kubelet puts into the volume opens the role's bucket, and no other."""
    token = token_of_a_pod(trust, kubelet).read_text()
    session = trust.iam.assume(trust.role_arn, token)
    assert session.given, session
    bucket = trust.namespace
    assert trust.iam.request(session, "PUT", f"/{bucket}/object", b"1").is_success
    assert trust.iam.request(session, "PUT", f"/{bucket}-other/object", b"1").status_code == 403


@pytest.mark.only_real_node
@pytest.mark.timeout(700)
def test_a_projected_token_is_renewed_in_use(trust: Trust, kubelet: Kubelet) -> None:
    """A token of ten minutes is another after nine, and at each moment one that RGW takes."""
    file = token_of_a_pod(trust, kubelet, expirationSeconds=600)
    first = file.read_text()
    begun = time.monotonic()

    def renewed() -> bool:
        token = file.read_text()
        session = trust.iam.assume(trust.role_arn, token)
        assert session.given, session
        time.sleep(5)
        return token != first

    wait_for(renewed, "the token is renewed", timeout_s=600)
    assert time.monotonic() - begun >= 400


@pytest.mark.parametrize(
    ("account", "audience"),
    [
        pytest.param("loki", "another", id="an audience that the role does not name"),
        pytest.param("loki", "nobody", id="an audience that RGW does not know"),
        pytest.param("default", AUDIENCE, id="another account of the namespace"),
    ],
)
def test_other_tokens_are_refused(trust: Trust, account: str, audience: str) -> None:
    """A good signature is not enough: audience and subject must be the role's."""
    session = trust.iam.assume(trust.role_arn, trust.token(account, audience))
    assert (session.status, session.code, session.given) == (403, "AccessDenied", False)


def test_a_changed_token_is_refused(trust: Trust) -> None:
    """RGW checks the signature: claims that nobody signed open nothing."""
    head, claims, signature = trust.token("default", AUDIENCE).split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))
    read["sub"] = f"system:serviceaccount:{trust.namespace}:loki"
    forged = base64.urlsafe_b64encode(json.dumps(read).encode()).rstrip(b"=").decode()
    assert not trust.iam.assume(trust.role_arn, f"{head}.{forged}.{signature}").given


def test_without_the_issuers_keys_nobody_is_let_in(trust: Trust) -> None:
    """RGW asks the issuer at each exchange."""
    token = trust.token("loki", AUDIENCE)
    trust.kubernetes.issuer.answers = False
    try:
        assert not trust.iam.assume(trust.role_arn, token).given
    finally:
        trust.kubernetes.issuer.answers = True
    assert trust.iam.assume(trust.role_arn, token).given


def test_a_role_that_is_removed_ends_its_sessions(trust: Trust) -> None:
    """What was given before is refused at its next use, and nothing new is given."""
    session = trust.iam.assume(trust.role_arn, trust.token("loki", AUDIENCE))
    trust.iam.remove_role(trust.namespace)
    object_path = f"/{trust.namespace}/object"
    assert trust.iam.request(session, "PUT", object_path, b"1").status_code == 403
    assert not trust.iam.assume(trust.role_arn, trust.token("loki", AUDIENCE)).given
