# SPDX-License-Identifier: Apache-2.0
"""The node stand-in: pods that start, flush, hang in their shutdown and replay their WAL."""

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

from integration.demo.world import (
    NAMESPACE,
    SECRET,
    World,
    budget,
    named,
    on_loop,
    stateful_set,
    until,
    world,
)
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kube_views import at, condition
from lokeys.demo.parts.loki import Loki, Spelling
from lokeys.demo.parts.statefulsets import REVISION
from lokeys.demo.parts.workloads import Workloads
from parts.plugin import need

NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def several_loopback_addresses(pytestconfig: pytest.Config) -> None:
    """Skip by name off Linux, where several pods have no address each."""
    need(
        pytestconfig,
        "several loopback addresses",
        None if sys.platform == "linux" else "this system has 127.0.0.1 alone",
    )


def deliver(cluster: World, key_id: str, secret: str) -> None:
    """Put a pair into the Secret, as a delivery would."""
    data = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    if found := cluster.find("Secret", SECRET):
        cluster.api.store.merge(found, {"stringData": data})
    else:
        cluster.api.add(named("Secret", SECRET, stringData=data))


def is_ready(cluster: World, name: str = "loki-0") -> bool:
    pod = cluster.find("Pod", name) or {}
    return condition(pod, "Ready").get("status") == "True"


async def begin(cluster: World, manifest: Json, **settings: Any) -> Workloads:
    """Run a node with the story's StatefulSet and a working key, until its pods are Ready."""
    deliver(cluster, cluster.key_id, cluster.secret)
    workloads = await cluster.run_workloads(**settings)
    cluster.api.add(manifest)
    wanted = manifest["spec"]["replicas"]
    await workloads.until(
        lambda: at(cluster.get("StatefulSet", "loki"), "status.readyReplicas") == wanted
    )
    return workloads


async def push(cluster: World, loki: Loki, *lines: str) -> None:
    values = [[str(10**18 + next(NUMBERS)), line] for line in lines]
    body = {"streams": [{"stream": {"app": "demo"}, "values": values}]}
    answer = await cluster.http.post(f"{loki.url}/loki/api/v1/push", json=body)
    assert answer.status_code == 204


async def lines(cluster: World, loki: Loki) -> list[str]:
    answer = await cluster.http.get(f"{loki.url}/loki/api/v1/query_range")
    assert answer.status_code == 200, answer.text
    streams = answer.json()["data"]["result"]
    return [line for stream in streams for _, line in stream["values"]]


async def break_key(cluster: World, loki: Loki, *unflushed: str) -> tuple[str, str]:
    """Replace the key at the store and push lines that cannot be flushed; return the new pair."""
    new = cluster.rotate()
    await push(cluster, loki, *unflushed)
    await until(lambda: loki.counters.flush_failures > 0)
    return new


@on_loop
async def test_a_dead_key_shows_in_metrics_and_log_but_not_in_ready(tmp_path: Path) -> None:
    """Flushes are refused with 403, the log says why, and /ready stays 200."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set())
        loki = workloads.loki(NAMESPACE, "loki-0")
        await push(cluster, loki, "before")
        await until(lambda: loki.counters.last_upload_at)
        await break_key(cluster, loki, "during")
        metrics = (await cluster.http.get(f"{loki.url}/metrics")).text
        log = f"{cluster.api.url}/api/v1/namespaces/{NAMESPACE}/pods/loki-0/log?container=loki"
        text = (await cluster.http.get(log)).text
        assert 'transport_requests_total{method="PUT",status_code="403"}' in metrics
        assert "loki_ingester_memory_chunks 1" in metrics
        assert "failed to flush chunks: store put chunk: upload s3 object: The access key" in text
        assert (await cluster.http.get(f"{loki.url}/ready")).status_code == 200
        assert is_ready(cluster)


@pytest.mark.parametrize(
    "spelling, metric, words",
    [
        pytest.param(
            Spelling.CURRENT,
            'loki_objstore_bucket_transport_requests_total{method="PUT",status_code="403"}',
            "store put chunk: upload s3 object: The access key ID you provided does not exist",
            id="current-client",
        ),
        pytest.param(
            Spelling.OLDER,
            'loki_s3_request_duration_seconds_count{operation="S3.PutObject",status_code="403"}',
            "store put chunk: InvalidAccessKeyId: \\n\\tstatus code: 403, request id: tx",
            id="older-client",
        ),
    ],
)
@on_loop
async def test_both_clients_have_their_own_words(
    tmp_path: Path, spelling: Spelling, metric: str, words: str
) -> None:
    """The older object-store client names the code and counts elsewhere."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set(), spelling=spelling)
        loki = workloads.loki(NAMESPACE, "loki-0")
        await break_key(cluster, loki, "during")
        assert metric in (await cluster.http.get(f"{loki.url}/metrics")).text
        assert any(words in row.line for row in loki.log.rows)


