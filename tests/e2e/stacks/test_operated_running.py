# SPDX-License-Identifier: Apache-2.0
"""An operated stack that runs: the real Loki on the real RGW, taken over, and its key is replaced.

Whichever test comes first: each begins and ends with a stack that runs with a key that works, and
that the operator can try itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import pytest

from e2e.operators import Installation, wait_led
from e2e.stacks.cases import Json, create_as_former
from e2e.stacks.operated import Operated
from e2e.stacks.world import COMPONENTS, SECRET, Pair, Stack
from lokeys.clock import utc_now
from manifests.former import Former
from parts.process import wait_for

pytestmark = pytest.mark.timeout(900)

ROLLED_S = 300.0
USERS = ("index-gateway", "ingester", "querier", "compactor")
"""The components that mount credentials; it has no ruler."""
FORMER = tuple(component for component in COMPONENTS if component != "ruler")
WRONG = "AKIANOBODYKNOWSTHIS0"
HIDDEN = "store.hidden.example"
"""A name of the store that pods find and the operator does not."""
A_MINUTE_S = 60.0
"""Twice what a refused request may take until it is seen, and far less than --verify-every."""


@dataclass(frozen=True)
class Body:
    """What a stack is made of, as far as a takeover must keep it."""

    claims: dict[str, str]
    selectors: dict[str, Json]
    generations: dict[str, int]

    @classmethod
    def of(cls, seen: Operated) -> Self:
        """Return what a stack is made of now."""
        claims = seen.every("PersistentVolumeClaim")
        workloads = {
            each["metadata"]["name"]: each
            for each in (*seen.every("Deployment"), *seen.every("StatefulSet"))
        }
        return cls(
            {each["metadata"]["name"]: each["metadata"]["uid"] for each in claims},
            {name: each["spec"]["selector"] for name, each in workloads.items()},
            {name: each["metadata"]["generation"] for name, each in workloads.items()},
        )


class Running:
    """The stack as its owner handles it and as its operator tells of it."""

    def __init__(self, stack: Stack, seen: Operated) -> None:
        self.stack, self.seen = stack, seen
        self.hidden = f"http://{HIDDEN}:{stack.endpoint.rpartition(':')[2]}"
        self.lines: list[str] = []
        self.began = utc_now()
        self.bodies: list[Body] = []
        """Before and after it was taken over."""

    def take_over(self) -> None:
        """Make the stack as its former operator has, with lines in memory; then have it taken."""
        seen, stack = self.seen, self.stack
        manifest = seen.manifest
        labels = manifest["metadata"].pop("labels")
        stack.kubernetes.apply(manifest)
        made = seen.get("LokiStack", seen.name)
        former = Former(
            name=stack.name,
            namespace=stack.namespace,
            secret=SECRET,
            bucket=stack.secret["bucketnames"],
            endpoint=stack.secret["endpoint"].removeprefix("http://"),
            storage_class="local",
        )
        create_as_former(stack.kubernetes, made, former.objects())
        self.lines.append("in memory when it was taken over")
        stack.wait_pushed(self.lines[0])
        stack.wait_ready(*FORMER)
        self.bodies.append(Body.of(seen))
        seen.patch("LokiStack", seen.name, {"metadata": {"labels": labels}})
        seen.wait_main("Ready", timeout_s=ROLLED_S)
        wait_for(lambda: not going(seen), "the former's pods are gone", timeout_s=60)
        self.bodies.append(Body.of(seen))

    def new_key(self) -> Pair:
        """Make a key of the stack's user at RGW."""
        user = f"--uid={self.stack.namespace}"
        before = {key["access_key"] for key in self.stack.rgw.admin("user", "info", user)["keys"]}
        words = ("key", "create", user, "--gen-access-key", "--gen-secret")
        keys = self.stack.rgw.admin(*words)["keys"]
        (fresh,) = (key for key in keys if key["access_key"] not in before)
        return fresh["access_key"], fresh["secret_key"]

    def kill(self, pair: Pair) -> None:
        """Remove a key at RGW."""
        user = f"--uid={self.stack.namespace}"
        self.stack.rgw.admin("key", "rm", user, f"--access-key={pair[0]}")

    def revive(self, pair: Pair) -> None:
        """Make a key at RGW again that was removed."""
        words = ("key", "create", f"--uid={self.stack.namespace}", f"--access-key={pair[0]}")
        self.stack.rgw.admin(*words, f"--secret-key={pair[1]}")

    def put(self, **changes: str) -> None:
        """Write the Secret: the present pair, and what differs from it."""
        self.stack.secret = self.stack.static_secret() | changes
        self.stack.kubernetes.apply(self.stack.secret_manifest())

    def write(self, line: str) -> None:
        """Push a line, and wait until it is in the bucket."""
        before = len(self.stack.chunks())
        self.lines.append(line)
        self.stack.push(line)
        self.stack.flush()
        wait_for(lambda: len(self.stack.chunks()) > before, f"a chunk with {line}", timeout_s=60)

    def read(self) -> list[str]:
        """Return all lines."""
        hour = timedelta(hours=1)
        return self.stack.lines(since=self.began - hour, until=self.began + hour)

    def verified(self) -> tuple[str, str]:
        """Return what CredentialsVerified says and why."""
        found = self.seen.condition("CredentialsVerified")
        return found.get("status", ""), found.get("reason", "")


