# SPDX-License-Identifier: Apache-2.0
"""One pod's own data: its container's current run, its readiness, the Secrets it reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, moment_at, number_at, text_at
from lokeys.core.place import Ref
from lokeys.core.route.snapshot import PodState

_DEFAULT_GRACE_S = 30
_YEAR_S = 365 * 24 * 3600
_OVER = frozenset({"Succeeded", "Failed"})


def ref_of(pod: Json) -> Ref:
    """Return the pod's reference."""
    return Ref("Pod", text_at(pod, "metadata", "name"), text_at(pod, "metadata", "namespace"))


def is_over(pod: Json) -> bool:
    """Tell whether the pod has ended for good and only its object is left."""
    return text_at(pod, "status", "phase") in _OVER


def containers_of(pod_spec: Json) -> list[Json]:
    """Return all containers, those that run before the others first."""
    return [
        *mappings_at(pod_spec, "initContainers"),
        *mappings_at(pod_spec, "containers"),
        *mappings_at(pod_spec, "ephemeralContainers"),
    ]


def secrets_read_by(pod_spec: Json) -> frozenset[str]:
    """Return the names of all Secrets that a pod's containers or volumes read."""
    return frozenset(name for name in _secret_names(pod_spec) if name)


def reads(pod_spec: Json, ref: Ref) -> bool:
    """Tell whether a pod's containers or volumes read a Secret or ConfigMap of its namespace."""
    if ref.kind == "Secret":
        return ref.name in secrets_read_by(pod_spec)
    return any(name == ref.name for name in _config_map_names(pod_spec))


def _config_map_names(pod_spec: Json) -> Iterator[str]:
    for volume in mappings_at(pod_spec, "volumes"):
        yield text_at(volume, "configMap", "name")
        for source in mappings_at(volume, "projected", "sources"):
            yield text_at(source, "configMap", "name")


def _secret_names(pod_spec: Json) -> Iterator[str]:
    for container in containers_of(pod_spec):
        for variable in mappings_at(container, "env"):
            yield text_at(variable, "valueFrom", "secretKeyRef", "name")
        for source in mappings_at(container, "envFrom"):
            yield text_at(source, "secretRef", "name")
    for volume in mappings_at(pod_spec, "volumes"):
        yield text_at(volume, "secret", "secretName")
        for source in mappings_at(volume, "projected", "sources"):
            yield text_at(source, "secret", "name")


def loki_container(pod_spec: Json, name: str) -> Json:
    """Return the container of this name; if there is none, the first."""
    containers = mappings_at(pod_spec, "containers")
    named = (each for each in containers if text_at(each, "name") == name)
    return next(named, containers[0] if containers else {})


def pod_state(pod: Json, *, workload: Ref, container: str) -> PodState | None:
    """Return the pod's own data, without that of others; None if there is no pod."""
    created_at = moment_at(pod, "metadata", "creationTimestamp")
    if created_at is None:
        return None
    statuses = mappings_at(pod, "status", "containerStatuses")
    own_name = text_at(loki_container(at(pod, "spec") or {}, container), "name")
    status = next((each for each in statuses if text_at(each, "name") == own_name), {})
    ready, unready_since = _readiness(pod)
    total = len(mappings_at(pod, "spec", "containers"))
    return PodState(
        ref=ref_of(pod),
        uid=text_at(pod, "metadata", "uid"),
        workload=workload,
        ready=ready,
        containers_ready=f"{sum(at(each, 'ready') is True for each in statuses)}/{total}",
        created_at=created_at,
        started_at=moment_at(status, "state", "running", "startedAt"),
        unready_since=unready_since,
        restarts=sum(number_at(each, "restartCount") for each in statuses),
        waiting_reason=_waiting_reason(pod, status),
        deleting_since=_deleting_since(pod),
        grace=_grace(pod),
        own_grace=_own_grace(pod),
    )


def _readiness(pod: Json) -> tuple[bool, datetime | None]:
    conditions = mappings_at(pod, "status", "conditions")
    condition = next((each for each in conditions if text_at(each, "type") == "Ready"), {})
    ready = text_at(condition, "status") == "True"
    return ready, None if ready else moment_at(condition, "lastTransitionTime")


def _waiting_reason(pod: Json, status: Json) -> str:
    """Return why the container waits: its own reason, or that of an init container."""
    own = text_at(status, "state", "waiting", "reason")
    inits = mappings_at(pod, "status", "initContainerStatuses")
    reasons = (text_at(each, "state", "waiting", "reason") for each in inits)
    blocked = next((reason for reason in reasons if reason), "")
    return blocked or own if own in {"", "PodInitializing"} else own


def _own_grace(pod: Json) -> timedelta:
    return _grace_at(pod, "spec", "terminationGracePeriodSeconds", default_s=_DEFAULT_GRACE_S)


def _grace(pod: Json) -> timedelta:
    own_s = int(_own_grace(pod).total_seconds())
    return _grace_at(pod, "metadata", "deletionGracePeriodSeconds", default_s=own_s)


def _grace_at(pod: Json, *path: str, default_s: int) -> timedelta:
    """Return a grace period as the kubelet uses it: below 1 s it is 1 s; limited to a year."""
    return timedelta(seconds=min(max(number_at(pod, *path, default=default_s), 1), _YEAR_S))


def _deleting_since(pod: Json) -> datetime | None:
    # The API server records when the grace period will end, not when the deletion began.
    end = moment_at(pod, "metadata", "deletionTimestamp")
    return end - _grace(pod) if end else None
