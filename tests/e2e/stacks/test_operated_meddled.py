# SPDX-License-Identifier: Apache-2.0
"""What people do to an operated stack at a bad moment: half rolled, half theirs, half told."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from e2e.operators import Installation, Operator, wait_led
from e2e.stacks.operated import (
    CONFIG_HASH,
    STORE_HASH,
    WITH_CREDENTIALS,
    Hands,
    Operated,
    Requests,
    quiet,
)
from manifests.lokistack import CANARY
from parts.process import wait_for

MakeOperated = Callable[..., Operated]
OTHER_KEY = "0therKey" + CANARY[8:]
SETTLED_S = 60.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def operator(operated_installation: Installation) -> Iterator[Operator]:
    """Run one replica; a test may stop and start it."""
    replica = operated_installation.replica().start()
    wait_led(replica)
    yield replica
    replica.stop()


@pytest.fixture
def stack(operator: Operator, make_operated: MakeOperated) -> Operated:
    """Run a stack."""
    assert operator.running
    made = make_operated()
    made.start()
    return made


@pytest.fixture
def quieted(stack: Operated) -> Requests:
    """Count the operator's requests from now on, at rest."""
    requests = Requests(stack.installation)
    quiet(requests)
    requests.restart()
    return requests


def rolled(stack: Operated, before: dict[str, str], annotation: str = STORE_HASH) -> list[str]:
    """Return which components have a new template."""
    now = stack.hashes(annotation)
    return [name for name in WITH_CREDENTIALS if now[name] != before[name]]


def all_rolled(stack: Operated, before: dict[str, str]) -> bool:
    return rolled(stack, before) == WITH_CREDENTIALS


def test_a_pod_that_never_becomes_ready_stops_the_roll_and_is_named(
    stack: Operated, hands: Hands
) -> None:
    """Those after it keep the old key for as long as it takes; then the roll goes on."""
    before, pods = stack.hashes(), stack.pods()
    hands.held.add("ingester")
    stack.put_secret(access_key_secret=OTHER_KEY)
    wait_for(lambda: "ingester" in rolled(stack, before), "the ingester is rolled")
    wait_for(
        lambda: stack.pods().get("ingester", pods["ingester"]) != pods["ingester"],
        "its pod is replaced",
        timeout_s=40,
    )
    stack.wait_main("Pending", "PendingComponents")
    quiet(Requests(stack.installation))
    assert rolled(stack, before) == ["index-gateway", "ingester"]
    message = stack.condition("Pending")["message"]
    assert message.startswith("awaiting ingester, then querier, ruler, compactor"), message
    assert "logs-ingester-0" in message
    assert stack.status["components"]["ingester"] == {"Pending": ["logs-ingester-0"]}
    hands.held.clear()
    wait_for(lambda: all_rolled(stack, before), "the roll goes on", timeout_s=SETTLED_S)
    stack.wait_main("Ready")


def test_unmanaged_in_the_middle_of_a_roll_it_stays_where_it_is(
    stack: Operated, hands: Hands
) -> None:
    """Not even the status moves; managed again, the roll goes on."""
    before = stack.hashes()
    hands.held.add("ingester")
    stack.put_secret(access_key_secret=OTHER_KEY)
    wait_for(lambda: "ingester" in rolled(stack, before), "the ingester is rolled")
    requests = Requests(stack.installation)
    stack.patch("LokiStack", stack.name, {"spec": {"managementState": "Unmanaged"}})
    quiet(requests)
    requests.restart()
    hands.held.clear()
    wait_for(
        lambda: stack.get("StatefulSet", "logs-ingester")["status"].get("readyReplicas") == 1,
        "the ingester is ready",
    )
    time.sleep(1.0)
    assert requests.writes() == []
    assert rolled(stack, before) == ["index-gateway", "ingester"]
    stack.patch("LokiStack", stack.name, {"spec": {"managementState": "Managed"}})
    wait_for(lambda: all_rolled(stack, before), "the roll goes on", timeout_s=SETTLED_S)
    stack.wait_main("Ready")


def test_of_two_stacks_with_one_secret_the_unmanaged_one_is_left_alone(
    stack: Operated, make_operated: MakeOperated
) -> None:
    """The other rolls; managed again, it follows."""
    other = make_operated(name="other", namespace=stack.namespace)
    other.allow()
    other.apply()
    other.wait_main("Ready", timeout_s=SETTLED_S)
    other.patch("LokiStack", other.name, {"spec": {"managementState": "Unmanaged"}})
    requests = Requests(stack.installation)
    quiet(requests)
    requests.restart()
    before, others = stack.hashes(), other.hashes()
    stack.put_secret(access_key_secret=OTHER_KEY)
    wait_for(lambda: all_rolled(stack, before), "one is rolled", timeout_s=SETTLED_S)
    stack.wait_main("Ready")
    assert other.hashes() == others
    assert not [write for write in requests.writes() if "/other" in write]
    other.patch("LokiStack", other.name, {"spec": {"managementState": "Managed"}})
    wait_for(lambda: all_rolled(other, others), "the other follows", timeout_s=SETTLED_S)
    other.wait_main("Ready")


def test_a_newline_in_a_key_reaches_no_pod(stack: Operated) -> None:
    """As a line that was wrapped has it; the finding says which key, and nothing is rolled."""
    before, pods = stack.hashes(), stack.pods()
    stack.put_secret(access_key_secret=f"{OTHER_KEY[:8]}\n{OTHER_KEY[8:]}")
    stack.wait_main("Degraded", "InvalidObjectStorageSecret")
    message = stack.condition("Degraded")["message"]
    assert "`access_key_secret` holds a control character (LK0121)" in message
    assert OTHER_KEY not in message
    stack.put_secret()
    stack.wait_main("Ready")
    assert (stack.hashes(), stack.pods()) == (before, pods)


