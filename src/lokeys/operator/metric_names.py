# SPDX-License-Identifier: Apache-2.0
"""The operator's metrics: each name once, with its meaning. Alerts and pages read it here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """The type of a metric in Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. A counter's name ends in `_total`."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()


_ROUTE = ("namespace", "name")

ROUTE_READY = Metric(
    name="lokeys_route_ready",
    kind=MetricKind.GAUGE,
    help="Whether Loki writes with a proved key: the condition Ready as 1 or 0, absent if unknown.",
    labels=_ROUTE,
)
ROUTE_STALLED = Metric(
    name="lokeys_route_stalled",
    kind=MetricKind.GAUGE,
    help="Whether only a person can go on: the condition Stalled as 1 or 0.",
    labels=_ROUTE,
)
HOP_AGREES = Metric(
    name="lokeys_route_hop_agrees",
    kind=MetricKind.GAUGE,
    help="Whether a hop holds the same key as the hop before it: 1 or 0, absent if unknown.",
    labels=(*_ROUTE, "hop"),
)
HOP_READABLE = Metric(
    name="lokeys_route_hop_readable",
    kind=MetricKind.GAUGE,
    help="Whether the operator could read a hop at its last look: 1 or 0.",
    labels=(*_ROUTE, "hop"),
)
FINDING = Metric(
    name="lokeys_route_finding",
    kind=MetricKind.GAUGE,
    help="1 for each finding that the last look made; absent when it is gone.",
    labels=(*_ROUTE, "code", "cause", "severity"),
)
LAST_VERIFIED = Metric(
    name="lokeys_route_last_verified_timestamp_seconds",
    kind=MetricKind.GAUGE,
    help="When the present key was last proved.",
    labels=_ROUTE,
)
LAST_LOOK = Metric(
    name="lokeys_route_last_look_timestamp_seconds",
    kind=MetricKind.GAUGE,
    help="When the operator last finished a look at the route.",
    labels=_ROUTE,
)
ROTATION_PHASE = Metric(
    name="lokeys_route_rotation_phase_since_timestamp_seconds",
    kind=MetricKind.GAUGE,
    help="Since when a rotation is in its phase; absent if none is under way.",
    labels=(*_ROUTE, "phase"),
)
KEY_AGE = Metric(
    name="lokeys_route_key_age_seconds",
    kind=MetricKind.GAUGE,
    help="For how long the key in use is known to exist; during a rotation this is the old key.",
    labels=_ROUTE,
)
ROTATION_EVERY = Metric(
    name="lokeys_route_rotation_every_seconds",
    kind=MetricKind.GAUGE,
    help="At which age the operator replaces the key; absent if it does not.",
    labels=_ROUTE,
)
LAST_ROTATION = Metric(
    name="lokeys_route_last_rotation_timestamp_seconds",
    kind=MetricKind.GAUGE,
    help="When the last rotation ended; absent if there was none, or one is under way.",
    labels=(*_ROUTE, "outcome"),
)
FURTHER_KEYS = Metric(
    name="lokeys_route_further_keys",
    kind=MetricKind.GAUGE,
    help="How many keys the source's user has besides the one in use, while no rotation and no "
    "bridge needs them; absent if the user's keys cannot be read.",
    labels=_ROUTE,
)
BRIDGE_UNTIL = Metric(
    name="lokeys_route_bridge_until_timestamp_seconds",
    kind=MetricKind.GAUGE,
    help="When a key that was replaced and is valid again ends at the latest; absent without one.",
    labels=_ROUTE,
)
PODS_NOT_READY = Metric(
    name="lokeys_route_pods_not_ready",
    kind=MetricKind.GAUGE,
    help="How many of the route's pods are not ready.",
    labels=_ROUTE,
)
STORAGE_REFUSED = Metric(
    name="lokeys_loki_storage_requests_refused_total",
    kind=MetricKind.COUNTER,
    help="Loki's storage requests that were answered 403, by Loki's own count since it started.",
    labels=(*_ROUTE, "pod"),
)
STEPS = Metric(
    name="lokeys_steps_total",
    kind=MetricKind.COUNTER,
    help="Steps that the operator did on routes, by action and outcome (done, waiting, failed).",
    labels=("action", "outcome"),
)
LOOK_SECONDS = Metric(
    name="lokeys_look_seconds",
    kind=MetricKind.HISTOGRAM,
    help="How long a look at a route took.",
)
STACK_READY = Metric(
    name="lokeys_stack_ready",
    kind=MetricKind.GAUGE,
    help="Whether every pod of a LokiStack is of its present template and ready: 1 or 0.",
    labels=_ROUTE,
)
STACK_STATE = Metric(
    name="lokeys_stack_state",
    kind=MetricKind.GAUGE,
    help="1 for the condition that holds of Degraded, Failed, Pending and Ready, with its reason.",
    labels=(*_ROUTE, "type", "reason"),
)
STACK_MODE = Metric(
    name="lokeys_stack_credential_mode",
    kind=MetricKind.GAUGE,
    help="1 for the way in which a LokiStack proves who it is: static, token or token-cco.",
    labels=(*_ROUTE, "mode"),
)
STACK_VERIFIED = Metric(
    name="lokeys_stack_credentials_verified",
    kind=MetricKind.GAUGE,
    help="Whether the credentials reached the bucket when they were last tried: 1 or 0, absent "
    "if they could not be tried.",
    labels=(*_ROUTE, "mode", "reason"),
)
STACK_PODS = Metric(
    name="lokeys_stack_pods",
    kind=MetricKind.GAUGE,
    help="How many pods of a LokiStack are in a state.",
    labels=(*_ROUTE, "state"),
)
LEADER = Metric(
    name="lokeys_operator_leader",
    kind=MetricKind.GAUGE,
    help="Whether this replica is the one that acts: 1 or 0.",
)
CACHE_SYNCED = Metric(
    name="lokeys_operator_cache_synced",
    kind=MetricKind.GAUGE,
    help="Whether this replica's picture of the cluster is complete and current: 1 or 0.",
)
QUEUE_LENGTH = Metric(
    name="lokeys_operator_queue_length",
    kind=MetricKind.GAUGE,
    help="How many routes wait to be looked at.",
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order of this file."""
