# SPDX-License-Identifier: Apache-2.0
"""The schemas of a stack's configuration, which may be missing in its status.

    configuration applied ──✕ killed ──▶ status says so

An operator that is killed in between leaves a stack with schemas that are in use and not recorded.
So before a configuration is replaced, its schemas are read first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.json_fields import at, mappings_at
from lokeys.core.operate.intents import MANAGER, Intent
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.core.stack.render.names import config_name
from lokeys.errors import NotFound
from lokeys.kube.client import Api, Object
from lokeys.kube.ownership import owned_by
from lokeys.kube.resources import CONFIG_MAP

Schemas = list[dict[str, str]]


@dataclass(kw_only=True)
class AppliedSchemas:
    """Reads each configuration once before it is replaced."""

    api: Api

    _read: dict[Ref, tuple[str, Schemas]] = field(default_factory=dict)
    """By configuration: the version in which it was read, and its schemas."""

    async def recorded(
        self, snapshot: StackSnapshot, intents: Sequence[Intent] | None
    ) -> Mapping[str, Any]:
        """Return the status, with the schemas of a configuration that will be replaced."""
        ref = Ref(CONFIG_MAP.kind, config_name(snapshot.ref.name), snapshot.ref.namespace)
        live = snapshot.objects.get(ref)
        intent = next((each for each in intents or () if each.ref == ref), None)
        settled = live is None or intent is None or live.content in (None, intent.digest)
        if live is None or settled or snapshot.uid not in live.owners:
            self._read.pop(ref, None)
            return snapshot.status
        if ref not in self._read or self._read[ref][0] != live.version:
            self._read[ref] = live.version, await self._schemas(ref)
        schemas = self._read[ref][1]
        if not schemas:
            return snapshot.status
        storage = snapshot.status.get("storage") or {}
        return {**snapshot.status, "storage": {**storage, "schemas": schemas}}

    async def _schemas(self, ref: Ref) -> Schemas:
        try:
            return schemas_in(await self.api.get(CONFIG_MAP, ref.name, namespace=ref.namespace))
        except NotFound:
            return []


def schemas_in(config_map: Object) -> Schemas:
    """Return the schemas that we have put into a configuration, as in a status.

    Content that somebody else has overwritten does not count, and is restored.
    """
    text = at(owned_by(config_map, MANAGER), "data", "config.yaml")
    if not isinstance(text, str):
        return []
    periods = mappings_at(built(text), "schema_config", "configs")
    return [
        {"version": str(each.get("schema")), "effectiveDate": str(each.get("from"))}
        for each in periods
    ]
