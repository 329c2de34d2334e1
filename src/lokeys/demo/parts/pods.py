# SPDX-License-Identifier: Apache-2.0
"""The kubelet stand-in's care of one pod: environment, start, readiness, termination, status."""

from __future__ import annotations

import asyncio
import shutil
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.demo.parts.kube_fields import Author
from lokeys.demo.parts.kube_kinds import Json, Refusal
from lokeys.demo.parts.kube_store import Store, rfc3339
from lokeys.demo.parts.kube_views import condition
from lokeys.demo.parts.loki import Loki
from lokeys.demo.parts.loki_log import LogRow
from lokeys.demo.parts.node import Node

MANAGER = "kubelet"
_SOURCES = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}


class Unconfigured(Exception):
    """A container cannot start: something that its environment refers to is missing."""


def environment(store: Store, pod: Json, container: Json) -> dict[str, Sensitive]:
    """Return a container's environment as it is at this moment; raises Unconfigured."""
    namespace, found = pod["metadata"]["namespace"], dict[str, Sensitive]()
    for source in container.get("envFrom") or []:
        kind = "Secret" if "secretRef" in source else "ConfigMap"
        reference = source.get("secretRef") or source["configMapRef"]
        for key, value in _data(store, kind, namespace, reference).items():
            found[source.get("prefix", "") + key] = value
    for entry in container.get("env") or []:
        source = entry.get("valueFrom") or {}
        for field, kind in _SOURCES.items():
            if field in source:
                data = _data(store, kind, namespace, source[field])
                if source[field]["key"] in data:
                    found[entry["name"]] = data[source[field]["key"]]
                elif not source[field].get("optional"):
                    key, name = source[field]["key"], source[field]["name"]
                    raise Unconfigured(f"couldn't find key {key} in {kind} {namespace}/{name}")
        if "value" in entry:
            found[entry["name"]] = Sensitive(entry["value"])
    return found


def _data(store: Store, kind: str, namespace: str, reference: Json) -> dict[str, Sensitive]:
    item = store.find(kind, reference["name"], namespace)
    if item is None:
        if reference.get("optional"):
            return {}
        raise Unconfigured(f'{kind.lower()} "{reference["name"]}" not found')
    data = item.get("data") or {}
    if kind == "Secret":
        return {key: Sensitive(b64decode(value)) for key, value in data.items()}
    return {key: Sensitive(value) for key, value in data.items()}


