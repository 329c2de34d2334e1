# SPDX-License-Identifier: Apache-2.0
"""A LokiStack between two operators: read as it is, handed over, and given back.

Unmanaged: the Loki Operator leaves it ─▶ label and annotation: lokeys operates it both removed,
Managed again            ◀─ given back
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from lokeys.adapters.kubernetes.stack_objects import inherited, live_of
from lokeys.bounded_yaml import built
from lokeys.cli.names import named
from lokeys.cli.session import Session
from lokeys.core.kubernetes.json_fields import at, text_at
from lokeys.core.operate.decision import plan
from lokeys.core.operate.live import Live
from lokeys.core.operate.losses import LiveStack, looked_at
from lokeys.core.operate.meaning import as_expanded
from lokeys.core.operate.snapshot import StackSnapshot
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter
from lokeys.core.stack.render.names import config_name
from lokeys.core.stack.resource.model import KIND
from lokeys.core.stack.resource.operated import (
    FORMER_STATE,
    MANAGED,
    MANAGED_LABEL,
    TAKEN_OVER,
    UNMANAGED,
    YES,
)
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.validation.named import named_in
from lokeys.engine.stack.gather import gather, judge
from lokeys.errors import BadInput, NotFound, NotReadable
from lokeys.kube.client import Api
from lokeys.kube.resources import LOKI_STACK

OPENSHIFT = "config.openshift.io"
_NUMBER = re.compile(r"\d{1,4}")
Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One LokiStack and the API server that stores it."""

    session: Session
    api: Api
    name: str
    fingerprinter: Fingerprinter
    environment: CloudEnvironment

    @property
    def ref(self) -> Ref:
        """Return the stack's reference. Raises BadInput for an invalid name."""
        return Ref(KIND, named(self.name), self.session.namespace)

    async def manifest(self) -> Manifest:
        """Return the stack as it is now. Raises BadInput if there is none."""
        try:
            return await self.session.objects.get(self.ref)
        except NotFound as exc:
            raise BadInput(f"there is no {self.ref}", hint="kubectl get lokistack -A") from exc

    async def look(self) -> tuple[StackSnapshot, LiveStack]:
        """Return the stack with everything that it names and consists of."""
        manifest, objects = await self.manifest(), self.session.objects
        environment = await self._environment()
        refs = named_in(self.ref, manifest, environment)
        gathered = await gather(objects, self.ref, refs)
        now = self.session.clock()
        judged = judge(
            self.ref,
            manifest,
            gathered.found,
            now=now,
            environment=environment,
            fingerprinter=self.fingerprinter,
        )
        snapshot = StackSnapshot(
            view=judged.view,
            uid=text_at(manifest, "metadata", "uid"),
            generation=manifest["metadata"]["generation"],
            now=now,
            status=manifest.get("status") or {},
            store_hash=judged.hashes.store,
            managed_hash=judged.hashes.managed,
            tenants_hash=judged.hashes.tenants,
            credentials_written_at=judged.hashes.credentials_written_at,
            unreadable=gathered.unreadable,
            environment=environment,
        )
        return await self._with_objects(snapshot)

    async def _with_objects(self, snapshot: StackSnapshot) -> tuple[StackSnapshot, LiveStack]:
        stack, intents = snapshot.view.stack, plan(snapshot)
        wanted = [each.ref for each in intents or ()] + list(looked_at(stack) if stack else ())
        found, unread = await self._found(wanted)
        seen = snapshot.seeing({ref: live_of(each) for ref, each in found.items()}, ())
        config = Ref("ConfigMap", config_name(self.ref.name), self.ref.namespace)
        text = at(found.get(config), "data", "config.yaml")
        said = built(as_expanded(text)) if isinstance(text, str) else None
        live = LiveStack(
            objects={ref: _as_inherited(each) for ref, each in found.items()},
            config=said if isinstance(said, Mapping) else {},
            minor=await self._minor(),
            not_read=unread,
        )
        return seen, live

    async def _found(self, refs: Iterable[Ref]) -> tuple[dict[Ref, Manifest], tuple[str, ...]]:
        found: dict[Ref, Manifest] = {}
        unread: list[str] = []
        for ref in dict.fromkeys(refs):
            try:
                found[ref] = await self.session.objects.get(ref)
            except NotFound:  # this cluster may not even have the kind
                continue
            except NotReadable as exc:
                unread.append(f"{ref}: {exc}")
        return found, tuple(unread)

    async def workloads(self, refs: Iterable[Ref]) -> dict[Ref, Live]:
        """Return live workloads, as far as they can be read."""
        found, _ = await self._found(refs)
        return {ref: live_of(each) for ref, each in found.items()}

    async def _environment(self) -> CloudEnvironment:
        if self.environment.openshift:
            return self.environment
        answer = msgspec.json.decode(await self.api.raw_get("/apis"))
        groups = {group["name"] for group in answer.get("groups") or ()}
        return replace(self.environment, openshift=OPENSHIFT in groups)

    async def _minor(self) -> int | None:
        with suppress(msgspec.DecodeError):
            version = msgspec.json.decode(await self.api.raw_get("/version"))
            found = _NUMBER.match(text_at(version, "minor"))
            return int(found[0]) if found else None
        return None

    # --- handing over ----------------------------------------------------------------------------

    async def release(self, manifest: Manifest) -> None:
        """Make the other operator leave the stack, and record its previous state."""
        before = text_at(manifest, "spec", "managementState") or MANAGED
        annotations = {FORMER_STATE: before}
        await self._patch({"annotations": annotations}, {"managementState": UNMANAGED})

    async def take(self) -> None:
        """Mark the stack as operated by lokeys although it is Unmanaged."""
        await self._patch({"labels": {MANAGED_LABEL: YES}, "annotations": {TAKEN_OVER: YES}}, None)

    async def leave(self) -> None:
        """Remove that mark; the stack is still Unmanaged."""
        labels = {MANAGED_LABEL: None}
        await self._patch({"labels": labels, "annotations": {TAKEN_OVER: None}}, None)

    async def restore(self, manifest: Manifest) -> None:
        """Let the other operator continue with it as before."""
        before = at(manifest, "metadata", "annotations", FORMER_STATE)
        state = before if before in (MANAGED, UNMANAGED) else MANAGED
        await self._patch({"annotations": {FORMER_STATE: None}}, {"managementState": state})

    async def _patch(self, metadata: Manifest, spec: Manifest | None) -> None:
        patch: dict[str, Any] = {"metadata": metadata}
        if spec is not None:
            patch["spec"] = spec
        await self.api.merge_patch(
            LOKI_STACK, self.ref.name, patch, namespace=self.session.namespace
        )


def _as_inherited(manifest: Manifest) -> Manifest:
    """Return an object as it is when the former operator's fields are ours."""
    if live_of(manifest).content is not None:
        return manifest
    entries = inherited(dict(manifest))
    if entries is None:
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "managedFields": entries}}
