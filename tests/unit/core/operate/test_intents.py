# SPDX-License-Identifier: Apache-2.0
"""What a stack's objects should be, and whose they are."""

import pytest

from fakes.stacks import STACK, UID, StackWorld
from lokeys.core.operate.decision import plan
from lokeys.core.operate.intents import (
    KEPT_IMAGES,
    OWNER,
    OWNER_UID,
    Intent,
    digest,
    fixed_of,
    images_of,
    kept_images,
    marks_of,
)
from lokeys.core.operate.live import Live
from lokeys.core.place import Ref
from lokeys.core.stack.render import names
from manifests.lokistack import NAMESPACE, Choice

OPENSHIFT = Choice(tenancy="openshift-logging", size="1x.small")


def planned(choice: Choice) -> dict[Ref, Intent]:
    found = plan(StackWorld(choice).snapshot())
    assert found is not None
    return {each.ref: each for each in found}


def test_every_object_has_its_owner() -> None:
    """By reference; what has no namespace cannot refer to one that has, and names it."""
    for ref, intent in planned(OPENSHIFT).items():
        metadata = intent.manifest["metadata"]
        if ref.namespace is None:
            assert metadata["annotations"] == {OWNER: f"{NAMESPACE}/my-stack", OWNER_UID: UID}
            assert "ownerReferences" not in metadata
        else:
            (owner,) = metadata["ownerReferences"]
            assert (owner["uid"], owner["controller"]) == (UID, True)


def test_only_workloads_have_components() -> None:
    """A budget of the ingester is no ingester."""
    with_component = {ref.kind for ref, each in planned(OPENSHIFT).items() if each.component}
    assert with_component == {"Deployment", "StatefulSet"}


def test_marks_are_exchanged_as_a_whole() -> None:
    """Pods wear the given hashes and no other; what else they are annotated with stays."""
    intent = planned(Choice(extra="everything"))[Ref("StatefulSet", "my-stack-ingester", NAMESPACE)]
    marked = intent.with_marks({names.STORE_HASH: "old"})
    assert marked.marks == {names.STORE_HASH: "old"}
    kept = marked.manifest["spec"]["template"]["metadata"]["annotations"]
    assert names.ZONE_LABELS in kept
    assert marked.digest != intent.digest
    assert intent.with_marks(intent.marks).digest == intent.digest


def test_a_digest_knows_no_order_of_names() -> None:
    """But of items."""
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])


@pytest.mark.parametrize("odd", [{"kind": "Service"}, {"kind": "Deployment", "spec": None}])
def test_what_is_no_workload_has_no_marks(odd: dict[str, object]) -> None:
    """Nothing is made of what is not there."""
    assert marks_of(odd) == {}
    assert fixed_of(odd) == {}


def test_what_a_stack_leaves_in_the_cluster_is_pruned_by_annotation() -> None:
    """An object without a namespace is the stack's by the uid that it names."""
    world = StackWorld(OPENSHIFT)
    world.run()
    left = Ref("ClusterRole", "left-behind")
    world.objects[left] = Live(ref=left, uid="u", version="1", owners={UID: STACK}, content="c")
    assert [live.ref for live in world.decide().prunes] == [left]


def test_images_are_kept_by_container_and_said_to_be() -> None:
    """Of all containers with the image, those that come first included; others stay."""
    choice = Choice(tenancy="static", size="1x.small")
    intent = planned(choice)[Ref("Deployment", "my-stack-gateway", NAMESPACE)]
    kept = intent.with_images({"gateway": "registry.example/gateway@sha256:0", "other": "x"})
    pod = kept.manifest["spec"]["template"]["spec"]
    images = {each["image"] for part in ("initContainers", "containers") for each in pod[part]}
    assert images == {"registry.example/gateway@sha256:0"}
    assert kept_images(kept.manifest) == {"gateway": "registry.example/gateway@sha256:0"}
    assert images_of(kept.manifest) == kept_images(kept.manifest)
    assert intent.with_images(images_of(intent.manifest)) is intent
    assert kept.template != intent.template


@pytest.mark.parametrize("said", ["no JSON", "[1]", '{"a": 1}', "[" * 4000, '"' + "a" * 5000, 7])
def test_what_somebody_writes_there_does_no_harm(said: object) -> None:
    """It keeps nothing."""
    assert kept_images({"metadata": {"annotations": {KEPT_IMAGES: said}}}) == {}
    assert kept_images({"metadata": {}}) == {}
