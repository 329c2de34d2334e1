# SPDX-License-Identifier: Apache-2.0
"""The Loki in a pod: its storage counters, the complaints in its log, and its flush.

Metrics and flush go to the pod itself, the log comes through the API server.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime

import httpx2

from lokeys.adapters.http import Bounds, Reply, bounded_request
from lokeys.adapters.kubernetes.cluster import Cluster, unreadable
from lokeys.adapters.kubernetes.pods import loki_container
from lokeys.core.kubernetes.json_fields import text_at
from lokeys.core.place import Hop, Ref
from lokeys.core.route import loki_log
from lokeys.core.route.model import MetricsEndpoint, Workload
from lokeys.core.route.snapshot import LogLine, LokiMetrics, PodState, Unreadable
from lokeys.core.stack.render.names import HTTP_PORT
from lokeys.errors import BadInput, LokeysError, NeedsHuman, NotReadable, Transient, Unreachable

_BOUNDS = Bounds(total_s=10.0, max_bytes=8 << 20)
_LOG_LINES = 500
_NO_TENANT = "lokeys-looks-at-storage"
_INDEX_OF_S = 86400  # the index has one table per day, and one index for all tenants
_LOG_BYTES = 1 << 20
# Loki 3.7.8 counts refusals of its older client as 500: a missing 403 proves nothing there.
_REQUESTS = frozenset(
    {"loki_objstore_bucket_transport_requests_total", "loki_s3_request_duration_seconds_count"}
)
_FAILURES = "loki_ingester_chunks_flush_failures_total"
_CHUNKS = "loki_ingester_memory_chunks"
_STARTED = "process_start_time_seconds"
_UPLOADED = "loki_objstore_bucket_last_successful_upload_time"
_WANTED = (*_REQUESTS, _FAILURES, _CHUNKS, _STARTED, _UPLOADED)
_WANTED_BYTES = tuple(name.encode() for name in _WANTED)
_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})?\s+(\S+)(?:\s+\d+)?")
_STATUS = re.compile(r'(?:^|,)\s*status_code="(\d+)"')

Reach = Callable[[Ref, int], Awaitable[tuple[str, int]]]
"""Takes a pod and its port, returns where to connect; used for port-forwards."""


class KubernetesLoki:
    """A `LokiPort` on the pods of a route; `reach` None: at the pods' own addresses."""

    def __init__(
        self,
        cluster: Cluster,
        workloads: Sequence[Workload],
        *,
        client: httpx2.AsyncClient,
        reach: Reach | None = None,
    ) -> None:
        self._cluster = cluster
        self._workloads = tuple(workloads)
        self._client = client
        self._reach = reach

    async def metrics(self, pod: PodState) -> LokiMetrics | Unreadable:
        """Return its storage counters."""
        endpoint = self._workload(pod).metrics
        try:
            reply = await self._ask("GET", pod, endpoint.path)
            if reply.status != 200:
                raise NotReadable(f"{endpoint.path} answers {reply.status}")
            return parse_metrics(reply.body, now=self._cluster.clock())
        except LokeysError as error:
            return unreadable(error, hop=Hop.PODS, ref=pod.ref)

    async def log(self, pod: PodState) -> tuple[LogLine, ...] | Unreadable:
        """Return the storage complaints in the tail of its log."""
        try:
            found = await self._cluster.objects.get(pod.ref)
            spec = found.get("spec") or {}
            text = await self._cluster.objects.log(
                pod.ref,
                container=text_at(loki_container(spec, self._workload(pod).container), "name"),
                lines=_LOG_LINES,
                max_bytes=_LOG_BYTES,
            )
        except BadInput:
            return ()  # a container that waits to start has no log
        except LokeysError as error:
            return unreadable(error, hop=Hop.PODS, ref=pod.ref)
        # Not splitlines(): messages may contain other separators, which would start a line.
        return loki_log.complaints(text.split("\n"))

    async def flush(self, pod: PodState) -> None:
        """Ask its ingester to flush, so that proof need not wait for traffic."""
        prefix = self._workload(pod).metrics.path.removesuffix("/metrics")
        reply = await self._ask("POST", pod, f"{prefix}/flush")
        if reply.status >= 500:
            raise Transient(f"{pod.ref}: /flush answers {reply.status}")
        if reply.status >= 300:
            raise NeedsHuman(f"{pod.ref}: /flush answers {reply.status}; is it an ingester?")

    async def _ask(self, method: str, pod: PodState, path: str) -> Reply:
        endpoint = self._workload(pod).metrics
        host, port = await self._address(pod, endpoint)
        where = f"[{host}]" if ":" in host else host
        request = httpx2.Request(method, f"{endpoint.scheme}://{where}:{port}{path}")
        return await bounded_request(self._client, request, bounds=_BOUNDS)

    async def _address(self, pod: PodState, endpoint: MetricsEndpoint) -> tuple[str, int]:
        if self._reach is not None:
            return await self._reach(pod.ref, endpoint.port)
        address = text_at(await self._cluster.objects.get(pod.ref), "status", "podIP")
        if not address:
            raise Unreachable("the pod has no address yet")
        return address, endpoint.port

    def _workload(self, pod: PodState) -> Workload:
        """Return the route's entry for the pod's workload; a LokiStack's is for all of its own."""
        kind, name = pod.workload.kind, pod.workload.name
        exact = (each for each in self._workloads if (each.kind, each.name) == (kind, name))
        stacks = (each for each in self._workloads if each.kind == "LokiStack")
        return next(exact, None) or next(stacks, None) or Workload(kind=kind, name=name)


