# SPDX-License-Identifier: Apache-2.0
"""What is written next for a stack, in which order, and what is left alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes.stacks import GOOD, STACK, UID, StackWorld, managed_secret, refused
from lokeys.core.findings.link import Link, Untried
from lokeys.core.operate.credentials import first_pods
from lokeys.core.operate.decision import PROOF_EVERY, decide, plan
from lokeys.core.operate.intents import images_of
from lokeys.core.operate.live import Live, LivePodState
from lokeys.core.operate.rollout import UNREADY_FOR
from lokeys.core.operate.snapshot import Trial
from lokeys.core.operate.status import main_condition
from lokeys.core.place import Ref
from lokeys.core.route.snapshot import LokiMetrics
from lokeys.core.stack.render import names
from lokeys.core.stack.render.options import Images
from lokeys.core.stack.resource.model import Component
from lokeys.core.trust.tries.verification import LinkName, Verification
from manifests.lokistack import NAMESPACE, NOW, Choice

RULER = Choice(extra="rules", size="1x.small")
ORDER = ["index-gateway", "ingester", "querier", "query-frontend", "ruler", "compactor"]


def running(choice: Choice = RULER) -> StackWorld:
    """Make a stack that runs and rests."""
    world = StackWorld(choice)
    world.run()
    world.writes.clear()
    return world


def component(ref: Ref) -> str:
    return ref.name.removeprefix("my-stack-")


def workload(world: StackWorld, word: str) -> Live:
    return next(
        live for ref, live in world.objects.items() if live.workload and component(ref) == word
    )


def marks(world: StackWorld, word: str) -> dict[str, str]:
    found = workload(world, word).workload
    assert found is not None
    return dict(found.marks)


def test_all_is_made_at_once() -> None:
    """On first creation nothing waits, and the configuration comes before any pod."""
    world = StackWorld(RULER)
    course = world.decide()
    assert len(course.workloads) == 7
    assert not course.waiting
    assert Ref("ConfigMap", "my-stack-config", NAMESPACE) in {each.ref for each in course.config}
    world.step()
    assert world.decide().rests
    assert world.main == ("Pending", "PendingComponents")
    world.settle_all()
    assert world.main == ("Ready", "ReadyComponents")


def test_at_rest_nothing_is_written() -> None:
    """A stack that is as it should be is left alone, and its status does not move."""
    world = running()
    before = dict(world.status)
    world.now += timedelta(hours=1)
    assert world.step().rests
    assert world.writes == []
    assert world.status == before


def test_what_somebody_deletes_is_made_anew() -> None:
    """An object that is missing comes back, and nothing else is touched."""
    world = running()
    gone = Ref("Service", "my-stack-gossip-ring", NAMESPACE)
    del world.objects[gone]
    world.step()
    assert world.writes == [gone]


def test_what_somebody_edits_is_put_back() -> None:
    """An object of which we own other than we applied is applied again."""
    world = running()
    edited = Ref("PodDisruptionBudget", "my-stack-ingester", NAMESPACE)
    world.objects[edited] = replace(world.objects[edited], content="other")
    world.step()
    assert world.writes == [edited]


@pytest.mark.parametrize("content", [None, "other"], ids=["right else", "edited"])
def test_what_is_being_deleted_is_not_written(content: str | None) -> None:
    """A finalizer may hold it for long, and no write would outlive it: its namesake comes then."""
    world = running()
    leaving = Ref("ConfigMap", "my-stack-config", NAMESPACE)
    found = world.objects[leaving]
    world.objects[leaving] = replace(found, terminating=True, content=content or found.content)
    assert world.decide().rests
    assert not world.decide().configured
    del world.objects[leaving]
    assert [each.ref for each in world.decide().config] == [leaving]


def test_a_changed_key_rolls_one_component_after_the_other() -> None:
    """Only what mounts credentials is rolled, each after the one before is ready."""
    world = running()
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = GOOD
    rolled = []
    while not (course := world.step()).rests or world.unsettled():
        rolled += [component(each.ref) for each in course.workloads]
        assert len(world.unsettled()) == 1
        assert world.main[0] == "Pending"
        assert world.decide().workloads == ()
        world.settle_all()
    assert rolled == ["index-gateway", "ingester", "querier", "ruler", "compactor"]
    assert world.main == ("Ready", "ReadyComponents")


def test_changed_configuration_rolls_all_in_order() -> None:
    """The configuration is written at once; the workloads follow one by one."""
    world = running()
    world.spec["limits"] = {"global": {"queries": {"maxQuerySeries": 7}}}
    first = world.step()
    assert [each.ref.name for each in first.config] == ["my-stack-config"]
    rolled = [component(each.ref) for each in first.workloads]
    assert [each.value for each in first.waiting] == [*ORDER[1:], "distributor"]
    for _ in range(20):
        world.settle_all()
        rolled += [component(each.ref) for each in world.step().workloads]
    assert rolled == [*ORDER, "distributor"]


def test_replicas_wait_for_nobody() -> None:
    """What replaces no pod is written though another component is not ready."""
    world = running()
    world.settle(workload(world, "index-gateway").ref, ready=False)
    world.spec["template"] = {"querier": {"replicas": 5}}
    course = world.step()
    assert [component(each.ref) for each in course.workloads] == ["querier"]
    assert course.awaited is Component.INDEX_GATEWAY


def test_a_component_without_a_ready_pod_loses_nothing() -> None:
    """What is broken anyway is rolled though it is not its turn: others may wait for it."""
    world = running()
    world.settle(workload(world, "index-gateway").ref, ready=False)
    world.settle(workload(world, "query-frontend").ref, ready=False)
    world.spec["limits"] = {"global": {"queries": {"maxQuerySeries": 7}}}
    rolled = [component(each.ref) for each in world.step().workloads]
    assert rolled == ["index-gateway", "query-frontend"]


def test_a_pod_that_holds_up_its_rollout_is_deleted() -> None:
    """A StatefulSet waits for ever for an old pod that is not ready; lokeys does not."""
    world = running()
    live = workload(world, "ingester")
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = GOOD
    world.step()
    world.settle_all()
    world.step()
    ref = live.ref
    moved = world.objects[ref]
    assert moved.workload
    rollout = replace(moved.workload.rollout, observed=moved.workload.rollout.generation, ready=2)
    world.objects[ref] = replace(moved, workload=replace(moved.workload, rollout=rollout))
    world.pods = tuple(
        replace(pod, state=LivePodState.RUNNING, unready_since=world.now)
        if pod.name == "my-stack-ingester-1"
        else pod
        for pod in world.pods
    )
    course = world.step()
    assert course.stuck == ()
    assert course.look_again_at == world.now + UNREADY_FOR
    world.now += UNREADY_FOR
    assert [pod.name for pod in world.step().stuck] == ["my-stack-ingester-1"]
    assert world.decide().stuck == ()


def test_untried_credentials_are_held() -> None:
    """While the changed credentials are being tried no hash moves, and that is said."""
    world = running()
    before = marks(world, "ingester")
    world.change_key("another-secret-key-of-the-same-user-0000")
    course = world.step()
    assert course.rests
    assert course.try_credentials
    assert marks(world, "ingester") == before
    assert world.main == ("Pending", "PendingComponents")
    assert "being tried" in world.condition("Pending")["message"]


@pytest.mark.parametrize("link", [LinkName.STORE, LinkName.TRUST, LinkName.TOKEN])
def test_refused_credentials_reach_no_pod(link: LinkName) -> None:
    """Whatever breaks on the new credentials' way: pods keep the old ones, and why is said."""
    world = running()
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = refused(name=link)
    assert world.step().rests
    assert world.main == ("Degraded", "CredentialsRefused")
    assert "the pods keep what they have" in world.condition("Degraded")["message"]
    assert world.condition("CredentialsVerified")["status"] == "False"
    assert world.status["storage"]["credentialMode"] == "static"


