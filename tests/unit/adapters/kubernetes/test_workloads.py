# SPDX-License-Identifier: Apache-2.0
"""The workloads that use the Secret, and their pods."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import yaml

from lokeys.adapters.kubernetes.selectors import as_text
from lokeys.adapters.kubernetes.workloads import KubernetesWorkloads, roller_of
from lokeys.core.place import Ref
from lokeys.core.route.model import Workload
from lokeys.core.route.snapshot import Roller, Why
from lokeys.errors import Conflict, Waiting
from unit.adapters.kubernetes.cluster_fakes import Json, Server, cluster, conflict, event
from unit.adapters.kubernetes.workload_fakes import (
    BY_ENV,
    LOKI,
    STARTED,
    fleet,
    one_pod,
    pod,
    pod_spec,
    workload,
)
from unit.kube.scripted import status


def test_an_ordinary_pod() -> None:
    """When it started, how it is, whose it is."""
    found = one_pod(pod())
    assert found.ref == Ref("Pod", "loki-0", "ns")
    assert found.workload == Ref("StatefulSet", "loki", "ns")
    assert found.started_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert (found.ready, found.containers_ready, found.restarts) == (True, "1/1", 3)
    assert found.unready_since is None


def test_a_pod_of_one_of_two() -> None:
    """A container that crashes: its waiting reason, its probes, since when it is not ready."""
    sidecar = {"name": "rules", "ready": True, "state": {"running": {"startedAt": STARTED}}}
    crashing = {
        "name": "loki",
        "ready": False,
        "restartCount": 12,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": STARTED}
    spec = pod_spec()
    spec["containers"].append({"name": "rules"})
    server = Server()
    about = Ref("Pod", "loki-0", "ns")
    server.events = [
        event(about, "Unhealthy", "503", count=40, object={"uid": "uid-loki-0"}),
        event(about, "Unhealthy", "503", count=7, object={"uid": "uid of an earlier loki-0"}),
    ]
    found = one_pod(
        pod(
            spec=spec,
            status={"containerStatuses": [sidecar, crashing], "conditions": [condition]},
        ),
        server=server,
    )
    assert (found.ready, found.containers_ready, found.started_at) == (False, "1/2", None)
    assert found.waiting_reason == "CrashLoopBackOff"
    assert found.unready_since == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert (found.restarts, found.probe_failures) == (12, 40)


def test_a_dying_pod() -> None:
    """The API server writes down the end of the grace; told is when the deletion began."""
    dying = {"deletionTimestamp": "2026-11-23T11:00:00Z", "deletionGracePeriodSeconds": 600}
    found = one_pod(pod(metadata=dying))
    assert found.deleting_since == datetime(2026, 11, 23, 10, 50, tzinfo=UTC)
    assert found.grace == timedelta(minutes=10)
    assert found.own_grace == timedelta(seconds=30)


KILLED = "2026-11-23T10:50:01Z"
LOKIS: Json = {"uid": "uid-loki-0", "fieldPath": "spec.containers{loki}"}


@pytest.mark.parametrize(
    ("about", "at", "told"),
    [
        pytest.param(LOKIS, KILLED, True, id="its own"),
        pytest.param({**LOKIS, "uid": "uid of an earlier loki-0"}, KILLED, False, id="a namesake"),
        pytest.param(
            {**LOKIS, "fieldPath": "spec.containers{rules}"}, KILLED, False, id="its side-car"
        ),
        pytest.param(LOKIS, "2026-11-23T09:59:59Z", False, id="of an earlier run"),
        pytest.param(LOKIS, "soon", False, id="without a time"),
    ],
)
def test_when_its_node_began_to_stop_it(about: Json, at: str, *, told: bool) -> None:
    """The kubelet's event about this run of the container; nobody else's counts."""
    server = Server()
    pod_0 = Ref("Pod", "loki-0", "ns")
    message = "Stopping container loki"
    server.events = [event(pod_0, "Killing", message, object=about, lastTimestamp=at)]
    dying = {"deletionTimestamp": "2026-11-23T11:00:00Z", "deletionGracePeriodSeconds": 600}
    found = one_pod(pod(metadata=dying), server=server)
    expected = datetime(2026, 11, 23, 10, 50, 1, tzinfo=UTC) if told else None
    assert found.killing_since == expected


@pytest.mark.parametrize("seconds", [-5, 0, 2**62])
def test_no_grace_is_beyond_reason(seconds: int) -> None:
    """Whoever makes a pod may write any number."""
    metadata = {"deletionTimestamp": "2026-11-23T11:00:00Z", "deletionGracePeriodSeconds": seconds}
    spec = {**pod_spec(), "terminationGracePeriodSeconds": seconds}
    found = one_pod(pod(metadata=metadata, spec=spec))
    assert timedelta(seconds=1) <= found.grace <= timedelta(days=365)
    assert found.own_grace == found.grace


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(pod_spec(), id="a variable"),
        pytest.param(
            {"containers": [{"name": "loki", "envFrom": [{"secretRef": {"name": "loki-s3"}}]}]},
            id="all variables",
        ),
        pytest.param(
            {"containers": [{"name": "loki"}], "volumes": [{"secret": {"secretName": "loki-s3"}}]},
            id="a volume",
        ),
        pytest.param(
            {
                "containers": [{"name": "loki"}],
                "volumes": [{"projected": {"sources": [{"secret": {"name": "loki-s3"}}]}}],
            },
            id="a projected volume",
        ),
        pytest.param(
            {"containers": [{"name": "loki"}], "initContainers": [{"name": "init"} | BY_ENV]},
            id="an init container",
        ),
    ],
)
def test_pods_that_read_the_secret_by(spec: Json) -> None:
    """Every way in which a container can get at the Secret counts."""
    assert one_pod(pod(spec=spec)).ref.name == "loki-0"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pod(owner="uid-of-another"), id="another owner's"),
        pytest.param(pod(spec={"containers": [{"name": "loki"}]}), id="without the Secret"),
        pytest.param(pod(status={"phase": "Failed"}), id="that have ended"),
        pytest.param(pod(labels={"app": "mimir"}), id="with other labels"),
    ],
)
def test_pods_that_do_not_count(other: Json) -> None:
    """Only pods that run with the Secret are the route's."""
    assert fleet(workload(), other).pods == ()


