# SPDX-License-Identifier: Apache-2.0
"""The workloads port on real controllers: real revisions, budgets, evictions. Pods have no node."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import TRUSTED, A, B, a_pod, content, look, said_by
from contract.clusters import FINGERPRINTER, Home, RealPlace, home, until
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.workloads import KubernetesWorkloads
from lokeys.clock import utc_now
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import Workload
from lokeys.core.route.plan import Action, Plan, Policy, plan
from lokeys.core.route.snapshot import LokiMetrics, PodState, WorkloadState
from lokeys.errors import Conflict, Waiting
from lokeys.kube.client import Api, Object
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    POD,
    POD_DISRUPTION_BUDGET,
    STATEFUL_SET,
    Resource,
)
from parts.kubernetes import Kubernetes

LABELS = {"app": "loki"}
STARTED = "2026-11-23T10:00:00Z"
OF_KIND = {"StatefulSet": STATEFUL_SET, "Deployment": DEPLOYMENT, "DaemonSet": DAEMON_SET}


def template(**container: Any) -> Object:
    """Return a pod template whose Loki reads the Secret and has its WAL on a claim."""
    reference = {"secretKeyRef": {"name": "loki-s3", "key": "id"}}
    loki = {
        "name": "loki",
        "image": "loki",
        "args": ["-config.file=/etc/loki/config.yaml"],
        "env": [{"name": "ID", "valueFrom": reference}],
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/loki"},
            {"name": "data", "mountPath": "/var/loki"},
        ],
    }
    volumes = [{"name": "config", "configMap": {"name": "loki"}}]
    spec = {"containers": [loki | container], "volumes": volumes}
    return {"metadata": {"labels": LABELS}, "spec": spec}


async def make(home: Home, kind: str, *, replicas: int = 1, **container: Any) -> None:
    """Create a workload named loki and its configuration, and wait for its pods."""
    config = {"config.yaml": "common: {path_prefix: /var/loki}"}
    await home.create(CONFIG_MAP, "loki", data=config)
    spec: Object = {"selector": {"matchLabels": LABELS}, "template": template(**container)}
    if kind == "StatefulSet":
        claim = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
        spec["serviceName"] = "loki"
        spec["podManagementPolicy"] = "Parallel"
    else:
        scratch = {"name": "data", "emptyDir": {}}
        spec["template"]["spec"]["volumes"].append(scratch)
    await home.create(OF_KIND[kind], "loki", spec=spec | {"replicas": replicas})

    async def there() -> bool:
        return len(await pods(home, kind)) == replicas

    await until(there, "all pods")


def port(home: Home, kind: str) -> KubernetesWorkloads:
    workload = Workload(kind=kind, name="loki")
    return KubernetesWorkloads(home.cluster, [workload], namespace=home.namespace, secret="loki-s3")


async def pods(home: Home, kind: str = "StatefulSet") -> tuple[PodState, ...]:
    reading = await port(home, kind).read()
    assert reading.state is not None
    assert not reading.gaps
    return reading.state.pods


async def workload(home: Home, kind: str = "StatefulSet") -> WorkloadState:
    reading = await port(home, kind).read()
    assert reading.state is not None
    (found,) = reading.state.workloads
    return found


async def make_ready(home: Home, *, ready: bool = True) -> None:
    """Say of every pod what its kubelet would say."""
    listing = await home.api.list(POD, namespace=home.namespace)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251 - as a kubelet does
    for pod in listing.items:
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": now}],
            "containerStatuses": [
                {
                    "name": "loki",
                    "image": "loki",
                    "imageID": "loki",
                    "ready": ready,
                    "restartCount": 2,
                    "state": {"running": {"startedAt": STARTED}},
                }
            ],
        }
        await home.api.merge_patch(
            POD,
            pod["metadata"]["name"],
            {"status": status},
            namespace=home.namespace,
            subresource="status",
        )


@pytest.fixture
def play(kubernetes: Kubernetes) -> Any:
    """Give a function that plays a story in a namespace of its own."""

    def run(story: Callable[[Home], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with home(RealPlace(kubernetes)) as found:
                await story(found)

        asyncio.run(whole())

    return run


Play = Callable[[Callable[[Home], Awaitable[None]]], None]


def test_a_stateful_set_and_its_pod(play: Play) -> None:
    """Revision, readiness, start, restarts and WAL are read off the real objects."""

    async def story(home: Home) -> None:
        await make(home, "StatefulSet")
        await make_ready(home)

        async def ready() -> bool:
            return (await workload(home)).ready == 1

        await until(ready, "the controller counts the pod as ready")
        (pod,) = await pods(home)
        assert pod.ref.name == "loki-0"
        assert (pod.ready, pod.containers_ready, pod.restarts) == (True, "1/1", 2)
        assert pod.started_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
        assert pod.revision_current
        assert pod.wal_persistent is True
        assert not (await workload(home)).rolling

    play(story)


@pytest.mark.parametrize("kind", ["StatefulSet", "Deployment"])
def test_an_edited_template_makes_pods_old(play: Play, kind: str) -> None:
    """While the controller replaces a pod, the old one is of an old revision."""

    async def story(home: Home) -> None:
        await make(home, kind)
        await make_ready(home)
        before = await pods(home, kind)
        assert [pod.revision_current for pod in before] == [True]
        resource: Resource = OF_KIND[kind]
        # So that the old pod stays to be looked at.
        strategies: dict[str, Object] = {
            "StatefulSet": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}},
            "Deployment": {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}},
        }
        await home.patch(resource, "loki", spec=strategies[kind])
        changed = {"template": {"metadata": {"annotations": {"edited": "yes"}}}}
        await home.patch(resource, "loki", spec=changed)

        async def old() -> bool:
            found = {pod.uid: pod.revision_current for pod in await pods(home, kind)}
            return found.get(before[0].uid) is False

        await until(old, "the pod's revision is an old one")
        assert (await workload(home, kind)).rolling is (kind == "Deployment")

    play(story)


def test_deployments_on_scratch_volumes_lose_lines(play: Play) -> None:
    """The same Loki with an emptyDir has no persistent WAL."""

    async def story(home: Home) -> None:
        await make(home, "Deployment")
        assert [pod.wal_persistent for pod in await pods(home, "Deployment")] == [False]

    play(story)


def test_whether_pods_may_be_evicted_is_told(kubernetes: Kubernetes, namespace: str) -> None:
    """By the API server itself, before any is, and pod by pod, as a Role may name them."""
    account = f"--serviceaccount={namespace}:mover"
    kubernetes.kubectl("create", "serviceaccount", "mover", "-n", namespace)
    config = load(kubeconfig=str(kubernetes.user_kubeconfig(namespace, "mover")))

    async def may(name: str) -> bool | None:
        async with Api(config) as api:
            cluster = Cluster(
                objects=LiveObjects(api), api=api, fingerprinter=FINGERPRINTER, clock=utc_now
            )
            workloads = KubernetesWorkloads(cluster, (), namespace=namespace, secret="s")
            return await workloads.may_evict(a_pod(name))

    assert asyncio.run(may("loki-0")) is False
    words = ("--verb=create", "--resource=pods/eviction", "--resource-name=loki-0", "-n", namespace)
    kubernetes.kubectl("create", "role", "mover", *words)
    kubernetes.kubectl("create", "rolebinding", "mover", "--role=mover", account, "-n", namespace)
    assert asyncio.run(may("loki-0")) is True
    assert asyncio.run(may("other-0")) is False


def test_a_budget_refuses_and_then_allows(play: Play) -> None:
    """The budget's own counting decides; the evicted pod's successor has another uid."""

    async def story(home: Home) -> None:
        await make(home, "StatefulSet", replicas=2)
        await make_ready(home)
        spec = {"minAvailable": 2, "selector": {"matchLabels": LABELS}}
        await home.create(POD_DISRUPTION_BUDGET, "loki", spec=spec)

        async def allowed(count: int) -> bool:
            budgets = [pod.budget for pod in await pods(home)]
            return all(each and each.disruptions_allowed == count for each in budgets)

        await until(lambda: allowed(0), "no disruption allowed")
        (pod, _) = await pods(home)
        with pytest.raises(Waiting):
            await port(home, "StatefulSet").evict(pod, grace=None)
        await home.patch(POD_DISRUPTION_BUDGET, "loki", spec={"minAvailable": 1})
        await until(lambda: allowed(1), "one disruption allowed")
        await port(home, "StatefulSet").evict(pod, grace=timedelta(seconds=2))

        async def replaced() -> bool:
            found = {each.ref.name: each.uid for each in await pods(home)}
            return found.get(pod.ref.name) not in {None, pod.uid}

        await until(replaced, "a successor")
        for act in (port(home, "StatefulSet").evict, port(home, "StatefulSet").delete):
            with pytest.raises(Conflict):
                await act(pod, grace=None)
        assert len(await pods(home)) == 2

    play(story)


def test_a_pod_that_a_budget_holds_is_deleted_after_five_minutes_where_forced(play: Play) -> None:
    """Only with `force`, broken by its own dead key, its WAL on a volume, and refused that long."""

    async def story(home: Home) -> None:
        await make(home, "StatefulSet")
        await make_ready(home, ready=False)
        spec = {"minAvailable": 1, "selector": {"matchLabels": LABELS}}
        await home.create(POD_DISRUPTION_BUDGET, "loki", spec=spec)

        async def held() -> bool:
            budgets = [pod.budget for pod in await pods(home)]
            return all(each and each.disruptions_allowed == 0 for each in budgets)

        await until(held, "no disruption allowed")
        (pod,) = await pods(home)
        with pytest.raises(Waiting):
            await port(home, "StatefulSet").evict(pod, grace=None)
        made = await workload(home)
        assert said_by(held_for(6, pod, made)) == "stalled: eviction_blocked_by_budget"
        made = replace(made, force=True)
        assert said_by(held_for(4, pod, made)) == "await loki-0"
        well = replace(pod, ready=True)
        assert said_by(held_for(6, well, made)) == "stalled: eviction_blocked_by_budget"
        scratch = replace(pod, wal_persistent=False)
        assert said_by(held_for(6, scratch, made)) == "stalled: wal_not_persistent"
        step = held_for(6, pod, made).next_step
        assert step is not None
        assert step.pod is not None
        assert step.action is Action.DELETE_POD
        await port(home, "StatefulSet").delete(step.pod, grace=step.grace)

        async def replaced() -> bool:
            return [each.uid for each in await pods(home)] not in ([], [pod.uid])

        await until(replaced, "a successor")

    play(story)


def held_for(minutes: float, pod: PodState, made: WorkloadState) -> Plan:
    """Plan for a pod with a dead key whose eviction was first refused some minutes ago."""
    at = utc_now()
    since = at - timedelta(minutes=minutes)
    known = content(B, since=since, old_pods=(pod.uid,), before=A)
    seen = look(
        at=at,
        source=B,
        vault=B,
        secret=B,
        verdicts={B: TRUSTED},
        memory=Memory(content=known, refused=(A.pair,), blocked_since={pod.ref.name: since}),
        pods=(replace(pod, metrics=LokiMetrics(at=at, refused=3)),),
        workloads=(made,),
    )
    return plan(seen, Policy())


def test_a_second_deletion_changes_what_is_shown_of_a_dying_pod(play: Play) -> None:
    """It moves the end that the API server shows; that is not the grace that runs on a node."""

    async def story(home: Home) -> None:
        await make(home, "StatefulSet")
        await bind(home)
        await make_ready(home)
        (pod,) = await pods(home)
        await port(home, "StatefulSet").delete(pod, grace=timedelta(minutes=10))
        (dying,) = await pods(home)
        assert dying.deleting_since is not None
        assert dying.grace == timedelta(minutes=10)
        await port(home, "StatefulSet").delete(dying, grace=timedelta(minutes=5))
        (sooner,) = await pods(home)
        assert sooner.grace == timedelta(minutes=5)
        assert sooner.deleting_since == dying.deleting_since
        await asyncio.sleep(2)  # a grace that is over already is shown as one that begins now
        await port(home, "StatefulSet").delete(dying, grace=timedelta(seconds=1))
        (late,) = await pods(home)
        assert late.grace == timedelta(seconds=1)
        assert late.deleting_since is not None
        assert late.deleting_since > dying.deleting_since
        assert late.own_grace == pod.own_grace
        await finish(home)

    play(story)


async def bind(home: Home) -> None:
    """Give the pod a node that does not exist: then its deletion waits for a kubelet."""
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "loki-0", "namespace": home.namespace},
        "target": {"kind": "Node", "name": "nowhere"},
    }
    resource = Resource("", "v1", "bindings", "Binding")
    await home.api.create(resource, binding)


async def finish(home: Home) -> None:
    """Let the pod go, as its kubelet would."""
    await home.api.delete(POD, "loki-0", namespace=home.namespace, grace_s=0)


def test_a_predecessors_state_never_acts_on_a_successor(play: Play) -> None:
    """A uid that is not the pod's is refused by the API server itself."""

    async def story(home: Home) -> None:
        await make(home, "StatefulSet")
        (pod,) = await pods(home)
        stale = replace(pod, uid="11111111-2222-3333-4444-555555555555")
        for act in (port(home, "StatefulSet").evict, port(home, "StatefulSet").delete):
            with pytest.raises(Conflict):
                await act(stale, grace=timedelta(seconds=1))
        assert [each.uid for each in await pods(home)] == [pod.uid]

    play(story)
