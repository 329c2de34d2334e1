# SPDX-License-Identifier: Apache-2.0
"""The operator with a thousand routes: until all are Ready, at rest, and when one key changes."""

import asyncio
import base64
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from statistics import median

import httpx2

from bench.figures import Figure
from bench.fleet import KEYS, SYSTEM, Fleet
from bench.watched import Operator, cpu_s, kinds_of, writes_in
from lokeys.kube.client import Object
from lokeys.kube.resources import SECRET, STORAGE_CREDENTIAL
from lokeys.operator.routes.reconciler import LOOK_EVERY_S
from parts.kubernetes import Kubernetes
from parts.process import Process, free_ports

ROUTES = 1_000
REST_S = 60.0
CHANGES = 20
AT_ONCE = 100
CROWD = 100
POD_STARTS_S = 15.0


def measure(routes: int = ROUTES) -> Iterator[Figure]:
    """Yield the figures."""
    kubernetes = Kubernetes()
    stub: Process | None = None
    try:
        kubernetes.start()
        (port,) = free_ports(1)
        stub = Process(
            [sys.executable, "-m", "bench.stub", port], log=kubernetes.folder / "stub.log"
        )
        yield from asyncio.run(_measure(Fleet(kubernetes, routes, port), stub))
    finally:
        if stub:
            stub.stop()
        kubernetes.stop()


async def _measure(fleet: Fleet, stub: Process) -> list[Figure]:
    began = time.monotonic()
    await fleet.build()
    _say(f"{fleet.size} routes made in {time.monotonic() - began:.0f} s")
    ready = asyncio.create_task(all_ready(fleet))
    await asyncio.sleep(1.0)
    operator = Operator(fleet.kubernetes, account=(SYSTEM, "lokeys"))
    try:
        figures = [*await _starting(fleet, operator, stub, ready)]
        figures += await _resting(fleet, operator)
        figures += await _crowd(fleet, operator)
        async with fleet.nodes():
            figures += await _changing(fleet)
            figures += await _storm(fleet)
    finally:
        operator.process.stop()
        _say(operator.process.tail(5))
    return figures


async def _starting(
    fleet: Fleet, operator: Operator, stub: Process, ready: asyncio.Task[None]
) -> list[Figure]:
    began = time.monotonic()
    server = fleet.kubernetes._api_server
    assert server is not None
    server_before, stub_before = cpu_s(server.pid), cpu_s(stub.pid)
    async with asyncio.timeout(600):
        await ready
    took = time.monotonic() - began
    cpu = operator.cpu_s()
    _, peak = operator.memory_mb()
    requests = operator.requests()
    _say(f"ready after {took:.1f} s; requests: {dict(kinds_of(requests).most_common())}")
    server_cpu, stub_cpu = cpu_s(server.pid) - server_before, cpu_s(stub.pid) - stub_before
    n = fleet.size
    return [
        Figure(name=f"{n} routes, all Ready after", value=took, unit="s", at_most=60),
        Figure(name="CPU a route until Ready", value=1e3 * cpu / n, unit="ms",
               note=f"API server {1e3 * server_cpu / n:.0f} ms, stub {1e3 * stub_cpu / n:.0f} ms"),
        Figure(name="requests a route until Ready", value=len(requests) / n, unit=""),
        Figure(name="memory, peak until Ready", value=peak, unit="MB", at_most=200),
    ]  # fmt: skip


async def _resting(fleet: Fleet, operator: Operator) -> list[Figure]:
    await asyncio.sleep(30)
    operator.requests()
    before, cpu = await _counts(fleet), operator.cpu_s()
    await asyncio.sleep(REST_S)
    after, cpu = await _counts(fleet), operator.cpu_s() - cpu
    requests = operator.requests()
    now, peak = operator.memory_mb()
    _say(f"at rest: requests {dict(kinds_of(requests))}, elsewhere {before} → {after}")
    asked = {what: (after[what] - before[what]) / fleet.size for what in after}
    return [
        Figure(name="at rest for 60 s: writes", value=writes_in(requests), unit="", at_most=0,
               note=f"{len(requests)} requests, renewals of watches and of the Lease included"),
        Figure(name="at rest: lists at the store a route and minute", value=asked["list"],
               unit="", at_most=1.1),
        Figure(name="at rest: metrics pages a pod and minute", value=asked["metrics"],
               unit="", at_most=2.2),
        Figure(name="at rest: CPU of one core", value=100 * cpu / REST_S, unit="%"),
        Figure(name="memory, settled", value=now, unit="MB", at_most=200),
        Figure(name="memory, peak", value=peak, unit="MB", at_most=200),
    ]  # fmt: skip


