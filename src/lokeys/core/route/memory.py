# SPDX-License-Identifier: Apache-2.0
"""What lokeys remembers about a route from look to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from lokeys.core.route.rotation.model import Rotation
from lokeys.core.sensitive import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A pair that the Secret holds, and since when that is known.

    `exact`: lokeys saw the change. Then `old_pods` are the uids of the pods that existed: any other
    pod was created later and has read this pair, whatever the clocks say. `unseen`: not all pods
    could be seen then; the age of one that appears later decides.
    """

    pair: Fingerprint
    since: datetime
    exact: bool = True
    old_pods: tuple[str, ...] = ()
    before: Fingerprint | None = None  # the pair that it replaced
    unseen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The pair that one run of a pod's container is known to have read at its start."""

    pair: Fingerprint
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """The grace period of a terminating pod: how long at most, and since when, if known."""

    since: datetime | None
    grace: timedelta

    @property
    def until(self) -> datetime | None:
        """Return the latest time at which the pod is killed."""
        return self.since + self.grace if self.since else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A replaced key that is, or will be, valid again; its end is recorded before it starts.

    `source`: whose key it is, as in `bridge.source_name`. `added_at` None: the store may not know
    it yet.
    """

    pair: Fingerprint
    key_id: Fingerprint
    source: str
    since: datetime
    until: datetime
    added_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The pairs that one source is known to have offered, while the store accepted them."""

    source: str
    pairs: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What lokeys remembers about a route between looks; kept in the resource's status."""

    content: Content | None = None
    source_held: tuple[Fingerprint, ...] = ()  # pairs the source is known to have offered
    refused: tuple[Fingerprint, ...] = ()  # pairs the store is known to have refused
    forced_for: Fingerprint | None = None  # the pair we last forced a sync to get
    forced_count: int = 0
    forced_at: datetime | None = None
    asked_for: Fingerprint | None = None  # the pair that the Secret's maker was last asked for
    asked_count: int = 0
    asked_at: datetime | None = None
    replaced: Mapping[str, Fingerprint] = field(default_factory=lambda: MappingProxyType({}))
    blocked_since: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    flushed: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    refreshed_source_at: datetime | None = None
    revalidated_at: datetime | None = None  # when the SecretStore was last made to check again
    held: Mapping[str, Held] = field(default_factory=lambda: MappingProxyType({}))  # by pod's uid
    runs: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    """Runs of containers in the last snapshot, by uid; not kept in the status."""
    bridge: Bridge | None = None
    rotation: Rotation | None = None
    """The current rotation, or the last one."""
    offered: Offered | None = None
    barred: tuple[Fingerprint, ...] = ()
    """Pairs that no bridge makes valid again: bridged once, or of a suspended user."""
    stopping: Mapping[str, Stopping] = field(default_factory=lambda: MappingProxyType({}))
    """How pods terminate, by uid, as first seen; not kept in the status."""
