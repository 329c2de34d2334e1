# SPDX-License-Identifier: Apache-2.0
"""A token of the real API server, the real STS of RGW, and a bucket: each link, whole and broken.

RGW runs in both of its orders of authentication. Its STS says AccessDenied of everything.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from lokeys.adapters.clouds import AllClouds
from lokeys.adapters.http import HttpClients
from lokeys.adapters.objects import LiveObjects
from lokeys.adapters.token_request import TokenRequests
from lokeys.clock import utc_now
from lokeys.core.lokistack.model import LokiStack
from lokeys.core.lokistack.parse import parse
from lokeys.core.model import Ref
from lokeys.core.storage.read import read_storage
from lokeys.core.storage.secret_data import secret_data
from lokeys.core.trust.verification import Verification
from lokeys.engine.verify import Verifier
from lokeys.kube.client import Api
from lokeys.kube.kubeconfig import load
from parts.kubernetes import Kubernetes
from parts.process import free_ports
from parts.rgw import Rgw
from parts.rgw_iam import Iam

AUDIENCE = "sts.amazonaws.com"
_numbers = itertools.count(1)


@dataclass
class World:
    """One stack in token mode on RGW: a namespace, a bucket, a role, a trusted issuer."""

    kubernetes: Kubernetes
    rgw: Rgw
    namespace: str
    bucket: str = field(default_factory=lambda: f"tokens-{os.getpid()}-{next(_numbers)}")
    audience: str = AUDIENCE
    role_arn: str = ""
    endpoint: str = ""

    def __post_init__(self) -> None:
        self.iam = Iam(self.rgw)
        self.role = f"loki-{self.bucket}"
        owner = self.rgw.create_user(self.bucket)
        assert self.rgw.request(owner, "PUT", f"/{self.bucket}").status_code == 200
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        for name in ("logs", "logs-ruler"):
            if self.kubernetes.api.find(f"{path}/{name}") is None:
                self.kubernetes.api.post(path, {"metadata": {"name": name}})
        self.iam.trust(self.kubernetes.issuer.url, AUDIENCE)
        self.make_role()

    def make_role(self, *, account: str = "logs", audience: str = AUDIENCE) -> None:
        self.role_arn = self.iam.make_role(
            self.role,
            issuer=self.kubernetes.issuer.url,
            audience=audience,
            subjects=[f"system:serviceaccount:{self.namespace}:{account}"],
            buckets=[self.bucket],
        )

    def stack(self) -> LokiStack:
        stack, findings = parse(
            {
                "apiVersion": "loki.grafana.com/v1",
                "kind": "LokiStack",
                "metadata": {"name": "logs", "namespace": self.namespace},
                "spec": {
                    "size": "1x.demo",
                    "storageClassName": "standard",
                    "storage": {
                        "secret": {"name": "storage", "type": "s3"},
                        "schemas": [{"version": "v13", "effectiveDate": "2024-10-25"}],
                    },
                },
            }
        )
        assert stack is not None, findings
        return stack

    def verify(self, *, account: str = "logs", bucket: str | None = None) -> Verification:
        """Try the way of one account, as the operator does."""
        return asyncio.run(self._verify(account, bucket or self.bucket))

    async def _verify(self, account: str, bucket: str) -> Verification:
        stack = self.stack()
        text = {
            "bucketnames": bucket,
            "region": "default",
            "role_arn": self.role_arn,
            "endpoint": self.endpoint or self.rgw.endpoint,
            "audience": self.audience,
        }
        ref = Ref("Secret", "storage", self.namespace)
        secret = secret_data({"stringData": text}, ref=ref, stack=stack.ref).data
        read = read_storage(stack.ref, "s3", None, secret=secret)
        assert read.storage is not None, read.findings
        config = load(kubeconfig=str(self.kubernetes.kubeconfig))
        async with Api(config) as api, HttpClients() as clients:
            verifier = Verifier(
                tokens=TokenRequests(api),
                clouds=AllClouds(clients=clients, clock=utc_now),
                objects=LiveObjects(api),
            )
            return await verifier.verify(stack, read.storage, secret, account=account)


@pytest.fixture(params=["rgw", "rgw_sts_first"])
def world(
    request: pytest.FixtureRequest, kubernetes: Kubernetes, namespace: str
) -> Iterator[World]:
    """Give a world in which all is well, in one of RGW's orders of authentication."""
    made = World(kubernetes, request.getfixturevalue(request.param), namespace)
    yield made
    made.iam.remove_role(made.role)


def shown(tried: Verification) -> dict[str, bool | None]:
    return {link.name.value: link.ok for link in tried.links}


def test_a_sound_way_is_verified_link_by_link(world: World) -> None:
    """Token, claims, exchange and the four calls on the bucket: all hold, twice in a row."""
    for _ in range(2):
        tried = world.verify()
        assert tried.verified is True, tried
        assert set(shown(tried).values()) == {True}
        assert list(shown(tried))[-1] == "store"


Break = Callable[[World], None]


def another_subject(world: World) -> None:
    world.iam.remove_role(world.role)
    world.make_role(account="default")


def no_role(world: World) -> None:
    world.iam.remove_role(world.role)


def another_audience(world: World) -> None:
    world.audience = "somebody-else"


def issuer_unknown(world: World) -> None:
    world.iam.trust(world.kubernetes.issuer.url, "another-client")


@pytest.mark.parametrize("breaks", [another_subject, no_role, another_audience, issuer_unknown])
def test_a_refused_exchange_says_possible_and_what_would_tell(world: World, breaks: Break) -> None:
    """RGW says AccessDenied of a wrong subject, role and audience alike."""
    breaks(world)
    tried = world.verify()
    assert tried.verified is False
    assert tried.refused
    assert tried.first_broken is not None
    assert tried.first_broken.name.value == "trust"
    assert tried.first_broken.confidence.value == "possible"
    assert shown(tried)["store"] is None


def test_a_role_without_rights_on_the_bucket_breaks_at_the_store(world: World) -> None:
    """The exchange holds; the store's AccessDenied is the policy's."""
    world.iam.allow(world.role, buckets=["another"])
    tried = world.verify()
    assert shown(tried)["identity"] is True
    assert tried.first_broken is not None
    assert tried.first_broken.cause == "s3_access_denied_policy"


def test_a_bucket_that_is_not_there_is_told_as_such(world: World) -> None:
    """The exchange holds; there is nothing to write to."""
    world.iam.allow(world.role, buckets=["nowhere"])
    tried = world.verify(bucket="nowhere")
    assert tried.first_broken is not None
    assert tried.first_broken.cause == "bucket_not_found"


def test_silence_is_no_refusal(world: World) -> None:
    """Where nobody answers nothing is verified, and nothing refused."""
    world.endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    tried = world.verify()
    assert tried.verified is None
    assert not tried.refused
    assert tried.first_untried is not None
    assert tried.first_untried.cause == "sts_unreachable"


def test_the_account_must_exist(world: World) -> None:
    """A service account that nobody made yet is awaited, not blamed."""
    tried = world.verify(account="nobody")
    assert tried.verified is None
    assert tried.first_untried is not None
    assert tried.first_untried.name.value == "token"


def test_no_token_for_the_api_server_itself_is_asked_for(world: World) -> None:
    """An audience of the API server's own is refused before any request."""
    world.audience = world.kubernetes.issuer.url
    tried = world.verify()
    assert tried.first_broken is not None
    assert tried.first_broken.name.value == "token"
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/logs/token"
    asked = [event["requestURI"] for event in world.kubernetes.audit_events("admin")]
    assert path not in asked
