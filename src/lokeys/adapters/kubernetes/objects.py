# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects, read from the API server each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from lokeys.core.place import Ref
from lokeys.errors import NotReadable
from lokeys.kube import resources
from lokeys.kube.client import Api, Object
from lokeys.kube.replies import NoSuchKind
from lokeys.kube.resources import Resource

_Answered = TypeVar("_Answered")

_KINDS = (
    resources.SECRET,
    resources.POD,
    resources.EVENT,
    resources.SERVICE,
    resources.CONFIG_MAP,
    resources.PERSISTENT_VOLUME_CLAIM,
    resources.STATEFUL_SET,
    resources.DEPLOYMENT,
    resources.DAEMON_SET,
    resources.REPLICA_SET,
    resources.CRON_JOB,
    resources.POD_DISRUPTION_BUDGET,
    resources.LEASE,
    resources.EXTERNAL_SECRET,
    resources.EXTERNAL_SECRET_V1BETA1,
    resources.SECRET_STORE,
    resources.SECRET_STORE_V1BETA1,
    resources.CLUSTER_SECRET_STORE,
    resources.CLUSTER_SECRET_STORE_V1BETA1,
    resources.PUSH_SECRET,
    resources.ONE_PASSWORD_ITEM,
    resources.HELM_RELEASE,
    resources.HELM_RELEASE_V2BETA2,
    resources.CEPH_OBJECT_STORE_USER,
    resources.CEPH_OBJECT_STORE,
    resources.STORAGE_CREDENTIAL,
    resources.LOKI_STACK,
    resources.SERVICE_ACCOUNT,
    resources.NETWORK_POLICY,
    resources.INGRESS,
    resources.CLUSTER_ROLE,
    resources.CLUSTER_ROLE_BINDING,
    resources.ROUTE,
    resources.CREDENTIALS_REQUEST,
    resources.SERVICE_MONITOR,
    resources.PROMETHEUS_RULE,
)


def resources_of(kind: str) -> tuple[Resource, ...]:
    """Return the versions in which a kind may be served, the preferred one first."""
    found = tuple(resource for resource in _KINDS if resource.kind == kind)
    if not found:
        raise NotReadable(f"lokeys does not know how to read objects of kind {kind}")
    return found


async def as_served(kind: str, call: Callable[[Resource], Awaitable[_Answered]]) -> _Answered:
    """Return the result of `call` for the first version of `kind` that the API server has."""
    versions = resources_of(kind)
    for resource in versions[:-1]:
        try:
            return await call(resource)
        except NoSuchKind:
            continue
    return await call(versions[-1])


class LiveObjects:
    """An `Objects` that asks the API server each time and remembers nothing."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        """Return the object; raises NotFound, Forbidden, Unreachable."""

        async def call(resource: Resource) -> Object:
            return await self._api.get(resource, ref.name, namespace=ref.namespace)

        return await as_served(ref.kind, call)

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the objects of a kind; `namespace` None means all."""

        async def call(resource: Resource) -> list[Mapping[str, Any]]:
            return [*(await self._api.list(resource, namespace=namespace, labels=labels)).items]

        return await as_served(kind, call)

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return the events with this reason about an object, in any order."""
        chosen = {
            "involvedObject.kind": about.kind,
            "involvedObject.name": about.name,
            "reason": reason,
        }
        fields = ",".join(f"{name}={value}" for name, value in chosen.items())
        listing = await self._api.list(resources.EVENT, namespace=about.namespace, fields=fields)
        return listing.items

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return the end of a container's log; raises BadInput if it has not started."""
        return await self._api.log(
            pod.name,
            namespace=pod.namespace or "",
            container=container,
            tail_lines=lines,
            limit_bytes=max_bytes,
        )
