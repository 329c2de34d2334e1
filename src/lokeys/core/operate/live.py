# SPDX-License-Identifier: Apache-2.0
"""A stack's objects and pods in the cluster, as far as decisions depend on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lokeys.core.operate.kept import KeptTemplate, ReadConfig
from lokeys.core.place import Ref
from lokeys.core.stack.resource.model import KIND


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How far a workload's controller has come."""

    generation: int = 0
    observed: int = 0
    wanted: int = 0
    current: int = 0
    """All pods that the controller counts, of any template."""
    updated: int = 0
    ready: int = 0
    revision: str = ""
    """The label of pods with the current template; StatefulSets only."""

    @property
    def settled(self) -> bool:
        """Tell whether every pod is ready and runs the current template, with none extra."""
        counts = {self.current, self.updated, self.ready}
        return self.observed >= self.generation and counts == {self.wanted}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorkload:
    """A live Deployment or StatefulSet."""

    component: str = ""
    """As in its pods' label."""
    rollout: Rollout = Rollout()
    template: str | None = None
    """The digest of the pod template as far as we own it."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """The configuration and credential hashes of its pods."""
    kept: KeptTemplate | None = None
    """The template of another operator, while it has the workload or if the template is kept."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """The immutable fields."""
    images: Mapping[str, str] = field(default_factory=dict)
    """The images that stay, by container: all of a workload that another operator made, or those of
    ours that were kept when it was taken over."""
    account: str = ""
    """The service account that its pods run as; empty if none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A live object of a stack."""

    ref: Ref
    uid: str
    version: str
    owners: Mapping[str, Ref] = field(default_factory=dict)
    """Its owners by uid: by reference or, if it has no namespace, by annotation."""
    content: str | None = None
    """The digest of what we have applied and still own; None if we never applied anything."""
    terminating: bool = False
    workload: LiveWorkload | None = None
    config: ReadConfig | None = None
    """For Loki's configuration: what pods have read that no pod of ours has."""
    host: str = ""
    """For a Route: its host."""

    def other_owner(self, stack: Ref, uid: str) -> Ref | None:
        """Return the other owner of an object, if there is one: another stack, or anybody else.

        A former stack of the same name does not count: what is left of it is taken over. Nor does
        an object without an owner have another one: it becomes the stack's.
        """
        others = [ref for owner, ref in self.owners.items() if owner != uid and ref != stack]
        stacks = [ref for ref in others if ref.kind == KIND]
        if uid in self.owners:
            others = stacks
        return next(iter((*stacks, *others)), None)


class LivePodState(StrEnum):
    """A pod's state according to its status."""

    PENDING = "Pending"
    RUNNING = "Running"
    READY = "Ready"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod of a stack. `reason` tells why its container waits."""

    name: str
    uid: str
    component: str
    state: LivePodState
    reason: str = ""
    revision: str = ""
    address: str = ""
    unready_since: datetime | None = None
    terminating: bool = False
