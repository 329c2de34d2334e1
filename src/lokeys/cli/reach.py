# SPDX-License-Identifier: Apache-2.0
"""From a laptop to hosts that only the cluster knows: through the API server, to a ready pod.

    host of a Service ─▶ a ready pod of it ─▶ port-forward ─▶ 127.0.0.1:port
    a pod's address   ─▶ that pod          ─▶ port-forward ─▶ 127.0.0.1:port

Only the connection's target changes: URL, Host header, signature and TLS name stay the original
host's. What cannot be reached this way is reported only as unreachable from here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from lokeys.adapters.http import NoAnswer, Reason
from lokeys.errors import LokeysError, NotFound
from lokeys.kube.client import Api
from lokeys.kube.portforward import Forwarded, forward
from lokeys.kube.resources import POD, SERVICE

RESOLVE_TIMEOUT_S = 3.0
Json = Mapping[str, Any]
Address = tuple[str, int]


class ReachMode(StrEnum):
    """How hosts are reached: auto forwards the cluster's hosts, unless we run in a cluster."""

    AUTO = "auto"
    DIRECT = "direct"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pod:
    """The end of a tunnel."""

    namespace: str
    name: str
    port: int


class Reach:
    """A `Dial` that lives as long as its tunnels. Use it as an async context manager."""

    def __init__(self, api: Api, *, mode: ReachMode, in_cluster: bool) -> None:
        self._api = api
        self._mode = ReachMode.DIRECT if mode is ReachMode.AUTO and in_cluster else mode
        self._tunnels = AsyncExitStack()
        self._known: dict[Address, Forwarded | None] = {}
        self._locks: dict[Address, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._tunnels.aclose()

    async def dial(self, host: str, port: int) -> Address:
        """Return where to connect for `host`. Raises NoAnswer if it cannot be reached from here."""
        if self._mode is ReachMode.DIRECT or _is_loopback(host):
            return host, port
        address = (host, port)
        async with self._locks.setdefault(address, asyncio.Lock()):
            known = self._known.get(address)
            if known is not None and known.error is not None:
                del self._known[address]  # its pod is gone: find another
            if address not in self._known:
                self._known[address] = await self._tunnel(host, port)
            tunnel = self._known[address]
        return (tunnel.host, tunnel.port) if tunnel else address

    async def _tunnel(self, host: str, port: int) -> Forwarded | None:
        """Open a tunnel to a host; None if it is dialled directly."""
        try:
            pod = await self._pod_behind(host, port)
            if pod is None:
                return None
            return await self._tunnels.enter_async_context(
                forward(self._api, namespace=pod.namespace, pod=pod.name, port=pod.port)
            )
        except LokeysError as exc:
            if self._mode is ReachMode.AUTO and await _resolves(host):
                return None
            note = f"nor is there a way through the API server: {exc}"
            raise NoAnswer(f"{host}:{port}", Reason.NO_ROUTE, note=note) from exc

    async def _pod_behind(self, host: str, port: int) -> _Pod | None:
        """Return the pod that answers for a host; None if it is not the cluster's."""
        if _is_address(host):
            return await self._pod_of_address(host, port)
        name = service_name(host)
        if name is None or (not name.certain and await _resolves(host)):
            return None
        try:
            return await self._pod_of_service(name, port)
        except NotFound:
            if name.certain:
                raise
            return None  # two labels, and no Service of that name: an ordinary host

    async def _pod_of_address(self, address: str, port: int) -> _Pod | None:
        """Return the pod with this address. An address without a pod is dialled."""
        if ipaddress.ip_address(address).is_global:
            return None
        for pod in (await self._api.list(POD, fields=f"status.podIP={address}")).items:
            metadata, status = pod["metadata"], pod.get("status") or {}
            if status.get("podIP") == address and status.get("phase") == "Running":
                return _Pod(namespace=metadata["namespace"], name=metadata["name"], port=port)
        return None

    async def _pod_of_service(self, name: ServiceName, port: int) -> _Pod:
        service = await self._api.get(SERVICE, name.name, namespace=name.namespace)
        spec = service.get("spec") or {}
        selector = spec.get("selector") or {}
        if not selector:
            raise NotFound(f"Service {name.namespace}/{name.name} selects no pods")
        labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        pods = (await self._api.list(POD, namespace=name.namespace, labels=labels)).items
        ready = [pod for pod in pods if is_ready(pod)]
        if not ready:
            raise NotFound(f"Service {name.namespace}/{name.name} has no ready pod")
        target = target_port(spec.get("ports") or (), port, ready[0])
        return _Pod(namespace=name.namespace, name=ready[0]["metadata"]["name"], port=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceName:
    """A Service by its host name; with only two labels it may also be an outside host."""

    name: str
    namespace: str
    certain: bool


def service_name(host: str) -> ServiceName | None:
    """Return the Service in a host name: `name.ns.svc…`, or perhaps `name.ns`."""
    labels = host.rstrip(".").split(".")
    if len(labels) >= 3 and labels[2] == "svc":
        return ServiceName(name=labels[0], namespace=labels[1], certain=True)
    if len(labels) >= 4 and labels[3] == "svc":  # a bucket's own host before the Service's
        return ServiceName(name=labels[1], namespace=labels[2], certain=True)
    if len(labels) == 2 and all(labels):
        return ServiceName(name=labels[0], namespace=labels[1], certain=False)
    return None


def target_port(ports: Sequence[Json], port: int, pod: Json) -> int:
    """Return the pod's port behind a Service's; a name is looked up in the pod."""
    entry = next((each for each in ports if each.get("port") == port), {})
    target = entry.get("targetPort", port)
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers") or ():
        for each in container.get("ports") or ():
            if each.get("name") == target:
                return int(each["containerPort"])
    raise NotFound(f"Pod {pod['metadata']['name']} has no port named {target}")


def is_ready(pod: Json) -> bool:
    """Tell whether a Service would send requests to this pod."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    going = pod["metadata"].get("deletionTimestamp")
    return not going and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


async def _resolves(host: str) -> bool:
    if _is_address(host):
        return True
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return False
    return True
