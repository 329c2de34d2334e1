# SPDX-License-Identifier: Apache-2.0
"""Whether a bridge exists: what the source and the store say about the key that was added again.

    recorded ──▶ added ──▶ it exists ──▶ retired, or removed by a person ──▶ over
    (status)     (store)       └── at its deadline it ends, whatever else is true

What a source declares (`spec.keys` of Rook) must be removed there, even if the store no longer
accepts the key: Rook would add it again.
"""

from __future__ import annotations

from lokeys.core.findings.verdict import WORKS
from lokeys.core.kubernetes.json_fields import Json, at
from lokeys.core.route.memory import Bridge, Memory
from lokeys.core.route.model import RgwSource, RouteSpec, source_ref
from lokeys.core.route.rotation.model import under_way
from lokeys.core.route.snapshot import KeptPair, Snapshot
from lokeys.core.sensitive import Fingerprint

FINALIZER = "lokeys.dev/bridge"
"""Keeps a StorageCredential that is deleted until its bridge or rotation has ended."""


def owes_an_end(manifest: Json) -> bool:
    """Tell whether a StorageCredential has started a bridge, or may have a rotation's second key.

    The status says it, and so does the finalizer if the status was lost.
    """
    held = at(manifest, "metadata", "finalizers")
    told = at(manifest, "status", "memory", "bridge") is not None
    return told or (isinstance(held, list) and FINALIZER in held)


def source_name(spec: RouteSpec) -> str:
    """Return what identifies a route's source: the user, and the user's store.

    What lokeys remembers outlives an edit of the resource, which can name another source.
    """
    admin = f" at {spec.source.admin.endpoint}" if isinstance(spec.source, RgwSource) else ""
    return f"{source_ref(spec)}{admin} for {spec.bucket.endpoint}"


def bridged_key(memory: Memory, kept: KeptPair | None) -> Fingerprint | None:
    """Return the id of the key that a bridge adds again; also if the status has lost it."""
    if memory.bridge is not None:
        return memory.bridge.key_id
    found = kept is not None and kept.sealed and kept.until is not None
    return kept.pair.key_id if kept is not None and found else None


def is_ours(bridge: Bridge, spec: RouteSpec) -> bool:
    """Tell whether a bridge belongs to the route's current source."""
    return bridge.source == source_name(spec)


def has_key(snapshot: Snapshot, key_id: Fingerprint, pair: Fingerprint) -> bool | None:
    """Tell whether the source's user has a key; None if neither source nor store says it."""
    source = snapshot.source
    slots = source.slots if source is not None else None
    slot = next((each for each in slots or () if each.key_id == key_id), None)
    if slot is not None and slot.listed is not False:
        return True
    if source is not None and source.live is not None:
        return False
    verdict = snapshot.verdicts.get(pair)
    if verdict is not None and verdict.answer in WORKS:
        return True
    return False if verdict is not None and verdict.refused else None


def further_keys(snapshot: Snapshot) -> int | None:
    """Return how many keys the user has that nothing needs now; None if unknown.

    While a rotation or a bridge is under way the user has two on purpose.
    """
    source, memory = snapshot.source, snapshot.memory
    if source is None or source.live is None or source.pair is None:
        return None
    if memory.bridge is not None or under_way(memory.rotation) is not None:
        return 0
    return sum(slot.key_id != source.pair.key_id for slot in source.live)


def is_there(snapshot: Snapshot, bridge: Bridge) -> bool | None:
    """Tell whether the user has the bridged key now; None if that is not known."""
    return has_key(snapshot, bridge.key_id, bridge.pair)


def carries(snapshot: Snapshot, pair: Fingerprint | None) -> bool:
    """Tell whether this pair works only because of a bridge."""
    bridge = snapshot.memory.bridge
    if bridge is None or bridge.added_at is None or bridge.pair != pair:
        return False
    verdict = snapshot.verdicts.get(bridge.pair)
    return verdict.accepted if verdict is not None else is_there(snapshot, bridge) is True


def is_overdue(snapshot: Snapshot) -> bool:
    """Tell whether a bridge is past its end and may still exist."""
    bridge = snapshot.memory.bridge
    if bridge is None or snapshot.at < bridge.until:
        return False
    return is_there(snapshot, bridge) is not False
