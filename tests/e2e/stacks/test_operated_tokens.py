# SPDX-License-Identifier: Apache-2.0
"""Tokens of operated stacks, tried by the operator: RGW's real STS, in both of its orders."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Self

import pytest

from contract.serving import serve
from e2e.operators import Installation, Operator, wait_led
from e2e.stacks.operated import Operated
from lokeys.core.rbac import StackWish
from lokeys.http_server import HttpRequest, Response
from parts.kubernetes import KUBELET, Kubernetes
from parts.process import wait_for
from parts.rgw import Rgw
from parts.rgw_iam import Iam

MakeOperated = Callable[..., Operated]
AUDIENCE = "sts.amazonaws.com"
SOON_S = 30
INGESTER = "127.0.0.77"
"""An address of this host alone, where a test answers for an ingester."""


@pytest.fixture
def stack_operator(operated_installation: Installation) -> Iterator[Operator]:
    """Run one replica that tries tokens, and again every two seconds."""
    replica = operated_installation.replica()
    replica.options = ("--verify-tokens", "--verify-every", "2")
    wait_led(replica.start())
    yield replica
    replica.stop()


@pytest.fixture(params=["rgw", "rgw_sts_first"])
def store(request: pytest.FixtureRequest) -> Rgw:
    """Give a real RGW in one of its orders of authentication."""
    found: Rgw = request.getfixturevalue(request.param)
    return found


class Trust:
    """A role at RGW that both accounts of a stack may play."""

    def __init__(self, kubernetes: Kubernetes, rgw: Rgw, stack: Operated) -> None:
        self.iam, self.stack, self.bucket = Iam(rgw), stack, stack.namespace
        self._issuer = kubernetes.issuer.url
        self.iam.trust(self._issuer, AUDIENCE)
        answer = rgw.request(rgw.create_user(self.bucket), "PUT", f"/{self.bucket}")
        assert answer.is_success, answer.text
        self.secret = {
            "bucketnames": self.bucket,
            "region": "default",
            "endpoint": rgw.endpoint,
            "role_arn": self.give(),
        }

    def give(self, *accounts: str) -> str:
        """Make the role."""
        names = accounts or ("logs", "logs-ruler")
        return self.iam.make_role(
            self.bucket,
            issuer=self._issuer,
            audience=AUDIENCE,
            subjects=[f"system:serviceaccount:{self.stack.namespace}:{name}" for name in names],
            buckets=[self.bucket],
        )

    def take(self) -> None:
        """Remove the role."""
        self.iam.remove_role(self.bucket)


@contextlib.contextmanager
def trusted(stack: Operated, store: Rgw) -> Iterator[Trust]:
    """Make the stack's storage, with a role that it may play."""
    trust = Trust(stack.kubernetes, store, stack)
    metadata = {"name": stack.secret_name, "namespace": stack.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    stack.kubernetes.apply({**secret, "stringData": trust.secret})
    try:
        yield trust
    finally:
        trust.take()


def wait_verified(stack: Operated, status: str, reason: str, *, timeout_s: float = SOON_S) -> str:
    """Wait until CredentialsVerified says so; return its message."""

    def says() -> bool:
        found = stack.condition("CredentialsVerified")
        return (found.get("status"), found.get("reason")) == (status, reason)

    wait_for(says, f"CredentialsVerified is {status}/{reason}", timeout_s=timeout_s)
    message: str = stack.condition("CredentialsVerified")["message"]
    return message


@pytest.mark.usefixtures("stack_operator")
def test_a_role_that_goes_and_comes_back_is_seen(make_operated: MakeOperated, store: Rgw) -> None:
    """Verified for both; refused once the role is gone, or the ruler left out; then healed."""
    stack = make_operated()
    with trusted(stack, store) as trust:
        stack.allow(StackWish(tokens=True))
        stack.apply()
        stack.wait_main("Ready")
        assert wait_verified(stack, "True", "Verified") == "verified for logs, logs-ruler"
        trust.take()
        message = wait_verified(stack, "False", "StsTrustPolicyDenied")
        assert message.startswith("logs: trust: ")
        assert "(possible)" in message
        trust.give("logs")
        wait_for(
            lambda: stack.condition("CredentialsVerified")["message"].startswith("logs-ruler: "),
            "the ruler's account is blamed alone",
            timeout_s=SOON_S,
        )
        assert stack.main == ("Degraded", "CredentialsRefused")
        trust.take()
        trust.give()
        wait_verified(stack, "True", "Verified")
        stack.wait_main("Ready")


@pytest.mark.usefixtures("stack_operator")
def test_without_the_role_for_tokens_it_says_so(
    make_operated: MakeOperated, rgw: Rgw, operated_installation: Installation
) -> None:
    """Nothing is proved and nothing refused; once the Role is there, it is tried."""
    stack = make_operated()
    with trusted(stack, rgw):
        stack.allow()
        stack.apply()
        stack.wait_main("Ready")
        message = wait_verified(stack, "Unknown", "NotPermitted")
        assert message.startswith("logs: token: cannot ask for a token of ServiceAccount")
        stack.allow(StackWish(tokens=True))
        wait_verified(stack, "True", "Verified")
    asked = {
        (event["objectRef"]["name"], event["verb"])
        for event in operated_installation.audit()
        if event.get("objectRef", {}).get("subresource") == "token"
        and event["objectRef"]["namespace"] == stack.namespace
    }
    assert asked == {("logs", "create"), ("logs-ruler", "create")}


class Counter:
    """Metrics of a pod's Loki, with as many 403s as a test says."""

    def __init__(self, address: str) -> None:
        self.refused = 0
        name = "loki_objstore_bucket_transport_requests_total"

        async def answer(request: HttpRequest) -> Response:
            text = f'{name}{{method="PUT",status_code="403"}} {self.refused}\n'
            return Response(status=200 if request.path == "/metrics" else 404, body=text.encode())

        self._serving = serve(answer, host=address, port=3100)

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._serving.__exit__(None, None, None)


@pytest.fixture
def patient_operator(operated_installation: Installation) -> Iterator[Operator]:
    """Run one replica that by the clock would try again in ten minutes."""
    replica = operated_installation.replica()
    replica.options = ("--verify-tokens", "--verify-every", "600")
    wait_led(replica.start())
    yield replica
    replica.stop()


def answers_at(stack: Operated, address: str) -> None:
    """Let the ingester's pod have an address, as a kubelet would."""
    node = stack.kubernetes.client(KUBELET)
    addresses = {"podIP": address, "podIPs": [{"ip": address}]}
    node.patch(stack.path("Pod", "logs-ingester-0") + "/status", {"status": addresses})
    node.close()


@pytest.mark.usefixtures("patient_operator")
def test_a_pods_403_is_reason_enough_to_try_again(make_operated: MakeOperated, rgw: Rgw) -> None:
    """The role goes and nobody notices; an ingester is refused, and the stack says why."""
    stack = make_operated()
    with trusted(stack, rgw) as trust, Counter(INGESTER) as counter:
        stack.allow(StackWish(tokens=True))
        stack.apply()
        stack.wait_main("Ready")
        wait_verified(stack, "True", "Verified", timeout_s=90)
        answers_at(stack, INGESTER)
        trust.take()
        counter.refused = 1
        wait_verified(stack, "False", "StsTrustPolicyDenied", timeout_s=90)
