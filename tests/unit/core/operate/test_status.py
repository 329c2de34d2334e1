# SPDX-License-Identifier: Apache-2.0
"""What a stack's status says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes.stacks import GOOD, StackWorld
from lokeys.core.findings.catalogue import operation
from lokeys.core.operate.decision import decide, plan
from lokeys.core.operate.live import LivePodState, Pod
from lokeys.core.operate.status import SHOWN_PODS, Told, main_condition, status_of, told_before
from lokeys.core.stack.storage.wording import tell
from manifests.lokistack import NAMESPACE, Choice

SMALL = Choice(size="1x.small")


def running(choice: Choice = SMALL) -> StackWorld:
    world = StackWorld(choice)
    world.run()
    return world


def test_components_show_their_pods_by_state() -> None:
    """Each component of the stack has its pods' names under their states."""
    world = running()
    world.settle(
        next(r for r in world.objects if r.name == "my-stack-querier" and r.kind == "Deployment"),
        ready=False,
    )
    shown = world.tell()["components"]
    assert shown["querier"] == {"Running": ["my-stack-querier-0", "my-stack-querier-1"]}
    assert shown["compactor"] == {"Ready": ["my-stack-compactor-0"]}
    assert "ruler" not in shown
    assert "gateway" not in shown


def test_the_gateway_is_shown_where_there_is_one() -> None:
    """Its pods bear a label of another spelling."""
    world = running(Choice(size="1x.small", tenancy="static"))
    assert len(world.tell()["components"]["gateway"]["Ready"]) == 2


def test_a_failed_pod_is_named_with_its_reason() -> None:
    """Failed comes before pending."""
    world = running()
    broken = Pod(
        name="my-stack-ingester-9",
        uid="u",
        component="ingester",
        state=LivePodState.FAILED,
        reason="CrashLoopBackOff",
    )
    world.pods = (*world.pods, broken)
    assert world.main == ("Failed", "FailedComponents")
    assert "my-stack-ingester-9 (CrashLoopBackOff)" in world.condition("Failed")["message"]


def test_many_pods_are_named_in_part() -> None:
    """A message has an end."""
    world = running()
    world.pods = tuple(
        Pod(name=f"p-{n:03}", uid=str(n), component="querier", state=LivePodState.PENDING)
        for n in range(SHOWN_PODS + 5)
    )
    assert world.condition("Pending")["message"].endswith("and 5 more")


def test_times_move_only_with_the_status() -> None:
    """What said the same before keeps its time; what changed gets a new one."""
    world = running()
    since = world.condition("Ready")["lastTransitionTime"]
    world.now += timedelta(minutes=5)
    world.secret = None
    degraded = world.condition("Degraded")
    assert degraded["lastTransitionTime"] != since
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "MissingObjectStorageSecret")
    assert ready["lastTransitionTime"] == degraded["lastTransitionTime"]
    world.now += timedelta(minutes=5)
    assert world.condition("Degraded") == degraded


def test_warnings_are_one_condition() -> None:
    """An old schema, a lone ingester and a field that nothing comes of; gone again when mended."""
    world = StackWorld(Choice(schema="v11"))
    world.spec["networkPolicies"] = {"ruleSet": "None"}
    world.spec["rules"] = {"enabled": True, "selector": {"matchLabels": {"a": "b"}}}
    world.run()
    warning = world.condition("Warning")
    assert warning["reason"] == "StorageNeedsSchemaUpdate"
    assert "older than v13" in warning["message"]
    assert "replication factor" in warning["message"]
    assert "(LK0211)" in warning["message"]
    world.status["conditions"] = [{**each, "status": "True"} for each in world.status["conditions"]]
    healthy = StackWorld(SMALL, status=world.status)
    assert healthy.condition("Warning")["status"] == "False"


def test_warnings_of_the_secret_are_told() -> None:
    """A key that nothing reads is a warning, and no fault."""
    world = running()
    assert world.secret is not None
    world.secret["stringData"]["acess_key"] = "x"
    world.trial = GOOD
    world.run()
    assert world.main == ("Ready", "ReadyComponents")
    assert world.condition("Warning")["reason"] == "StorageWarning"