def test_a_deployments_pods_come_through_its_replica_sets() -> None:
    """The newest ReplicaSet's pods are current, older ones are not."""
    revision = "deployment.kubernetes.io/revision"
    sets = [
        workload(
            "ReplicaSet",
            f"rs{number}",
            metadata={
                "uid": f"uid-rs{number}",
                "labels": {"app": "loki"},
                "annotations": {revision: str(number)},
                "ownerReferences": [{"uid": "uid-loki", "controller": True}],
            },
        )
        for number in (1, 2)
    ]
    found = fleet(
        workload("Deployment", metadata={"annotations": {revision: "2"}}),
        *sets,
        pod("old", "uid-rs1"),
        pod("new", "uid-rs2"),
        spec=Workload(kind="Deployment", name="loki"),
    )
    assert {each.ref.name: each.revision_current for each in found.pods} == {
        "old": False,
        "new": True,
    }


def test_a_stateful_sets_old_revision() -> None:
    """A pod of an old revision is known by its label."""
    sts = workload(status={"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 0})
    found = fleet(sts, pod(labels={"controller-revision-hash": "a"}))
    assert not found.pods[0].revision_current
    assert found.workloads[0].rolling


@pytest.mark.parametrize(
    ("kind", "extra", "rolling"),
    [
        pytest.param("StatefulSet", {}, False, id="a StatefulSet at rest"),
        pytest.param(
            "StatefulSet",
            {
                "spec": {
                    "replicas": 3,
                    "updateStrategy": {"rollingUpdate": {"partition": 2}},
                },
                "status": {"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 1},
            },
            False,
            id="a StatefulSet that keeps a partition",
        ),
        pytest.param(
            "StatefulSet",
            {
                "spec": {"updateStrategy": {"type": "OnDelete"}},
                "status": {"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 0},
            },
            False,
            id="a StatefulSet that waits for hands",
        ),
        pytest.param(
            "Deployment",
            {"status": {"replicas": 2, "updatedReplicas": 1}},
            True,
            id="a Deployment with an old pod",
        ),
        pytest.param(
            "Deployment",
            {"spec": {"replicas": 5}},
            False,
            id="a Deployment that only grows",
        ),
        pytest.param(
            "StatefulSet", {"metadata": {"generation": 2}}, True, id="an edit nobody has seen yet"
        ),
    ],
)
def test_whether_a_workload_is_rolling(kind: str, extra: Json, rolling: bool) -> None:
    """Rolling means that its controller replaces pods by itself, now."""
    found = fleet(workload(kind, **extra), spec=Workload(kind=kind, name="loki"))
    assert found.workloads[0].rolling is rolling


@pytest.mark.parametrize(
    ("selector", "covered"),
    [
        pytest.param({"matchLabels": {"app": "loki"}}, True, id="by label"),
        pytest.param({}, True, id="every pod"),
        pytest.param(None, False, id="no pod"),
        pytest.param({"matchLabels": {"app": "mimir"}}, False, id="other pods"),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "loki"]}]},
            True,
            id="one of some values",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["loki"]}]},
            False,
            id="none of some values",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
            False,
            id="without the label",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True, id="with the label"
        ),
    ],
)
def test_which_budget_covers_a_pod(selector: Json | None, covered: bool) -> None:
    """Selectors mean what they mean to the API server."""
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "loki", "namespace": "ns"},
        "spec": {"selector": selector},
        "status": {"disruptionsAllowed": 1},
    }
    found = one_pod(pod(), budget).budget
    assert (found is not None) is covered
    if found is not None:
        assert found.disruptions_allowed == 1


