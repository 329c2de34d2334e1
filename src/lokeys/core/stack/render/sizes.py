# SPDX-License-Identifier: Apache-2.0
"""What depends on a stack's size: replicas, requests, volumes, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lokeys.core.stack.resource.model import Component, LokiStack, Size

_C = Component
_S = Size
GATEWAY_REPLICAS = 2
MEBI = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Requests:
    """Resource requests of one pod: CPU in thousandths, memory in MiB."""

    cpu_milli: int
    memory_mib: int

    def manifest(self) -> dict[str, str]:
        """Return Kubernetes' form, in the largest unit that is exact."""
        whole = self.cpu_milli % 1000 == 0
        cpu = str(self.cpu_milli // 1000) if whole else f"{self.cpu_milli}m"
        gibi = self.memory_mib % 1024 == 0
        memory = f"{self.memory_mib // 1024}Gi" if gibi else f"{self.memory_mib}Mi"
        return {"cpu": cpu, "memory": memory}


_ORDER = (_S.PICO, _S.EXTRA_SMALL, _S.SMALL, _S.MEDIUM)
_REQUESTS: Mapping[Component, tuple[tuple[int, int], ...]] = {
    _C.DISTRIBUTOR: ((500, 500), (1000, 1024), (2000, 2048), (2000, 2048)),
    _C.INGESTER: ((500, 3072), (1000, 5376), (2500, 13568), (6000, 30720)),
    _C.QUERIER: ((750, 1536), (1500, 3072), (4000, 4096), (6000, 10240)),
    _C.QUERY_FRONTEND: ((500, 500), (1000, 1024), (4000, 2560), (4000, 2560)),
    _C.COMPACTOR: ((500, 500), (1000, 2048), (2000, 4096), (2000, 4096)),
    _C.INDEX_GATEWAY: ((150, 250), (500, 1024), (1000, 2048), (1000, 2048)),
    _C.RULER: ((500, 1024), (1000, 2048), (4000, 8192), (8000, 16384)),
    _C.GATEWAY: ((500, 500), (500, 500), (1000, 1024), (1000, 1024)),
}
_REPLICAS: Mapping[Component, int] = {
    _C.DISTRIBUTOR: 2,
    _C.INGESTER: 3,
    _C.QUERIER: 2,
    _C.QUERY_FRONTEND: 2,
    _C.COMPACTOR: 1,
    _C.INDEX_GATEWAY: 2,
    _C.RULER: 2,
}
MAX_CONCURRENT = {_S.DEMO: 0, _S.PICO: 1, _S.EXTRA_SMALL: 2, _S.SMALL: 4, _S.MEDIUM: 6}
"""Concurrent queries of one querier; 0 leaves it to Loki."""

_COMMON_INGESTION = {
    "maxLabelNameLength": 1024,
    "maxLabelValueLength": 2048,
    "maxLabelNamesPerSeries": 30,
    "maxLineSize": 256000,
    "perStreamDesiredRate": 3,
    "perStreamRateLimit": 5,
    "perStreamRateLimitBurst": 15,
}
QUERIES = {
    "maxEntriesLimitPerQuery": 5000,
    "maxChunksPerQuery": 2000000,
    "maxQuerySeries": 500,
    "cardinalityLimit": 100000,
    "maxVolumeSeries": 1000,
}


def _rates(rate: int, burst: int, streams: int) -> Mapping[str, int]:
    return {
        "ingestionRate": rate,
        "ingestionBurstSize": burst,
        "maxGlobalStreamsPerTenant": streams,
        **_COMMON_INGESTION,
    }


INGESTION: Mapping[Size, Mapping[str, int]] = {
    _S.DEMO: _rates(4, 6, 0),
    _S.PICO: _rates(4, 6, 10000),
    _S.EXTRA_SMALL: _rates(4, 6, 10000),
    _S.SMALL: _rates(15, 20, 10000),
    _S.MEDIUM: _rates(50, 20, 25000),
}


def requests(size: Size, component: Component) -> Requests | None:
    """Return the requests of a pod of `component`; None for the size that has none."""
    return None if size is _S.DEMO else Requests(*_REQUESTS[component][_ORDER.index(size)])


def replicas(stack: LokiStack, component: Component) -> int:
    """Return how many pods: as the user sets it, except for the compactor, which has one."""
    if component is _C.COMPACTOR:
        return 1
    chosen = stack.placements.get(component)
    if chosen is not None and chosen.replicas is not None:
        return chosen.replicas
    if component is _C.GATEWAY:
        return GATEWAY_REPLICAS
    if stack.size is _S.DEMO:
        return 1
    return 3 if (stack.size, component) == (_S.MEDIUM, _C.QUERIER) else _REPLICAS[component]


def replication_factor(stack: LokiStack) -> int:
    """Return on how many ingesters a line is kept."""
    return stack.replication_factor or (1 if stack.size is _S.DEMO else 2)


def replay_ceiling_mib(size: Size) -> int:
    """Return the memory limit of a WAL's replay: half an ingester's memory."""
    asked = requests(size, _C.INGESTER)
    return max(512, asked.memory_mib // 2) if asked else 512


def delete_workers(size: Size) -> int:
    """Return how many workers apply retention."""
    return 150 if size in (_S.SMALL, _S.MEDIUM) else 10


def volume_gib(size: Size, component: Component, claim: str) -> int:
    """Return the size of a volume claim."""
    if size is _S.DEMO:
        return 10
    if claim == "wal":
        return 150
    return 50 if component is _C.INDEX_GATEWAY else 10
