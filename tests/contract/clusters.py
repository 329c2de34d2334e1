# SPDX-License-Identifier: Apache-2.0
"""API servers with a store beside them, the stand-ins and the real parts, as one kind of place."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx2

from contract.stores import Store, fresh
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.clock import utc_now
from lokeys.core.sensitive import Fingerprinter, Sensitive
from lokeys.demo.parts.crds import rook_crds
from lokeys.demo.parts.kubernetes import KubernetesApi
from lokeys.demo.parts.rook_rgw import RookRgw
from lokeys.errors import NotFound
from lokeys.kube.client import Api, Object
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import NAMESPACE, SECRET, Resource
from parts.kubernetes import Kubernetes

Found = TypeVar("Found")
FINGERPRINTER = Fingerprinter(Sensitive(b"fingerprint key"), kept=True)


class Place(Protocol):
    """Where an API server can be had."""

    def opened(self) -> Any:
        """Return an async context that gives the path of a kubeconfig."""
        ...


@dataclass
class StandInPlace:
    """The demo's API server, a new one for each test."""

    folder: Path

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Path]:
        async with KubernetesApi() as served:
            yield served.write_kubeconfig(self.folder / "kubeconfig")


@dataclass
class RealPlace:
    """A real control plane, shared by all tests."""

    kubernetes: Kubernetes

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Path]:
        self.kubernetes.apply(*rook_crds())
        self.kubernetes.wait_served(*(crd["metadata"]["name"] for crd in rook_crds()))
        yield self.kubernetes.kubeconfig


@dataclass
class Home:
    """One test's cluster, namespace and store."""

    api: Api
    cluster: Cluster
    namespace: str
    client: httpx2.AsyncClient

    async def get(self, resource: Resource, name: str) -> Object | None:
        """Return an object, or None."""
        try:
            return await self.api.get(resource, name, namespace=self.namespace)
        except NotFound:
            return None

    async def create(self, resource: Resource, name: str, **body: Any) -> Object:
        """Create an object in the test's namespace."""
        metadata = {"name": name, "namespace": self.namespace, **body.pop("metadata", {})}
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        return await self.api.create(resource, {**head, "metadata": metadata, **body})

    async def patch(self, resource: Resource, name: str, **body: Any) -> Object:
        """Merge fields into an object."""
        return await self.api.merge_patch(resource, name, body, namespace=self.namespace)

    async def put_secret(self, name: str, **values: str) -> Object:
        """Create or change a Secret."""
        data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
        if await self.get(SECRET, name):
            return await self.patch(SECRET, name, data=data)
        return await self.create(SECRET, name, data=data)

    async def values(self, name: str) -> dict[str, str]:
        """Return a Secret's values; nothing where it is not there."""
        found = await self.get(SECRET, name)
        data = (found or {}).get("data") or {}
        return {key: b64decode(value).decode() for key, value in data.items()}

    def rgw(self, store: Store) -> RookRgw:
        """Return the admin's way to the store's users and keys."""
        return RookRgw(store.endpoint, store.admin_pair, self.client, utc_now)


@asynccontextmanager
async def home(place: Place) -> AsyncIterator[Home]:
    """Give a namespace of its own in the place's cluster."""
    async with place.opened() as kubeconfig, HttpClients() as clients:
        namespace = fresh("ns")
        config = load(kubeconfig=str(kubeconfig), namespace=namespace)
        async with Api(config) as api:
            named = {"metadata": {"name": namespace}}
            await api.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", **named})
            cluster = Cluster(
                objects=LiveObjects(api), api=api, fingerprinter=FINGERPRINTER, clock=utc_now
            )
            yield Home(api, cluster, namespace, clients.trusting(None))


async def until(
    look: Callable[[], Awaitable[Found]], what: str, *, timeout_s: float = 15.0
) -> Found:
    """Look again and again until something true is found."""
    found = await look()
    try:
        async with asyncio.timeout(timeout_s):
            while not found:
                await asyncio.sleep(0.02)
                found = await look()
    except TimeoutError:
        raise AssertionError(f"not so after {timeout_s} s: {what}") from None
    return found
