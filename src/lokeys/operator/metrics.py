# SPDX-License-Identifier: Apache-2.0
"""The operator's metrics: the last look at each route, and the operator's own state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics import Counter, Histogram
from prometheus_client.registry import Collector, CollectorRegistry

from lokeys.core.findings.finding import Finding
from lokeys.core.place import Hop
from lokeys.core.route.conditions import conditions
from lokeys.core.route.key_state import evidence
from lokeys.core.route.model import Mode
from lokeys.core.route.rotation.age import key_since
from lokeys.core.route.rotation.gates import carries_both
from lokeys.core.route.rotation.model import under_way
from lokeys.core.route.standing import further_keys
from lokeys.engine.route.heal import Done
from lokeys.engine.route.look import Look
from lokeys.operator import metric_names as names
from lokeys.operator.metric_names import MetricKind
from lokeys.operator.workers import Key
from lokeys.ports import Clock

TRUTH = {"True": 1.0, "False": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What is kept of a look: numbers, no objects."""

    ready: float | None
    stalled: float
    agrees: Mapping[str, float]
    readable: Mapping[str, float]
    findings: tuple[tuple[str, str, str], ...]
    looked_at: float
    verified_at: float | None
    not_ready: int
    bridge_until: float | None
    rotation: tuple[str, float] | None
    key_since: float | None
    every: float | None
    last_rotation: tuple[str, float] | None
    further_keys: int | None
    refused: Mapping[str, int]


class Metrics:
    """Everything that /metrics shows."""

    def __init__(
        self,
        *,
        clock: Clock,
        queue_length: Callable[[], int],
        more: Iterable[Collector] = (),
    ) -> None:
        self._clock = clock
        self._queue_length = queue_length
        self._routes: dict[Key, _Shown] = {}
        self._owed: dict[Key, float] = {}
        self._leads = False
        self._synced = False
        self._registry = CollectorRegistry()
        for collector in (_Routes(self), *more):
            self._registry.register(collector)
        self._steps = Counter(
            names.STEPS.name, names.STEPS.help, names.STEPS.labels, registry=self._registry
        )
        self._looks = Histogram(
            names.LOOK_SECONDS.name, names.LOOK_SECONDS.help, registry=self._registry
        )

    def show(self, key: Key, look: Look) -> None:
        """Take the values of a look at a route."""
        proved = evidence(look.snapshot)
        known = self._routes.get(key)
        verified_at = known.verified_at if known else None
        if proved is not None and (known is None or not known.ready):
            verified_at = look.snapshot.at.timestamp()
        by_type = {c.type: c for c in conditions(look.snapshot, look.diagnosis, look.plan)}
        self._routes[key] = _Shown(
            ready=TRUTH.get(by_type["Ready"].status),
            stalled=TRUTH.get(by_type["Stalled"].status, 0.0),
            agrees=dict(_agreement(look)),
            readable=_readable(look),
            findings=tuple(sorted({_labels(finding) for finding in look.diagnosis.findings})),
            looked_at=look.snapshot.at.timestamp(),
            verified_at=verified_at,
            bridge_until=_bridge_until(look),
            rotation=_rotation(look),
            key_since=_stamp(key_since(look.memory)),
            every=_every(look),
            last_rotation=_last_rotation(look),
            further_keys=further_keys(look.snapshot),
            not_ready=sum(not pod.ready for pod in look.snapshot.pods),
            refused={
                pod.ref.name: pod.metrics.refused for pod in look.snapshot.pods if pod.metrics
            },
        )

    def forget(self, key: Key) -> None:
        """Show a route no longer."""
        self._routes.pop(key, None)
        self._owed.pop(key, None)

    def owe(self, key: Key, *, bridge_until: datetime | None) -> None:
        """Show until when a bridge may exist whose route is no longer valid."""
        if bridge_until is not None:
            self._owed[key] = bridge_until.timestamp()

    def took(self, seconds: float) -> None:
        """Count a look and how long it took."""
        self._looks.observe(seconds)

    def done(self, done: Done) -> None:
        """Count a step."""
        outcome = "waiting" if done.note else "done"
        self._steps.labels(action=done.step.action.value, outcome=outcome).inc()

    def failed(self, action: str) -> None:
        """Count a failure that ended a reconcile."""
        self._steps.labels(action=action, outcome="failed").inc()

    def leads(self, *, leads: bool) -> None:
        """Set whether this replica acts."""
        self._leads = leads

    def synced(self, *, synced: bool) -> None:
        """Set whether this replica's cache is complete and current."""
        self._synced = synced

    def page(self) -> str:
        """Return the exposition."""
        return generate_latest(self._registry).decode()

    def own(self) -> Iterator[Metric]:
        """Yield the operator's own metrics."""
        yield family(names.LEADER, [((), float(self._leads))])
        yield family(names.CACHE_SYNCED, [((), float(self._synced))])
        yield family(names.QUEUE_LENGTH, [((), float(self._queue_length()))])

    def of_routes(self) -> Iterator[Metric]:
        """Yield the metrics of the last look at each route."""
        routes = tuple(self._routes.items())
        yield family(names.ROUTE_READY, ((k, r.ready) for k, r in routes))
        yield family(names.ROUTE_STALLED, ((k, r.stalled) for k, r in routes))
        yield family(names.LAST_LOOK, ((k, r.looked_at) for k, r in routes))
        yield family(names.LAST_VERIFIED, ((k, r.verified_at) for k, r in routes))
        yield family(
            names.ROTATION_PHASE,
            (((*k, r.rotation[0]), r.rotation[1]) for k, r in routes if r.rotation),
        )
        now = self._clock().timestamp()
        yield family(
            names.KEY_AGE,
            ((k, max(now - r.key_since, 0.0)) for k, r in routes if r.key_since is not None),
        )
        yield family(names.ROTATION_EVERY, ((k, r.every) for k, r in routes))
        yield family(
            names.LAST_ROTATION,
            (((*k, r.last_rotation[0]), r.last_rotation[1]) for k, r in routes if r.last_rotation),
        )
        further = ((k, r.further_keys) for k, r in routes if r.further_keys is not None)
        yield family(names.FURTHER_KEYS, ((k, float(keys)) for k, keys in further))
        bridges = {**self._owed, **{k: r.bridge_until for k, r in routes}}
        yield family(names.BRIDGE_UNTIL, bridges.items())
        yield family(names.PODS_NOT_READY, ((k, float(r.not_ready)) for k, r in routes))
        yield family(
            names.HOP_AGREES, (((*k, hop), v) for k, r in routes for hop, v in r.agrees.items())
        )
        yield family(
            names.HOP_READABLE,
            (((*k, hop), v) for k, r in routes for hop, v in r.readable.items()),
        )
        yield family(names.FINDING, (((*k, *f), 1.0) for k, r in routes for f in r.findings))
        yield family(
            names.STORAGE_REFUSED,
            (((*k, pod), float(n)) for k, r in routes for pod, n in r.refused.items()),
        )


