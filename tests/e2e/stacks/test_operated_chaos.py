# SPDX-License-Identifier: Apache-2.0
"""Whatever breaks in between: stacks come to be as they should, and never run without config."""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from e2e.operators import Installation, Operator
from e2e.proxy import Proxy, kubeconfig_through
from e2e.stacks.operated import WITH_CREDENTIALS, Operated, Requests, quiet
from e2e.world import Loop
from lokeys.http_server import Handler, Hangup, Request, Response
from manifests.lokistack import CANARY
from parts.kubernetes import Kubernetes
from parts.process import wait_for

MakeOperated = Callable[..., Operated]
OTHER_KEY = "0therKey" + CANARY[8:]
LEASE_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that changes something, by its path; `after`: it arrives, its answer does not."""

    path: str
    after: bool = False


CREATE = {
    "before the configuration": Call(path=r".*/configmaps/logs-config"),
    "after the configuration": Call(path=r".*/configmaps/logs-config", after=True),
    "before a service": Call(path=r".*/services/logs-gossip-ring"),
    "after a workload": Call(path=r".*/statefulsets/logs-ingester", after=True),
    "before the status": Call(path=r".*/lokistacks/logs/status"),
}
CHANGE = {
    "after the first roll": Call(path=r".*/statefulsets/logs-index-gateway", after=True),
    "before a later roll": Call(path=r".*/deployments/logs-querier"),
    "after the status": Call(path=r".*/lokistacks/logs/status", after=True),
}


@dataclass
class Killer:
    """Kills the operator at a call, before it arrives or before its answer does."""

    victim: Operator
    call: Call
    struck: bool = False

    async def __call__(self, request: Request, answer: Handler) -> Response:
        fits = request.method == "PATCH" and re.fullmatch(self.call.path, request.path)
        if self.struck or not fits:
            return await answer(request)
        self.struck = True
        if self.call.after:
            await answer(request)
        self.victim.kill()
        raise Hangup


@dataclass
class Lab:
    """An operator that reaches the API server by a proxy, and is started anew when it has died."""

    installation: Installation
    kubernetes: Kubernetes
    api: Proxy
    replica: Operator | None = None

    def operator(self) -> Operator:
        if self.replica is None or not self.replica.running:
            own = self.kubernetes.user_kubeconfig(self.installation.namespace, "lokeys")
            config = kubeconfig_through(self.api, self.kubernetes, own)
            self.replica = self.installation.replica(kubeconfig=config).start()
            # Nobody hands the Lease over: a dead holder's has to run out.
            wait_for(
                lambda: self.replica and self.replica.leads, "it leads", timeout_s=LEASE_S + 20
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
    """Make a stack that is allowed and not there yet."""
    lab.api.on_request = None
    lab.operator()
    made = make_operated()
    made.allow()
    made.put_secret()
    yield made
    lab.api.on_request = None


def strike(lab: Lab, call: Call, stack: Operated) -> Killer:
    """Kill the operator at the next such call of this stack."""
    path = call.path.replace(".*", f".*/namespaces/{stack.namespace}", 1)
    killer = Killer(lab.operator(), dataclasses.replace(call, path=path))
    lab.api.on_request = killer
    return killer


def replace_dead(lab: Lab, killer: Killer) -> None:
    """Start another operator when the first has been killed; its Lease runs out at once."""
    wait_for(lambda: killer.struck and not killer.victim.running, "it is killed", timeout_s=30)
    lab.kubernetes.api.delete(
        f"/apis/coordination.k8s.io/v1/namespaces/{lab.installation.namespace}"
        "/leases/lokeys-operator"
    )
    lab.operator()


def assert_whole(stack: Operated) -> None:
    """Hold what holds of a stack that has come to rest."""
    assert len(stack.owned()) == 31
    assert len({worn for worn in stack.hashes().values() if worn}) == 1


@pytest.mark.parametrize("call", CREATE.values(), ids=CREATE)
def test_killed_while_it_makes_a_stack(lab: Lab, stack: Operated, call: Call) -> None:
    """Another goes on; there never is a workload without its configuration."""
    killer = strike(lab, call, stack)
    stack.apply()
    wait_for(lambda: killer.struck, "it is killed", timeout_s=30)
    if stack.hashes():
        assert stack.find("ConfigMap", "logs-config") is not None
    replace_dead(lab, killer)
    stack.wait_main("Ready", timeout_s=120)
    assert_whole(stack)


@pytest.mark.parametrize("call", CHANGE.values(), ids=CHANGE)
def test_killed_while_it_spreads_a_key(lab: Lab, stack: Operated, call: Call) -> None:
    """The rollout goes on where it was, in its order; nobody keeps the old key."""
    stack.apply()
    stack.wait_main("Ready")
    before = stack.hashes()
    killer = strike(lab, call, stack)
    stack.put_secret(access_key_secret=OTHER_KEY)
    wait_for(lambda: killer.struck, "it is killed", timeout_s=30)
    rolled = [name for name in WITH_CREDENTIALS if stack.hashes()[name] != before[name]]
    assert rolled == WITH_CREDENTIALS[: len(rolled)]
    replace_dead(lab, killer)
    wait_for(
        lambda: all(stack.hashes()[name] != before[name] for name in WITH_CREDENTIALS),
        "all have the new key",
        timeout_s=120,
    )
    stack.wait_main("Ready", timeout_s=120)
    assert_whole(stack)


def test_a_restarted_operator_writes_nothing(lab: Lab, stack: Operated) -> None:
    """What it finds is as it left it: no write, no event."""
    stack.apply()
    stack.wait_main("Ready")
    events = len(stack.events())
    requests = Requests(lab.installation)
    quiet(requests)
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

    async def conflict(request: Request, answer: Handler) -> Response:
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

    async def away(request: Request, _answer: Handler) -> Response:
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
    stack.wait_main("Ready", timeout_s=120)
    assert_whole(stack)
