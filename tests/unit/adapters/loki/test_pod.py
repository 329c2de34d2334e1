# SPDX-License-Identifier: Apache-2.0
"""The Loki in a pod: its counters, its log, its flush."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from lokeys.adapters.loki.pod import KubernetesLoki, parse_metrics
from lokeys.core.place import Ref
from lokeys.core.route.model import MetricsEndpoint, Workload
from lokeys.core.route.snapshot import LokiMetrics, PodState, Unreadable, Why
from lokeys.errors import NeedsHuman, NotReadable, Transient, Unreachable
from unit.adapters.kubernetes.cluster_fakes import NOW, Json, Server, cluster
from unit.kube.scripted import status

POD = Ref("Pod", "loki-0", "ns")
CURRENT = b"""\
# HELP loki_objstore_bucket_transport_requests_total requests
# TYPE loki_objstore_bucket_transport_requests_total counter
loki_objstore_bucket_transport_requests_total{method="PUT",status_code="200"} 7
loki_objstore_bucket_transport_requests_total{method="GET",status_code="206"} 2
loki_objstore_bucket_transport_requests_total{method="PUT",status_code="403"} 3
loki_objstore_bucket_transport_requests_total{method="GET",status_code="404"} 1
loki_objstore_bucket_transport_requests_total{method="GET",status_code="500"} 9
loki_objstore_bucket_transport_requests_total_more{status_code="403"} 100
loki_objstore_bucket_last_successful_upload_time{bucket=""} 1.7e+09
loki_ingester_chunks_flush_failures_total 4
loki_ingester_memory_chunks 12
process_start_time_seconds 1.69999999e+09
go_goroutines 5
"""
OLDER = b"""\
loki_s3_request_duration_seconds_bucket{operation="S3.PutObject",status_code="200",le="1"} 99
loki_s3_request_duration_seconds_count{operation="S3.PutObject",status_code="200"} 5
loki_s3_request_duration_seconds_count{operation="S3.PutObject",status_code="403"} 6
"""


def test_the_current_clients_counters() -> None:
    """2xx are accepted, 403 refused, 404 missing; other answers say nothing of the key."""
    assert parse_metrics(CURRENT, now=NOW) == LokiMetrics(
        at=NOW,
        accepted=9,
        refused=3,
        missing=1,
        flush_failures=4,
        chunks_in_memory=12,
        last_flush_at=datetime.fromtimestamp(1.7e9, UTC),
        started_at=datetime.fromtimestamp(1.69999999e9, UTC),
    )


def test_the_older_clients_counters() -> None:
    """The count of its histogram is read, not its buckets."""
    found = parse_metrics(OLDER, now=NOW)
    assert (found.accepted, found.refused) == (5, 6)
    assert found.last_flush_at is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>metrics</html>", id="a page for people"),
        pytest.param(b"go_goroutines 5\n", id="another program's metrics"),
        pytest.param(b"loki_ingester_memory_chunks NaN\n", id="no number"),
        pytest.param(b"loki_ingester_memory_chunks{ 1\n", id="a torn line"),
        pytest.param(b"\xff\xfe\n", id="bytes"),
    ],
)
def test_what_is_no_lokis_page_is_said_to_be_none(body: bytes) -> None:
    """Silence must not read as `no request was ever refused`."""
    with pytest.raises(NotReadable):
        parse_metrics(body, now=NOW)


def pod_object(ip: str = "10.0.0.7") -> Json:
    return {
        "kind": "Pod",
        "metadata": {"name": "loki-0", "namespace": "ns"},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "loki"}]},
        "status": {"podIP": ip} if ip else {},
    }


def pod(kind: str = "StatefulSet", name: str = "loki") -> PodState:
    workload = Ref(kind, name, "ns")
    return PodState(ref=POD, uid="u", workload=workload, ready=True, created_at=NOW)


class Web:
    """Answers a pod's own pages."""

    def __init__(self, body: bytes = CURRENT, code: int = 200) -> None:
        self.asked: list[str] = []
        self._body, self._code = body, code

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url}")
        return httpx2.Response(self._code, stream=httpx2.ByteStream(self._body))


def loki(web: Web, *objects: Json, server: Server | None = None, **extra: Any) -> KubernetesLoki:
    where, _ = cluster(*(objects or (pod_object(),)), server=server)
    workloads = extra.pop("workloads", [Workload(kind="StatefulSet", name="loki")])
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(web.answer))
    return KubernetesLoki(where, workloads, client=client, **extra)


