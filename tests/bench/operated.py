# SPDX-License-Identifier: Apache-2.0
"""LokiStacks in operation, in the setting in which the Loki Operator was measured.

A real API server, the controller manager off, one namespace: so that what is counted is what the
operator does, and not what it reacts to. The stacks' store is a stub that takes every key.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import yaml

from bench.figures import Figure
from bench.watched import Operator, cpu_s, kinds_of, writes_in
from lokeys.core.operate.status import VERIFIED
from lokeys.core.rbac import Account, StackWish, all_stacks_roles, operator_roles
from lokeys.core.route.resource.crd import crd
from lokeys.kube.client import Api, Object
from lokeys.kube.kubeconfig import load
from lokeys.kube.resources import CONFIG_MAP, LOKI_STACK, SECRET, Resource
from parts.kubernetes import Kubernetes
from parts.process import Process, free_ports

SYSTEM, PLACE = "lokeys-system", "fleet"
SIZES = (1, 20, 100)
MANY = 1_000
OBJECTS = 26
CREDENTIALED = 4
"""Workloads that use the storage."""
REST_S = 30.0
DEFINITIONS = Path(__file__).parents[2] / "deploy/chart/files/lokistack-crd/lokistacks.yaml"
PEER = {1: "28; 0.04 s; 0.13 s", 20: "28; 0.034 s; 2.9 s", 100: "28; 0.075 s; 24 s"}
"""The Loki Operator's requests and CPU a stack, and time until all workloads are there."""


def measure() -> Iterator[Figure]:
    """Yield the figures; LOKEYS_BENCH_STACKS names other numbers of stacks."""
    words = os.environ.get("LOKEYS_BENCH_STACKS", "")
    sizes = tuple(map(int, words.split(","))) if words else (*SIZES, MANY)
    for size in sizes:
        yield from _run(size)


def _run(size: int) -> list[Figure]:
    kubernetes = Kubernetes()
    (port,) = free_ports(1)
    store: Process | None = None
    try:
        kubernetes.start()
        assert kubernetes._manager is not None
        kubernetes._manager.stop()
        _install(kubernetes)
        store = Process(
            [sys.executable, "-m", "bench.stub", port], log=kubernetes.folder / "store.log"
        )
        return asyncio.run(_measure(kubernetes, size, port))
    finally:
        if store:
            store.stop()
        kubernetes.stop()


def _install(kubernetes: Kubernetes) -> None:
    account = Account(name="lokeys", namespace=SYSTEM)
    for name in (SYSTEM, PLACE):
        kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kubernetes.apply(
        crd(),
        *yaml.safe_load_all(DEFINITIONS.read_text()),
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account.name, "namespace": SYSTEM},
        },
        *operator_roles(account),
        *all_stacks_roles(wish=StackWish(secrets=True), account=account),
    )


async def _measure(kubernetes: Kubernetes, size: int, port: int) -> list[Figure]:
    async with Api(load(kubeconfig=str(kubernetes.kubeconfig))) as api:
        for number in range(size):
            # Three stacks share one Secret, as the peer was measured.
            if number % 3 == 0:
                await api.create(SECRET, _secret(f"store-{number // 3}", "first", port))
        words = ("--lokistacks", "all", "--verify-every", "86400")
        operator = Operator(kubernetes, account=(SYSTEM, "lokeys"), more=words)
        try:
            await _leads(operator)
            figures = await _creating(api, kubernetes, operator, size)
            if size == SIZES[-1]:
                figures += await _resting(api, operator, size, port)
            return figures
        finally:
            operator.process.stop()
            _say(operator.process.tail(3))


async def _creating(
    api: Api, kubernetes: Kubernetes, operator: Operator, size: int
) -> list[Figure]:
    server = kubernetes._api_server
    assert server is not None
    operator.requests()
    cpu, server_cpu = operator.cpu_s(), cpu_s(server.pid)
    told = asyncio.create_task(_until_told(api, size))
    await asyncio.sleep(0.5)
    began = time.monotonic()
    for number in range(size):
        await api.create(LOKI_STACK, _stack(number))
    async with asyncio.timeout(900):
        await told
    took = time.monotonic() - began
    await asyncio.sleep(3.0)
    cpu, server_cpu = operator.cpu_s() - cpu, cpu_s(server.pid) - server_cpu
    requests = operator.requests()
    now, peak = operator.memory_mb()
    kinds = kinds_of(requests)
    lasting = sum(n for kind, n in kinds.items() if kind.startswith("watch "))
    _say(f"{size}: {took:.1f} s, API server {server_cpu / size:.3f} s a stack; {dict(kinds)}")
    peer = f"Loki Operator: {PEER[size]}" if size in PEER else ""
    return [
        Figure(name=f"{size} stacks: all made and told after", value=took, unit="s",
               at_most=24 if size == 100 else None, note=peer),
        Figure(name=f"{size} stacks: CPU a stack", value=cpu / size, unit="s",
               at_most=0.05 if size > 1 else None,
               note=f"the API server's: {server_cpu / size:.3f} s"),
        Figure(name=f"{size} stacks: requests a stack", value=(len(requests) - lasting) / size,
               unit="", at_most=OBJECTS + 3 if size > 1 else None,
               note=f"{OBJECTS} objects; {lasting / size:.2f} watches a stack besides"),
        Figure(name=f"{size} stacks: memory", value=now, unit="MB",
               at_most=300 if size == MANY else None, note=f"peak {peak:.0f} MB"),
    ]  # fmt: skip


