# SPDX-License-Identifier: Apache-2.0
"""Whose key it is that a Loki reads: by the key id, else by what is likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from lokeys.core.route.discovery.model import UNKNOWN, Candidate, LokiWorkload, Notes
from lokeys.core.route.model import SecretRef, SecretSource, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSource:
    """A route's source, whether it is sure, and the endpoint that Rook names."""

    source: Source
    notes: Notes
    sure: bool = False
    endpoint: str = ""


def source_of(
    workload: LokiWorkload, secret: SecretRef, key_id: str | None, users: Sequence[Candidate]
) -> FoundSource:
    """Return the source of the key that a workload reads from `secret`; `key_id` is its id."""
    same = [each for each in users if key_id and each.key_id == key_id]
    if same:
        note = "its Secret holds the key id that Loki reads"
        return _at(same[0], note, sure=True)
    guess, why = _likeliest(users, workload)
    if guess is not None:
        note = (
            f"{why}; its present key id is not the one that Loki reads, which is what a "
            "changed key looks like. Check that this is Loki's user"
        )
        return _at(guess, note, sure=False)
    listed = ", ".join(f"{each.source.namespace}/{each.source.user}" for each in users)
    note = (
        f"{UNKNOWN}: whose key this is cannot be told; candidates: {listed}"
        if users
        else f"{UNKNOWN}: no CephObjectStoreUser can be seen; where is this key minted?"
    )
    blank = SecretRef(name=UNKNOWN, keys=secret.keys)
    source = SecretSource(secret=blank, namespace=workload.ref.namespace or "default")
    return FoundSource(source=source, notes={"spec.source": note})


def _at(user: Candidate, note: str, *, sure: bool) -> FoundSource:
    notes = {"spec.source.rook.user": note}
    return FoundSource(source=user.source, notes=notes, sure=sure, endpoint=user.endpoint)


def _likeliest(users: Sequence[Candidate], workload: LokiWorkload) -> tuple[Candidate | None, str]:
    """Return the one user that fits where Loki writes, or the one named as Loki is."""
    storage = workload.storage
    host = urlsplit(storage.endpoint).hostname if storage.endpoint else None
    there = [c for c in users if host and urlsplit(c.endpoint).hostname == host]
    if len(there) == 1:
        return there[0], "the only user of the store that Loki writes to"
    if len(users) == 1:
        return users[0], "the only user there is"
    pool = there or users
    words = {workload.ref.name, storage.bucket, "loki"}
    named = [c for c in pool if c.source.user in words] or [
        c for c in pool if "loki" in c.source.user
    ]
    if len(named) == 1:
        others = ", ".join(sorted(f"{c.source.namespace}/{c.source.user}" for c in pool))
        return named[0], f"guessed by its name among {others}"
    return None, ""
