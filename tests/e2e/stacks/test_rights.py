# SPDX-License-Identifier: Apache-2.0
"""Least privilege for stacks, by the audit log: nothing is forbidden, nothing is granted in vain.

A replica runs as the account that deploy/ ships, with what `lokeys rbac stack` prints for each
stack. The stacks are made, meddled with, changed, taken over and taken apart. No pod needs to run:
the test says of each that it is ready.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from e2e.operators import Installation, wait_led
from e2e.rights import MADE, Right, forbidden, granted, used
from e2e.stacks.cases import STEP_S, Case, cloud, listed
from e2e.stacks.operated import Hands
from e2e.world import Loop
from lokeys.core.route.resource.crd import crd
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from manifests.lokistack import CLOUDS, NAME, STORES, Choice
from parts.cloud_credentials import define
from parts.kubernetes import Kubernetes
from parts.openshift import route_crd
from parts.plugin import run_kubernetes
from parts.process import wait_for

pytestmark = pytest.mark.timeout(300)

MISSING = 404
RARE: dict[str, str] = {
    "delete pods": "a pod that holds up its StatefulSet for long; none of these does",
    "create tokenreviews.authentication.k8s.io": "held so that the gateway can be given it",
    "create subjectaccessreviews.authorization.k8s.io": "held so that the gateway can be given it",
    "get clusterrolebindings.rbac.authorization.k8s.io": "looks at a namesake before it is written",
    "get clusterroles.rbac.authorization.k8s.io": "looks at a namesake before it is written",
}
"""Rights that these scenarios do not come to need, and why they are granted all the same."""
TOKENS = Choice(store="s3-token-rgw", extra="rules")
PLAIN = Choice(tenancy="static", extra="everything")
CLOUDY = Choice(store="s3-cco", tenancy="openshift-logging", extra="rules")


def made_and_taken_apart(case: Case) -> None:
    """A stack with all there is comes, is meddled with, and then asks for less."""
    case.declare()
    everything = case.rendered()
    case.wait_made(everything)
    case.wait_main("Ready", timeout_s=STEP_S)
    service = next(each for each in everything if each["kind"] == "Service")
    case.kubernetes.kubectl("delete", "-f", "-", stdin=listed([service]))
    case.wait_made(everything)
    case.choice = replace(case.choice, tenancy=None, extra="plain")
    less = {"rules": None, "tenants": None, "networkPolicies": None, "replication": None}
    case.patch("LokiStack", NAME, {"spec": less})
    kept = {(each["kind"], each["metadata"]["name"]) for each in case.rendered()}
    case.wait_gone(e for e in everything if (e["kind"], e["metadata"]["name"]) not in kept)


def taken_over(case: Case) -> None:
    """Somebody else has made the stack's objects; then it is labelled."""
    case.declare(label=False)
    case.make_as_former()
    case.label()
    case.wait_made(case.rendered())


def from_the_cloud_and_back(case: Case) -> None:
    """On OpenShift: the cluster hands out credentials and judges who may read; then neither."""
    case.declare()
    everything = case.rendered()
    case.wait_made(everything)
    case.wait_main("Ready", timeout_s=STEP_S)
    hears_of_its_host(case)
    case.choice = replace(case.choice, store="s3", tenancy=None)
    static = case.moved(case.choice.secret)
    case.kubernetes.apply(static)
    secret = {"credentialMode": "static", "type": STORES["s3"].type}
    case.patch("LokiStack", NAME, {"spec": {"tenants": None, "storage": {"secret": secret}}})
    gone = [e for e in everything if "Cluster" in e["kind"] or e["kind"] in FROM_OPENSHIFT]
    assert len(gone) == 4
    case.wait_gone(gone)


def hears_of_its_host(case: Case) -> None:
    """The Route has a host, as OpenShift gives one: browsers are sent back to it."""
    case.patch("Route", NAME, {"spec": {"host": "logs.apps.example"}})
    back = "https://logs.apps.example/openshift/audit/callback"

    def told() -> bool:
        return back in case.get("ConfigMap", f"{NAME}-gateway")["data"]["tenants.yaml"]

    wait_for(told, "the gateway is told its Route's host", timeout_s=STEP_S)
    assert case.get("Route", NAME)["spec"]["host"] == "logs.apps.example"


def tried_by_the_operator(case: Case) -> None:
    """The operator asks for a token of each account that reaches the store."""
    case.declare()
    case.wait_made(case.rendered())

    def asked() -> bool:
        tokens = [
            event["objectRef"]["name"]
            for event in case.installation.audit()
            if event.get("objectRef", {}).get("subresource") == "token"
            and event["responseStatus"].get("code") == MADE
        ]
        return set(tokens) == {NAME, f"{NAME}-ruler"}

    wait_for(asked, "both accounts' tokens are asked for", timeout_s=STEP_S)


