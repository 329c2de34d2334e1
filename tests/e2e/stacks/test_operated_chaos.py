# SPDX-License-Identifier: Apache-2.0
"""Whatever breaks in between: stacks come to be as they should, and never run without config."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from e2e.operators import Installation, Operator
from e2e.proxy import Proxy, kubeconfig_through
from e2e.stacks.operated import (
    CONFIG_HASH,
    STORE_HASH,
    WITH_CREDENTIALS,
    Operated,
    Requests,
    quiet,
)
from e2e.world import Loop
from lokeys.http_server import Handler, Hangup, HttpRequest, Response
from manifests.lokistack import CANARY
from parts.api import ApiError, Json
from parts.kubernetes import Kubernetes
from parts.process import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(500)]

MakeOperated = Callable[..., Operated]
OTHER_KEY = "0therKey" + CANARY[8:]
LEASE_S = 15.0
CREATED = 201
OBJECTS = 31 + 6
"""Of the stack with its gateway: two ConfigMaps, account, Service, Deployment and budget more."""
GATEWAY = {"mode": "openshift-logging", "disableIngress": True}
OLD = {"version": "v12", "effectiveDate": "2023-01-01"}
NEW = {"version": "v13", "effectiveDate": "2099-01-01"}


def storage(*schemas: Json) -> Json:
    """Return a stack's storage with these schemas."""
    return {"schemas": list(schemas), "secret": {"name": "store", "type": "s3"}}


ORDER = (
    *("index-gateway", "ingester", "querier", "query-frontend", "ruler", "compactor"),
    "distributor",
)
"""In which Loki's components get another configuration; the gateway has one of its own."""
READS = {"GET", "HEAD"}


@dataclass
class Lab:
    """An operator that reaches the API server by a proxy, and is started anew when it has died."""

    installation: Installation
    kubernetes: Kubernetes
    api: Proxy
    replica: Operator | None = None

    @property
    def running(self) -> bool:
        return self.replica is not None and self.replica.running

    def kill(self) -> None:
        if self.replica is not None:
            self.replica.kill()

    def free_lease(self) -> None:
        """Let the Lease of a dead operator run out at once."""
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{self.installation.namespace}/leases"
        with contextlib.suppress(ApiError):
            self.kubernetes.api.delete(f"{leases}/lokeys-operator")

    def operator(self) -> Operator:
        if self.replica is None or not self.replica.running:
            own = self.kubernetes.user_kubeconfig(self.installation.namespace, "lokeys")
            config = kubeconfig_through(self.api, self.kubernetes, own)
            self.replica = self.installation.replica(kubeconfig=config).start()
            # Nobody hands the Lease over: a dead holder's has to run out.
            replica = self.replica
            wait_for(
                lambda: replica.leads or not replica.running, "it leads", timeout_s=LEASE_S + 20
            )
        assert self.replica is not None
        return self.replica


@pytest.fixture(scope="module")
def lab(operated_installation: Installation, kubernetes: Kubernetes, loop: Loop) -> Iterator[Lab]:
    """Run an operator behind a proxy."""
    api = Proxy(loop, kubernetes.server, ca_file=kubernetes.ca_file)
    made = Lab(operated_installation, kubernetes, api)
    yield made
    if made.replica:
        made.replica.stop()
    api.close()


@pytest.fixture
def stack(lab: Lab, make_operated: MakeOperated) -> Iterator[Operated]:
    """Make a stack that is allowed and not there yet, with a gateway as on OpenShift."""
    lab.api.on_request = None
    if not lab.running:
        lab.free_lease()
    lab.operator()
    made = make_operated(spec={"tenants": GATEWAY, "storage": storage(OLD)})
    made.allow()
    made.put_secret()
    yield made
    lab.api.on_request = None


@dataclass
class Deaths:
    """The operator dies once at each write for a stack: by turns just before, and just after.

    Just after: the write arrives, its answer does not. `late`: one that arrives when its sender is
    long dead.
    """

    lab: Lab
    stack: Operated
    late: str = "no path at all"
    writes: list[str] = field(default_factory=list)
    held: list[HttpRequest] = field(default_factory=list)

    async def __call__(self, request: HttpRequest, answer: Handler) -> Response:
        write = f"{request.method} {request.path}"
        ours = self.stack.namespace in request.path and request.method not in READS
        if not ours or write in self.writes:
            return await answer(request)
        self.writes.append(write)
        if re.search(self.late, request.path):
            self.held.append(request)
        elif len(self.writes) % 2 == 0:
            await answer(request)
        self.lab.kill()
        raise Hangup


def dying_on(lab: Lab, done: Callable[[], bool], holds: Callable[[], None]) -> None:
    """Start the operator anew whenever it has died, until `done`; after each death `holds`."""

    def through() -> bool:
        if lab.running:
            return done()
        holds()
        lab.free_lease()
        lab.operator()
        return False

    wait_for(through, "it is done for all deaths", timeout_s=200)
    holds()


