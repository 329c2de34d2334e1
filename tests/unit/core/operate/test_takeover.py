# SPDX-License-Identifier: Apache-2.0
"""What a takeover would change, restart and lose, said before anything is done."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fakes.formers import kept, kept_by_us, taken_from
from fakes.stacks import GOOD, StackWorld, refused
from lokeys.adapters.kubernetes.stack_objects import live_of
from lokeys.core.operate.changes import Change
from lokeys.core.operate.decision import plan
from lokeys.core.operate.kept import KEPT_TEMPLATE
from lokeys.core.operate.losses import LiveStack, looked_at
from lokeys.core.operate.takeover import TakeoverPlan, takeover_plan, takeover_report
from lokeys.core.operate.volumes import volumes_that_stay
from lokeys.core.place import Ref
from manifests.former import Former
from manifests.lokistack import NOW, Choice

ZONE = "topology.kubernetes.io/zone"
SAME = Former(bucket="1234")
"""With what the world's Secret and spec ask for."""


def world(*, rules: bool = False, **spec: Any) -> StackWorld:
    made = StackWorld()
    made.spec.update({"rules": {"enabled": rules}, **spec})
    return made


def planned(*extras: str, accepted: tuple[str, ...] = (), **live: Any) -> TakeoverPlan:
    """Return the plan of a stack that the Loki Operator runs, with rules."""
    former = replace(SAME, rules=True, extras=frozenset(extras))
    snapshot, seen = taken_from(former, world(rules=True), **live)
    return takeover_plan(snapshot, seen, accepted=frozenset(accepted))


def test_a_healthy_stack_loses_nothing_and_no_pod_restarts() -> None:
    """Its configuration says the same, and its templates differ in what may wait."""
    snapshot, seen = taken_from(SAME, world())
    found = takeover_plan(snapshot, seen)
    assert found.lossless
    assert found.findings == ()
    assert [(each.component.value, each.why) for each in found.restarts] == []
    assert {each.component.value for each in found.workloads} == set(SAME.components)


LATER = NOW + timedelta(minutes=1)


def reasons(former: Former = SAME, made: StackWorld | None = None) -> dict[str, tuple[str, ...]]:
    """Return why each component's pods restart, of those that do."""
    snapshot, seen = taken_from(former, made or world())
    return {e.component.value: e.why for e in takeover_plan(snapshot, seen).restarts}


def test_another_configuration_restarts_every_pod_and_names_its_places() -> None:
    """The paths, and no value."""
    why = ("another configuration (storage_config.object_store.s3.bucket_name)",)
    assert reasons(replace(SAME, bucket="else")) == dict.fromkeys(SAME.components, why)


@pytest.mark.parametrize("written", [LATER, None], ids=["later", "nobody can say when"])
def test_credentials_that_pods_may_not_have_read_restart_them(written: datetime | None) -> None:
    """Those of them that use the storage."""
    made = world()
    made.written_at = written
    why = ("credentials that were written after its pods may have started",)
    with_storage = ("ingester", "querier", "compactor", "index-gateway")
    assert reasons(made=made) == dict.fromkeys(with_storage, why)


def test_a_ruler_restarts_to_find_its_rules() -> None:
    """Its volume names other files; the others go on."""
    former = replace(SAME, rules=True)
    assert reasons(former, world(rules=True)) == {"ruler": ("where it finds its rules",)}


def test_pods_that_go_on_are_ours_and_roll_with_the_next_change() -> None:
    """The template stays as it is while it stands for ours; then ours is written."""
    made = world()
    snapshot, _ = taken_from(SAME, made)
    made.objects = dict(snapshot.objects)
    intents = plan(snapshot)
    assert intents
    made.run()
    ingester = Ref("StatefulSet", "my-stack-ingester", "logging")
    taken = made.intents[ingester]
    pod = taken.manifest["spec"]["template"]
    assert pod["metadata"]["name"] == "loki-ingester-my-stack"
    assert KEPT_TEMPLATE in taken.manifest["metadata"]["annotations"]
    assert made.main == ("Ready", "ReadyComponents")
    made.change_key("another-secret-key-of-the-same-user-0000")
    made.trial = refused()
    made.step()
    assert made.intents[ingester].manifest["spec"]["template"] == pod, "held credentials hold it"
    made.trial = GOOD
    made.run()
    after = made.intents[ingester].manifest
    assert after["spec"]["template"]["metadata"]["name"] == "my-stack-ingester"
    assert KEPT_TEMPLATE not in after["metadata"].get("annotations", {})


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


@pytest.mark.parametrize("logs_in", [True, False], ids=["with a login", "without"])
def test_who_is_logged_in_with_a_browser_logs_in_again(*, logs_in: bool) -> None:
    """The login is kept; the cookies of the former gateway are not, and the plan says so."""
    made = StackWorld(Choice(tenancy="openshift-logging"))
    snapshot, seen = taken_from(Former(), made)
    back_to = {"serviceaccounts.openshift.io/oauth-redirectreference.a": "{}"}
    annotations = back_to if logs_in else {}
    names = {"name": "my-stack-gateway", "namespace": "logging", "annotations": annotations}
    account = {"kind": "ServiceAccount", "metadata": names}
    workload = {"kind": "Deployment", "metadata": names, "spec": {"template": {"spec": {}}}}
    there = {live_of(each).ref: each for each in (account, workload)}
    found = takeover_plan(snapshot, LiveStack(objects={**seen.objects, **there}))
    assert found.losses == ()
    (why,) = (each.why for each in found.workloads if each.component.value == "gateway")
    assert ("who is logged in with a browser logs in again" in why) == logs_in


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


def test_a_stack_that_was_taken_over_restarts_what_has_changed_since() -> None:
    """Planned again after the spec has changed: by what of our own template is another one."""
    made = world()
    there = {
        each.ref: kept_by_us(kept(dict(each.manifest), manager="lokeys", operation="Apply"))
        for each in plan(made.snapshot()) or ()
    }
    made.spec["template"] = {"querier": {"nodeSelector": {"disk": "fast"}}}
    seen = {ref: live_of(each) for ref, each in there.items()}
    found = takeover_plan(made.snapshot(objects=seen), LiveStack(objects=there))
    assert [(e.component.value, e.why) for e in found.restarts] == [
        ("querier", ("nodes, chosen by a label",))
    ]


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
    assert "where it finds its rules" in ruler["why"]
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
    broken = world()
    broken.spec["size"] = "huge"
    assert list(volumes_that_stay(broken.snapshot())) == []
    volumes = takeover_report(found)["volumes"]
    assert {each["wanted"] for each in volumes} == {"`fast`"}