FROM_OPENSHIFT = ("Route", "CredentialsRequest")
SCENARIOS: tuple[tuple[Callable[[Case], None], Choice, tuple[str, ...]], ...] = (
    (made_and_taken_apart, PLAIN, ("--openshift",)),
    (taken_over, PLAIN, ("--openshift",)),
    (taken_over, CLOUDY, ("--openshift", "--tokens")),
    (from_the_cloud_and_back, CLOUDY, ("--openshift", "--tokens")),
    (tried_by_the_operator, TOKENS, ("--openshift", "--tokens")),
)


@dataclass
class Book:
    """What was granted, used and refused in all scenarios."""

    granted: set[Right] = field(default_factory=set)
    used: set[Right] = field(default_factory=set)
    refused: set[Right] = field(default_factory=set)
    missed: list[str] = field(default_factory=list)
    """Writes that found missing what they rest on."""

    def note(self, kubernetes: Kubernetes, installation: Installation, *places: str) -> None:
        """Add what has happened in some namespaces, and to the cluster, as if of one stack."""
        account = {
            "kind": "ServiceAccount",
            "name": "lokeys",
            "namespace": installation.namespace,
        }
        ours = {None, installation.namespace, *places}
        events = [
            event
            for event in installation.audit()
            # Stacks of other tests may still be about to go; no Role is for them.
            if event.get("objectRef", {}).get("namespace") in ours
        ]
        self.missed = [
            event["requestURI"]
            for event in events
            if event["verb"] == "patch"
            and event["responseStatus"].get("code") == MISSING
            # Each of these stacks is deleted in the end; who tells of it may come too late.
            and "/lokistacks/" not in event["requestURI"]
        ]
        rights = granted(kubernetes, account, places)
        for into, found in (
            (self.granted, {each for each in rights if _of_stacks(each)}),
            (self.used, used(events)),
            (self.refused, forbidden(events)),
        ):
            into |= {_said(each, places) for each in found}

    @property
    def in_vain(self) -> set[str]:
        """What was granted and never used, on no name of a stack's objects."""
        kinds = {(each.verb, each.resource) for each in self.used}
        named = {each for each in self.granted if each.resource == "secrets"}
        unused = {each for each in self.granted - named if (each.verb, each.resource) not in kinds}
        unused |= {each for each in named if not any(each.covers(use) for use in self.used)}
        return {f"{each.verb} {each.resource}{each.name and f' {each.name}'}" for each in unused}


def _of_stacks(right: Right) -> bool:
    """Tell a stack's rights from those that the operator has before it knows any."""
    return bool(right.namespace) or "clusterrole" in right.resource or "reviews" in right.resource


def _said(right: Right, places: Iterable[str]) -> Right:
    here = right.namespace in places
    name = right.name if right.resource == "secrets" else ""
    return replace(right, namespace="here" if here else right.namespace, name=name)


@pytest.fixture(scope="module")
def kubernetes(pytestconfig: pytest.Config) -> Iterator[Kubernetes]:
    """Run a control plane of their own: an operator looks at the whole cluster."""
    yield from run_kubernetes(pytestconfig)


@pytest.fixture(scope="module")
def defined(kubernetes: Kubernetes) -> Kubernetes:
    """Let it know StorageCredentials."""
    kubernetes.apply(crd())
    return kubernetes


@pytest.fixture(scope="module")
def hands(kubernetes: Kubernetes) -> Iterator[Hands]:
    """Make pods ready there."""
    made = Hands(kubernetes)
    yield made
    made.close()


@pytest.fixture(scope="module")
def book(
    kubernetes: Kubernetes,
    hands: Hands,
    make_namespace: Callable[[str], str],
    installation: Installation,
    loop: Loop,
) -> Book:
    """Play all scenarios with one operator, and keep book."""
    define(kubernetes)
    kubernetes.apply(lokistack_crd(), route_crd())
    replica = installation.replica()
    replica.options = ("--openshift", "--verify-tokens", "--verify-every", "2")
    replica.variables = {"ROLEARN": CLOUDS.aws_role_arn}
    wait_led(replica.start())
    kept, places = Book(), []
    for play, choice, options in SCENARIOS:
        case = Case(
            kubernetes, installation, make_namespace("rights"), choice=choice, options=options
        )
        hands.take(case.namespace)
        places.append(case.namespace)
        case.grant()
        with cloud(loop, kubernetes, case.namespace):
            play(case)
        case.delete("LokiStack", NAME)
    kept.note(kubernetes, installation, *places)
    return kept


def test_nothing_that_the_operator_asks_for_is_forbidden(book: Book) -> None:
    """The shipped roles and those that `lokeys rbac stack` prints are enough."""
    assert sorted(map(str, book.refused)) == []


def test_nothing_is_written_before_what_it_rests_on(book: Book) -> None:
    """A binding comes after its role: the API server takes it at the first try."""
    assert book.missed == []


def test_nothing_is_granted_in_vain(book: Book) -> None:
    """Each verb on each kind was used at least once, or stands in RARE with its reason."""
    found = sorted(book.in_vain)
    assert found == sorted(RARE), "\n".join(found)
