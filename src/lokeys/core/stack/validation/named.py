# SPDX-License-Identifier: Apache-2.0
"""What a LokiStack names, from its manifest alone, and the hashes of what it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.kubernetes.size import MAX_STACK_BYTES, size_of
from lokeys.core.kubernetes.written import data_written_at, written_at
from lokeys.core.place import Ref
from lokeys.core.sensitive import Fingerprinter
from lokeys.core.stack.render.hashes import secret_hash, store_hash, tenants_hash
from lokeys.core.stack.render.store import MANAGED_SUFFIX
from lokeys.core.stack.resource.model import LokiStack
from lokeys.core.stack.storage.mode import has_cloud_credentials
from lokeys.core.stack.storage.model import CloudEnvironment, CredentialMode, StorageType
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.core.stack.validation.stacks import StackView


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The objects that a stack names, by their purpose."""

    storage: Ref | None
    managed: Ref
    """The credentials that a cluster's cloud issues have the stack's own name."""
    ca: Ref | None
    tenants: tuple[Ref, ...]

    @property
    def all(self) -> tuple[Ref, ...]:
        """Return them all, each once."""
        found = (self.storage, self.ca, self.managed, *self.tenants)
        return tuple(dict.fromkeys(ref for ref in found if ref is not None))


def managed_ref(stack: Ref) -> Ref:
    """Return the Secret into which a cluster's cloud writes a stack's credentials."""
    return Ref("Secret", f"{stack.name}{MANAGED_SUFFIX}", stack.namespace)


def names_of(stack: Ref, manifest: Json) -> Names:
    """Return what a stack names, whatever else is wrong with its manifest."""
    storage = at(manifest, "spec", "storage")
    secret, ca = text_at(storage, "secret", "name"), text_at(storage, "tls", "caName")
    return Names(
        storage=Ref("Secret", secret, stack.namespace) if secret else None,
        managed=managed_ref(stack),
        ca=Ref("ConfigMap", ca, stack.namespace) if ca else None,
        tenants=_tenants(stack, manifest),
    )


def _tenants(stack: Ref, manifest: Json) -> tuple[Ref, ...]:
    if at(manifest, "spec", "tenants") is None:
        return ()
    # Stacks without tenants are read sooner without this import.
    from lokeys.core.stack.resource.tenancy import tenancy_of  # noqa: PLC0415

    tenants = tenancy_of(manifest)
    if tenants is None:
        return ()
    clients = (Ref("Secret", name, stack.namespace) for name in tenants.client_secrets)
    return (*clients, *(Ref(e.kind, e.name, stack.namespace) for e in tenants.read_once))


def named_in(stack: Ref, manifest: Json, environment: CloudEnvironment) -> tuple[Ref, ...]:
    """Return what a stack names and may have in an environment; empty if it is too large."""
    if size_of(manifest) > MAX_STACK_BYTES:
        return ()  # the stack has a finding about that
    named = names_of(stack, manifest)
    managed = _may_be_managed(manifest, environment)
    return tuple(ref for ref in named.all if managed or ref != named.managed)


def _may_be_managed(manifest: Json, environment: CloudEnvironment) -> bool:
    """Tell whether the cluster's cloud may issue the stack's credentials."""
    secret = at(manifest, "spec", "storage", "secret")
    word, kind = text_at(secret, "credentialMode"), text_at(secret, "type")
    if word:
        return word == CredentialMode.TOKEN_CCO
    return kind in set(StorageType) and has_cloud_credentials(environment, StorageType(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashes:
    """The keyed hashes of what a stack names; empty if there is nothing to hash."""

    store: str = ""
    managed: str = ""
    tenants: str = ""
    credentials_written_at: datetime | None = None
    """When the content of the first two was last written; None if that is not known."""


def hashes_of(view: StackView, found: Mapping[Ref, Json], fingerprinter: Fingerprinter) -> Hashes:
    """Return the hashes of a stack's objects as they were found."""
    store = ""
    if view.secret is not None and view.stack is not None:
        ca = view.stack.ca
        config_map = found.get(Ref("ConfigMap", ca.name, view.ref.namespace)) if ca else None
        store = store_hash(view.secret, config_map, fingerprinter)
    managed = managed_ref(view.ref)
    hashed = ""
    if managed in found:
        data = secret_data(found[managed], ref=managed, stack=view.ref).data
        hashed = secret_hash(data, fingerprinter)
    tenants = view.stack.tenants if view.stack else None
    return Hashes(
        store=store,
        managed=hashed,
        tenants=tenants_hash(tenants, found, fingerprinter, stack=view.ref),
        credentials_written_at=_written_at(view.stack, found) if view.stack else None,
    )


def _written_at(stack: LokiStack, found: Mapping[Ref, Json]) -> datetime | None:
    ca = (Ref("ConfigMap", stack.ca.name, stack.namespace),) if stack.ca else ()
    refs = (stack.secret_ref, managed_ref(stack.ref), *ca)
    there = [found[ref] for ref in refs if ref in found]
    times = [data_written_at(each) or written_at(each) for each in there]
    return None if None in times else max(filter(None, times), default=None)