def test_while_refused_nothing_starts_a_pod() -> None:
    """A change of the spec waits: a pod that starts anew would take the refused credentials."""
    world = running()
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = refused()
    world.spec["limits"] = {"global": {"queries": {"maxQuerySeries": 7}}}
    world.step()
    assert world.writes == []
    world.trial = GOOD
    world.run()
    assert world.main == ("Ready", "ReadyComponents")


def test_while_refused_the_rest_is_kept_right() -> None:
    """What is deleted comes back, and what needs no new pod is written."""
    world = running()
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = refused()
    querier = workload(world, "querier").ref
    del world.objects[Ref("Service", "my-stack-gossip-ring", NAMESPACE)]
    del world.objects[workload(world, "distributor").ref]
    world.spec["template"] = {"querier": {"replicas": 9}}
    world.step()
    assert {ref.name for ref in world.writes} == {
        "my-stack-gossip-ring",
        "my-stack-distributor",
        querier.name,
    }
    assert marks(world, "querier")[names.STORE_HASH] != world.snapshot().store_hash


def untried() -> StackWorld:
    """Make a stack whose changed key nobody could try, and of which the first part is rolled."""
    world = running()
    world.change_key("another-secret-key-of-the-same-user-0000")
    link = Link(name=LinkName.STORE, ok=None, untried=Untried.NOT_PERMITTED)
    world.trial = Trial(verifications=(Verification(account="my-stack", links=(link,)),))
    course = world.step()
    assert [component(each.ref) for each in course.workloads] == ["index-gateway"]
    world.settle_all()
    return world


