# SPDX-License-Identifier: Apache-2.0
"""Which pairs of a snapshot may be tested at the store; the others are only compared."""

from __future__ import annotations

from lokeys.core.kubernetes.consent import Trying, address_of
from lokeys.core.place import Ref
from lokeys.core.route.model import RgwSource, RookSource
from lokeys.core.route.snapshot import Snapshot, WorkloadState
from lokeys.core.sensitive import Fingerprint


def may_be_tried(snapshot: Snapshot, pair: Fingerprint) -> bool:
    """Tell whether the owner of a pair allows it to go to the route's store.

    The pair that the source offers now is the source's, and so is each that it lists. Any other
    belongs to the owner of the Secret that Loki reads. An earlier offer by a source does not count:
    what lokeys remembers outlives an edit of the resource, which can name another source, of
    another owner.
    """
    source, secret, endpoint = snapshot.source, snapshot.secret, snapshot.spec.bucket.endpoint
    offered = source.pair.pair if source is not None and source.pair is not None else None
    held_by_loki = secret is not None and secret.pair.pair == pair
    if snapshot.trying is Trying.CALLER:
        return True
    if source is not None and source.consent.names(endpoint):
        return True  # another name of the source's own store
    if held_by_loki and pair != offered and elsewhere(snapshot):
        return False
    if held_by_loki and snapshot.trying is Trying.LOKI:
        return True
    listed = {slot.pair for slot in source.slots or ()} if source is not None else set()
    if source is not None and (pair == offered or pair in listed):
        return source.consent.covers(endpoint)
    return secret is not None and secret.consent.covers(endpoint)


def elsewhere(snapshot: Snapshot) -> tuple[WorkloadState, ...]:
    """Return the workloads whose own configuration has another address than the route's store.

    Answers from there say nothing about Loki's store: scheme, host and port all count. A pair that
    the source offers is different: it is the source's, whatever the store is called where Loki
    runs.
    """
    namespace = snapshot.spec.namespace
    ours = address_of(snapshot.spec.bucket.endpoint, namespace=namespace)
    return tuple(
        workload
        for workload in snapshot.workloads
        if workload.reads_secret
        and workload.writes_to
        and address_of(workload.writes_to, namespace=namespace) != ours
    )


def not_tried(snapshot: Snapshot) -> Ref | None:
    """Return whose owner must allow the route's store before all its pairs can be tested."""
    source, secret, vault = snapshot.source, snapshot.secret, snapshot.vault
    offered = source.pair if source is not None else None
    if source is not None and offered is not None and not may_be_tried(snapshot, offered.pair):
        spec = snapshot.spec
        if isinstance(spec.source, RgwSource):
            return Ref("Secret", spec.source.admin.secret.name, spec.namespace)
        return source.owner if isinstance(spec.source, RookSource) else source.ref
    held = None if elsewhere(snapshot) else secret  # no consent allows it where Loki is not
    others = (hop.pair for hop in (held, vault) if hop is not None)
    if any(pair is not None and not may_be_tried(snapshot, pair.pair) for pair in others):
        return snapshot.spec.secret_ref
    return None