NOWHERE, NO_KEY = {"caName": "nowhere"}, {"caName": "tenants-ca", "caKey": "none"}
CLIENT: dict[str, Any] = {
    "tenantName": "123",
    "tenantId": "1",
    "oidc": {"secret": {"name": "client-123"}, "issuerURL": "https://issuer.example"},
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"storage": {"schemas": []}}, "InvalidObjectStorageSchema"),
        ({"tenants": {"mode": "nonsense"}}, "InvalidTenantsConfiguration"),
        ({"replicationFactor": 2, "replication": {"factor": 2}}, "InvalidReplicationConfiguration"),
        ({"limits": {"global": {"queries": {"queryTimeout": "x"}}}}, "InvalidLimits"),
        ({"storage": {"schemas": [{"version": "v99"}]}}, "InvalidObjectStorageSchema"),
        ({"size": 7}, "InvalidSpec"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_fault_of_the_spec_has_its_reason(change: dict[str, Any], reason: str) -> None:
    """The reasons of the published resource, where it has one."""
    world = running()
    storage = {**world.spec["storage"], **change.get("storage", {})}
    world.spec.update({**change, "storage": storage})
    assert world.main == ("Degraded", reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"authentication": []}, "InvalidTenantsConfiguration"),
        (
            {"authentication": [{"tenantName": "123", "tenantId": "1"}]},
            "MissingGatewayTenantAuthenticationConfig",
        ),
        ({"gateway": {}}, "MissingGatewayTLSConfig"),
        (
            {"gateway": {"tls": {"ca": {"key": "k"}}}, "authentication": [CLIENT]},
            "InvalidGatewayTLSConfig",
        ),
        (
            {"mode": "passthrough", "passthrough": {"ca": {"key": "k"}}},
            "InvalidPassthroughConfiguration",
        ),
        (
            {"authentication": [{**CLIENT, "oidc": {**CLIENT["oidc"], "secret": {"name": "x"}}}]},
            "MissingGatewayTenantSecret",
        ),
        (
            {"authentication": [{**CLIENT, "oidc": {**CLIENT["oidc"], "issuerCA": NOWHERE}}]},
            "MissingGatewayTenantConfigMap",
        ),
        (
            {"authentication": [{**CLIENT, "oidc": {**CLIENT["oidc"], "issuerCA": NO_KEY}}]},
            "InvalidGatewayTenantConfigMap",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_of_the_tenants_has_its_reason(change: dict[str, Any], reason: str) -> None:
    """Those of the published resource."""
    world = running(Choice(size="1x.small", tenancy="static"))
    world.spec["tenants"].update(change)
    assert world.main == ("Degraded", reason)


def test_a_missing_ca_has_its_reason() -> None:
    """The ConfigMap is named."""
    world = running()
    world.spec["storage"]["tls"] = {"caName": "ca"}
    assert world.main == ("Degraded", "MissingObjectStorageCAConfigMap")
    world.others = [{"kind": "ConfigMap", "metadata": {"name": "ca", "namespace": NAMESPACE}}]
    assert world.main == ("Degraded", "InvalidObjectStorageCAConfigMap")


def test_what_may_not_be_read_degrades_and_keeps_the_mode() -> None:
    """The mode that was inferred without the Secret is not believed."""
    world = running(Choice(size="1x.small", store="s3-token-rgw"))
    words = {"detail": "forbidden"}
    place = world.snapshot().view.stack
    assert place is not None
    finding = tell(
        operation.STORAGE_SECRET_UNREADABLE, place.secret_ref, stack=place.ref, words=words
    )
    world.spec["storage"]["secret"]["credentialMode"] = "static"
    snapshot = world.snapshot(unreadable=(finding,))
    said = status_of(snapshot, decide(snapshot, plan(snapshot)))
    assert said["storage"]["credentialMode"] == "token"
    told = main_condition(snapshot, decide(snapshot, plan(snapshot)))
    assert told.reason == "ObjectStorageSecretUnreadable"


def test_what_the_api_server_refuses_is_told() -> None:
    """A refused write is a fault, with the object's name and the server's words."""
    world = running()
    snapshot = world.snapshot()
    problem = tell(
        operation.NOT_APPLIED,
        next(iter(world.objects)),
        stack=snapshot.ref,
        words={"detail": "denied by a policy"},
    )
    told = main_condition(snapshot, decide(snapshot, plan(snapshot)), (problem,))
    assert told.reason == "ObjectNotApplied"
    assert "denied by a policy (LK0223)" in told.message


def test_network_policies_are_told_with_their_ports() -> None:
    """The ports that pods may leave by; none any more where the policies are gone."""
    world = running()
    assert "networkPolicyStatus" not in world.status
    world.spec["networkPolicies"] = {"ruleSet": "RestrictIngressEgress"}
    world.run()
    told = world.tell()["networkPolicyStatus"]
    assert told == {
        "ruleSet": "RestrictIngressEgress",
        "objectStorageAllowedEgressPorts": [8080],
    }
    secret, world.secret = world.secret, None
    assert world.tell()["networkPolicyStatus"] == told
    world.secret = secret
    world.spec["networkPolicies"] = {"ruleSet": "None"}
    world.run()
    assert world.tell()["networkPolicyStatus"] == {"ruleSet": "None"}


def test_a_spec_with_faults_keeps_what_was_said_of_pods() -> None:
    """Nothing is known of the components of a stack that cannot be parsed."""
    world = running()
    before = world.status["components"]
    world.spec["size"] = "2x.huge"
    assert world.tell()["components"] == before


def test_the_main_condition_of_a_status_is_found() -> None:
    """Of a status of our own, of none, and of one that says nothing."""
    world = running()
    assert told_before(world.status) == Told(
        type="Ready", reason="ReadyComponents", message="all components are ready"
    )
    assert told_before({}) is None
    assert told_before({"conditions": [{"type": "Ready", "status": "False"}]}) is None


def test_a_workload_that_is_only_waiting_is_said_to_be_rolled() -> None:
    """Credentials that are held leave a change pending, and say for whom."""
    world = running()
    world.change_key("another-secret-key-of-the-same-user-0000")
    assert "to be rolled: " in world.condition("Pending")["message"]
    assert world.trial is None


def test_a_trial_says_whose_credentials_are_verified() -> None:
    """After a trial the account is named; without one what was said before stands."""
    world = running()
    verified = world.condition("CredentialsVerified")
    assert (verified["status"], verified["message"]) == ("True", "verified for my-stack")
    world.trial = replace(GOOD, verifications=())
    assert world.condition("CredentialsVerified") == verified