def first_uids(world: StackWorld) -> list[str]:
    return [pod.uid for pod in world.pods if pod.component == "index-gateway"]


def count(world: StackWorld, *counts: LokiMetrics | None) -> None:
    """Have the first pods say how the store answers them."""
    world.counted = dict(zip(first_uids(world), counts, strict=False))


SILENT, ANSWERED, REFUSED = (
    LokiMetrics(at=NOW),
    LokiMetrics(at=NOW, accepted=1, refused=1),
    LokiMetrics(at=NOW, refused=3),
)


def test_untried_credentials_go_to_one_component_first() -> None:
    """The rest follows when a pod of it was answered by the store, and not before."""
    world = untried()
    assert [pod.uid for pod in first_pods(world.snapshot())] == first_uids(world)
    for counts in ((SILENT, SILENT), (None, SILENT), (None, None)):
        count(world, *counts)
        course = world.step()
        assert course.rests
        assert course.unproved == {"index-gateway"}
        assert course.look_again_at == NOW + PROOF_EVERY
        assert "index-gateway is yet to use them" in world.condition("Pending")["message"]
    count(world, SILENT, ANSWERED)
    world.run()
    assert world.main == ("Ready", "ReadyComponents")
    assert first_pods(world.snapshot()) == ()


def test_where_no_pod_can_be_asked_readiness_is_all_there_is() -> None:
    """Nothing waits for a proof that cannot be had."""
    world = untried()
    count(world)
    world.run()
    assert world.main == ("Ready", "ReadyComponents")


def test_of_a_store_whose_answers_loki_does_not_count_no_proof_is_awaited() -> None:
    """Alibaba Cloud's OSS: its pods would be silent for ever."""
    world = running(Choice(store="alibabacloud", size="1x.small"))
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = Trial()
    world.step()
    world.settle_all()
    count(world, SILENT, SILENT)
    assert first_pods(world.snapshot())
    world.run()
    assert world.main == ("Ready", "ReadyComponents")


def test_a_pod_that_is_not_seen_yet_proves_nothing() -> None:
    """Its workload says that all are ready; the pod itself is heard of later."""
    world = untried()
    seen = world.pods
    world.pods = tuple(pod for pod in seen if pod.component != "index-gateway")
    assert world.decide().unproved == {"index-gateway"}
    world.pods = seen
    assert world.decide().unproved == frozenset()


def test_a_pod_of_the_former_template_is_not_asked() -> None:
    """What it is answered says nothing of credentials that it does not have."""
    world = untried()
    world.pods = tuple(
        replace(pod, revision="former") if pod.component == "index-gateway" else pod
        for pod in world.pods
    )
    count(world, REFUSED, REFUSED)
    assert first_pods(world.snapshot()) == ()
    assert world.main[0] == "Pending"


def test_the_first_pod_that_is_refused_is_the_last() -> None:
    """Nobody else gets the credentials; mended, the roll begins anew."""
    world = untried()
    count(world, REFUSED)
    assert world.step().rests
    assert world.main == ("Degraded", "CredentialsRefused")
    assert "my-stack-index-gateway-0" in world.condition("Degraded")["message"]
    world.change_key("a-third-secret-key-of-the-same-user-00000")
    world.trial = GOOD
    world.run()
    assert world.main == ("Ready", "ReadyComponents")