@on_loop
async def test_the_key_is_read_at_the_start_only(tmp_path: Path) -> None:
    """A new pair in the Secret helps no running container, but the next one."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set())
        loki = workloads.loki(NAMESPACE, "loki-0")
        deliver(cluster, *(await break_key(cluster, loki, "during")))
        failures = loki.counters.flush_failures
        await until(lambda: loki.counters.flush_failures > failures)
        await workloads.crash(NAMESPACE, "loki-0")
        await workloads.until(lambda: is_ready(cluster))
        again = workloads.loki(NAMESPACE, "loki-0")
        await until(lambda: again.counters.last_upload_at)
        status = cluster.get("Pod", "loki-0")["status"]["containerStatuses"][0]
        assert status["restartCount"] == 1
        assert status["lastState"]["terminated"]["exitCode"] == 2
        assert await lines(cluster, again) == ["during"]


@pytest.mark.parametrize("on_volume", [True, False], ids=["wal-on-a-volume", "wal-in-an-emptydir"])
@on_loop
async def test_a_killed_pod_keeps_its_lines_only_on_a_volume(
    tmp_path: Path, on_volume: bool
) -> None:
    """With a dead key the pod hangs until its grace is over; its WAL decides what is left."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set(wal_on_volume=on_volume))
        old = cluster.get("Pod", "loki-0")
        loki = workloads.loki(NAMESPACE, "loki-0")
        await push(cluster, loki, "before")
        await until(lambda: loki.counters.last_upload_at)
        deliver(cluster, *(await break_key(cluster, loki, "one", "two")))
        cluster.api.store.delete(old, options={"gracePeriodSeconds": 3})
        await until(lambda: loki.stopping)
        failures = loki.counters.flush_failures
        await until(lambda: loki.counters.flush_failures > failures)
        assert cluster.get("Pod", "loki-0")["metadata"]["uid"] == old["metadata"]["uid"]
        cluster.api.store.delete(old, options={"gracePeriodSeconds": 1})  # which changes nothing
        await workloads.until(
            lambda: (
                is_ready(cluster)
                and cluster.get("Pod", "loki-0")["metadata"]["uid"] != old["metadata"]["uid"]
            )
        )
        new = workloads.loki(NAMESPACE, "loki-0")
        assert new.counters.replayed_entries == (2 if on_volume else 0)
        wanted = ["before", "one", "two"] if on_volume else ["before"]
        assert await lines(cluster, new) == wanted


@on_loop
async def test_a_pod_whose_key_works_flushes_and_ends_at_once(tmp_path: Path) -> None:
    """A shutdown with a live key takes no grace, even without a volume."""
    async with world(tmp_path) as cluster:
        manifest = stateful_set(wal_on_volume=False, grace_s=600)
        workloads = await begin(cluster, manifest, flush_every_s=60)
        old = cluster.get("Pod", "loki-0")["metadata"]["uid"]
        await push(cluster, workloads.loki(NAMESPACE, "loki-0"), "last words")
        cluster.api.store.delete(cluster.get("Pod", "loki-0"))
        await workloads.until(
            lambda: is_ready(cluster) and cluster.get("Pod", "loki-0")["metadata"]["uid"] != old
        )
        assert await lines(cluster, workloads.loki(NAMESPACE, "loki-0")) == ["last words"]


@on_loop
async def test_a_flush_on_demand(tmp_path: Path) -> None:
    """POST /flush writes what is in memory without waiting for its time."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set(), flush_every_s=60)
        loki = workloads.loki(NAMESPACE, "loki-0")
        await push(cluster, loki, "now")
        assert (await cluster.http.post(f"{loki.url}/flush")).status_code == 204
        await until(lambda: loki.counters.chunks_in_memory == 0)
        assert loki.counters.last_upload_at


@on_loop
async def test_pods_start_in_order_with_names_volumes_and_addresses_of_their_own(
    tmp_path: Path,
) -> None:
    """Pods come one after the other, each with its volume, its address and its revision."""
    async with world(tmp_path) as cluster:
        await begin(cluster, stateful_set(replicas=3))
        owner = cluster.get("StatefulSet", "loki")
        pods = [cluster.get("Pod", f"loki-{number}") for number in range(3)]
        assert len({at(pod, "status.podIP") for pod in pods}) == 3
        revisions = {pod["metadata"]["labels"][REVISION] for pod in pods}
        assert revisions == {at(owner, "status.updateRevision")}
        claims = cluster.api.store.select("PersistentVolumeClaim", NAMESPACE)
        names = [claim["metadata"]["name"] for claim in claims]
        assert names == ["storage-loki-0", "storage-loki-1", "storage-loki-2"]


@on_loop
async def test_an_update_rolls_from_the_last_pod_to_the_first(tmp_path: Path) -> None:
    """A changed template replaces pods one at a time, the highest ordinal first."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set(replicas=2))
        revision = cluster.api.store.revision
        note = {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}
        cluster.api.store.merge(cluster.get("StatefulSet", "loki"), note)

        def gone() -> list[str]:
            changes = cluster.api.store.changes("Pod", after=revision)
            return [one.subject["metadata"]["name"] for one in changes if one.after is None]

        def status() -> Json:
            found: Json = cluster.get("StatefulSet", "loki")["status"]
            return found

        await workloads.until(lambda: len(gone()) == 2 and status()["readyReplicas"] == 2)
        assert gone() == ["loki-1", "loki-0"]
        await workloads.until(lambda: status()["currentRevision"] == status()["updateRevision"])


