# SPDX-License-Identifier: Apache-2.0
"""Everything that one decision about a stack is based on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lokeys.core.findings.finding import Finding
from lokeys.core.operate.live import Live, Pod
from lokeys.core.place import Ref
from lokeys.core.route.snapshot import LokiMetrics
from lokeys.core.stack.render.options import Images, RenderOptions
from lokeys.core.stack.storage.model import CloudEnvironment
from lokeys.core.stack.validation.stacks import StackView
from lokeys.core.trust.tries.verification import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The result of testing the credentials that are in a stack's Secret now."""

    verifications: tuple[Verification, ...] = ()
    """One per account; empty if nothing here could test them."""

    @property
    def refused(self) -> bool:
        """Tell whether the provider or the store refused one of the accounts."""
        return any(each.refused for each in self.verifications)

    @property
    def passed(self) -> bool:
        """Tell whether each account is known to reach the bucket."""
        return bool(self.verifications) and all(e.verified is True for e in self.verifications)

    @property
    def broken(self) -> bool:
        """Tell whether one of the accounts is known not to reach the bucket."""
        return any(each.verified is False for each in self.verifications)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSnapshot:
    """One stack, what it names, and what exists of it in the cluster."""

    view: StackView
    uid: str
    generation: int
    now: datetime
    status: Mapping[str, Any] = field(default_factory=dict)
    """The stack's status as we last wrote it, or found it."""
    objects: Mapping[Ref, Live] = field(default_factory=dict)
    taken: Mapping[Ref, Live] = field(default_factory=dict)
    """Objects that have the name of one of the stack's objects and belong to somebody else."""
    contested: Mapping[Ref, str] = field(default_factory=dict)
    """Objects that others keep changing back, with the digest of what was written."""
    pods: tuple[Pod, ...] = ()
    store_hash: str = ""
    managed_hash: str = ""
    tenants_hash: str = ""
    credentials_written_at: datetime | None = None
    """When somebody last wrote the Secrets and the CA that pods read; None if unknown."""
    trial: Trial | None = None
    """None until the current credentials are tested."""
    counted: Mapping[str, LokiMetrics | None] = field(default_factory=dict)
    """How the store has answered the first pods with untested credentials, by uid; None for a pod
    that has not reported it yet."""
    unreadable: tuple[Finding, ...] = ()
    """What may not or could not be read: nothing is decided without it."""
    environment: CloudEnvironment = field(default_factory=CloudEnvironment)
    images: Images = field(default_factory=Images)
    operators_namespace: str = "lokeys-system"

    @property
    def ref(self) -> Ref:
        """Return the stack's reference."""
        return self.view.ref

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return all findings about the stack and what it names."""
        return (*self.unreadable, *self.view.findings)

    def seeing(self, found: Mapping[Ref, Live], pods: tuple[Pod, ...]) -> StackSnapshot:
        """Return the same snapshot with what exists now; objects of others are kept apart."""
        taken = {r: each for r, each in found.items() if each.other_owner(self.ref, self.uid)}
        objects = {r: each for r, each in found.items() if r not in taken}
        return replace(self, objects=objects, taken=taken, pods=pods)

    @property
    def options(self) -> RenderOptions:
        """Return what rendering needs."""
        route = self.objects.get(Ref("Route", self.ref.name, self.ref.namespace))
        return RenderOptions(
            now=self.now,
            images=self.images,
            environment=self.environment,
            operators_namespace=self.operators_namespace,
            store_hash=self.store_hash,
            managed_hash=self.managed_hash,
            tenants_hash=self.tenants_hash,
            gateway_host=route.host if route is not None else "",
        )