def test_credentials_that_passed_need_no_first_pod() -> None:
    """Who was tried is not asked again, whatever a pod has been answered before."""
    world = untried()
    count(world, REFUSED)
    world.trial = GOOD
    world.run()
    assert world.main == ("Ready", "ReadyComponents")


def test_credentials_in_use_that_are_refused_degrade_and_change_nothing() -> None:
    """A key that was revoked at the store is told; its pods are left alone."""
    world = running()
    world.trial = refused()
    assert world.step().rests
    assert world.main == ("Degraded", "CredentialsRefused")
    assert "the pods run with them" in world.condition("Degraded")["message"]


def test_credentials_in_use_that_cannot_be_tried_for_a_moment_are_no_fault() -> None:
    """A token that could not be had says nothing about pods that run."""
    world = running()
    world.trial = refused(name=LinkName.TOKEN)
    assert world.step().rests
    assert world.main == ("Ready", "ReadyComponents")


def test_a_missing_secret_touches_nothing() -> None:
    """The Secret is deleted under a healthy stack: its name is told, the mode kept, pods stay."""
    world = running()
    world.secret = None
    assert world.step().rests
    assert world.main == ("Degraded", "MissingObjectStorageSecret")
    message = world.condition("Degraded")["message"]
    assert f"Secret {NAMESPACE}/store" in message
    assert "does not exist" in message
    assert world.status["storage"]["credentialMode"] == "static"
    assert world.status["storage"]["schemas"]


def test_an_unsound_secret_touches_nothing() -> None:
    """Findings errors mean that no hash moves."""
    world = running()
    assert world.secret is not None
    data = {**world.secret["stringData"], "endpoint": "rgw"}
    world.secret = {**world.secret, "stringData": data}
    assert world.step().rests
    assert world.main == ("Degraded", "InvalidObjectStorageSecret")


def test_a_ruler_that_is_not_wanted_any_more_goes() -> None:
    """Its workload, services, budget and account are pruned, and nothing else."""
    world = running()
    world.spec["rules"] = {"enabled": False}
    world.run()
    pruned = {ref for ref in world.writes if ref not in world.objects}
    assert {ref.kind for ref in pruned} == {
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }
    assert all("ruler" in ref.name for ref in pruned)


@pytest.mark.parametrize(
    "change",
    [{"owners": frozenset({"another"})}, {"content": None}, {"terminating": True}],
    ids=["another owner", "another manager", "already going"],
)
def test_what_is_not_ours_is_never_pruned(change: dict[str, Any]) -> None:
    """Owner uid and field manager, both, make an object ours."""
    world = running()
    ref = Ref("Service", "my-stack-extra", NAMESPACE)
    ours = Live(ref=ref, uid="u", version="1", owners={UID: STACK}, content="c")
    world.objects[ref] = ours
    assert world.decide().prunes == (ours,)
    world.objects[ref] = replace(ours, **change)
    assert world.decide().prunes == ()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(
            {"storageClassName": "slow"},
            "volume `storage` keeps the storage class `fast`; the spec asks for `slow`",
            id="another storage class",
        ),
        pytest.param(
            {"size": "1x.demo"},
            "volume `wal` keeps a size of `150Gi`; the spec asks for `10Gi`",
            id="another size",
        ),
    ],
)
def test_volumes_stay_as_they_were_made(spec: dict[str, Any], said: str) -> None:
    """That is no finding and forbids nothing: beside Ready it is said, and credentials roll."""
    world = running()
    before = {ref: o.workload.fixed for ref, o in world.objects.items() if o.workload}
    world.spec.update(spec)
    world.run()
    assert world.main == ("Ready", "ReadyComponents")
    assert said in world.condition("Ready")["message"]
    others = [each for each in world.tell()["conditions"] if each["type"] != "Ready"]
    assert "keeps" not in str(others)
    assert {ref: o.workload.fixed for ref, o in world.objects.items() if o.workload} == before
    world.change_key("another-secret-key-of-the-same-user-0000")
    world.trial = GOOD
    world.run()
    assert marks(world, "compactor")[names.STORE_HASH] == world.snapshot().store_hash


