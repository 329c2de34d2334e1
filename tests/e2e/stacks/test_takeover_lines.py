# SPDX-License-Identifier: Apache-2.0
"""Lines that are written all the time while a stack is taken over, with the real Loki on RGW."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx2
import pytest

from e2e.operators import Installation, wait_led
from e2e.stacks.cases import create_as_former
from e2e.stacks.operated import Operated
from e2e.stacks.world import PORT, SECRET, TENANT, Stack
from lokeys.clock import utc_now
from manifests.former import Former
from parts.process import wait_for

pytestmark = pytest.mark.timeout(900)

EVERY_S = 0.1
PODS = {"ingester": 3, "distributor": 2}
SPEC = {
    "rules": {"enabled": False},
    "storageClassName": "local",
    "replication": {"factor": 2},
    "template": {name: {"replicas": count} for name, count in PODS.items()},
}
"""The smallest size asks for no CPU: two cores hold three ingesters of it."""
TAKEN = 204
AGAIN = 30
"""Of some thousand pushes: as many as fit into the moments in which an ingester goes."""
RUNNING = ("distributor", "ingester", "querier", "query-frontend", "compactor", "index-gateway")


@dataclass
class Writer:
    """Pushes a numbered line every 100 ms to whichever distributor is ready, as a Service does.

    As every shipper of lines it pushes again what was answered with a fault of the server: with two
    copies of each line Loki has no ingester to spare in the moment in which one goes.
    """

    stack: Stack
    taken: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pushed_again: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(30)

    def _run(self) -> None:
        number = 0
        with httpx2.Client(trust_env=False, timeout=10) as client:
            while not self._over.wait(EVERY_S):
                number += 1
                self._push(client, f"line {number:05}")

    def _push(self, client: httpx2.Client, line: str) -> None:
        moment = str(int(utc_now().timestamp() * 1e9))
        body = {"streams": [{"stream": {"app": "test"}, "values": [[moment, line]]}]}
        while not self._over.is_set():
            for pod in self.stack.pods("distributor"):
                name = pod["metadata"]["name"]
                if not _ready(pod):
                    continue
                try:
                    address = self.stack.kubelet.pod_address(self.stack.namespace, name)
                    answer = client.post(
                        f"http://{address}:{PORT}/loki/api/v1/push",
                        json=body,
                        headers={"X-Scope-OrgID": TENANT},
                    )
                except (httpx2.TransportError, KeyError):
                    continue  # this pod has just gone: a Service leads to the other
                if answer.is_server_error:
                    self.pushed_again.append(f"{line}: {answer.text}")
                    break
                (self.taken if answer.status_code == TAKEN else self.refused).append(line)
                return
            self._over.wait(EVERY_S)


def _ready(pod: dict[str, object]) -> bool:
    status = pod.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@pytest.fixture
def formers(
    make_stack: Callable[..., Stack], operated_installation: Installation
) -> Iterator[Stack]:
    """Run a stack as the Loki Operator does, beside lokeys' operator that leaves it."""
    replica = operated_installation.replica().start()
    wait_led(replica)
    stack = make_stack(spec=SPEC)
    stack.make_bucket()
    stack.secret = stack.static_secret()
    seen = Operated(
        stack.kubernetes,
        operated_installation,
        stack.namespace,
        name=stack.name,
        secret_name=SECRET,
        labels={},
        spec=SPEC,
    )
    seen.allow()
    stack.kubernetes.apply(stack.secret_manifest(), seen.manifest)
    former = Former(
        name=stack.name,
        namespace=stack.namespace,
        secret=SECRET,
        bucket=stack.secret["bucketnames"],
        endpoint=stack.secret["endpoint"].removeprefix("http://"),
        storage_class="local",
        factor=2,
        replicas=PODS,
        at_once=True,
    )
    create_as_former(stack.kubernetes, seen.get("LokiStack", seen.name), former.objects())
    stack.wait_ready(*RUNNING, timeout_s=300)
    yield stack
    replica.stop()
    seen.go()


def test_no_line_is_refused_or_lost_while_a_stack_is_taken_over(formers: Stack) -> None:
    """From before to after every line is taken and read again, in the one stream that it was in."""
    stack, began = formers, utc_now()
    wait_for(
        lambda: len(stack.pods("ingester")) == PODS["ingester"], "all ingesters", timeout_s=300
    )
    stack.wait_ready(*RUNNING, timeout_s=300)
    writer = Writer(stack)
    wait_for(lambda: len(writer.taken) > 20, "lines are taken")
    pods = {name: stack_pods(stack, name) for name in RUNNING}
    around = os.environ | {"KUBECONFIG": str(stack.kubernetes.kubeconfig), "NO_COLOR": "1"}
    words = ("takeover", "-n", stack.namespace, stack.name, "--timeout", "8m")
    done = subprocess.run(
        [sys.executable, "-m", "lokeys", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=around,
    )
    after = len(writer.taken)
    wait_for(lambda: len(writer.taken) > after + 20, "lines are taken afterwards")
    writer.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: stack_pods(stack, name) for name in RUNNING} == pods, done.stdout
    assert writer.refused == []
    assert len(writer.pushed_again) <= AGAIN, writer.pushed_again
    wait_for(
        lambda: set(writer.taken) <= read(stack),
        "all lines are read",
        timeout_s=60,
    )
    span = {"start": str((began - timedelta(hours=1)).timestamp())}
    answer = stack.request("query-frontend", "GET", "/loki/api/v1/series", params=span)
    assert answer.json()["data"] == [{"app": "test"}]


def stack_pods(stack: Stack, component: str) -> set[str]:
    """Return the uids of a component's pods."""
    return {each["metadata"]["uid"] for each in stack.pods(component)}


def read(stack: Stack) -> set[str]:
    """Return every line that is found."""
    found: set[str] = set()
    for part in range(10):  # a query returns 5,000 lines at most: they are asked for by number
        query = f'{{app="test"}} |~ "line .*{part}$"'
        params = {"query": query, "limit": "5000", "since": "1h"}
        path = "/loki/api/v1/query_range"
        answer = stack.request("query-frontend", "GET", path, params=params)
        if answer.is_success:
            streams = answer.json()["data"]["result"]
            found |= {line for stream in streams for _, line in stream["values"]}
    return found
