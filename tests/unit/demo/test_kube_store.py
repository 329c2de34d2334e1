# SPDX-License-Identifier: Apache-2.0
"""The bookkeeping of the API server stand-in: writes, owners of fields, deletion, budgets."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lokeys.demo.parts.kube_budget import DisruptionController, evict
from lokeys.demo.parts.kube_fields import Author, json_patch, merge_patch
from lokeys.demo.parts.kube_kinds import Json, Refusal
from lokeys.demo.parts.kube_store import Store

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> str:
        self.now += timedelta(seconds=seconds)
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(clock=clock)


def item(kind: str, name: str, api: str = "v1", **more: Any) -> Json:
    meta = {"name": name, "namespace": "ns"} | more.pop("metadata", {})
    return {"apiVersion": api, "kind": kind, "metadata": meta, **more}


def route(**spec: Any) -> Json:
    return item("StorageCredential", "loki", "lokeys.dev/v1alpha1", spec=spec)


def pod(name: str, *, ready: bool = True, grace_s: int = 30) -> Json:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return item(
        "Pod",
        name,
        metadata={"labels": {"app": "loki"}},
        spec={"nodeName": "n", "terminationGracePeriodSeconds": grace_s, "containers": []},
        status={"phase": "Running", "conditions": [condition]},
    )


def budget(**spec: Any) -> Json:
    whole = {"selector": {"matchLabels": {"app": "loki"}}} | spec
    return item("PodDisruptionBudget", "loki", "policy/v1", spec=whole)


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def entry(found: Json, manager: str) -> Json | None:
    entries = found["metadata"]["managedFields"]
    return next((one for one in entries if one["manager"] == manager), None)


def test_generation_counts_changes_of_the_spec_alone(store: Store) -> None:
    """Labels and status leave the generation; a spec's change moves it by one."""
    made = store.create(route(mode="Observe"))
    labelled = store.merge(made, {"metadata": {"labels": {"a": "b"}}})
    reported = store.set_status(made, {"observedGeneration": 1})
    changed = store.merge(made, {"spec": {"mode": "Heal"}})
    generations = [one["metadata"]["generation"] for one in (made, labelled, reported, changed)]
    assert generations == [1, 1, 1, 2]
    assert changed["status"] == {"observedGeneration": 1}


def test_the_main_resource_does_not_write_the_status(store: Store) -> None:
    """A status sent with the object is ignored, on create and on update."""
    made = store.create(route() | {"status": {"a": 1}})
    assert "status" not in made
    assert store.merge(made, {"status": {"a": 1}}) == made


def test_a_write_that_changes_nothing_keeps_the_resource_version(store: Store) -> None:
    """An equal write is no write: no new resourceVersion, nothing to watch."""
    made = store.create(item("ConfigMap", "a", data={"k": "v"}))
    revision = store.revision
    assert store.merge(made, {"data": {"k": "v"}}) == made
    author = Author(manager="me", operation="Apply")
    applied = store.apply(item("ConfigMap", "b", data={}), author=author, force=False)
    assert store.apply(item("ConfigMap", "b", data={}), author=author, force=False) == applied
    assert store.revision == revision + 1


def test_a_stale_resource_version_is_a_conflict(store: Store) -> None:
    """A replace with an overtaken resourceVersion answers 409 Conflict and writes nothing."""
    made = store.create(item("ConfigMap", "a", data={"k": "1"}))
    store.merge(made, {"data": {"k": "2"}})
    with pytest.raises(Refusal) as refused:
        store.replace(made | {"data": {"k": "3"}})
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert store.get("ConfigMap", "a", "ns")["data"] == {"k": "2"}


def test_managed_fields_name_the_writer_and_the_time_of_data(store: Store, clock: Clock) -> None:
    """Who writes `data` later owns it from that moment; an annotation is no write to data."""
    made = store.create(item("Secret", "s", stringData={"k": "1"}), author=Author(manager="eso"))
    created = made["metadata"]["creationTimestamp"]
    clock.advance(60)
    note = {"metadata": {"annotations": {"a": "b"}}}
    noted = store.merge(made, note, author=Author(manager="lokeys"))
    eso = entry(noted, "eso")
    assert eso is not None
    assert (eso["time"], eso["fieldsV1"]["f:data"]) == (created, {"f:k": {}})
    later = clock.advance(60)
    changed = store.merge(made, {"data": {"k": encoded("2")}}, author=Author(manager="kubectl"))
    kubectl, eso = entry(changed, "kubectl"), entry(changed, "eso")
    assert kubectl is not None
    assert eso is not None
    assert (kubectl["time"], kubectl["fieldsV1"]) == (later, {"f:data": {"f:k": {}}})
    assert "f:data" not in eso["fieldsV1"]