def test_a_changed_ca_rolls_what_reads_it(stack: Operated) -> None:
    """It is looked at like the Secret: what is no certificate reaches no pod."""
    metadata = {"name": "ca", "namespace": stack.namespace}
    ca = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    good = stack.kubernetes.ca_file.read_text()
    stack.kubernetes.apply({**ca, "data": {"service-ca.crt": good}})
    stack.spec = {"storage": {**stack.manifest["spec"]["storage"], "tls": {"caName": "ca"}}}
    before = stack.hashes()
    stack.apply()
    wait_for(lambda: all_rolled(stack, before), "all trust it", timeout_s=SETTLED_S)
    stack.wait_main("Ready")
    before, pods = stack.hashes(), stack.pods()
    stack.kubernetes.apply({**ca, "data": {"service-ca.crt": "no certificate"}})
    stack.wait_main("Degraded", "InvalidObjectStorageCAConfigMap")
    assert (stack.hashes(), stack.pods()) == (before, pods)
    stack.kubernetes.apply({**ca, "data": {"service-ca.crt": good + good}})
    wait_for(lambda: all_rolled(stack, before), "all trust the new one", timeout_s=SETTLED_S)
    stack.wait_main("Ready")
    kept = {"distributor", "query-frontend"}
    assert {name for name in pods if pods[name] & stack.pods()[name]} == kept


def test_only_what_is_the_stacks_and_ours_is_pruned(stack: Operated, quieted: Requests) -> None:
    """Somebody else's object with our labels and owner stays; so does ours without the owner.

    What no Role lets us delete is told, and keeps nothing back.
    """
    owner = stack.get("Service", "logs-gossip-ring")["metadata"]["ownerReferences"]
    labels = stack.get("Service", "logs-gossip-ring")["metadata"]["labels"]
    for name, manager, owners in (
        ("theirs", "somebody", owner),
        ("unowned", "lokeys", []),
        ("logs-gateway", "lokeys", owner),
        ("former-config", "lokeys", owner),
    ):
        metadata = {
            "name": name,
            "namespace": stack.namespace,
            "labels": labels,
            "ownerReferences": owners,
        }
        words = ("apply", "--server-side", f"--field-manager={manager}", "-f", "-")
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"a": "b"},
        }
        stack.kubernetes.kubectl(*words, stdin=json.dumps(manifest))
    wait_for(lambda: stack.find("ConfigMap", "logs-gateway") is None, "what is left over goes")
    stack.wait_main("Degraded", "ObjectNotApplied")
    assert "cannot delete ConfigMap" in stack.condition("Degraded")["message"]
    tried = {write for write in quieted.writes() if write.startswith("delete")}
    assert tried == {
        f"delete {stack.path('ConfigMap', name)}" for name in ("logs-gateway", "former-config")
    }
    assert all(stack.find("ConfigMap", name) for name in ("theirs", "unowned", "former-config"))
    stack.delete("ConfigMap", "former-config")
    stack.wait_main("Ready")


def test_claims_of_another_size_stay_and_the_rest_is_done(stack: Operated) -> None:
    """A claim template cannot be changed; replicas and configuration can."""
    uids = {
        each["metadata"]["name"]: each["metadata"]["uid"] for each in stack.every("StatefulSet")
    }
    claims = {each["metadata"]["uid"] for each in stack.every("PersistentVolumeClaim")}
    before = stack.hashes(CONFIG_HASH)
    stack.spec = {"size": "1x.pico"}
    stack.apply()
    wait_for(
        lambda: len(stack.pods()["ingester"]) == 3, "there are three ingesters", timeout_s=SETTLED_S
    )
    wait_for(
        lambda: len(rolled(stack, before, CONFIG_HASH)) == len(WITH_CREDENTIALS),
        "all have the new configuration",
        timeout_s=SETTLED_S,
    )
    found = {
        each["metadata"]["name"]: each["metadata"]["uid"] for each in stack.every("StatefulSet")
    }
    assert found == uids
    assert claims <= {each["metadata"]["uid"] for each in stack.every("PersistentVolumeClaim")}
    assert stack.main[0] != "Degraded"


def test_a_stack_made_anew_while_nobody_looked_is_another_stack(
    stack: Operated, operator: Operator
) -> None:
    """Same name, other owner, other schema: nothing of the former is on its record."""
    former = stack.get("LokiStack", stack.name)["metadata"]["uid"]
    operator.kill()
    stack.delete("LokiStack", stack.name)
    old = {"version": "v12", "effectiveDate": "2024-10-01"}
    secret = stack.manifest["spec"]["storage"]["secret"]
    stack.spec = {"storage": {"schemas": [old], "secret": secret}}
    stack.apply()
    operator.start()
    uid = stack.get("LokiStack", stack.name)["metadata"]["uid"]
    assert uid != former

    def whole() -> bool:
        owners = [each["metadata"]["ownerReferences"] for each in stack.owned()]
        return len(owners) == 31 and all([o["uid"] for o in each] == [uid] for each in owners)

    wait_for(whole, "all of it is the new stack's", timeout_s=90)
    stack.wait_main("Ready", timeout_s=SETTLED_S)
    assert stack.status["storage"]["schemas"] == [old]
    assert whole()
