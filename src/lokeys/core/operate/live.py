# SPDX-License-Identifier: Apache-2.0
"""A stack's objects and pods as they stand in the cluster, as far as decisions hang on them."""

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
    """All pods that the controller counts, of whatever template."""
    updated: int = 0
    ready: int = 0
    revision: str = ""
    """What pods of the present template are labelled with; StatefulSets only."""

    @property
    def settled(self) -> bool:
        """Tell whether every pod is of the present template and ready, and none is too many."""
        counts = {self.current, self.updated, self.ready}
        return self.observed >= self.generation and counts == {self.wanted}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorkload:
    """A live Deployment or StatefulSet."""

    component: str = ""
    """As its pods are labelled."""
    rollout: Rollout = Rollout()
    template: str | None = None
    """The digest of the pod template as far as we own it."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """The hashes that its pods wear: those of configuration and credentials."""
    kept: KeptTemplate | None = None
    """The template of another operator, while it has the workload or where that stays."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """The fields that the API server lets nobody change."""
    images: Mapping[str, str] = field(default_factory=dict)
    """The images that stay, by container: all of a workload that another operator has made; of
    ours, those that were kept when it was taken over."""
    account: str = ""
    """The service account that its pods run as; empty where none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A live object of a stack."""

    ref: Ref
    uid: str
    version: str
    owners: Mapping[str, Ref] = field(default_factory=dict)
    """Its owners by their uids: by reference or, where it has no namespace, by annotation."""
    content: str | None = None
    """The digest of what we have applied and still own; None if we never applied anything."""
    terminating: bool = False
    workload: LiveWorkload | None = None
    config: ReadConfig | None = None
    """Of Loki's configuration: what pods have read that no pod of ours has."""
    host: str = ""
    """Of a Route: under which name it is reached."""

    def other_owner(self, stack: Ref, uid: str) -> Ref | None:
        """Return who else than a stack owns it: another stack, even beside it, or anybody else.

        A former stack of the same name is nobody else: what is left of it is taken over. Nor is
        anybody else where nobody owns it: then it becomes the stack's.
        """
        others = [ref for owner, ref in self.owners.items() if owner != uid and ref != stack]
        stacks = [ref for ref in others if ref.kind == KIND]
        if uid in self.owners:
            others = stacks
        return next(iter((*stacks, *others)), None)


class LivePodState(StrEnum):
    """What the status says of a pod."""

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