async def _resting(api: Api, operator: Operator, size: int, port: int) -> list[Figure]:
    await asyncio.sleep(5.0)
    operator.requests()
    cpu = operator.cpu_s()
    await asyncio.sleep(REST_S)
    resting = [
        e for e in operator.requests() if (e.get("objectRef") or {}).get("resource") != "leases"
    ]
    cpu = operator.cpu_s() - cpu
    metadata = {"metadata": {"annotations": {"touched": "yes"}}}
    await api.merge_patch(SECRET, "store-0", metadata, namespace=PLACE)
    await asyncio.sleep(3.0)
    touched = operator.requests()
    await api.apply(SECRET, _secret("store-0", "second", port), field_manager="bench")
    await asyncio.sleep(5.0)
    changed = operator.requests()
    _say(f"touched: {dict(kinds_of(touched))}; changed: {dict(kinds_of(changed))}")
    _say(f"at rest: {[e['requestURI'] for e in resting][:5]}")
    return [
        Figure(name=f"{size} stacks at rest for {REST_S:g} s: requests", value=len(resting),
               unit="", at_most=0, note=f"{100 * cpu / REST_S:.1f} % of a core"),
        Figure(name="a Secret's annotation is touched: writes", value=writes_in(touched), unit="",
               at_most=0, note="Loki Operator: 8"),
        Figure(name="a key changes that three stacks share: writes", value=writes_in(changed),
               unit="", at_most=3 * (CREDENTIALED + 2),
               note=f"{CREDENTIALED} workloads a stack, and its status before and after; "
               "Loki Operator: 16, for one of the stacks"),
    ]  # fmt: skip


async def _leads(operator: Operator) -> None:
    async with asyncio.timeout(30):
        while "holds Lease" not in operator.log.read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)


async def _until_told(api: Api, size: int) -> None:
    """Return when every stack is made, and says so: its status is written last."""
    told: set[str] = set()
    while len(told) < size:  # a watch ends after some minutes
        listing = await api.list(LOKI_STACK)
        told.update(_name(each) for each in listing.items if _is_told(each))
        if len(told) == size:
            break
        events = api.watch(LOKI_STACK, resource_version=listing.resource_version)
        async with aclosing(events):
            async for event in events:
                if event.type != "BOOKMARK" and _is_told(event.object):
                    told.add(_name(event.object))
                    if len(told) == size:
                        break
    for resource, wanted in ((CONFIG_MAP, 1), (_DEPLOYMENT, 3), (_STATEFUL_SET, 3)):
        found = (await api.list(resource, namespace=PLACE, labels=_LABEL)).items
        assert len(found) == wanted * size, (resource, len(found))


def _is_told(stack: Object) -> bool:
    """Tell whether the status says all of it: what is made, and that the credentials work."""
    conditions = stack.get("status", {}).get("conditions") or ()
    return any(e["type"] == VERIFIED and e["status"] == "True" for e in conditions)


def _name(stack: Object) -> str:
    name: str = stack["metadata"]["name"]
    return name


_LABEL = "app.kubernetes.io/managed-by=lokistack-controller"
_DEPLOYMENT = Resource("apps", "v1", "deployments", "Deployment")
_STATEFUL_SET = Resource("apps", "v1", "statefulsets", "StatefulSet")


def _secret(name: str, key: str, port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": PLACE},
        "stringData": {
            "bucketnames": "logs",
            "endpoint": f"http://127.0.0.1:{port}",
            "access_key_id": "AKIAQ4KLMN5OPQR6STUV",
            "access_key_secret": f"{key}-secret-key-of-forty-characters-0000",
        },
    }


def _stack(number: int) -> dict[str, Any]:
    return {
        "apiVersion": LOKI_STACK.api_version,
        "kind": LOKI_STACK.kind,
        "metadata": {"name": f"stack-{number}", "namespace": PLACE},
        "spec": {
            "size": "1x.small",
            "storageClassName": "fast",
            "storage": {
                "schemas": [{"version": "v13", "effectiveDate": "2024-10-01"}],
                "secret": {"name": f"store-{number // 3}", "type": "s3"},
            },
        },
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
