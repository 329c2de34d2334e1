# SPDX-License-Identifier: Apache-2.0
"""What a takeover would change, restart and lose, said before anything is done."""

from typing import Any

import pytest

from fakes.formers import kept, kept_by_us, taken_from
from fakes.stacks import StackWorld
from lokeys.adapters.kubernetes.stack_objects import live_of
from lokeys.core.operate.changes import Change
from lokeys.core.operate.decision import plan
from lokeys.core.operate.losses import LiveStack, looked_at
from lokeys.core.operate.takeover import TakeoverPlan, takeover_plan, takeover_report
from manifests.former import Former

ZONE = "topology.kubernetes.io/zone"


def world(*, rules: bool = False, **spec: Any) -> StackWorld:
    made = StackWorld()
    made.spec.update({"rules": {"enabled": rules}, **spec})
    return made


def planned(*extras: str, accepted: tuple[str, ...] = (), **live: Any) -> TakeoverPlan:
    """Return the plan of a stack that the Loki Operator runs, with rules."""
    former = Former(rules=True, extras=frozenset(extras))
    snapshot, seen = taken_from(former, world(rules=True), **live)
    return takeover_plan(snapshot, seen, accepted=frozenset(accepted))


def test_a_plain_stack_loses_nothing() -> None:
    """Each workload is rolled once, for reasons that are named, and nothing is refused."""
    snapshot, seen = taken_from(Former(), world())
    found = takeover_plan(snapshot, seen)
    assert found.lossless
    assert found.findings == ()
    assert {each.component.value for each in found.restarts} == set(Former().components)
    assert all(each.why and each.pods == 1 for each in found.workloads)
    reasons = {word for each in found.workloads for word in each.why}
    assert {"another configuration", "Pod Security `restricted`"} <= reasons


def test_what_cannot_be_changed_is_no_change() -> None:
    """Neither selectors nor claims nor the empty names of services."""
    snapshot, seen = taken_from(Former(), world())
    objects = takeover_plan(snapshot, seen).objects
    workloads = [each for each in objects if each.ref.kind in ("Deployment", "StatefulSet")]
    fields = {path for each in workloads for path in each.fields}
    fixed = ("spec.selector", "spec.serviceName", "spec.volumeClaim", "spec.podManagement")
    assert fields
    assert not [path for path in fields if path.startswith(fixed)]


@pytest.mark.parametrize(
    ("extra", "place"),
    [
        ("rules", "ConfigMap logging/my-stack-rules-0"),
        ("alerts", "ConfigMap logging/my-stack-config"),
        ("pod-tls", "Deployment logging/my-stack-distributor"),
        ("monitors", "ServiceMonitor logging/my-stack-ingester-monitor"),
        ("zones", "Deployment logging/my-stack-distributor"),
    ],
)
def test_what_would_be_lost_is_refused_unless_it_is_accepted(extra: str, place: str) -> None:
    """By its name, which the command that accepts it names."""
    found = planned(extra)
    (finding,) = found.findings
    assert (finding.code, finding.is_error) == ("LK0241", True)
    assert found.refused
    assert str(finding.remedy[1].command).endswith(f"my-stack --accept-loss={extra}")
    assert str(finding.object) == place
    accepted = planned(extra, accepted=(extra,))
    assert (accepted.refused, accepted.lossless) == (False, False)
    assert [each.name for each in accepted.losses] == [extra]


def test_a_ruler_without_rules_loses_nothing() -> None:
    """An empty ConfigMap holds no rule."""
    assert planned().losses == ()


def test_a_login_in_a_browser_is_lost() -> None:
    """The gateway's account says that OpenShift may send browsers back to it."""
    snapshot, seen = taken_from(Former(), world())
    account = {
        "kind": "ServiceAccount",
        "metadata": {
            "name": "my-stack-gateway",
            "namespace": "logging",
            "annotations": {"serviceaccounts.openshift.io/oauth-redirectreference.a": "{}"},
        },
    }
    ref = live_of(account).ref
    found = takeover_plan(snapshot, LiveStack(objects={**seen.objects, ref: account}))
    assert [each.name for each in found.losses] == ["browser-login"]


