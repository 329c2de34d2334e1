# SPDX-License-Identifier: Apache-2.0
"""A stack of the Loki Operator's is taken over by one command, operated, and given back."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2e.stacks.cases import Json, create_as_former
from e2e.stacks.operated import Operated
from manifests.former import Former
from parts.process import wait_for

MakeOperated = Callable[..., Operated]

pytestmark = [pytest.mark.usefixtures("stack_operator"), pytest.mark.timeout(400)]

LABEL, TAKEN = "lokeys.dev/managed", "lokeys.dev/taken-over"
FINDINGS = 3
LEFT_ALONE_S = 3.0


@dataclass
class Taken:
    """A stack as the Loki Operator has made it, and whoever takes it over at a terminal."""

    stack: Operated
    former: Former

    def make(self) -> None:
        """Make all of it; its own operator owns every field, and pods are ready."""
        stack = self.stack
        stack.allow()
        stack.put_secret()
        stack.apply()
        made = stack.get("LokiStack", stack.name)
        create_as_former(stack.kubernetes, made, self.former.objects())
        wanted = len(self.former.components)
        wait_for(lambda: self.ready() == wanted, "the former's pods are ready", timeout_s=60)

    def ready(self) -> int:
        """Return how many workloads have all pods ready."""
        every = (*self.stack.every("Deployment"), *self.stack.every("StatefulSet"))
        return sum(each["status"].get("readyReplicas") == 1 for each in every)

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `lokeys takeover` of the stack."""
        named = ("takeover", "-n", self.stack.namespace, self.stack.name)
        around = {"KUBECONFIG": str(self.stack.kubernetes.kubeconfig), "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "lokeys", *named, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            env=os.environ | around,
        )

    def state(self) -> tuple[str | None, str | None, str | None]:
        """Return whose the stack says that it is: state, label, annotation."""
        made = self.stack.get("LokiStack", self.stack.name)
        metadata = made["metadata"]
        return (
            made["spec"].get("managementState"),
            metadata.get("labels", {}).get(LABEL),
            metadata.get("annotations", {}).get(TAKEN),
        )

    def bodies(self) -> dict[str, Json]:
        """Return what of each StatefulSet nobody can change, with its uid."""
        fixed = ("selector", "volumeClaimTemplates", "podManagementPolicy")
        return {
            each["metadata"]["name"]: {
                "uid": each["metadata"]["uid"],
                "serviceName": each["spec"].get("serviceName") or "",
                **{name: each["spec"][name] for name in fixed},
            }
            for each in self.stack.every("StatefulSet")
        }


@pytest.fixture
def make_taken(make_operated: MakeOperated) -> Callable[..., Taken]:
    """Make stacks of the Loki Operator's."""

    def make(*, rules: bool = False, extras: frozenset[str] = frozenset()) -> Taken:
        stack = make_operated(labels={}, spec={"rules": {"enabled": rules}})
        former = Former(
            name=stack.name,
            namespace=stack.namespace,
            secret=stack.secret_name,
            rules=rules,
            extras=extras,
        )
        taken = Taken(stack, former)
        taken.make()
        return taken

    return make


def test_a_stack_is_taken_over_operated_and_given_back(
    make_taken: Callable[..., Taken],
) -> None:
    """Unmanaged for the others, it is Ready with every body that it had; back, lokeys leaves it."""
    taken = make_taken()
    stack = taken.stack
    before, version = taken.bodies(), stack.get("LokiStack", stack.name)["metadata"]
    shown = taken.type("--plan")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.rstrip().endswith("nothing is lost")
    assert "no pod restarts" in shown.stdout, shown.stdout
    pods = stack.pods()
    plan = json.loads(taken.type("--plan", "-o", "json").stdout)
    assert (plan["kind"], plan["lossless"], plan["refused"]) == ("TakeoverPlan", True, False)
    now = stack.get("LokiStack", stack.name)["metadata"]
    assert now["resourceVersion"] == version["resourceVersion"], "a plan writes nothing"
    done = taken.type("--timeout", "2m")
    assert done.returncode == 0, done.stderr
    assert done.stderr.index("leaves it") < done.stderr.index("index-gateway is lokeys'")
    assert done.stderr.index("ingester is lokeys'") < done.stderr.index("querier is lokeys'")
    assert stack.pods() == pods, "every pod goes on"
    assert taken.state() == ("Unmanaged", "true", "true")
    assert taken.bodies() == before
    assert stack.main == ("Ready", "ReadyComponents")
    assert stack.condition("Warning").get("reason") != "ImmutableField"
    stack.delete("Service", f"{stack.name}-gossip-ring")
    wait_for(lambda: stack.find("Service", f"{stack.name}-gossip-ring"), "it is mended")
    assert taken.type("--plan").returncode == 0
    back = taken.type("--back")
    assert back.returncode == 0, back.stderr
    assert taken.state() == ("Managed", None, None)
    stack.delete("Service", f"{stack.name}-gossip-ring")
    time.sleep(LEFT_ALONE_S)
    assert stack.find("Service", f"{stack.name}-gossip-ring") is None
    assert taken.bodies() == before


def test_what_would_be_lost_is_refused_until_it_is_accepted(
    make_taken: Callable[..., Taken],
) -> None:
    """Rules that nobody would evaluate; refused, nothing is written."""
    taken = make_taken(rules=True, extras=frozenset({"rules"}))
    for words in (("--plan",), ()):
        refused = taken.type(*words)
        assert refused.returncode == FINDINGS
        assert "LK0241" in refused.stdout
        assert "--accept-loss=rules" in refused.stdout
        assert "nothing is lost" not in refused.stdout
    assert taken.state() == ("Managed", None, None)
    accepted = taken.type("--accept-loss=rules", "--timeout", "2m")
    assert accepted.returncode == 0, accepted.stderr
    assert "loses    rules, as accepted" in accepted.stdout
    assert taken.state() == ("Unmanaged", "true", "true")
