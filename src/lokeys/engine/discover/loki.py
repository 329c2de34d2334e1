# SPDX-License-Identifier: Apache-2.0
"""Reads the workloads that run Loki: which Secret their key comes from, and where they write."""

from __future__ import annotations

from dataclasses import dataclass

from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.kubernetes.references import controller_of
from lokeys.core.place import Ref
from lokeys.core.route.discovery.manifest import (
    loki_container,
    pair_of,
    port_of,
    template_of,
    volume_sources,
)
from lokeys.core.route.discovery.model import Environment, LokiWorkload
from lokeys.engine.discover import loki_config
from lokeys.engine.discover.gatherer import Gatherer
from lokeys.errors import NotReadable

WORKLOAD_KINDS = ("StatefulSet", "Deployment", "DaemonSet")


@dataclass(frozen=True, slots=True)
class LokiReader:
    """Finds workloads that run Loki."""

    gatherer: Gatherer

    async def all(self, namespace: str | None) -> list[LokiWorkload]:
        """Return the workloads that look like Loki; `namespace` None means all."""
        return [
            await self._loki(kind, item)
            for kind in WORKLOAD_KINDS
            for item in await self.gatherer.list(kind, namespace=namespace)
            if loki_container(item) is not None
        ]

    async def one(self, ref: Ref) -> LokiWorkload:
        """Return one workload, or the one that owns a pod. Raises NotFound, NotReadable."""
        item = await self.gatherer.objects.get(ref)
        if ref.kind in ("Pod", "ReplicaSet"):
            owner = controller_of(item)
            if owner is None:
                raise NotReadable(f"{ref} belongs to no workload")
            return await self.one(Ref(owner["kind"], owner["name"], ref.namespace))
        if loki_container(item) is None:
            raise NotReadable(f"{ref} runs no Loki: none of its containers is one")
        return await self._loki(ref.kind, item)

    async def _loki(self, kind: str, item: Json) -> LokiWorkload:
        metadata = item["metadata"]
        namespace = metadata.get("namespace")
        container = loki_container(item) or {}
        template = template_of(item)
        environment = await self._environment(container, namespace)
        texts = await self._configuration(template, container, namespace)
        storage = loki_config.storage_of(texts, environment)
        return LokiWorkload(
            ref=Ref(kind, metadata["name"], namespace),
            container=str(container.get("name")),
            secret=pair_of(environment, storage),
            storage=storage,
            port=port_of(container),
        )

    async def _environment(self, container: Json, namespace: str | None) -> Environment:
        """Return the container's variables: their values, or which Secret's key they come from."""
        values: dict[str, str] = {}
        secrets: dict[str, tuple[str, str]] = {}
        for source in container.get("envFrom") or ():
            prefix = source.get("prefix") or ""
            for kind, field_name in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                name: str | None = (source.get(field_name) or {}).get("name")
                held = await self.gatherer.get(Ref(kind, name, namespace)) if name else None
                for key, value in ((held or {}).get("data") or {}).items():
                    if kind == "Secret" and name:
                        secrets[prefix + key] = (name, key)
                    else:
                        values[prefix + key] = value
        for variable in container.get("env") or ():
            origin = variable.get("valueFrom") or {}
            if ref := origin.get("secretKeyRef"):
                secrets[variable["name"]] = (ref["name"], ref["key"])
            elif ref := origin.get("configMapKeyRef"):
                held = await self.gatherer.get(Ref("ConfigMap", ref["name"], namespace))
                values[variable["name"]] = ((held or {}).get("data") or {}).get(ref["key"], "")
            elif "value" in variable:
                values[variable["name"]] = variable["value"]
        return Environment(values=values, secrets=secrets)

    async def _configuration(
        self, template: Json, container: Json, namespace: str | None
    ) -> list[str]:
        """Return the texts of the YAML files that the container has mounted."""
        mounted = {mount.get("name") for mount in container.get("volumeMounts") or ()}
        texts = []
        for volume in template.get("volumes") or ():
            if volume.get("name") not in mounted:
                continue
            for ref in volume_sources(volume, namespace):
                held = await self.gatherer.get(ref)
                texts += loki_config.texts_of(held or {})
        return texts
