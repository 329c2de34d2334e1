# SPDX-License-Identifier: Apache-2.0
"""Credentials from the cluster's cloud: asked for, awaited, followed, given back after the roll.

The Cloud Credential Operator is a stand-in that is late, wrong, or answers anew, as it is told.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from e2e.operators import Installation, Operator, wait_led
from e2e.stacks.cases import STEP_S, Case, cloud
from e2e.stacks.operated import WITH_CREDENTIALS, Hands
from e2e.world import Loop
from lokeys.core.stack.render.names import MANAGED_HASH
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from manifests.lokistack import CLOUDS, NAME, STORES, Choice
from parts.cloud_credentials import CloudCredentials, define
from parts.kubernetes import Kubernetes
from parts.process import wait_for

pytestmark = pytest.mark.timeout(300)

AWAITED = "MissingTokenCCOAuthenticationSecret"
USERS = set(WITH_CREDENTIALS) - {"ruler"}
VARIABLES = {
    "ROLEARN": CLOUDS.aws_role_arn,
    "CLIENTID": CLOUDS.azure_client_id,
    "TENANTID": CLOUDS.azure_tenant_id,
    "SUBSCRIPTIONID": CLOUDS.azure_subscription_id,
    "PROJECT_NUMBER": CLOUDS.gcp_project_number,
    "POOL_ID": CLOUDS.gcp_pool_id,
    "PROVIDER_ID": CLOUDS.gcp_provider_id,
    "SERVICE_ACCOUNT_EMAIL": CLOUDS.gcp_service_account_email,
}


@dataclass
class Scene:
    """A stack on OpenShift, whoever hands out its credentials, and the operator."""

    case: Case
    cloud: CloudCredentials
    loop: Loop
    operator: Operator

    def be_late(self) -> None:
        self.loop.run(self.cloud.be_late())

    def catch_up(self) -> None:
        self.loop.run(self.cloud.catch_up())

    def answer_wrongly(self, changes: dict[str, str | None]) -> None:
        self.loop.run(self.cloud.answer_wrongly(changes))

    def rotate(self) -> None:
        self.loop.run(self.cloud.rotate())

    @property
    def asks(self) -> bool:
        """Whether the stack's request is there."""
        path = f"/apis/cloudcredential.openshift.io/v1/namespaces/{self.case.namespace}"
        return self.case.kubernetes.api.find(f"{path}/credentialsrequests/{NAME}") is not None

    def leave_the_cloud(self) -> None:
        """Give the stack keys of its own."""
        self.case.choice = replace(self.case.choice, store="s3")
        self.case.kubernetes.apply(self.case.moved(self.case.choice.secret))
        secret = {"credentialMode": "static", "type": STORES["s3"].type}
        self.case.patch("LokiStack", NAME, {"spec": {"storage": {"secret": secret}}})


@pytest.fixture(scope="module")
def replica(kubernetes: Kubernetes, installation: Installation) -> Operator:
    """Run an operator that has the identities of all three clouds."""
    define(kubernetes)
    kubernetes.apply(lokistack_crd())
    made = installation.replica()
    made.options, made.variables = ("--openshift",), VARIABLES
    wait_led(made.start())
    return made


@pytest.fixture
def scene(  # noqa: PLR0917 - fixtures, by name
    request: pytest.FixtureRequest,
    kubernetes: Kubernetes,
    hands: Hands,
    make_namespace: Callable[[str], str],
    installation: Installation,
    replica: Operator,
    loop: Loop,
) -> Iterator[Scene]:
    """Grant a stack's rights; the stack itself is not declared yet, and leaves the mode open."""
    case = Case(
        kubernetes,
        installation,
        make_namespace("cco"),
        choice=Choice(store=request.param),
        options=("--openshift",),
    )
    hands.take(case.namespace)
    case.grant()
    with cloud(loop, kubernetes, case.namespace) as answers:
        yield Scene(case, answers, loop, replica)
        case.go()


@pytest.mark.parametrize("scene", ["s3-cco", "azure-cco", "gcs-cco"], indirect=True)
def test_a_stack_waits_for_its_credentials_and_goes_on(scene: Scene) -> None:
    """Asked for, awaited by a condition with no pod made in vain, and gone on with when there."""
    case = scene.case
    scene.be_late()
    case.declare()
    case.wait_main("Degraded", AWAITED)
    assert scene.asks
    assert case.hashes(MANAGED_HASH) == {}
    scene.catch_up()
    case.wait_main("Ready", timeout_s=STEP_S)
    assert case.status["storage"]["credentialMode"] == "token-cco"
    worn = case.hashes(MANAGED_HASH)
    assert {name for name, mark in worn.items() if mark} == USERS


@pytest.mark.parametrize("scene", ["s3-cco"], indirect=True)
def test_what_the_cloud_hands_out_is_followed_and_given_back(scene: Scene) -> None:
    """New ones roll the pods that use them, broken ones nothing; the request outlives its use."""
    case = scene.case
    case.declare()
    case.wait_main("Ready", timeout_s=STEP_S)
    before = case.hashes(MANAGED_HASH)

    scene.rotate()
    wait_for(
        lambda: all(case.hashes(MANAGED_HASH)[n] not in ("", before[n]) for n in USERS),
        "new credentials reach the pods",
        timeout_s=STEP_S,
    )
    case.wait_main("Ready", timeout_s=STEP_S)
    rotated = case.hashes(MANAGED_HASH)
    assert {name for name in rotated if rotated[name] != before[name]} == USERS

    scene.answer_wrongly({"credentials": None, "other": "x"})
    case.wait_main("Degraded", "InvalidObjectStorageSecret")
    assert case.hashes(MANAGED_HASH) == rotated
    scene.answer_wrongly({})
    case.wait_main("Ready", timeout_s=STEP_S)
    assert case.hashes(MANAGED_HASH) == rotated

    scene.leave_the_cloud()
    wait_for(lambda: "" in _worn(case), "the first pods leave the cloud", timeout_s=STEP_S)
    asks, withdrawn = scene.asks, [*scene.cloud.withdrawn]
    while any(_worn(case)):  # one component at a time: the request stays for those that use it
        assert asks
        assert withdrawn == []
        asks, withdrawn = scene.asks, [*scene.cloud.withdrawn]
    wait_for(lambda: not scene.asks, "the request goes", timeout_s=STEP_S)
    assert scene.cloud.withdrawn == [(case.namespace, NAME)]
    case.wait_main("Ready", timeout_s=STEP_S)


def _worn(case: Case) -> list[str]:
    marks = case.hashes(MANAGED_HASH)
    return [marks[name] for name in sorted(USERS)]


@pytest.mark.parametrize("scene", ["s3-cco"], indirect=True)
def test_a_request_is_given_back_by_whoever_leads_then(scene: Scene) -> None:
    """An operator that was killed before it took the request back leaves that to the next one."""
    case = scene.case
    case.declare()
    case.wait_main("Ready", timeout_s=STEP_S)
    scene.leave_the_cloud()
    wait_for(lambda: not any(_worn(case)), "all leave", timeout_s=STEP_S)
    scene.operator.kill()
    scene.operator.start()
    wait_for(lambda: not scene.asks, "the request goes", timeout_s=STEP_S)