@on_loop
async def test_an_update_waits_behind_a_broken_pod(tmp_path: Path) -> None:
    """The controller will not roll over a pod that is not Ready; deleting it by hand helps."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set())
        workloads.set_broken("loki-0", "loki")
        await workloads.until(lambda: not is_ready(cluster))
        note = {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}
        cluster.api.store.merge(cluster.get("StatefulSet", "loki"), note)
        old = cluster.get("Pod", "loki-0")
        await asyncio.sleep(0.3)
        assert cluster.get("Pod", "loki-0")["metadata"]["uid"] == old["metadata"]["uid"]
        workloads.set_broken("loki-0", "loki", broken=False)
        await workloads.until(
            lambda: (
                is_ready(cluster)
                and cluster.get("Pod", "loki-0")["metadata"]["uid"] != old["metadata"]["uid"]
            )
        )


@on_loop
async def test_a_pod_of_which_one_container_fails_its_probe(tmp_path: Path) -> None:
    """1/2 shows in the status, and the failed probes in an event that counts."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set())
        workloads.set_broken("loki-0", "sidecar")
        await workloads.until(lambda: not is_ready(cluster))
        statuses = cluster.get("Pod", "loki-0")["status"]["containerStatuses"]
        assert [(status["name"], status["ready"]) for status in statuses] == [
            ("loki", True),
            ("sidecar", False),
        ]
        events = cluster.api.store.select("Event", NAMESPACE)
        assert [(one["reason"], one["involvedObject"]["name"]) for one in events] == [
            ("Unhealthy", "loki-0")
        ]


@on_loop
async def test_a_loki_whose_readiness_looks_at_its_storage(tmp_path: Path) -> None:
    """Where asked for, a refused flush makes the pod 1/2 until it can flush again."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set(), ready_needs_storage=True)
        loki = workloads.loki(NAMESPACE, "loki-0")
        await break_key(cluster, loki, "during")
        await workloads.until(lambda: not is_ready(cluster))
        cluster.s3.add_key("loki", cluster.key_id, cluster.secret)
        await workloads.until(lambda: is_ready(cluster))


@on_loop
async def test_a_container_without_its_secret_waits_for_it(tmp_path: Path) -> None:
    """CreateContainerConfigError names what is missing; the pod starts once it is there."""
    async with world(tmp_path) as cluster:
        workloads = await cluster.run_workloads()
        cluster.api.add(stateful_set())

        def waiting() -> Json:
            pod = cluster.find("Pod", "loki-0") or {}
            statuses = at(pod, "status.containerStatuses") or [{}]
            found: Json = at(statuses[0], "state.waiting", {})
            return found

        await workloads.until(lambda: waiting().get("reason") == "CreateContainerConfigError")
        assert waiting()["message"] == f'secret "{SECRET}" not found'
        deliver(cluster, cluster.key_id, cluster.secret)
        await workloads.until(lambda: is_ready(cluster))


@on_loop
async def test_a_budget_and_a_node_agree(tmp_path: Path) -> None:
    """Of two pods one may be evicted; while it comes back, the other may not."""
    async with world(tmp_path) as cluster:
        workloads = await begin(cluster, stateful_set(replicas=2))
        cluster.api.add(budget(maxUnavailable=1))
        root = f"/api/v1/namespaces/{NAMESPACE}/pods"
        statuses = []
        for name in ("loki-0", "loki-1"):
            eviction = named("Eviction", name, api="policy/v1")
            statuses.append((await cluster.call("POST", f"{root}/{name}/eviction", eviction))[0])
        assert statuses == [201, 429]
        await workloads.until(lambda: is_ready(cluster, "loki-0") and is_ready(cluster, "loki-1"))
