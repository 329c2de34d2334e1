# SPDX-License-Identifier: Apache-2.0
"""A LokiStack's life on the real API server: made, kept, changed, left alone, taken away."""

import time
from collections.abc import Callable

import pytest

from e2e.stacks.operated import CONFIG_HASH, SOON_S, Hands, Operated, Requests, quiet
from parts.process import wait_for

MakeOperated = Callable[..., Operated]

pytestmark = pytest.mark.usefixtures("stack_operator")


@pytest.fixture(scope="module")
def kept(make_operated: MakeOperated) -> Operated:
    """Run one stack for the tests that leave it as it was."""
    stack = make_operated()
    stack.start()
    return stack


def test_a_stack_is_made_and_becomes_ready(make_operated: MakeOperated) -> None:
    """One request an object and few more; owners; mode, schemas and pods in the status."""
    stack = make_operated()
    stack.allow()
    stack.put_secret()
    requests = Requests(stack.installation)
    requests.restart()
    stack.apply()
    stack.wait_main("Ready")
    owned = stack.owned()
    assert len(owned) == 7 + 15 + 2 + 6 + 1
    made = [
        e for e in requests.made() if e.get("objectRef", {}).get("namespace") == stack.namespace
    ]
    applied = [e for e in made if e["verb"] == "patch" and "fieldManager=lokeys" in e["requestURI"]]
    assert len(applied) == len(owned), "an object was written twice"
    status = stack.status
    assert status["storage"]["credentialMode"] == "static"
    assert status["storage"]["schemas"] == [{"version": "v13", "effectiveDate": "2024-10-01"}]
    assert status["components"]["ingester"] == {"Ready": ["logs-ingester-0"]}
    assert all(one["observedGeneration"] == 1 for one in status["conditions"])
    shown = stack.kubernetes.kubectl("get", "lokistack", stack.name, "-n", stack.namespace)
    assert {"static", "True", "ReadyComponents"} <= set(shown.split())


def test_at_rest_nothing_is_asked(kept: Operated) -> None:
    """No request but watches and the Lease; touching the Secret reads it and writes nothing."""
    requests = Requests(kept.installation)
    requests.restart()
    quiet(requests)
    requests.restart()
    time.sleep(10)
    assert requests.said() == []
    kept.patch("Secret", kept.secret_name, {"metadata": {"annotations": {"touched": "yes"}}})
    wait_for(lambda: bool(requests.said()), "the Secret is read")
    quiet(requests)
    assert requests.said() == [f"get {kept.path('Secret', kept.secret_name)}"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ConfigMap", "logs-config"),
        ("Service", "logs-gossip-ring"),
        ("ServiceAccount", "logs"),
        ("PodDisruptionBudget", "logs-ingester"),
        ("Deployment", "logs-querier"),
        ("StatefulSet", "logs-compactor"),
    ],
)
def test_what_somebody_deletes_comes_back(kept: Operated, kind: str, name: str) -> None:
    """At once, as it was."""
    before = kept.get(kind, name)
    kept.delete(kind, name)

    def back() -> bool:
        found = kept.find(kind, name)
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    wait_for(back, f"{kind} {name} is back", timeout_s=SOON_S)
    kept.wait_main("Ready")