class _Routes(Collector):
    """Makes metric families at the time of a scrape; nothing is copied in between."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return every family."""
        yield from self._metrics.own()
        yield from self._metrics.of_routes()


def family(metric: names.Metric, samples: Iterable[tuple[tuple[str, ...], float | None]]) -> Metric:
    """Return a metric with its samples, without those that are `None`."""
    kind: Any = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    made: Metric = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        if value is not None:
            made.add_metric(labels, value)  # type: ignore[attr-defined]
    return made


def _rotation(look: Look) -> tuple[str, float] | None:
    """Return the phase of a rotation that is under way, and since when."""
    rotation = under_way(look.memory.rotation)
    return (rotation.phase.value, rotation.phase_since.timestamp()) if rotation else None


def _last_rotation(look: Look) -> tuple[str, float] | None:
    """Return how the last rotation ended, and when."""
    rotation = look.memory.rotation
    if rotation is None or rotation.ended_at is None:
        return None
    return ("undone" if rotation.back else "rotated"), rotation.ended_at.timestamp()


def _every(look: Look) -> float | None:
    """Return at which age the key is replaced, if the operator does that."""
    spec = look.snapshot.spec
    rotates = spec.mode is Mode.ROTATE and spec.rotation is not None
    return spec.rotation.every.total_seconds() if rotates and spec.rotation is not None else None


def _stamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def _bridge_until(look: Look) -> float | None:
    bridge = look.memory.bridge
    stands = bridge is not None and bridge.added_at is not None
    return bridge.until.timestamp() if bridge is not None and stands else None


def _agreement(look: Look) -> Iterator[tuple[str, float]]:
    """Yield whether each hop agrees; of several pods the worst counts."""
    told: dict[Hop, float] = {}
    if carries_both(look.snapshot):
        return iter(())  # they differ on purpose, and all their keys work
    for hop in look.diagnosis.hops:
        if hop.agrees is not None:
            told[hop.hop] = min(told.get(hop.hop, 1.0), float(hop.agrees))
    return ((hop.value, agrees) for hop, agrees in told.items())


def _readable(look: Look) -> dict[str, float]:
    present = {hop.hop for hop in look.diagnosis.hops}
    blind = {gap.hop for gap in look.snapshot.unreadable}
    return {hop.value: float(hop not in blind) for hop in present}


def _labels(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.cause or "", finding.severity.value