async def counters_at(
    address: str, *, client: httpx2.AsyncClient, now: datetime
) -> LokiMetrics | None:
    """Return the storage counters of the Loki at a pod's address; None if there are none."""
    request = httpx2.Request("GET", _url(address, "/metrics"))
    try:
        reply = await bounded_request(client, request, bounds=_BOUNDS)
        return parse_metrics(reply.body, now=now) if reply.status == 200 else None
    except LokeysError:
        return None


async def look_for_labels_at(address: str, *, client: httpx2.AsyncClient, now: datetime) -> None:
    """Make the querier at a pod's address request labels of a tenant that does not exist.

    It finds none, but must read the index for it. The counters show the result.
    """
    moment = int(now.timestamp())
    span = f"start={moment - _INDEX_OF_S}&end={moment}"
    url = _url(address, f"/loki/api/v1/labels?{span}")
    request = httpx2.Request("GET", url, headers={"X-Scope-OrgID": _NO_TENANT})
    with contextlib.suppress(LokeysError):
        await bounded_request(client, request, bounds=_BOUNDS)


def _url(address: str, path: str) -> str:
    where = f"[{address}]" if ":" in address else address
    return f"http://{where}:{HTTP_PORT}{path}"


def parse_metrics(body: bytes, *, now: datetime) -> LokiMetrics:
    """Return the storage counters in a metrics page; raises NotReadable if it is not valid."""
    totals = dict.fromkeys(("accepted", "refused", "missing", "failures", "chunks"), 0)
    moments = {_STARTED: 0.0, _UPLOADED: 0.0}
    seen = False
    for name, labels, value in _samples(body):
        seen = True
        if name in _REQUESTS:
            what = _what_was_answered(labels)
            if what is not None:
                totals[what] += int(value)
        elif name == _FAILURES:
            totals["failures"] += int(value)
        elif name == _CHUNKS:
            totals["chunks"] += int(value)
        else:
            moments[name] = max(moments[name], value)
    if not seen:
        raise NotReadable("what answers has none of Loki's metrics")
    return LokiMetrics(
        at=now,
        accepted=totals["accepted"],
        refused=totals["refused"],
        missing=totals["missing"],
        flush_failures=totals["failures"],
        chunks_in_memory=totals["chunks"],
        last_flush_at=_moment(moments[_UPLOADED]),
        started_at=_moment(moments[_STARTED]),
    )


def _samples(body: bytes) -> Iterator[tuple[str, str, float]]:
    """Yield the wanted samples of a page that may have 100,000 others."""
    for line in body.split(b"\n"):
        if not line.startswith(_WANTED_BYTES):
            continue
        match = _SAMPLE.fullmatch(line.decode(errors="replace").strip())
        if match is None or match[1] not in _WANTED:
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        if math.isfinite(value):
            yield match[1], match[2] or "", value


def _what_was_answered(labels: str) -> str | None:
    status = _STATUS.search(labels)
    if status is None:
        return None
    if status[1].startswith("2"):
        return "accepted"
    return {"403": "refused", "404": "missing"}.get(status[1])


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (OverflowError, OSError, ValueError):
        return None