@pytest.mark.parametrize(
    ("kind", "name", "edit", "where"),
    [
        (
            "ConfigMap",
            "logs-config",
            {"data": {"config.yaml": "nonsense"}},
            ("data", "config.yaml"),
        ),
        ("Deployment", "logs-querier", {"spec": {"replicas": 3}}, ("spec", "replicas")),
        (
            "Service",
            "logs-gossip-ring",
            {"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}},
            ("metadata", "labels", "app.kubernetes.io/instance"),
        ),
    ],
)
def test_what_somebody_edits_is_put_back(
    kept: Operated, kind: str, name: str, edit: dict[str, object], where: tuple[str, ...]
) -> None:
    """Fields that are ours; what others add beside them stays."""

    def shown() -> object:
        found: object = kept.get(kind, name)
        for step in where:
            assert isinstance(found, dict)
            found = found[step]
        return found

    before = shown()
    kept.patch(kind, name, edit)
    wait_for(lambda: shown() == before, f"{kind} {name} is put back", timeout_s=SOON_S)
    kept.patch(kind, name, {"metadata": {"annotations": {"somebody": "else"}}})
    requests = Requests(kept.installation)
    quiet(requests)
    assert kept.get(kind, name)["metadata"]["annotations"]["somebody"] == "else"


def test_a_change_of_the_spec_rolls_and_a_ruler_goes(
    make_operated: MakeOperated, hands: Hands
) -> None:
    """New limits reach every pod; a ruler that is not wanted is deleted, its claims are not."""
    stack = make_operated()
    stack.start()
    before = stack.hashes(CONFIG_HASH)
    stack.spec = {
        "limits": {"global": {"queries": {"maxQuerySeries": 77}}},
        "rules": {"enabled": False},
    }
    stack.apply()
    wait_for(lambda: stack.find("StatefulSet", "logs-ruler") is None, "the ruler goes")
    wait_for(
        lambda: len(set(stack.hashes(CONFIG_HASH).values()) & set(before.values())) == 0,
        "every component has the new configuration",
        timeout_s=60,
    )
    stack.wait_main("Ready")
    assert stack.find("ServiceAccount", "logs-ruler") is None
    assert stack.find("PersistentVolumeClaim", "wal-logs-ruler-0") is not None
    assert not hands.held


def test_an_unmanaged_stack_is_left_alone(make_operated: MakeOperated) -> None:
    """Nothing is written, whatever happens to it; managed again, it is mended."""
    stack = make_operated()
    stack.start()
    stack.patch("LokiStack", stack.name, {"spec": {"managementState": "Unmanaged"}})
    requests = Requests(stack.installation)
    quiet(requests)
    requests.restart()
    stack.delete("Service", "logs-gossip-ring")
    stack.put_secret(access_key_id="AKIAZZZZZZZZZZZZZZZZ")
    time.sleep(2)
    assert requests.writes() == []
    stack.patch("LokiStack", stack.name, {"spec": {"managementState": "Managed"}})
    wait_for(lambda: stack.find("Service", "logs-gossip-ring") is not None, "it is mended")
    stack.wait_main("Ready")


def test_volumes_stay_as_they_were_made(make_operated: MakeOperated) -> None:
    """No StatefulSet is deleted for another storage class: the stack is ready, and says so."""
    stack = make_operated()
    stack.start()
    uids = {each["metadata"]["uid"] for each in stack.every("StatefulSet")}
    stack.spec = {"storageClassName": "slow"}
    stack.apply()
    wait_for(
        lambda: "asks for `slow`" in stack.condition("Ready").get("message", ""),
        "it is said what stays",
    )
    stack.wait_main("Ready")
    assert {each["metadata"]["uid"] for each in stack.every("StatefulSet")} == uids
    claims = [each["spec"]["volumeClaimTemplates"][0] for each in stack.every("StatefulSet")]
    assert "slow" not in {claim["spec"]["storageClassName"] for claim in claims}


def test_a_strangers_object_is_not_taken(make_operated: MakeOperated) -> None:
    """An object of that name that is not the stack's is told and kept; others' are not pruned."""
    stack = make_operated()
    stack.allow()
    stack.put_secret()
    strange = {"app": "strange"}
    stack.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "logs-gossip-ring", "namespace": stack.namespace},
            "spec": {"selector": strange, "ports": [{"name": "gossip-ring", "port": 1}]},
        }
    )
    stack.apply()
    stack.wait_main("Degraded", "ObjectNotApplied")
    assert "logs-gossip-ring" in stack.condition("Degraded")["message"]
    assert stack.get("Service", "logs-gossip-ring")["spec"]["selector"] == strange
    stack.delete("Service", "logs-gossip-ring")
    stack.patch("LokiStack", stack.name, {"metadata": {"annotations": {"look": "again"}}})
    stack.wait_main("Ready", timeout_s=60)


def test_a_deleted_stack_leaves_nothing_but_claims(make_operated: MakeOperated) -> None:
    """Owner references do it: there is no finalizer to wait for an operator that may be gone."""
    stack = make_operated()
    stack.start()
    assert "finalizers" not in stack.get("LokiStack", stack.name)["metadata"]
    stack.delete("LokiStack", stack.name)
    wait_for(lambda: stack.owned() == [], "all of it goes", timeout_s=60)
    assert stack.find("PersistentVolumeClaim", "storage-logs-ingester-0") is not None
    assert stack.find("Secret", stack.secret_name) is not None