def test_apply_takes_what_is_left_out_away(store: Store) -> None:
    """A field that its manager applies no more goes; a field of another manager stays."""
    author = Author(manager="lokeys", operation="Apply")
    store.apply(item("ConfigMap", "a", data={"one": "1", "two": "2"}), author=author, force=False)
    store.merge(store.get("ConfigMap", "a", "ns"), {"data": {"three": "3"}})
    applied = store.apply(item("ConfigMap", "a", data={"one": "1"}), author=author, force=False)
    assert applied["data"] == {"one": "1", "three": "3"}


def test_apply_over_another_manager_needs_force(store: Store) -> None:
    """A foreign field with another value is a 409 that names it; force takes it over."""
    store.create(item("ConfigMap", "a", data={"k": "1"}), author=Author(manager="kubectl"))
    author = Author(manager="lokeys", operation="Apply")
    with pytest.raises(Refusal) as refused:
        store.apply(item("ConfigMap", "a", data={"k": "2"}), author=author, force=False)
    assert refused.value.details["causes"][0]["field"] == ".data.k"
    applied = store.apply(item("ConfigMap", "a", data={"k": "2"}), author=author, force=True)
    assert applied["data"] == {"k": "2"}
    assert entry(applied, "kubectl") is None


def test_an_immutable_secret_takes_notes_but_no_data(store: Store) -> None:
    """Data of an immutable Secret cannot change; its annotations can."""
    made = store.create(item("Secret", "s", stringData={"k": "1"}, immutable=True))
    with pytest.raises(Refusal, match="field is immutable"):
        store.merge(made, {"data": {"k": encoded("2")}})
    store.merge(made, {"metadata": {"annotations": {"a": "b"}}})


def test_delete_checks_its_preconditions(store: Store) -> None:
    """A wrong uid or resourceVersion is a 409, and the object stays."""
    made = store.create(item("Secret", "s"))
    for wrong in ({"uid": "other"}, {"resourceVersion": "0"}):
        with pytest.raises(Refusal) as refused:
            store.delete(made, options={"preconditions": wrong})
        assert refused.value.code == 409
    meta = made["metadata"]
    right = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    store.delete(made, options={"preconditions": right})
    assert store.find("Secret", "s", "ns") is None


def test_a_finalizer_puts_the_end_off(store: Store) -> None:
    """The object stays with a deletionTimestamp until its last finalizer goes."""
    made = store.create(
        route()
        | item("StorageCredential", "loki", "lokeys.dev/v1alpha1")
        | {"metadata": {"name": "loki", "namespace": "ns", "finalizers": ["lokeys.dev/x"]}}
    )
    store.delete(made)
    assert "deletionTimestamp" in store.get("StorageCredential", "loki", "ns")["metadata"]
    store.merge(made, {"metadata": {"finalizers": None}})
    assert store.find("StorageCredential", "loki", "ns") is None


def test_what_nobody_owns_is_collected(store: Store) -> None:
    """Dependants go with their last owner; Orphan lets them stay."""
    for name, policy, left in (("a", None, None), ("b", "Orphan", "b")):
        owner = store.create(item("ConfigMap", name))
        reference = {"kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"]}
        store.create(item("Secret", name, metadata={"ownerReferences": [reference]}))
        store.delete(owner, options={"propagationPolicy": policy})
        found = store.find("Secret", name, "ns")
        assert (found and found["metadata"]["name"]) == left


