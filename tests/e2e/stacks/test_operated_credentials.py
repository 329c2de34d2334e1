# SPDX-License-Identifier: Apache-2.0
"""Credentials of operated stacks change: what rolls, in which order, and what does not."""

import time
from collections.abc import Callable

import pytest

from e2e.stacks.operated import (
    STORE_HASH,
    WITH_CREDENTIALS,
    Hands,
    Operated,
    Requests,
    quiet,
)
from lokeys.core.rbac import StackWish
from manifests.lokistack import CANARY
from parts.process import wait_for

MakeOperated = Callable[..., Operated]

pytestmark = pytest.mark.usefixtures("stack_operator")
OTHER_KEY = "0therKey" + CANARY[8:]


def wait_rolled(stack: Operated, component: str, before: dict[str, str]) -> None:
    """Wait until a component's pod template wears another hash."""
    wait_for(lambda: stack.hashes()[component] != before[component], f"{component} is rolled")


def test_a_changed_key_rolls_what_mounts_it_in_order(
    make_operated: MakeOperated, hands: Hands
) -> None:
    """One component after the other, each when the one before is ready; the others keep running."""
    stack = make_operated()
    stack.start()
    before, pods = stack.hashes(), stack.pods()
    for number, component in enumerate(WITH_CREDENTIALS):
        hands.held.add(component)
        if not number:
            stack.put_secret(access_key_secret=OTHER_KEY)
        wait_rolled(stack, component, before)
        time.sleep(1.0)
        rolled = [name for name in WITH_CREDENTIALS if stack.hashes()[name] != before[name]]
        assert rolled == WITH_CREDENTIALS[: number + 1]
        assert stack.main == ("Pending", "PendingComponents")
        hands.held.discard(component)
    stack.wait_main("Ready")
    after = stack.pods()
    assert {name for name in pods if pods[name] & after[name]} == {"distributor", "query-frontend"}
    assert len({worn for worn in stack.hashes().values() if worn}) == 1
    assert all(OTHER_KEY not in worn for worn in stack.hashes().values())


def test_stacks_that_share_a_secret_all_roll(make_operated: MakeOperated) -> None:
    """All of them, with no write that changes nothing."""
    one = make_operated(name="one")
    two = make_operated(name="two", namespace=one.namespace)
    for stack in (one, two):
        stack.allow()
    one.put_secret()
    for stack in (one, two):
        stack.apply()
    for stack in (one, two):
        stack.wait_main("Ready", timeout_s=60)
    before = {stack.name: stack.hashes() for stack in (one, two)}
    requests = Requests(one.installation)
    quiet(requests)
    requests.restart()
    one.put_secret(access_key_secret=OTHER_KEY)

    def rolled(stack: Operated) -> bool:
        now = stack.hashes()
        return all(now[name] != before[stack.name][name] for name in WITH_CREDENTIALS)

    wait_for(lambda: rolled(one) and rolled(two), "both have rolled", timeout_s=60)
    one.wait_main("Ready")
    two.wait_main("Ready")
    quiet(requests)
    applied = [write for write in requests.writes() if "fieldManager" in write]
    assert len(applied) == 2 * len(WITH_CREDENTIALS)


def test_an_unsound_secret_reaches_no_pod(make_operated: MakeOperated) -> None:
    """Every fault is told by name; nothing rolls; mended, all is well and nothing has rolled."""
    stack = make_operated()
    stack.start()
    before, pods = stack.hashes(), stack.pods()
    stack.put_secret(endpoint="rgw.store", access_key_id="")
    stack.wait_main("Degraded", "InvalidObjectStorageSecret")
    message = stack.condition("Degraded")["message"]
    assert "LK0103" in message
    assert "LK0107" in message
    assert stack.status["storage"]["credentialMode"] == "static"
    assert stack.hashes() == before
    warnings = [event["reason"] for event in stack.events() if event["type"] == "Warning"]
    assert warnings == ["InvalidObjectStorageSecret"]
    stack.put_secret()
    stack.wait_main("Ready")
    assert stack.hashes() == before
    assert stack.pods() == pods


def test_a_secret_that_goes_leaves_the_pods_alone(make_operated: MakeOperated) -> None:
    """Its name is told and the mode kept; a Secret with the same contents rolls nothing."""
    stack = make_operated()
    stack.start()
    before, pods = stack.hashes(), stack.pods()
    stack.delete("Secret", stack.secret_name)
    stack.wait_main("Degraded", "MissingObjectStorageSecret")
    assert f"Secret {stack.namespace}/store" in stack.condition("Degraded")["message"]
    assert stack.status["storage"]["credentialMode"] == "static"
    stack.put_secret()
    stack.wait_main("Ready")
    assert (stack.hashes(), stack.pods()) == (before, pods)


def test_a_stack_waits_for_its_secret_and_its_roles(make_operated: MakeOperated) -> None:
    """Without a Role it says so; with it, which Secret is missing; with that, it runs."""
    stack = make_operated()
    stack.apply()
    stack.wait_main("Degraded", "ObjectStorageSecretUnreadable")
    assert "forbidden" in stack.condition("Degraded")["message"]
    stack.allow(StackWish())
    stack.wait_main("Degraded", "MissingObjectStorageSecret", timeout_s=90)
    stack.put_secret()
    stack.wait_main("Ready")


def test_no_secret_is_told(make_operated: MakeOperated) -> None:
    """Neither in objects, status and events, nor in the operator's log."""
    stack = make_operated()
    stack.start()
    stack.put_secret(access_key_secret=OTHER_KEY)
    wait_for(lambda: stack.main[0] == "Pending", "it rolls")
    stack.wait_main("Ready", timeout_s=60)
    seen = str([stack.owned(), stack.events(), stack.get("LokiStack", stack.name)])
    seen += "".join(replica.said for replica in stack.installation.replicas)
    for secret in (CANARY, OTHER_KEY):
        assert secret not in seen
    assert STORE_HASH in seen