def test_metrics_come_from_the_pods_own_address() -> None:
    """Each pod is asked for itself."""
    web = Web()
    found = asyncio.run(loki(web).metrics(pod()))
    assert isinstance(found, LokiMetrics)
    assert (found.refused, found.at) == (3, NOW)
    assert web.asked == ["GET http://10.0.0.7:3100/metrics"]


def test_the_route_says_where_metrics_are() -> None:
    """Port, scheme and path are the workload's; those of a LokiStack hold for all of its."""
    web = Web()
    endpoint = MetricsEndpoint(port=8443, scheme="https", path="/x/metrics")
    stack = Workload(kind="LokiStack", name="stack", metrics=endpoint)
    port = loki(web, pod_object("fd00::7"), workloads=[stack])
    asyncio.run(port.metrics(pod(name="stack-ingester")))
    asyncio.run(port.flush(pod(name="stack-ingester")))
    assert web.asked == [
        "GET https://[fd00::7]:8443/x/metrics",
        "POST https://[fd00::7]:8443/x/flush",
    ]


def test_another_way_to_the_pod_can_be_given() -> None:
    """From a laptop a port-forward stands between."""
    web = Web()

    async def reach(ref: Ref, port: int) -> tuple[str, int]:
        assert (ref, port) == (POD, 3100)
        return "127.0.0.1", 40001

    asyncio.run(loki(web, reach=reach).metrics(pod()))
    assert web.asked == ["GET http://127.0.0.1:40001/metrics"]


async def nowhere(_: Ref, __: int) -> tuple[str, int]:
    """Reach nothing."""
    raise Unreachable("no way")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(lambda: loki(Web(), pod_object("")), Why.UNREACHABLE, id="no address"),
        pytest.param(lambda: loki(Web(), reach=nowhere), Why.UNREACHABLE, id="no way"),
        pytest.param(lambda: loki(Web(code=404)), Why.GARBLED, id="no such page"),
        pytest.param(lambda: loki(Web(b"x" * (9 << 20))), Why.GARBLED, id="no end"),
        pytest.param(lambda: loki(Web(b"<html>")), Why.GARBLED, id="no metrics"),
        pytest.param(
            lambda: loki(Web(), {**pod_object(), "kind": "X"}), Why.NOT_FOUND, id="no pod"
        ),
    ],
)
def test_metrics_that_cannot_be_had(make: Callable[[], KubernetesLoki], why: Why) -> None:
    """The pod is told without them."""
    found = asyncio.run(make().metrics(pod()))
    assert isinstance(found, Unreadable)
    assert (found.ref, found.why) == (POD, why)


def test_the_log_is_told_as_causes() -> None:
    """Nothing of a line leaves the adapter but its cause and its time."""
    server = Server()
    server.log = 'level=error msg="failed to flush" err="InvalidAccessKeyId: canary"\nlevel=info\n'
    found = asyncio.run(loki(Web(), server=server).log(pod()))
    assert not isinstance(found, Unreadable)
    assert [(line.cause, line.count) for line in found] == [("access_key_unknown", 1)]
    assert "canary" not in repr(found)


def test_a_container_that_has_not_started_has_no_log() -> None:
    """That is no gap."""
    server = Server()
    server.refusal = status(400, reason="BadRequest", message="is waiting to start")
    assert asyncio.run(loki(Web(), server=server).log(pod())) == ()


def test_a_log_that_may_not_be_read_is_a_gap() -> None:
    """It says what was refused."""
    server = Server()
    server.refusal = status(403, reason="Forbidden", message="pods/log is forbidden")
    found = asyncio.run(loki(Web(), server=server).log(pod()))
    assert isinstance(found, Unreadable)
    assert found.why is Why.FORBIDDEN


def test_flush_asks_the_ingester() -> None:
    """One POST."""
    web = Web(b"", 204)
    asyncio.run(loki(web).flush(pod()))
    assert web.asked == ["POST http://10.0.0.7:3100/flush"]


@pytest.mark.parametrize(("code", "error"), [(503, Transient), (404, NeedsHuman)])
def test_a_flush_that_is_refused(code: int, error: type[Exception]) -> None:
    """A stumble is tried again; who has no ingester is told so."""
    with pytest.raises(error):
        asyncio.run(loki(Web(b"", code)).flush(pod()))
