# SPDX-License-Identifier: Apache-2.0
"""A node for the API server stand-in: runs StatefulSets, and a Loki in each of their pods.

    async with Workloads(api, folder=folder, settings=WorkloadSettings(loki=...)) as workloads:
        workloads.loki("monitoring", "loki-0")     # the running stand-in
        await workloads.crash("monitoring", "loki-0")
        workloads.set_broken("loki-0", "sidecar")  # the 1/2 case

Each pod listens on a loopback address of its own where the system has them (Linux); elsewhere all
have 127.0.0.1, and a second pod cannot start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from lokeys.demo.parts import statefulsets
from lokeys.demo.parts.kube_kinds import Json
from lokeys.demo.parts.kubernetes import KubernetesApi
from lokeys.demo.parts.loki import Loki
from lokeys.demo.parts.loki_log import LogRow
from lokeys.demo.parts.node import Node, WorkloadSettings
from lokeys.demo.parts.pods import PodRunner


class Workloads:
    """The StatefulSet controller and the kubelet of one stand-in cluster."""

    def __init__(self, api: KubernetesApi, *, folder: Path, settings: WorkloadSettings) -> None:
        self.api = api
        self._node = Node(store=api.store, settings=settings, folder=folder)
        self._runners: dict[str, PodRunner] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "stand-in"}}
        if not self.api.store.find("Node", "stand-in"):
            self.api.add(node)
        self.api.logs = self._logs
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.gather(*(runner.kill() for runner in self._runners.values()))
        self._runners.clear()

    def loki(self, namespace: str, pod: str) -> Loki:
        """Return the Loki that runs in a pod; KeyError where none does."""
        runner = self._runner(namespace, pod)
        if runner.loki is None:
            raise KeyError(f"no Loki runs in {namespace}/{pod}")
        return runner.loki

    async def crash(self, namespace: str, pod: str) -> None:
        """End the Loki in a pod at once, as a panic does; it starts again with a fresh look."""
        await self._runner(namespace, pod).crash()

    def set_broken(self, pod: str, container: str, *, broken: bool = True) -> None:
        """Make a container fail its readiness probe, or pass again."""
        change = self._node.broken.add if broken else self._node.broken.discard
        change((pod, container))
        self.api.store.wake()

    async def until(self, condition: Callable[[], bool], *, timeout_s: float = 10) -> None:
        """Wait until a condition on the cluster holds; TimeoutError otherwise."""
        async with asyncio.timeout(timeout_s):
            with self.api.store.waker() as woken:
                while not condition():
                    await woken.wait()
                    woken.clear()

    async def _run(self) -> None:
        store = self.api.store
        with store.waker() as woken:
            while True:
                woken.clear()
                for owner in store.select("StatefulSet"):
                    statefulsets.reconcile(store, owner)
                self._keep_runners()
                await woken.wait()

    def _keep_runners(self) -> None:
        """Have a runner for each pod on the node; runners end by themselves when theirs goes."""
        self._runners = {uid: one for uid, one in self._runners.items() if not one.done}
        for pod in self.api.store.select("Pod"):
            uid = pod["metadata"]["uid"]
            if uid not in self._runners and pod["spec"].get("nodeName") == "stand-in":
                self._runners[uid] = PodRunner(self._node, pod)

    def _runner(self, namespace: str, pod: str) -> PodRunner:
        found = self.api.store.find("Pod", pod, namespace)
        if found is None or found["metadata"]["uid"] not in self._runners:
            raise KeyError(f"no pod {namespace}/{pod} runs")
        return self._runners[found["metadata"]["uid"]]

    def _logs(self, pod: Json, container: str, previous: bool) -> list[LogRow] | None:
        runner = self._runners.get(pod["metadata"]["uid"])
        if runner is None or container != self._node.settings.container:
            return [] if runner and not previous else None
        return runner.log_rows(previous=previous)