def test_several_budgets_on_one_pod_allow_nothing() -> None:
    """The API server answers every such eviction with an error, whatever each one allows."""
    budgets = [
        {
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {"selector": {}},
            "status": {"disruptionsAllowed": 1},
        }
        for name in ("all", "loki")
    ]
    found = one_pod(pod(), *budgets).budget
    assert found is not None
    assert found.disruptions_allowed == 0


RELOADER = "reloader.stakater.com"


@pytest.mark.parametrize(
    ("annotations", "roller"),
    [
        pytest.param({}, None, id="nobody"),
        pytest.param({f"{RELOADER}/auto": "true"}, Roller.RELOADER, id="everything it reads"),
        pytest.param({f"secret.{RELOADER}/auto": "true"}, Roller.RELOADER, id="all its Secrets"),
        pytest.param(
            {f"secret.{RELOADER}/reload": "a, loki-s3"}, Roller.RELOADER, id="this Secret by name"
        ),
        pytest.param(
            {f"secret.{RELOADER}/reload": "loki-.*"}, Roller.RELOADER, id="this Secret by pattern"
        ),
        pytest.param({f"secret.{RELOADER}/reload": "loki"}, None, id="another Secret"),
        pytest.param(
            {f"secret.{RELOADER}/reload": "a," * 2000}, Roller.RELOADER, id="too many to match"
        ),
        pytest.param(
            {f"secret.{RELOADER}/reload": "^loki.s\\d$"}, Roller.RELOADER, id="maybe this"
        ),
        pytest.param({f"secret.{RELOADER}/reload": "loki\\..*"}, None, id="others by pattern"),
        pytest.param({f"configmap.{RELOADER}/reload": "loki-s3"}, None, id="a ConfigMap"),
        pytest.param({f"{RELOADER}/auto": "false"}, None, id="switched off"),
        pytest.param(
            {f"{RELOADER}/auto": "true", f"secrets.exclude.{RELOADER}/reload": "loki-s3"},
            None,
            id="everything but this Secret",
        ),
    ],
)
def test_who_else_replaces_pods(annotations: Json, roller: Roller | None) -> None:
    """Only who acts on this Secret is waited for."""
    assert roller_of(workload(metadata={"annotations": annotations}), "loki-s3") is roller


def test_an_annotation_cannot_stop_the_operator() -> None:
    """An expression that Python would try for years is not tried: it may mean this Secret."""
    annotations = {f"secret.{RELOADER}/reload": "(a|a)*b"}
    found = roller_of(workload(metadata={"annotations": annotations}), "a" * 200)
    assert found is Roller.RELOADER


def test_a_lokistacks_operator_rolls_its_own() -> None:
    """All workloads of a stack that read the Secret are one route's."""
    owner = {"ownerReferences": [{"kind": "LokiStack", "uid": "s", "controller": True}]}
    instance = {"labels": {"app.kubernetes.io/instance": "stack"}}
    gateway = workload(
        "Deployment",
        "gateway",
        metadata=instance | owner,
        spec={"template": {"spec": {"containers": [{"name": "g"}]}}},
    )
    ingester = workload(metadata=instance | owner)
    spec = Workload(kind="LokiStack", name="stack")
    found = fleet(ingester, gateway, pod(), spec=spec)
    assert [(each.ref.name, each.roller) for each in found.workloads] == [("loki", Roller.OPERATOR)]
    assert [each.ref.name for each in found.pods] == ["loki-0"]
    (other,) = fleet(gateway, spec=spec).workloads
    assert (other.exists, other.reads_secret) == (True, False)
    (absent,) = fleet(spec=spec).workloads
    assert not absent.exists


def test_a_workload_that_is_not_there() -> None:
    """It is data, not a gap."""
    (found,) = fleet().workloads
    assert not found.exists


def test_a_workload_of_another_secret() -> None:
    """It is told that it does not read ours."""
    other = workload(spec={"template": {"spec": {"containers": [{"name": "loki"}]}}})
    (found,) = fleet(other).workloads
    assert not found.reads_secret


