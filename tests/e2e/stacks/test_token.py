# SPDX-License-Identifier: Apache-2.0
"""Stacks without a key: real tokens, real STS, real Loki, and what happens when one of them ends.

Sessions last seconds and tokens are renewed after seconds, so that both end several times.
"""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from e2e.stacks.conftest import MakeStack
from e2e.stacks.world import TENANT, Stack
from lokeys.clock import utc_now
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.plugin import run_kubelet
from parts.process import wait_for
from parts.rgw import Rgw
from parts.rgw_iam import Iam
from parts.sts_relay import StsRelay

OLD = timedelta(days=2)
SESSION_S = 4
HURRY = 500
"""A token of an hour is renewed after six seconds."""
REQUESTS = "loki_objstore_bucket_transport_requests_total"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def kubelet(
    pytestconfig: pytest.Config, kubernetes: Kubernetes, loki_binary: Path
) -> Iterator[Kubelet]:
    """Run a node on which tokens age quickly."""
    yield from run_kubelet(pytestconfig, kubernetes, loki_binary, token_hurry=HURRY)


@pytest.fixture(scope="module")
def relay(rgw: Rgw) -> Iterator[StsRelay]:
    """Run the STS that gives short sessions."""
    made = StsRelay(rgw.endpoint, session_s=SESSION_S)
    yield made
    made.close()


@pytest.fixture(scope="module")
def token_stack(make_stack: MakeStack, kubelet: Kubelet, relay: StsRelay) -> Stack:
    """Run a whole stack that has no key."""
    stack = make_stack()
    stack.make_bucket()
    sts = f"http://{kubelet.relay(relay.port)}"
    stack.secret = stack.token_secret(stack.make_role(), sts_endpoint=sts)
    stack.apply(paces={"join_after": "0s"})
    stack.wait_ready()
    return stack


def write(stack: Stack, *, timeout_s: float = 40) -> str:
    """Push a line into a stream of its own, and return it when its chunk is in the bucket."""
    line = f"line {next(_numbers)}"
    before = len(stack.chunks())
    stack.push(line, at=utc_now() - OLD, labels={"app": "test", "name": line})
    stack.flush()
    wait_for(lambda: len(stack.chunks()) > before, f"{line} in the bucket", timeout_s=timeout_s)
    return line


def variables(stack: Stack) -> dict[str, str]:
    """Return the environment of the ingester's process."""
    (status,) = stack.pods("ingester")[0]["status"]["containerStatuses"]
    first, *_ = stack.kubelet.processes(status["containerID"])
    pairs = Path(f"/proc/{first}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


@pytest.mark.real_node
def test_a_line_travels_with_no_key_anywhere(token_stack: Stack, rgw: Rgw) -> None:
    """Written by whom RGW knows as the account, and read back: no Secret and no pod holds a key."""
    stack = token_stack
    write(stack)
    who = f"$oidc$system:serviceaccount:{stack.namespace}:{stack.name}"
    log = rgw.folder / "log" / "client.rgw.a.log"

    def puts() -> list[str]:
        lines = log.read_text().splitlines()
        return [line for line in lines if f'"PUT /{stack.namespace}/{TENANT}/' in line]

    # RGW writes its log behind its answers.
    wait_for(puts, "the request in RGW's log")
    assert all(f" {who} [" in line for line in puts() if '" 200 ' in line)
    path = f"/api/v1/namespaces/{stack.namespace}/secrets"
    held = json.dumps(stack.kubernetes.api.get(path))
    assert "access_key" not in held
    names = variables(stack)
    assert "AWS_ROLE_ARN" in names
    assert not {"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_SECRET", "AWS_SECRET_ACCESS_KEY"} & set(names)


@pytest.mark.stand_in("a real kubelet renews a token of an hour after 48 minutes")
def test_loki_goes_on_when_sessions_end_and_tokens_are_renewed(
    token_stack: Stack, relay: StsRelay
) -> None:
    """Session after session, each with the token that is in the volume by then."""
    stack = token_stack
    tokens: set[str] = set()
    deadline = utc_now() + timedelta(seconds=150)
    begun = len(relay.claims)
    while len(tokens) < 3:
        assert utc_now() < deadline, f"only {len(tokens)} tokens were used"
        write(stack)
        ours = (claims for claims in relay.claims[begun:] if _pod(claims) == "logs-ingester-0")
        tokens = {claims["jti"] for claims in ours}
    assert set(relay.answers[begun:]) == {200}


def _pod(claims: dict[str, object]) -> str:
    bound = claims.get("kubernetes.io")
    pod = bound.get("pod") if isinstance(bound, dict) else None
    return str(pod["name"]) if isinstance(pod, dict) else ""


def test_a_stack_whose_role_is_removed_writes_again_when_it_is_back(
    token_stack: Stack, rgw: Rgw
) -> None:
    """Loki is refused while the role is gone; a role of the same name heals it, untouched.

    Loki's log has no word of it; `lokeys probe stack` says which link breaks, for both accounts.
    """
    stack = token_stack
    assert set(probed(stack).values()) == {None}
    Iam(rgw).remove_role(stack.namespace)
    refused = stack.metric("ingester", REQUESTS, method="PUT", status_code="403")
    stack.push("while the role is gone", at=utc_now() - OLD, labels={"app": "refused"})
    before = len(stack.chunks())
    stack.flush()
    stack.wait_metric("ingester", REQUESTS, method="PUT", status_code="403", above=refused)
    assert len(stack.chunks()) == before
    broken = {"logs": "sts_trust_policy_denied", "logs-ruler": "sts_trust_policy_denied"}
    assert probed(stack) == broken
    stack.make_role()
    wait_for(lambda: len(stack.chunks()) > before, "the refused line", timeout_s=60)
    write(stack)
    assert set(probed(stack).values()) == {None}


def probed(stack: Stack) -> dict[str, str | None]:
    """Return the cause that `lokeys probe stack` names for each account; None where all holds."""
    manifests = {"apiVersion": "v1", "kind": "List"}
    given = json.dumps(manifests | {"items": [stack.manifest(), stack.secret_manifest()]})
    words = ("probe", "stack", "-f", "-", "-n", stack.namespace, "-o", "json")
    done = subprocess.run(
        [sys.executable, "-m", "lokeys", *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"KUBECONFIG": str(stack.kubernetes.kubeconfig)},
    )
    assert done.returncode in (0, 3), done.stderr
    found: dict[str, str | None] = {}
    for link in json.loads(done.stdout)["links"]:
        cause = link["cause"] if link["ok"] is False else None
        found[link["account"]] = found.get(link["account"]) or cause
    return found