def rolled(stack: Operated, annotation: str, before: dict[str, str]) -> list[str]:
    """Return which components have a new template, in the order of the rollout."""
    now = stack.hashes(annotation)
    return [name for name in ORDER if name in now and now[name] != before.get(name)]


def assert_whole(stack: Operated) -> None:
    """Hold what holds of a stack that has come to rest."""
    assert len(stack.owned()) == OBJECTS
    assert len(stack.unowned()) == 2
    assert len({worn for worn in stack.hashes().values() if worn}) == 1


def test_dying_at_every_write_while_it_makes_a_stack(lab: Lab, stack: Operated) -> None:
    """Others go on; there never is a workload without its configuration."""

    def configured() -> None:
        if stack.hashes():
            assert stack.find("ConfigMap", "logs-config") is not None

    lab.api.on_request = deaths = Deaths(lab, stack)
    stack.apply()
    dying_on(lab, lambda: stack.main[0] == "Ready", configured)
    assert len([write for write in deaths.writes if "/status" not in write]) >= OBJECTS + 2
    assert_whole(stack)


def test_dying_at_every_write_while_it_spreads_a_key(lab: Lab, stack: Operated) -> None:
    """The rollout goes on where it was, in its order; nobody keeps the old key."""
    stack.apply()
    stack.wait_main("Ready")
    before = stack.hashes()

    def in_order() -> None:
        new = rolled(stack, STORE_HASH, before)
        assert new == WITH_CREDENTIALS[: len(new)]
        assert len({worn for worn in stack.hashes().values() if worn}) <= 2

    def done() -> bool:
        return len(rolled(stack, STORE_HASH, before)) == len(WITH_CREDENTIALS) and ready(stack)

    lab.api.on_request = deaths = Deaths(lab, stack)
    stack.put_secret(access_key_secret=OTHER_KEY)
    dying_on(lab, done, in_order)
    assert len(deaths.writes) > len(WITH_CREDENTIALS)
    assert_whole(stack)


def test_dying_at_every_write_while_a_schema_is_added(lab: Lab, stack: Operated) -> None:
    """The configuration first, then the pods in their order; the status never runs ahead of it."""
    stack.apply()
    stack.wait_main("Ready")
    before = stack.hashes(CONFIG_HASH)

    def has_it() -> bool:
        return NEW["effectiveDate"] in stack.get("ConfigMap", "logs-config")["data"]["config.yaml"]

    def in_order() -> None:
        new = rolled(stack, CONFIG_HASH, before)
        assert new == list(ORDER[: len(new)])
        assert has_it() or not new
        assert has_it() or stack.status["storage"]["schemas"] == [OLD]

    def done() -> bool:
        return len(rolled(stack, CONFIG_HASH, before)) == len(ORDER) and ready(stack)

    lab.api.on_request = deaths = Deaths(lab, stack)
    stack.spec = {**stack.spec, "storage": storage(OLD, NEW)}
    stack.apply()
    dying_on(lab, done, in_order)
    assert len(deaths.writes) > len(ORDER)
    assert stack.status["storage"]["schemas"] == [OLD, NEW]
    assert_whole(stack)


def test_a_schema_is_on_record_though_its_operator_died(lab: Lab, stack: Operated) -> None:
    """Killed before it could say which schema it had applied: the next one knows all the same."""

    async def die(request: HttpRequest, answer: Handler) -> Response:
        if "/lokistacks/logs/status" in request.path and configured():
            lab.kill()
            raise Hangup
        return await answer(request)

    def configured() -> bool:
        return stack.find("ConfigMap", "logs-config") is not None

    lab.api.on_request = die
    stack.apply()
    wait_for(lambda: not lab.running, "it is killed")
    assert "schemas" not in stack.status.get("storage", {})
    stack.spec = {**stack.spec, "storage": storage({**OLD, "version": "v13"})}
    stack.apply()
    lab.api.on_request = None
    lab.free_lease()
    lab.operator()
    stack.wait_main("Degraded", "InvalidObjectStorageSchema")
    assert stack.status["storage"]["schemas"] == [OLD]
    assert "schema: v12" in stack.get("ConfigMap", "logs-config")["data"]["config.yaml"]


def drop_the_gateway(stack: Operated) -> None:
    stack.patch("LokiStack", stack.name, {"spec": {"tenants": None}})


