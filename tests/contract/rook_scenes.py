# SPDX-License-Identifier: Apache-2.0
"""A user in a cluster with Rook and RGW, and levers behind its back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from contract.clusters import Home, Place, home, until
from contract.stores import Store, fresh
from lokeys.adapters.ceph.rook import RookSourcePort
from lokeys.adapters.kubernetes.secret_source import SourceReader
from lokeys.core.route.model import RookSource
from lokeys.core.route.snapshot import SourceState
from lokeys.demo.parts.rook import Rook
from lokeys.demo.parts.rook_rgw import RookRgw
from lokeys.kube.client import Object
from lokeys.kube.resources import CEPH_OBJECT_STORE_USER as USER
from lokeys.ports import Reading

QUIET_S = 0.5
"""Long enough for a reconcile that should not happen."""


@dataclass
class Scene:
    """A user in a cluster with Rook, and levers behind its back."""

    home: Home
    rgw: RookRgw
    store: Store
    rook: Rook
    user: str = field(default_factory=lambda: fresh("user"))

    @property
    def generated(self) -> str:
        return f"rook-ceph-object-user-main-{self.user}"

    async def add_user(self, *key_secrets: str) -> None:
        """Create the CephObjectStoreUser and wait until Rook has looked at it."""
        spec: Object = {"store": "main"} | ({"keys": refs(*key_secrets)} if key_secrets else {})
        await self.home.create(USER, self.user, spec=spec)
        await until(self.is_ready, "Ready")

    async def set_keys(self, *key_secrets: str) -> None:
        """List these Secrets in spec.keys and wait until Rook has applied it."""
        await self.home.patch(USER, self.user, spec={"keys": refs(*key_secrets) or None})
        await until(self.is_ready, "Ready again")

    async def is_ready(self) -> bool:
        found = await self.found()
        status = found.get("status") or {}
        done = status.get("observedGeneration") == found["metadata"]["generation"]
        return status.get("phase") == "Ready" and done

    async def found(self) -> Object:
        user = await self.home.get(USER, self.user)
        assert user is not None
        return user

    async def live(self) -> dict[str, str]:
        return await self.rgw.keys(self.user) or {}

    async def live_ids(self) -> list[str]:
        return list(await self.live())

    async def generated_id(self) -> str | None:
        return (await self.home.values(self.generated)).get("AccessKey")

    async def edit_spec(self) -> None:
        await self.home.patch(USER, self.user, spec={"displayName": fresh("name")})

    async def read(self) -> Reading[SourceState]:
        return await self.port().read()

    def port(self, **spec: Any) -> RookSourcePort:
        source = RookSource(user=self.user, namespace=self.home.namespace, **spec)
        reader = SourceReader(namespace=self.home.namespace)
        return RookSourcePort(self.home.cluster, source, reader=reader)

    async def passes(self) -> int:
        return self.rook.reconciles.get((self.home.namespace, self.user), 0)

    async def settled(self) -> int:
        """Wait until Rook has nothing more to do, and return how often it has looked."""
        while True:
            before = await self.passes()
            await asyncio.sleep(QUIET_S)
            if await self.passes() == before:
                return before


def refs(*names: str) -> list[Object]:
    """Return entries of spec.keys."""
    return [
        {
            "accessKeyRef": {"name": name, "key": "id"},
            "secretKeyRef": {"name": name, "key": "key"},
        }
        for name in names
    ]


@asynccontextmanager
async def scene(place: Place, store: Store) -> AsyncIterator[Scene]:
    async with home(place) as found:
        rgw = found.rgw(store)
        async with Rook(found.api, rgw) as rook:
            yield Scene(found, rgw, store, rook)


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


async def adopt(scene: Scene) -> dict[str, str]:
    """Keep the present key under spec.keys, and return it."""
    await scene.add_user()
    values = await scene.home.values(scene.generated)
    await scene.home.put_secret("a", id=values["AccessKey"], key=values["SecretKey"])
    await scene.set_keys("a")
    return {values["AccessKey"]: values["SecretKey"]}
