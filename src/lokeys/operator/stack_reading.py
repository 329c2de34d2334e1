# SPDX-License-Identifier: Apache-2.0
"""One stack read with all that it names, and judged by what judges manifests in `validate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lokeys.core.catalogue import lokistacks, operation
from lokeys.core.finding import Finding
from lokeys.core.json_fields import text_at
from lokeys.core.loki.hashes import secret_hash, store_hash, tenants_hash
from lokeys.core.loki.store import MANAGED_SUFFIX
from lokeys.core.lokistack.model import KIND
from lokeys.core.lokistack.tenancy import tenancy_of
from lokeys.core.model import Ref
from lokeys.core.sensitive import Fingerprinter
from lokeys.core.size import MAX_NAMED, MAX_NAMED_BYTES, MAX_STACK_BYTES, in_kib, size_of
from lokeys.core.storage.mode import has_cloud_credentials
from lokeys.core.storage.model import CloudEnvironment, CredentialMode, StorageType
from lokeys.core.storage.secret_data import secret_data
from lokeys.core.storage.telling import tell
from lokeys.core.validation.around import Around
from lokeys.core.validation.objects import Objects
from lokeys.core.validation.stacks import StackView, view_stack
from lokeys.errors import NotFound, NotReadable
from lokeys.ports import Objects as Reads

_ABSENT = "does not exist"


@dataclass(frozen=True, slots=True)
class InCluster:
    """An object of the cluster: it stands in no file."""

    object: Mapping[str, Any]
    file: str = ""
    line: int = 1

    def position_of(self, _path: Sequence[str | int]) -> tuple[int, int]:
        """Return the only place there is."""
        return (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A stack with its faults, and the keyed hashes of its credentials."""

    view: StackView
    store_hash: str = ""
    managed_hash: str = ""
    tenants_hash: str = ""
    unreadable: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads what stacks name. What may not be read is a finding; no answer at all is raised."""

    reads: Reads
    environment: CloudEnvironment
    fingerprinter: Fingerprinter

    async def read(self, manifest: Mapping[str, Any], *, now: datetime) -> Known:
        """Return a stack and what it comes to."""
        metadata = manifest["metadata"]
        stack = Ref(KIND, metadata["name"], metadata["namespace"])
        given: list[InCluster] = [InCluster(manifest)]
        found, unreadable = await self._found(stack, self._named(stack, manifest))
        given += (InCluster({**each, "kind": ref.kind}) for ref, each in found.items())
        objects = Objects(given, namespace=metadata["namespace"])
        around = Around(objects=objects, now=now, environment=self.environment, absent=_ABSENT)
        view = view_stack(stack, given[0], around)
        return Known(
            view=view,
            store_hash=self._store_hash(view, found),
            managed_hash=self._managed_hash(stack, found),
            tenants_hash=self._tenants_hash(view, found),
            unreadable=tuple(unreadable),
        )

    async def _found(
        self, stack: Ref, named: Sequence[Ref]
    ) -> tuple[dict[Ref, Mapping[str, Any]], list[Finding]]:
        """Return what is there of what a stack names, and why the rest is not judged."""
        if len(named) > MAX_NAMED:
            words = {
                "found": f"it names {len(named)} Secrets and ConfigMaps",
                "expected": str(MAX_NAMED),
            }
            return {}, [tell(lokistacks.TOO_LARGE, stack, stack=stack, words=words)]
        found: dict[Ref, Mapping[str, Any]] = {}
        unreadable: list[Finding] = []
        size = 0
        for ref in named:
            try:
                each = await self.reads.get(ref)
            except NotFound:
                continue
            except NotReadable as refusal:
                words = {"detail": str(refusal)}
                rule = operation.STORAGE_SECRET_UNREADABLE
                unreadable.append(tell(rule, ref, stack=stack, words=words))
                continue
            size += size_of(each)
            if size > MAX_NAMED_BYTES:
                words = {
                    "found": f"with it, what the stack names has {in_kib(size)}",
                    "expected": in_kib(MAX_NAMED_BYTES),
                }
                return {}, [tell(lokistacks.TOO_LARGE, ref, stack=stack, words=words)]
            found[ref] = each
        return found, unreadable

    def _named(self, stack: Ref, manifest: Mapping[str, Any]) -> list[Ref]:
        if size_of(manifest) > MAX_STACK_BYTES:
            return []  # which is told of the stack itself
        storage = ("spec", "storage")
        named = []
        secret = text_at(manifest, *storage, "secret", "name")
        if secret:
            named.append(Ref("Secret", secret, stack.namespace))
        ca = text_at(manifest, *storage, "tls", "caName")
        if ca:
            named.append(Ref("ConfigMap", ca, stack.namespace))
        if self._may_be_managed(manifest):
            named.append(_managed(stack))
        tenants = tenancy_of(manifest)
        if tenants is not None:
            named += (Ref("Secret", name, stack.namespace) for name in tenants.client_secrets)
            named += (Ref(each.kind, each.name, stack.namespace) for each in tenants.read_once)
        return list(dict.fromkeys(named))

    def _may_be_managed(self, manifest: Mapping[str, Any]) -> bool:
        secret = ("spec", "storage", "secret")
        word = text_at(manifest, *secret, "credentialMode")
        kind = text_at(manifest, *secret, "type")
        if word:
            return word == CredentialMode.TOKEN_CCO
        known = kind in set(StorageType)
        return known and has_cloud_credentials(self.environment, StorageType(kind))

    def _store_hash(self, view: StackView, found: Mapping[Ref, Mapping[str, Any]]) -> str:
        if view.secret is None or view.stack is None:
            return ""
        ca = view.stack.ca
        config_map = found.get(Ref("ConfigMap", ca.name, view.ref.namespace)) if ca else None
        return store_hash(view.secret, config_map, self.fingerprinter)

    def _tenants_hash(self, view: StackView, found: Mapping[Ref, Mapping[str, Any]]) -> str:
        tenants = view.stack.tenants if view.stack else None
        return tenants_hash(tenants, found, self.fingerprinter, stack=view.ref)

    def _managed_hash(self, stack: Ref, found: Mapping[Ref, Mapping[str, Any]]) -> str:
        manifest = found.get(_managed(stack))
        if manifest is None:
            return ""
        data = secret_data(manifest, ref=_managed(stack), stack=stack).data
        return secret_hash(data, self.fingerprinter)


def _managed(stack: Ref) -> Ref:
    return Ref("Secret", f"{stack.name}{MANAGED_SUFFIX}", stack.namespace)