@pytest.mark.parametrize(
    ("key", "minor", "lost"),
    [(ZONE, 35, False), (ZONE, 34, True), (ZONE, None, True), ("rack", 36, True)],
)
def test_zones_are_lost_where_pods_cannot_learn_theirs(
    key: str, minor: int | None, *, lost: bool
) -> None:
    """Kubernetes tells pods theirs from 1.35 on, by two labels."""
    former = Former(extras=frozenset({"zones"}))
    zones = {"factor": 1, "zones": [{"topologyKey": key}]}
    snapshot, seen = taken_from(former, world(replication=zones), minor=minor)
    names = [each.name for each in takeover_plan(snapshot, seen).losses]
    assert names == (["zones"] if lost else [])


def test_what_is_lokeys_own_stays() -> None:
    """Planned again after the takeover nothing changes, and no pod restarts."""
    made = world()
    snapshot = made.snapshot()
    intents = plan(snapshot)
    assert intents
    there = {
        each.ref: kept_by_us(kept(dict(each.manifest), manager="lokeys", operation="Apply"))
        for each in intents
    }
    seen = {ref: live_of(each) for ref, each in there.items()}
    found = takeover_plan(made.snapshot(objects=seen), LiveStack(objects=there))
    assert {each.change for each in found.objects} == {Change.STAYS}
    assert found.restarts == ()


def test_what_is_not_there_is_made() -> None:
    """And makes no pod restart."""
    found = takeover_plan(world().snapshot(), LiveStack(objects={}))
    assert {each.change for each in found.objects} == {Change.MADE}
    assert (found.restarts, found.lossless) == ((), True)


def test_what_tells_of_a_loss_is_looked_at_by_name() -> None:
    """So that nobody needs the right to list what is not lokeys'."""
    stack = world().snapshot().view.stack
    assert stack
    found = {(each.kind, each.name) for each in looked_at(stack)}
    assert ("ConfigMap", "my-stack-rules-0") in found
    assert ("PrometheusRule", "my-stack-prometheus-rule") in found
    assert ("ServiceMonitor", "my-stack-gateway-monitor") in found


def test_a_stack_with_a_fault_is_refused() -> None:
    """What its objects should be cannot be said."""
    made = world()
    made.secret = None
    snapshot, seen = taken_from(Former(), made, not_read=("Secret logging/a: forbidden",))
    found = takeover_plan(snapshot, seen)
    assert found.refused
    assert [each.code for each in found.findings] == ["LK0101"]
    assert found.not_read


def test_what_could_not_be_read_may_hide_a_loss() -> None:
    """So it is not said that nothing is lost."""
    snapshot, seen = taken_from(Former(), world(), not_read=("ServiceMonitor a: forbidden",))
    found = takeover_plan(snapshot, seen)
    assert (found.refused, found.lossless) == (False, False)


def test_the_report_has_the_contracts_form() -> None:
    """Objects, workloads and losses with their names; no value of a field."""
    found = takeover_report(planned("rules", accepted=("rules",)))
    assert (found["apiVersion"], found["kind"]) == ("lokeys.dev/v1", "TakeoverPlan")
    assert found["stack"] == {"namespace": "logging", "name": "my-stack"}
    assert (found["refused"], found["lossless"], found["complete"]) == (False, False, True)
    (loss,) = found["losses"]
    assert (loss["loss"], loss["accepted"]) == ("rules", True)
    ruler = next(each for each in found["workloads"] if each["component"] == "ruler")
    assert ruler["restarts"]
    assert "an account of its own" in ruler["why"]
    changes = {each["change"] for each in found["objects"]}
    assert changes == {"stays", "changes", "made"}


def test_volumes_that_stay_are_shown_and_are_no_finding() -> None:
    """A live claim of another class than the spec's is kept; nothing is refused for it."""
    snapshot, seen = taken_from(Former(storage_class="slow"), world())
    found = takeover_plan(snapshot, seen)
    assert (found.findings, found.refused, found.lossless) == ((), False, True)
    kept = next(each for each in found.volumes if each.workload.name == "my-stack-compactor")
    place = "StatefulSet logging/my-stack-compactor"
    said = "volume `storage` keeps the storage class `slow`; the spec asks for `fast`"
    assert str(kept) == f"{place}: {said}"
    volumes = takeover_report(found)["volumes"]
    assert {each["wanted"] for each in volumes} == {"`fast`"}