@pytest.mark.parametrize(
    ("change", "left"),
    [
        pytest.param(lambda stack: stack.delete("LokiStack", "logs"), 0, id="it is deleted"),
        pytest.param(drop_the_gateway, 31, id="its gateway is dropped"),
    ],
)
def test_dying_at_every_write_while_a_stack_goes(
    lab: Lab, stack: Operated, change: Callable[[Operated], None], left: int
) -> None:
    """What no owner clears up after goes, too, though nobody was there to see; nothing comes back.

    It begins while no operator runs.
    """
    stack.apply()
    stack.wait_main("Ready")
    requests = Requests(lab.installation)
    requests.restart()
    lab.api.on_request = deaths = Deaths(lab, stack)
    lab.kill()
    change(stack)
    dying_on(
        lab,
        lambda: not stack.unowned() and len(stack.owned()) == left,
        lambda: None,
    )
    assert len([write for write in deaths.writes if write.startswith("DELETE /apis/rbac")]) == 2
    quiet(requests)
    assert len(stack.owned()) == left
    assert not [e for e in requests.made() if e["verb"] == "patch" and made(e)]
    assert stack.find("PersistentVolumeClaim", "storage-logs-ingester-0") is not None
    assert stack.find("Secret", stack.secret_name) is not None


@pytest.mark.parametrize(
    "late", ["/statefulsets/logs-ingester", "/clusterroles/", "/configmaps/logs-config"]
)
def test_a_write_that_outlives_its_stack_leaves_nothing(
    lab: Lab, stack: Operated, loop: Loop, late: str
) -> None:
    """The stack is deleted half made, and an object of it arrives after that."""
    lab.api.on_request = deaths = Deaths(lab, stack, late=late)
    stack.apply()

    def reached() -> bool:
        if not lab.running and not deaths.held:
            lab.free_lease()
            lab.operator()
        return bool(deaths.held)

    wait_for(reached, "the write is on its way", timeout_s=120)
    lab.kill()
    stack.delete("LokiStack", "logs")
    wait_for(lambda: stack.owned() == [], "all goes that was there", timeout_s=60)
    lab.api.on_request = None
    assert loop.run(lab.api.forward(deaths.held[0])).status == CREATED
    lab.free_lease()
    lab.operator()
    wait_for(lambda: not (stack.owned() or stack.unowned()), "the late one goes", timeout_s=60)


def made(event: Json) -> bool:
    return bool(event["responseStatus"].get("code") == CREATED)


def ready(stack: Operated) -> bool:
    """Tell whether the stack has come to rest as it is now."""
    condition = stack.condition("Ready")
    generation = stack.get("LokiStack", stack.name)["metadata"]["generation"]
    return (condition.get("status"), condition.get("observedGeneration")) == ("True", generation)


def test_a_restarted_operator_writes_nothing(lab: Lab, stack: Operated) -> None:
    """What it finds is as it left it: no write, no event."""
    stack.apply()
    stack.wait_main("Ready")
    requests = Requests(lab.installation)
    quiet(requests)
    events = len(stack.events())  # the last is written after the status that it is about
    lab.operator().stop()
    requests.restart()
    lab.operator()
    time.sleep(2)
    quiet(requests)
    assert requests.writes() == []
    assert len(stack.events()) == events


def test_conflicts_are_tried_again(lab: Lab, stack: Operated) -> None:
    """Every second write is answered 409: it takes longer, and comes to the same."""
    refused = 0

    async def conflict(request: HttpRequest, answer: Handler) -> Response:
        nonlocal refused
        if request.method == "PATCH" and "/lokistacks/" not in request.path and refused % 2 == 0:
            refused += 1
            body = b'{"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409}'
            return Response(status=409, headers={"Content-Type": "application/json"}, body=body)
        refused += request.method == "PATCH"
        return await answer(request)

    lab.api.on_request = conflict
    stack.apply()
    wait_for(lambda: refused > 10, "writes are refused")
    lab.api.on_request = None
    stack.wait_main("Ready", timeout_s=120)
    assert_whole(stack)


def test_a_change_while_it_was_blind_is_seen(
    lab: Lab, stack: Operated, kubernetes: Kubernetes
) -> None:
    """The API server goes away in the middle; what happened behind its back is mended after."""
    stack.apply()
    stack.wait_main("Ready")
    before = stack.hashes()

    async def away(request: HttpRequest, _answer: Handler) -> Response:
        raise Hangup

    lab.api.on_request = away
    kubernetes.restart_api_server(kill=True)
    stack.delete("Service", "logs-gossip-ring")
    stack.put_secret(access_key_secret=OTHER_KEY)
    lab.api.on_request = None
    # Whoever could not renew its Lease has ended, and is started anew, as a kubelet would.
    wait_for(
        lambda: (
            lab.operator()
            and all(stack.hashes()[name] != before[name] for name in WITH_CREDENTIALS)
        ),
        "all have the new key",
        timeout_s=180,
    )
    wait_for(lambda: stack.find("Service", "logs-gossip-ring"), "the Service is there again")
    stack.wait_main("Ready", timeout_s=120)
    assert_whole(stack)
