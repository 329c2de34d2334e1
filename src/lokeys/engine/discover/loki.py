# SPDX-License-Identifier: Apache-2.0
"""Reads the workloads that run Loki, and the objects with each one's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.kubernetes.loki.model import RunningLoki
from lokeys.core.kubernetes.loki.reading import named_by, reading_of
from lokeys.core.kubernetes.references import controller_of
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_VALUES
from lokeys.core.place import Ref
from lokeys.core.route.discovery.model import LokiWorkload
from lokeys.engine.discover.gatherer import Gatherer
from lokeys.errors import NotReadable

WORKLOAD_KINDS = ("StatefulSet", "Deployment", "DaemonSet")
_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)


@dataclass(frozen=True, slots=True)
class LokiReader:
    """Finds workloads that run Loki."""

    gatherer: Gatherer
    _found: dict[str | None, list[LokiWorkload]] = field(default_factory=dict)

    async def all(self, namespace: str | None) -> list[LokiWorkload]:
        """Return the workloads that look like Loki; `namespace` None means all."""
        if namespace not in self._found and None in self._found:
            return [each for each in self._found[None] if each.ref.namespace == namespace]
        if namespace not in self._found:
            self._found[namespace] = await self._all(namespace)
        return self._found[namespace]

    async def _all(self, namespace: str | None) -> list[LokiWorkload]:
        found = [
            await self._loki(kind, item)
            for kind in WORKLOAD_KINDS
            for item in await self.gatherer.list(kind, namespace=namespace)
        ]
        return [each for each in found if each is not None]

    async def one(self, ref: Ref) -> LokiWorkload:
        """Return one workload, or the one that owns a pod. Raises NotFound, NotReadable."""
        item = await self.gatherer.objects.get(ref)
        if ref.kind in ("Pod", "ReplicaSet"):
            owner = controller_of(item)
            if owner is None:
                raise NotReadable(f"{ref} belongs to no workload")
            return await self.one(Ref(owner["kind"], owner["name"], ref.namespace))
        found = await self._loki(ref.kind, item)
        if found is None:
            raise NotReadable(f"{ref} runs no Loki: none of its containers is one")
        return found

    async def _loki(self, kind: str, item: Json) -> LokiWorkload | None:
        ref = Ref(kind, item["metadata"]["name"], item["metadata"].get("namespace"))
        loki = await self._reading(item, ref)
        if loki is None:
            return None
        if loki.pair is None and loki.identity is None:
            # Only pods have what is injected when they are created, such as variables.
            for pod in await self._pods(item, ref):
                loki = await self._reading(pod, ref) or loki
        owner = controller_of(item)
        stack = text_at(owner, "name") if text_at(owner, "kind") == "LokiStack" else ""
        return LokiWorkload(ref=ref, loki=loki, stack=stack or None)

    async def _reading(self, item: Json, ref: Ref) -> RunningLoki | None:
        held: dict[Ref, Json] = {}
        for named in named_by(item, namespace=ref.namespace):
            found = await self.gatherer.get(named, gap=named.kind != "ServiceAccount")
            if found is not None:
                held[named] = found
        return reading_of(item, owner=ref, held=held, parse=_PARSE)

    async def _pods(self, item: Json, ref: Ref) -> list[Json]:
        """Return one pod of a workload that may differ from its template; none if none runs."""
        labels = at(item, "spec", "selector", "matchLabels")
        wanted = labels.items() if isinstance(labels, Mapping) else ()
        if not wanted:
            return []
        pods = await self.gatherer.list("Pod", namespace=ref.namespace, gap=False)
        own = (pod for pod in pods if wanted <= (at(pod, "metadata", "labels") or {}).items())
        return [*islice(own, 1)]