class PodRunner:
    """Runs one pod from its start to its end, in a task of its own."""

    def __init__(self, node: Node, pod: Json) -> None:
        self.loki: Loki | None = None
        self._node = node
        self._store = node.store
        self._pod = pod
        self._uid = pod["metadata"]["uid"]
        self._problem = ""  # why the container cannot start
        self._restarts = 0
        self._last_state: Json = {}
        self._previous: list[LogRow] | None = None
        self._started_at = rfc3339(self._store.clock())
        self._task = asyncio.create_task(self._run())

    @property
    def done(self) -> bool:
        """Tell whether the pod has ended."""
        return self._task.done()

    async def kill(self) -> None:
        """End everything at once, as when the node loses power."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._end_loki()

    async def crash(self) -> None:
        """End the container at once and start it again."""
        if self.loki is not None:
            self._previous = self.loki.log.rows
            ended = {"exitCode": 2, "reason": "Error", "finishedAt": rfc3339(self._store.clock())}
            self._last_state = {"terminated": ended | {"startedAt": self._loki_started()}}
        await self._end_loki()
        self._restarts += 1
        self._report()

    def log_rows(self, *, previous: bool) -> list[LogRow] | None:
        """Return the output of Loki's present or previous run."""
        if previous or self.loki is None:
            return self._previous
        return self.loki.log.rows

    async def _run(self) -> None:
        with self._store.waker() as woken:
            while (pod := self._present()) and "deletionTimestamp" not in pod["metadata"]:
                woken.clear()
                if self.loki is None:
                    await self._start()
                self._report()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._node.settings.probe_every_s):
                        await woken.wait()
            await self._terminate(woken)

    def _present(self) -> Json | None:
        meta = self._pod["metadata"]
        found = self._store.find("Pod", meta["name"], meta["namespace"])
        if found is None or found["metadata"]["uid"] != self._uid:
            return None
        self._pod = found
        return found

    # --- start and end --------------------------------------------------------------------------

    async def _start(self) -> None:
        containers = self._pod["spec"]["containers"]
        settings = self._node.settings
        container = next((one for one in containers if one["name"] == settings.container), None)
        if container is None:
            return
        try:
            values = environment(self._store, self._pod, container)
        except Unconfigured as problem:
            self._problem = str(problem)
            return
        self._problem = ""
        pair = KeyPair(
            access_key_id=values.get(settings.env.access_key_id, Sensitive("")),
            secret_access_key=values.get(settings.env.secret_access_key, Sensitive("")),
        )
        wal = self._wal(container)
        self.loki = await self._node.listen(
            lambda host: Loki(
                settings=settings.loki,
                pair=pair,
                wal=wal,
                host=host,
                port=settings.port,
                on_ready=self._store.wake,
                clock=self._store.clock,
            )
        )

    def _wal(self, container: Json) -> Path:
        """Return where the WAL is: on a volume, or in a folder that goes with the pod."""
        claims = {
            volume["name"]: volume["persistentVolumeClaim"]["claimName"]
            for volume in self._pod["spec"].get("volumes") or []
            if "persistentVolumeClaim" in volume
        }
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in claims:
                namespace = str(self._pod["metadata"]["namespace"])
                return self._node.folder.joinpath("volumes", namespace, claims[mount["name"]])
        return self._pod_folder

    @property
    def _pod_folder(self) -> Path:
        return self._node.folder / "pods" / str(self._uid)

    async def _terminate(self, woken: asyncio.Event) -> None:
        """Let Loki stop by itself until its grace is over, then end it and the pod.

        As on a real node, that is the grace of the first delete: a later one shortens nothing.
        """
        loop = asyncio.get_running_loop()
        stopping = asyncio.ensure_future(self.loki.stop() if self.loki else asyncio.sleep(0))
        first = self._present()
        grace_s = first["metadata"]["deletionGracePeriodSeconds"] if first else 0
        end_s = loop.time() + grace_s
        while self._present() and not stopping.done() and loop.time() < end_s:
            woken.clear()
            self._report()
            change = asyncio.ensure_future(woken.wait())
            await asyncio.wait(
                {stopping, change},
                timeout=max(0, end_s - loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            change.cancel()
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        await self._end_loki()
        shutil.rmtree(self._pod_folder, ignore_errors=True)
        if pod := self._present():
            with suppress(Refusal):
                self._store.delete(pod, options={"gracePeriodSeconds": 0})

    async def _end_loki(self) -> None:
        if self.loki is not None:
            await self.loki.__aexit__(None, None, None)
            self.loki = None

    # --- status ---------------------------------------------------------------------------------

    def _report(self) -> None:
        pod = self._present()
        if pod is None:
            return
        statuses = [self._container_status(one) for one in pod["spec"]["containers"]]
        ready = all(status["ready"] for status in statuses)
        address = {"podIP": self.loki.host, "podIPs": [{"ip": self.loki.host}]} if self.loki else {}
        status = {
            "phase": "Pending" if self._problem else "Running",
            "hostIP": "127.0.0.1",
            "startTime": self._started_at,
            **address,
            "conditions": [
                self._condition("PodScheduled", holds=True),
                self._condition("ContainersReady", holds=ready),
                self._condition("Ready", holds=ready),
            ],
            "containerStatuses": statuses,
        }
        self._store.set_status(pod, status, manager=MANAGER)
        for found in statuses:
            if not found["ready"] and "running" in found["state"] and self._is_overdue(found):
                self._note_failed_probe(pod, found["name"])

    def _container_status(self, container: Json) -> Json:
        name, is_loki = container["name"], container["name"] == self._node.settings.container
        started = self._loki_started() if is_loki else self._started_at
        state: Json = (
            {"running": {"startedAt": started}} if started else {"waiting": self._waiting()}
        )
        works = (self.loki is not None and self.loki.ready) if is_loki else True
        broken = (self._pod["metadata"]["name"], name) in self._node.broken
        return {
            "name": name,
            "image": container.get("image", ""),
            "ready": works and not broken and "running" in state,
            "started": "running" in state,
            "restartCount": self._restarts if is_loki else 0,
            "state": state,
            "lastState": self._last_state if is_loki else {},
        }

    def _waiting(self) -> Json:
        if self._problem:
            return {"reason": "CreateContainerConfigError", "message": self._problem}
        return {"reason": "ContainerCreating"}

    def _loki_started(self) -> str:
        return rfc3339(self.loki.counters.started_at) if self.loki else ""

    def _condition(self, name: str, *, holds: bool) -> Json:
        status = "True" if holds else "False"
        before = condition(self._pod, name)
        if before.get("status") == status:
            return before
        now = rfc3339(self._store.clock())
        return {"type": name, "status": status, "lastTransitionTime": now}

    def _is_overdue(self, status: Json) -> bool:
        """Tell whether a container has failed its probe, rather than not having come to it yet."""
        name = (self._pod["metadata"]["name"], status["name"])
        return name in self._node.broken or bool(
            self.loki and self.loki.settled and not self.loki.stopping
        )

    def _note_failed_probe(self, pod: Json, container: str) -> None:
        meta, now = pod["metadata"], rfc3339(self._store.clock())
        name = f"{meta['name']}.{self._uid[:8]}.{container}"
        event = self._store.find("Event", name, meta["namespace"])
        if event is not None:
            if event["lastTimestamp"] != now:  # once a second is what anybody can tell apart
                count = {"count": event["count"] + 1, "lastTimestamp": now}
                self._store.merge(event, count, author=Author(manager=MANAGER))
            return
        about = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": self._uid}
        about |= {"namespace": meta["namespace"], "fieldPath": f"spec.containers{{{container}}}"}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": about,
            "type": "Warning",
            "reason": "Unhealthy",
            "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
            "source": {"component": MANAGER, "host": "stand-in"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._store.create(event, author=Author(manager=MANAGER))