def test_a_running_pod_ends_with_its_grace(store: Store, clock: Clock) -> None:
    """Deletion sets the time of its end; a shorter grace brings it forward, a longer does not."""
    made = store.create(pod("loki-0", grace_s=60))
    first = store.delete(made)["metadata"]
    assert first["deletionGracePeriodSeconds"] == 60
    store.delete(made, options={"gracePeriodSeconds": 600})
    assert store.get("Pod", "loki-0", "ns")["metadata"] == first
    clock.advance(40)
    late = store.delete(made, options={"gracePeriodSeconds": 50})["metadata"]
    assert late["deletionGracePeriodSeconds"] == 50
    late = store.delete(made, options={"gracePeriodSeconds": 10})["metadata"]
    assert late["deletionGracePeriodSeconds"] == 1, "that end would be in the past"
    end = clock.advance(1)
    store.delete(made, options={"gracePeriodSeconds": 0})
    assert store.find("Pod", "loki-0", "ns") is None
    assert first["deletionTimestamp"] > end


def test_changes_before_a_compaction_are_expired(store: Store) -> None:
    """Who asks for forgotten changes gets 410; who asks for later ones gets them."""
    store.create(item("Secret", "a"))
    old = store.revision
    store.forget_history()
    with pytest.raises(Refusal) as refused:
        store.changes("Secret", after=old)
    assert (refused.value.code, refused.value.reason) == (410, "Expired")
    now = store.revision
    store.create(item("Secret", "b"))
    names = [change.subject["metadata"]["name"] for change in store.changes("Secret", after=now)]
    assert names == ["b"]


@pytest.mark.parametrize(
    "spec, healths, allowed",
    [
        pytest.param({"maxUnavailable": 1}, [True, True], 1, id="one-may-go"),
        pytest.param({"maxUnavailable": 1}, [True, False], 0, id="one-is-gone-already"),
        pytest.param({"minAvailable": 1}, [True], 0, id="the-last-one-stays"),
        pytest.param({"minAvailable": "50%"}, [True, True], 1, id="half-must-stay"),
        pytest.param({"maxUnavailable": 0}, [True, True], 0, id="nobody-may-go"),
    ],
)
def test_a_budget_counts_what_may_go(
    store: Store, spec: Json, healths: list[bool], allowed: int
) -> None:
    """The status says how many pods may be disrupted, as soon as pods change."""
    store.hooks.append(DisruptionController(store))
    store.create(budget(**spec))
    for number, healthy in enumerate(healths):
        store.create(pod(f"loki-{number}", ready=healthy))
    status = store.get("PodDisruptionBudget", "loki", "ns")["status"]
    assert status["disruptionsAllowed"] == allowed


@pytest.mark.parametrize(
    "spec, ready, refused",
    [
        pytest.param({"minAvailable": 1}, True, True, id="the-budget-is-used-up"),
        pytest.param({"minAvailable": 1}, False, True, id="a-broken-pod-is-guarded-as-well"),
        pytest.param(
            {"minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
            False,
            False,
            id="a-broken-pod-may-go-by-policy",
        ),
        pytest.param({"minAvailable": 0}, True, False, id="the-budget-allows-it"),
    ],
)
def test_an_eviction_asks_the_budget(store: Store, spec: Json, ready: bool, refused: bool) -> None:
    """A budget's refusal is a 429 with the cause DisruptionBudget; the pod stays."""
    store.hooks.append(DisruptionController(store))
    store.create(budget(**spec))
    made = store.create(pod("loki-0", ready=ready))
    if refused:
        with pytest.raises(Refusal) as answer:
            evict(store, made, {})
        assert answer.value.code == 429
        assert answer.value.details["causes"][0]["reason"] == "DisruptionBudget"
    else:
        evict(store, made, {"deleteOptions": {"gracePeriodSeconds": 2}})
    dying = "deletionTimestamp" in store.get("Pod", "loki-0", "ns")["metadata"]
    assert dying is not refused


def test_patches_follow_their_standards() -> None:
    """A merge patch removes with null; a JSON patch adds, replaces, removes and tests."""
    assert merge_patch({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}
    operations: list[Json] = [
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": 2},
        {"op": "remove", "path": "/b~1c"},
    ]
    assert json_patch({"a": [1], "b/c": 0}, operations) == {"a": [1, 2]}
    with pytest.raises(Refusal):
        json_patch({}, [{"op": "remove", "path": "/none"}])