async def _crowd(fleet: Fleet, operator: Operator) -> list[Figure]:
    """Refresh ExternalSecrets that are no route's own, as their operator does all day."""
    strangers = [("fleet-0", f"stranger-{number}") for number in range(CROWD)]
    for stranger in strangers:
        await fleet.create_external_secret(*stranger)
    await asyncio.sleep(5.0)
    before, cpu, began = operator.looks(), operator.cpu_s(), time.monotonic()
    for stranger in strangers:
        await fleet.refresh_external_secret(*stranger)
    await asyncio.sleep(LOOK_EVERY_S * 1.05 - (time.monotonic() - began))
    looks, cpu = operator.looks() - before, operator.cpu_s() - cpu
    return [
        Figure(name=f"{CROWD} foreign ExternalSecrets refreshed: looks a route in 30 s",
               value=looks / fleet.size, unit="", at_most=1.2,
               note=f"as at rest; {100 * cpu / LOOK_EVERY_S:.0f} % of a core"),
    ]  # fmt: skip


async def _changing(fleet: Fleet) -> list[Figure]:
    names = [name for name in fleet.names() if not fleet.is_delivered(name[1])]
    chosen = names[:: max(len(names) // CHANGES, 1)][:CHANGES]
    written = []
    for name in chosen:
        written.append(await _one_change(fleet, *name))
        await asyncio.sleep(1.0)
    _say(f"changes: {' '.join(f'{took:.2f}' for took in sorted(written))}")
    return [
        Figure(name="one changed source: the target is written after", value=median(written),
               unit="s", at_most=1, note=f"median of {len(written)}; most {max(written):.2f} s"),
    ]  # fmt: skip


async def _storm(fleet: Fleet) -> list[Figure]:
    """Change many sources at once, as a rotation of a whole store does, and then one more."""
    fleet.pod_starts_s = POD_STARTS_S
    all_names = [name for name in fleet.names() if not fleet.is_delivered(name[1])]
    names = all_names[1 : 2 * AT_ONCE : 2]
    began = time.monotonic()
    changes = [asyncio.create_task(_one_change(fleet, *name)) for name in names]
    await asyncio.sleep(5.0)
    one_more = await _one_change(fleet, *all_names[-1])
    written = await asyncio.gather(*changes)
    await all_ready(fleet)
    healed = time.monotonic() - began
    pods = f"each pod needs {POD_STARTS_S:g} s to start"
    return [
        Figure(name=f"{len(names)} sources at once: median target is written after",
               value=median(written), unit="s", note=f"the last after {max(written):.1f} s"),
        Figure(name="one more source, 5 s later: the target is written after", value=one_more,
               unit="s", note=pods),
        Figure(name=f"{len(names)} sources at once: all proved again after", value=healed,
               unit="s", note=pods),
    ]  # fmt: skip


async def _one_change(fleet: Fleet, namespace: str, name: str) -> float:
    """Return how long it takes from a change of the source to the target's."""
    target = f"target-{name}"
    fields = f"metadata.name={target}"
    version = (await fleet.api.list(SECRET, namespace=namespace, fields=fields)).resource_version
    began = time.monotonic()
    pair = await fleet.change_source(namespace, name)
    events = fleet.api.watch(SECRET, namespace=namespace, fields=fields, resource_version=version)
    async with asyncio.timeout(600), aclosing(events):
        event = await anext(events)
        while event.type == "BOOKMARK":
            event = await anext(events)
    took = time.monotonic() - began
    held = tuple(base64.b64decode(event.object["data"][key]).decode() for key in KEYS.values())
    assert held == pair
    return took


async def all_ready(fleet: Fleet) -> None:
    """Return when every route is Ready."""
    listing = await fleet.api.list(STORAGE_CREDENTIAL)
    waiting = {_key(route) for route in listing.items if not _is_ready(route)}
    if not waiting:
        return
    events = fleet.api.watch(STORAGE_CREDENTIAL, resource_version=listing.resource_version)
    async with aclosing(events):
        async for event in events:
            if event.type == "BOOKMARK":
                continue
            change = waiting.discard if _is_ready(event.object) else waiting.add
            change(_key(event.object))
            if not waiting:
                return


def _key(route: Object) -> tuple[str, str]:
    return route["metadata"]["namespace"], route["metadata"]["name"]


def _is_ready(route: Object) -> bool:
    conditions = (route.get("status") or {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def _counts(fleet: Fleet) -> dict[str, int]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{fleet.stub_port}/counts")
        counts: dict[str, int] = answer.json()
        return counts


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