@pytest.mark.parametrize("kind", ["StatefulSet", "Pod", "PodDisruptionBudget"])
def test_what_may_not_be_read_is_a_gap(kind: str) -> None:
    """The look goes on without it."""
    where, objects = cluster(workload(), pod())
    objects.forbid(kind)
    port = KubernetesWorkloads(where, [LOKI], namespace="ns", secret="loki-s3")
    reading = asyncio.run(port.read())
    assert {(gap.ref.kind, gap.why) for gap in reading.gaps} == {(kind, Why.FORBIDDEN)}


def act(server: Server, verb: str, grace: timedelta | None = None) -> None:
    where, _ = cluster(server=server)
    port = KubernetesWorkloads(where, [LOKI], namespace="ns", secret="loki-s3")
    asyncio.run(getattr(port, verb)(one_pod(pod()), grace=grace))


@pytest.mark.parametrize("verb", ["evict", "delete"])
def test_a_pod_goes_only_under_its_own_uid(verb: str) -> None:
    """A successor of the same name is never touched, and no grace is ever 0."""
    server = Server()
    act(server, verb, timedelta(0))
    ((_, _, body),) = server.calls
    options = body.get("deleteOptions", body)
    assert options["preconditions"] == {"uid": "uid-loki-0"}
    assert options["gracePeriodSeconds"] == 1


def test_a_budget_that_refuses_means_waiting() -> None:
    """The engine asks again later."""
    server = Server()
    causes = [{"reason": "DisruptionBudget", "message": "needs 1 healthy pod"}]
    server.refusal = status(429, reason="TooManyRequests", message="no", causes=causes)
    with pytest.raises(Waiting, match="needs 1 healthy pod"):
        act(server, "evict")


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(conflict(), id="was replaced"),
        pytest.param(status(404, reason="NotFound", message="no", name="loki-0"), id="is gone"),
    ],
)
@pytest.mark.parametrize("verb", ["evict", "delete"])
def test_a_pod_that_changed_meanwhile_is_a_conflict(verb: str, refusal: httpx2.Response) -> None:
    """Read again, then decide again."""
    server = Server()
    server.refusal = refusal
    with pytest.raises(Conflict):
        act(server, verb)


def test_selectors_as_text() -> None:
    """List calls take selectors as one line."""
    expressions = [
        {"key": "a", "operator": "In", "values": ["x", "y"]},
        {"key": "b", "operator": "NotIn", "values": ["z"]},
        {"key": "c", "operator": "Exists"},
        {"key": "d", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"k": "v"}, "matchExpressions": expressions}
    assert as_text(selector) == "k=v,a in (x,y),b notin (z),c,!d"


def settings(**values: str) -> Json:
    """Return a ConfigMap with Loki's configuration."""
    s3 = {"endpoint": "${ENDPOINT}", "bucketnames": "logs", "s3forcepathstyle": True} | values
    text = yaml.safe_dump({"common": {"storage": {"s3": s3}}})
    metadata = {"name": "loki", "namespace": "ns"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": {"config.yaml": text}}


def secret(name: str) -> Json:
    """Return a Secret that names an endpoint."""
    endpoint = base64.b64encode(b"http://rgw.storage.svc:80").decode()
    metadata = {"name": name, "namespace": "ns"}
    return {"kind": "Secret", "metadata": metadata, "data": {"ENDPOINT": endpoint}}


@pytest.mark.parametrize(
    ("objects", "source", "expected"),
    [
        ((settings(), secret("loki-s3")), "loki-s3", "http://rgw.storage.svc:80"),
        ((settings(), secret("other")), "other", ""),
        ((settings(endpoint="minio:9000"),), "loki-s3", "https://minio:9000"),
        ((settings(endpoint=""),), "loki-s3", ""),
        ((), "loki-s3", ""),
    ],
    ids=[
        "out of the route's own Secret",
        "not out of another Secret",
        "in its configuration",
        "not named: AWS's",
        "a configuration that is not there",
    ],
)
def test_where_a_workload_writes(objects: tuple[Json, ...], source: str, expected: str) -> None:
    """By its own configuration, and by no right that the route has not anyway."""
    container = {
        "image": "grafana/loki:3.6.3",
        "args": ["-config.file=/etc/loki/config.yaml", "-config.expand-env=true"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/loki"}],
        "envFrom": [{"secretRef": {"name": source}}],
        "volumes": [{"name": "config", "configMap": {"name": "loki"}}],
    }
    made = workload(spec={"template": {"spec": pod_spec(**container)}})
    (found,) = fleet(made, *objects).workloads
    assert found.writes_to == expected
