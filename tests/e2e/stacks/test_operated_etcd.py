# SPDX-License-Identifier: Apache-2.0
"""etcd answers slowly, or not for longer than the Lease lasts: nothing is written twice."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from e2e.operators import Installation, Operator, wait_led
from e2e.proxy import OnRequest, Proxy, kubeconfig_through
from e2e.stacks.operated import WITH_CREDENTIALS, Operated
from e2e.world import Loop
from lokeys.http_server import Handler, HttpRequest, Response
from manifests.lokistack import CANARY
from parts.kubernetes import Kubernetes
from parts.process import wait_for

MakeOperated = Callable[..., Operated]
OTHER_KEYS = itertools.count(1)
STOPPED_S, GOING_S = 2.0, 0.8
LEASE_S = 15.0
READS = {"GET", "HEAD"}

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


class Replica:
    """One replica of the operator, and what it has written."""

    def __init__(self, loop: Loop, installation: Installation) -> None:
        kubernetes = installation.kubernetes
        self.api = Proxy(loop, kubernetes.server, ca_file=kubernetes.ca_file)
        own = kubernetes.user_kubeconfig(installation.namespace, "lokeys")
        self.process: Operator = installation.replica(
            kubeconfig=kubeconfig_through(self.api, kubernetes, own)
        )

    def close(self) -> None:
        self.process.stop()
        self.api.close()


class Writers:
    """Who has written what of a stack, in order."""

    def __init__(self, stack: Operated, replicas: list[Replica]) -> None:
        self.written: list[tuple[int, str]] = []
        for number, replica in enumerate(replicas):
            replica.api.on_request = self._note(number, stack.namespace)

    def _note(self, number: int, namespace: str) -> OnRequest:
        async def note(request: HttpRequest, answer: Handler) -> Response:
            if request.method not in READS and f"/namespaces/{namespace}/" in request.path:
                self.written.append((number, request.path))
            return await answer(request)

        return note

    @property
    def terms(self) -> list[int]:
        """Return who has written, each change of the writer once."""
        return [number for number, _ in itertools.groupby(self.written, lambda each: each[0])]


@pytest.fixture(scope="module")
def replicas(operated_installation: Installation, loop: Loop) -> Iterator[list[Replica]]:
    """Run two replicas, each by a way of its own to the API server."""
    made = [Replica(loop, operated_installation) for _ in range(2)]
    wait_led(made[0].process.start())
    made[1].process.start()
    yield made
    for each in made:
        each.close()


@pytest.fixture
def stack(make_operated: MakeOperated) -> Operated:
    """Run a stack."""
    made = make_operated()
    made.start()
    return made


def leading(stack: Operated, replicas: list[Replica]) -> Replica | None:
    """Return who holds the Lease, by the process that it names; None where nobody of them does."""
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{stack.installation.namespace}/leases"
    holder = stack.kubernetes.api.get(f"{leases}/lokeys-operator")["spec"]["holderIdentity"]
    pid = holder.partition("/")[2].partition("/")[0]  # nobody, where it was given up
    return next(
        (e for e in replicas if e.process.process and str(e.process.process.pid) == pid), None
    )


def generations(stack: Operated) -> dict[str, int]:
    """Return how often each workload's spec has been changed."""
    workloads = (*stack.every("Deployment"), *stack.every("StatefulSet"))
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in workloads}


def change_key(stack: Operated) -> Callable[[], bool]:
    """Put another key into the Secret; return what tells that all pods are to have it."""
    before = stack.hashes()
    stack.put_secret(access_key_secret=f"{next(OTHER_KEYS):0>8}{CANARY[8:]}")
    return lambda: all(stack.hashes()[name] != before[name] for name in WITH_CREDENTIALS)


def changed_only(stack: Operated, before: dict[str, int], *, times: int = 1) -> bool:
    """Tell whether what uses the storage was changed so often, and nothing else at all."""
    used = {f"{stack.name}-{name}" for name in WITH_CREDENTIALS}
    after = generations(stack)
    return after == {name: count + times * (name in used) for name, count in before.items()}


@contextlib.contextmanager
def slow_etcd(kubernetes: Kubernetes) -> Iterator[None]:
    """Let etcd work for a moment only, and then stand still for longer, again and again."""
    over = threading.Event()

    def pulse() -> None:
        while not over.is_set():
            kubernetes.pause_etcd()
            over.wait(STOPPED_S)
            kubernetes.resume_etcd()
            over.wait(GOING_S)

    thread = threading.Thread(target=pulse, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(STOPPED_S + GOING_S + 5)
        kubernetes.resume_etcd()


def test_a_slow_etcd_takes_longer_and_comes_to_the_same(
    stack: Operated, replicas: list[Replica], kubernetes: Kubernetes
) -> None:
    """The Lease outlives it: the leader goes on, and each workload is written once a key."""
    before, writers = generations(stack), Writers(stack, replicas)
    leader = leading(stack, replicas)
    keys, until = 0, time.monotonic() + 1.2 * LEASE_S
    with slow_etcd(kubernetes):
        while time.monotonic() < until:
            rolled = change_key(stack)
            keys += 1
            wait_for(rolled, "all have the new key", timeout_s=120)
            stack.wait_main("Ready", timeout_s=60)
    assert leading(stack, replicas) is leader
    assert leader
    assert leader.process.running
    assert writers.terms == [replicas.index(leader)]
    assert changed_only(stack, before, times=keys)


def test_a_lease_that_is_lost_is_taken_by_one(
    stack: Operated, replicas: list[Replica], kubernetes: Kubernetes
) -> None:
    """Who could not renew it ends and writes no more; the other goes on where it was."""
    before, writers = generations(stack), Writers(stack, replicas)
    leader = leading(stack, replicas)
    assert leader
    other = next(each for each in replicas if each is not leader)
    rolled = change_key(stack)
    wait_for(lambda: writers.written, "the roll has begun")
    kubernetes.pause_etcd()
    try:
        wait_for(lambda: not leader.process.running, "the leader gives up", timeout_s=2 * LEASE_S)
        written = list(writers.written)
    finally:
        kubernetes.resume_etcd()
    leader.process.start()  # as a kubelet would
    wait_for(lambda: leading(stack, replicas) is other, "another leads", timeout_s=3 * LEASE_S)
    wait_for(rolled, "all have the new key", timeout_s=60)
    stack.wait_main("Ready", timeout_s=60)
    assert not rolled_by(written) >= set(WITH_CREDENTIALS), "it was over before it began"
    assert writers.terms == [replicas.index(leader), replicas.index(other)]
    assert changed_only(stack, before)


def rolled_by(written: list[tuple[int, str]]) -> set[str]:
    """Return the components whose workloads were written."""
    return {path.rpartition("/logs-")[2] for _, path in written}