@pytest.fixture(scope="module")
def running(
    make_stack: Callable[..., Stack], operated_installation: Installation
) -> Iterator[Running]:
    """Run a stack that an operator has made, and that is Ready and verified."""
    replica = operated_installation.replica().start()
    wait_led(replica)
    stack = make_stack(spec={"rules": {"enabled": False}})
    stack.make_bucket()
    stack.secret = stack.static_secret()
    host = stack.endpoint.removeprefix("http://").rpartition(":")[0]
    stack.kubelet.lead([HIDDEN], host)
    seen = Operated(
        stack.kubernetes,
        operated_installation,
        stack.namespace,
        name=stack.name,
        secret_name=SECRET,
        spec={"rules": {"enabled": False}, "storageClassName": "local"},
    )
    seen.allow()
    stack.kubernetes.apply(stack.secret_manifest())
    made = Running(stack, seen)
    made.take_over()
    wait_for(lambda: made.verified()[0] == "True", "verified")
    yield made
    replica.stop()
    seen.go()


def test_a_running_stack_is_taken_over_at_once_and_no_line_is_lost(running: Running) -> None:
    """Claims, selectors and pods stay, each workload is written once, lines in memory are read."""
    before, after = running.bodies
    assert after.claims == before.claims
    assert after.selectors == before.selectors
    assert after.generations == {name: n + 1 for name, n in before.generations.items()}
    wait_for(lambda: running.lines[0] in running.read(), "the line is read", timeout_s=60)


def test_a_key_reaches_only_pods_that_it_can_serve(running: Running) -> None:
    """Refused by the operator's own trial: no pod. Refused by the first pod: no other. Else all."""
    seen, stack = running.seen, running.stack
    before, pods = seen.hashes(), seen.pods()
    running.write("with the old key")
    running.put(access_key_id=WRONG)
    seen.wait_main("Degraded", "CredentialsRefused")
    assert (seen.hashes(), seen.pods()) == (before, pods)
    assert running.verified() == ("False", "AccessKeyUnknown")

    running.put(endpoint=running.hidden, access_key_id=WRONG)
    wait_for(
        lambda: "the first pod with them, is answered 403" in seen.condition("Degraded")["message"],
        "the first pod is refused",
        timeout_s=ROLLED_S,
    )
    assert seen.main == ("Degraded", "CredentialsRefused")
    assert running.verified()[0] == "Unknown"
    assert rolled(seen, before) == ["index-gateway"]
    assert all(seen.pods()[name] == pods[name] for name in pods if name != "index-gateway")
    running.write("while a wrong key is held")

    old, stack.pair = stack.pair, running.new_key()
    running.put(endpoint=running.hidden)
    wait_for(
        lambda: "ingester" in rolled(seen, before),
        "proof lets the next have it",
        timeout_s=ROLLED_S,
    )
    assert running.verified()[0] == "Unknown"

    running.put()
    worn = seen.hashes()["ingester"]
    wait_for(
        lambda: seen.hashes()["ingester"] != worn and len(rolled(seen, before)) == len(USERS),
        f"all have the new key, not {seen.condition('Ready')}",
        timeout_s=ROLLED_S,
    )
    seen.wait_main("Ready", timeout_s=ROLLED_S)
    running.kill(old)
    running.write("with the new key")
    wait_for(lambda: set(running.lines) <= set(running.read()), "all are read", timeout_s=60)


def test_a_key_that_dies_is_told_when_a_pod_is_refused(running: Running) -> None:
    """Long before the next try by the clock, and nothing rolls; alive again, nothing is lost."""
    seen, stack = running.seen, running.stack
    wait_for(lambda: running.verified()[0] == "True", "verified", timeout_s=60)
    before = seen.hashes()
    running.kill(stack.pair)
    running.lines.append("while its key is dead")
    stack.push(running.lines[-1])
    stack.flush()
    wait_for(
        lambda: running.verified() == ("False", "AccessKeyUnknown"),
        "the dead key is told",
        timeout_s=A_MINUTE_S,
    )
    assert seen.main == ("Degraded", "CredentialsRefused")
    assert seen.hashes() == before
    running.revive(stack.pair)
    wait_for(lambda: set(running.lines) <= set(running.read()), "nothing is lost", timeout_s=60)


def going(seen: Operated) -> list[str]:
    """Return the pods that are about to go: a Deployment is rolled before its old ones are gone."""
    return [
        each["metadata"]["name"]
        for each in seen.every("Pod")
        if "deletionTimestamp" in each["metadata"]
    ]


def rolled(seen: Operated, before: dict[str, str]) -> list[str]:
    """Return which components are to have other credentials than before."""
    now = seen.hashes()
    return [name for name in USERS if now[name] != before[name]]