def test_what_nobody_can_change_stays_as_another_operator_has_made_it() -> None:
    """Others' service names and selectors are kept, pods are labelled so, and nothing is said."""
    world = running()
    for ref, live in list(world.objects.items()):
        if live.workload is None:
            continue
        selector = {"matchLabels": {**live.workload.fixed["selector"]["matchLabels"], "old": "one"}}
        fixed = {**live.workload.fixed, "selector": selector}
        if ref.kind == "StatefulSet":
            fixed["serviceName"] = "theirs"
        world.objects[ref] = replace(
            live, content=None, workload=replace(live.workload, template=None, fixed=fixed)
        )
    world.run()
    assert world.main == ("Ready", "ReadyComponents")
    assert world.condition("Ready")["message"] == "all components are ready"
    workloads = [each for each in world.intents.values() if each.component]
    assert all(
        each.manifest["spec"]["selector"]["matchLabels"]["old"] == "one" for each in workloads
    )
    for each in workloads:
        labels = each.manifest["spec"]["template"]["metadata"]["labels"]
        assert each.manifest["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert each.manifest["spec"].get("serviceName", "") in ("", "theirs")


def test_claims_that_differ_in_labels_only_are_kept_as_they_are() -> None:
    """A former operator's labels on claim templates are no reason to complain."""
    world = running()
    live = workload(world, "ingester")
    assert live.workload
    claims = [
        {**claim, "metadata": {"name": claim["metadata"]["name"], "labels": {"old": "one"}}}
        for claim in live.workload.fixed["volumeClaimTemplates"]
    ]
    fixed = {**live.workload.fixed, "volumeClaimTemplates": claims}
    world.objects[live.ref] = replace(
        live, content="former", workload=replace(live.workload, fixed=fixed)
    )
    world.run()
    assert world.main == ("Ready", "ReadyComponents")


def test_a_schema_to_come_is_looked_at_on_its_day() -> None:
    """Time alone changes the configuration: the next look is at the schema's midnight."""
    world = running(Choice(schema="v13 to come"))
    course = world.decide()
    assert course.look_again_at is not None
    assert course.look_again_at.year == 2099


def test_schemas_are_told_when_they_are_applied() -> None:
    """Not before the configuration with them stands in the cluster."""
    world = StackWorld(RULER)
    world.tell()
    assert "schemas" not in world.status["storage"]
    world.run()
    world.secret = None
    before = world.status["storage"]["schemas"]
    world.spec["storage"]["schemas"].append({"version": "v13", "effectiveDate": "2099-01-01"})
    world.step()
    assert world.status["storage"]["schemas"] == before


# --- credentials from the cluster's cloud --------------------------------------------------------


def cloud() -> StackWorld:
    return StackWorld(Choice(store="s3-cco", size="1x.small"))


REQUEST = Ref("CredentialsRequest", "my-stack", NAMESPACE)


def test_pods_wait_for_managed_credentials() -> None:
    """The request is made, and what awaits its answer is told; no workload before it."""
    world = cloud()
    world.step()
    assert REQUEST in world.objects
    assert not any(live.workload for live in world.objects.values())
    assert world.main == ("Degraded", "MissingTokenCCOAuthenticationSecret")
    assert world.status["storage"]["credentialMode"] == "token-cco"
    world.managed = managed_secret()
    world.run()
    assert world.main == ("Ready", "ReadyComponents")
    assert names.MANAGED_HASH in marks(world, "ingester")


def test_managed_credentials_that_vanish_leave_the_pods_alone() -> None:
    """No hash moves while the managed Secret is away."""
    world = cloud()
    world.managed = managed_secret()
    world.run()
    world.writes.clear()
    world.managed = None
    world.step()
    assert world.writes == []
    assert world.main == ("Degraded", "MissingTokenCCOAuthenticationSecret")


def test_the_request_stays_until_no_pod_uses_its_answer() -> None:
    """A stack that leaves token-cco deletes its request after the last roll."""
    world = cloud()
    world.managed = managed_secret()
    world.run()
    static = Choice(size="1x.small", store="s3-aws-kms")
    world.secret = static.secret
    world.spec["storage"]["secret"] = {**static.manifest["spec"]["storage"]["secret"]}
    for _ in range(20):
        course = world.step()
        if REQUEST not in world.objects:
            break
        assert not any(live.ref == REQUEST for live in course.prunes)
        world.settle_all()
    assert REQUEST not in world.objects
    assert world.unsettled() == []
    assert all(names.MANAGED_HASH not in marks(world, word) for word in ("ingester", "querier"))


# --- taking over ---------------------------------------------------------------------------------


def former(choice: Choice) -> StackWorld:
    """Make a stack that another operator runs: same names, its own marks, none of our fields."""
    world = running(choice)
    for ref, live in world.objects.items():
        moved = live.workload
        if moved is not None:
            moved = replace(moved, template=None, marks={names.STORE_HASH: "sha1"})
        world.objects[ref] = replace(live, content=None, workload=moved)
    return world


def test_a_running_stack_is_taken_over_in_one_ordered_roll() -> None:
    """Everything is applied anew; the pods one component after the other."""
    world = former(RULER)
    rolled = []
    for _ in range(20):
        rolled += [component(each.ref) for each in world.step().workloads]
        assert len(world.unsettled()) <= 1
        world.settle_all()
    assert rolled == [*ORDER, "distributor"]
    assert world.main == ("Ready", "ReadyComponents")


def test_a_stack_that_is_taken_over_keeps_its_images() -> None:
    """Of every workload, after the roll too, until somebody takes the annotation away."""
    world = former(RULER)
    there = "registry.example/loki@sha256:0"
    for ref, live in world.objects.items():
        if live.workload is not None:
            images = {f"loki-{component(ref)}": there}
            world.objects[ref] = replace(live, workload=replace(live.workload, images=images))

    def used() -> set[str]:
        return {
            image
            for each in world.intents.values()
            if each.component
            for image in images_of(each.manifest).values()
        }

    world.run()
    assert used() == {there}
    world.writes.clear()
    assert world.step().rests
    for ref, live in world.objects.items():
        if live.workload is not None:
            world.objects[ref] = replace(
                live, content="edited", workload=replace(live.workload, images={})
            )
    world.run()
    assert used() == {Images().loki}


@pytest.mark.parametrize(
    ("store", "refuses"), [("s3-token-rgw", True), ("s3-token", False), ("s3", False)]
)
def test_an_endpoint_that_was_ignored_is_not_honoured_unasked(store: str, *, refuses: bool) -> None:
    """In token mode the former operator used AWS's own endpoint: another one moves the store."""
    world = former(Choice(store=store))
    world.step()
    assert (world.writes == []) == refuses
    told = world.main
    assert (told == ("Degraded", "InvalidObjectStorageSecret")) == refuses


@pytest.mark.parametrize(
    "host",
    [
        "https://s3.us-east-1.amazonaws.com",
        "https://s3.dualstack.us-east-1.amazonaws.com",
        "https://bucket.vpce-1a2b-3c4d.s3.us-east-1.vpce.amazonaws.com",
        "https://s3.amazonaws.com",
        "s3.eu-west-1.amazonaws.com",
    ],
)
def test_aws_own_endpoint_moves_nothing(host: str) -> None:
    """An endpoint that leads to the same buckets, or nowhere, is no reason to refuse."""
    world = former(Choice(store="s3-token-rgw"))
    assert world.secret
    data = {k: v for k, v in world.secret["stringData"].items() if k != "sts_endpoint"}
    world.secret = {**world.secret, "stringData": {**data, "endpoint": host}}
    world.step()
    assert world.writes


def test_without_a_stack_nothing_is_planned() -> None:
    """A spec with faults is left to its author."""
    world = running()
    world.spec["size"] = "2x.huge"
    assert world.step().rests
    assert world.main == ("Degraded", "InvalidSpec")
    assert world.now == NOW


INDEX = Ref("Service", "my-stack-index-gateway-http", NAMESPACE)
OTHERS = Ref("LokiStack", "my-stack-index", NAMESPACE)
DEPLOYMENT = Ref("Deployment", "d", NAMESPACE)


def test_what_another_stack_controls_is_never_ours() -> None:
    """It is named and left; no workload is written, and everything else is kept right."""
    world = running()
    live = replace(world.objects[INDEX], owners={"another's": OTHERS})
    edited = Ref("Service", "my-stack-querier-http", NAMESPACE)
    world.edit(edited)
    world.edit(Ref("Deployment", "my-stack-querier", NAMESPACE))
    seen = world.snapshot().seeing({**world.objects, INDEX: live}, world.pods)
    assert INDEX not in seen.objects
    course = decide(seen, plan(seen))
    assert [each.ref for each in course.config] == [edited]
    assert not course.workloads
    (finding,) = course.findings
    assert (finding.code, finding.object) == ("LK0225", INDEX)
    assert "belongs to LokiStack logging/my-stack-index" in finding.message
    assert main_condition(seen, course).reason == "ObjectOwnedByAnother"


@pytest.mark.parametrize(
    ("owners", "other"),
    [
        pytest.param({UID: STACK}, None, id="its own"),
        pytest.param({}, None, id="nobody's: made beforehand"),
        pytest.param({"former": STACK}, None, id="what a former stack of the name has left"),
        pytest.param({"b": OTHERS}, OTHERS, id="another stack's"),
        pytest.param({UID: STACK, "b": OTHERS}, OTHERS, id="both stacks'"),
        pytest.param({"d": DEPLOYMENT}, DEPLOYMENT, id="somebody else's"),
        pytest.param({UID: STACK, "d": DEPLOYMENT}, None, id="its own, and somebody's beside it"),
        pytest.param({"d": DEPLOYMENT, "b": OTHERS}, OTHERS, id="a stack's is named first"),
    ],
)
def test_whose_an_object_is(owners: dict[str, Ref], other: Ref | None) -> None:
    """By the uid of each owner, controller or not; what another stack owns is never ours."""
    live = Live(ref=INDEX, uid="u", version="1", owners=owners)
    assert live.other_owner(STACK, UID) == other


def test_what_is_put_right_by_itself_is_not_contested() -> None:
    """The rival has come round: nothing is said of it."""
    world = running()
    digest = world.intents[INDEX].digest
    snapshot = world.snapshot(contested={INDEX: digest})
    assert decide(snapshot, plan(snapshot)).findings == ()


def test_what_somebody_keeps_changing_back_is_named_and_left() -> None:
    """As long as the same is wanted of it; everything else is still put right."""
    world = running()
    edited = Ref("Service", "my-stack-querier-http", NAMESPACE)
    digest = world.intents[INDEX].digest
    for each in (INDEX, edited):
        world.edit(each)
    snapshot = world.snapshot(contested={INDEX: digest})
    course = decide(snapshot, plan(snapshot))
    assert [each.ref for each in course.config] == [edited]
    assert [(each.code, each.object) for each in course.findings] == [("LK0226", INDEX)]
    changed = world.snapshot(contested={INDEX: "what was wanted before"})
    assert {each.ref for each in decide(changed, plan(changed)).config} == {INDEX, edited}


def test_the_gateway_waits_for_the_host_of_its_route() -> None:
    """OpenShift answers the first write with it: so no gateway is made that is replaced at once."""
    world = StackWorld(Choice(tenancy="openshift-logging"))
    route = Ref("Route", "my-stack", NAMESPACE)
    gateway = Ref("Deployment", "my-stack-gateway", NAMESPACE)
    files = Ref("ConfigMap", "my-stack-gateway", NAMESPACE)
    world.step()
    assert route in world.objects
    assert not {gateway, files} & {*world.objects}
    world.objects[route] = replace(world.objects[route], host="logs.apps.example")
    world.step()
    assert "https://logs.apps.example/openshift/audit/callback" in str(
        world.intents[files].manifest
    )
    assert gateway in world.objects


def test_the_gateway_waits_for_no_route_that_somebody_keeps_deleting() -> None:
    """It takes tokens all the same."""
    world = StackWorld(Choice(tenancy="openshift-logging"))
    snapshot = world.snapshot()
    contested = {Ref("Route", "my-stack", NAMESPACE): "x"}
    course = decide(replace(snapshot, contested=contested), plan(snapshot))
    assert Component.GATEWAY in {each.component for each in course.workloads}
