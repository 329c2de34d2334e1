# SPDX-License-Identifier: Apache-2.0
"""One tenant's six hundred routes name a store that takes connections and never answers."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from statistics import median

from bench.figures import Figure
from bench.fleet import SYSTEM, Fleet
from bench.scale import all_ready
from bench.watched import Operator
from lokeys.kube.resources import STORAGE_CREDENTIAL
from lokeys.operator.routes.manifests import RECONCILE
from parts.kubernetes import Kubernetes
from parts.process import Process, free_ports

SILENT = 600
VICTIMS = 12
"""Routes of others that are to be looked at, one after the other."""
PAUSE_S = 4.0
"""Between two looks: they spread over more than a minute, through every phase of a pause."""


def measure() -> Iterator[Figure]:
    """Yield the figures."""
    kubernetes = Kubernetes()
    stub: Process | None = None
    try:
        kubernetes.start()
        stub_port, silent_port = free_ports(2)
        stub = Process(
            [sys.executable, "-m", "bench.stub", stub_port], log=kubernetes.folder / "stub.log"
        )
        fleet = Fleet(
            kubernetes,
            SILENT + VICTIMS,
            stub_port,
            delivered=0,
            silent=SILENT,
            silent_port=silent_port,
        )
        yield from asyncio.run(_measure(fleet))
    finally:
        if stub:
            stub.stop()
        kubernetes.stop()


async def _measure(fleet: Fleet) -> list[Figure]:
    await fleet.build()
    async with _silence(fleet.silent_port) as connections:
        operator = Operator(fleet.kubernetes, account=(SYSTEM, "lokeys"))
        try:
            async with asyncio.timeout(600):
                await all_ready(fleet)  # by what Loki says: its store is no silent one
            began, before = time.monotonic(), len(connections)
            looks = []
            for name in list(fleet.names())[SILENT:]:
                looks.append(await _one_look(fleet, *name))
                await asyncio.sleep(PAUSE_S)
            minutes = (time.monotonic() - began) / 60
        finally:
            operator.process.stop()
            print(operator.process.tail(5), file=sys.stderr, flush=True)
    asked = (len(connections) - before) / minutes
    return [
        Figure(name=f"{SILENT} silent routes: another tenant's look, the longest", value=max(looks),
               unit="s", at_most=10, note=f"median {median(looks):.2f} s of {len(looks)}"),
        Figure(name=f"{SILENT} silent routes: requests to the silent store a minute", value=asked,
               unit="", at_most=12, note="one for all, after pauses of 15 to 30 s"),
    ]  # fmt: skip


async def _one_look(fleet: Fleet, namespace: str, name: str) -> float:
    """Return how long it takes from a wish for a look to the status that it leads to."""
    began = time.monotonic()
    wish = str(began)
    annotated = {"metadata": {"annotations": {RECONCILE: wish}}}
    asked = await fleet.api.merge_patch(STORAGE_CREDENTIAL, name, annotated, namespace=namespace)
    events = fleet.api.watch(
        STORAGE_CREDENTIAL,
        namespace=namespace,
        fields=f"metadata.name={name}",
        resource_version=asked["metadata"]["resourceVersion"],
    )
    async with asyncio.timeout(600), aclosing(events):
        async for event in events:
            status = event.object.get("status") or {}
            if status.get("lastHandled", {}).get("reconcile") == wish:
                break
    return time.monotonic() - began


@asynccontextmanager
async def _silence(port: int) -> AsyncIterator[list[float]]:
    """Take connections and say nothing; note when each came."""
    came: list[float] = []

    class Silent(asyncio.Protocol):
        def connection_made(self, _transport: asyncio.BaseTransport) -> None:
            came.append(time.monotonic())

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Silent, "127.0.0.1", port, backlog=1024)
    try:
        yield came
    finally:
        server.close()
