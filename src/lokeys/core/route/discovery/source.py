# SPDX-License-Identifier: Apache-2.0
"""Which source has the key that a Loki reads: by the key id, otherwise the most likely one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lokeys.core.kubernetes.consent import host_of
from lokeys.core.route.discovery.model import GUESS, UNKNOWN, Candidate, LokiWorkload, Notes
from lokeys.core.route.model import ClaimSource, Source, UnknownSource

_LISTED = 10
"""Candidates that a note names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSource:
    """A route's source, whether it is certain, and the endpoint that Rook names for it.

    Only a certain source gives an endpoint: a guess must not decide where keys go.
    """

    source: Source
    notes: Notes
    sure: bool = False
    endpoint: str = ""


def source_behind(
    workload: LokiWorkload,
    key_ids: Sequence[str | None],
    users: Sequence[Candidate],
    *,
    claim: ClaimSource | None,
) -> FoundSource:
    """Return the source of a key; `key_ids`: the one that Loki reads, and of the hops before."""
    if claim is not None:
        note = "its key is the claim's own and cannot be changed in place"
        return FoundSource(source=claim, notes={"spec.source.objectBucketClaim": note}, sure=True)
    known = [source_of(workload, each, users) for each in key_ids if each]
    sure = next((found for found in known if found.sure), None)
    return sure or source_of(workload, None, users)


def source_of(
    workload: LokiWorkload, key_id: str | None, users: Sequence[Candidate]
) -> FoundSource:
    """Return the source of the key that a workload reads; `key_id` is its id.

    An equal key id identifies a user, whatever its store is called: behind a mesh, an ingress or an
    external name one store has several names. Without it, only a user of the store that Loki writes
    to counts, or one with Loki's name if Loki's endpoint is not known.
    """
    same = next((each for each in users if key_id and each.key_id == key_id), None)
    if same is not None:
        notes = {GUESS: "its Secret holds the key id that Loki reads"}
        return FoundSource(source=same.source, notes=notes, sure=True, endpoint=same.endpoint)
    host = host_of(workload.storage.endpoint)
    pool = [each for each in users if host is None or host_of(each.endpoint) == host]
    guess, why = _likeliest(pool, workload, host)
    if guess is not None:
        compared = key_id is not None and guess.key_id is not None
        told = (
            "its present key id is not the one that Loki reads, as after a change of the key"
            if compared
            else "its key id could not be compared with the one that Loki reads"
        )
        note = f"a guess: {why}; {told}. Check that this is Loki's user"
        return FoundSource(source=guess.source, notes={GUESS: note})
    return FoundSource(source=UnknownSource(), notes={"spec.source": _unknown(users, pool, host)})


def _likeliest(
    pool: Sequence[Candidate], workload: LokiWorkload, host: str | None
) -> tuple[Candidate | None, str]:
    """Return the one user of the store at `host`, or the one with Loki's name."""
    if host is not None and len(pool) == 1:
        return pool[0], "the only user of the store that Loki writes to"
    words = {workload.ref.name, workload.storage.bucket, "loki"}
    named = [c for c in pool if c.source.user in words] or [
        c for c in pool if "loki" in c.source.user
    ]
    return (named[0], f"by its name, among {_listed(pool)}") if len(named) == 1 else (None, "")


def _unknown(users: Sequence[Candidate], pool: Sequence[Candidate], host: str | None) -> str:
    """Say why no user is named."""
    if pool:
        return f"{UNKNOWN}: whose key this is cannot be told; candidates: {_listed(pool)}"
    if users:
        return (
            f"{UNKNOWN}: Loki writes to {host}, and no CephObjectStoreUser that can be seen is of "
            "a store with that name, nor holds the key that Loki reads; where is this key made?"
        )
    return f"{UNKNOWN}: no CephObjectStoreUser can be seen; where is this key made?"


def _listed(users: Sequence[Candidate]) -> str:
    names = sorted(f"{each.source.namespace}/{each.source.user}" for each in users)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
