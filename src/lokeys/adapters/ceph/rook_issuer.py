# SPDX-License-Identifier: Apache-2.0
"""Rook as an issuer of keys: only through `spec.keys` of a CephObjectStoreUser.

Rook makes RGW's keys those that `spec.keys` names: it removes first, then it creates (measured). So
a user goes from key to key in single edits, and each waits for the one before:

    (none) ──adopt──▶ [A] ──add──▶ [A, B] ──offer──▶ [B, A] ──retire──▶ [B]

Adopting copies the current key into a Secret of ours and does not call RGW. The keys are in two
Secrets of fixed names (`rook.slot_names`), so that permissions can name them; one that `spec.keys`
names is never written. A user that has `spec.keys` keeps it: going back would keep the smallest id.

An edit is in force when Rook is Ready for this generation and for these versions of the Secrets,
and the store accepts the key. Rook validates nothing and reports Ready for anything, so the effect
of a value is checked before it is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lokeys.adapters.ceph.generated_readers import readers_of
from lokeys.adapters.ceph.rgw import hint_of
from lokeys.adapters.ceph.rook import RookSourcePort
from lokeys.adapters.ceph.slot_secrets import SlotSecrets
from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.secret_source import SourceReader
from lokeys.adapters.new_pair import new_pair
from lokeys.core.findings.verdict import WORKS, Answer
from lokeys.core.kubernetes import rook
from lokeys.core.kubernetes.gitops import keeper_of_spec
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.place import Ref
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import RookUser, SourceState
from lokeys.core.sensitive import Fingerprint, KeyPair
from lokeys.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NeedsHuman,
    NotAllowed,
    NotReadable,
    Waiting,
)
from lokeys.kube.resources import CEPH_OBJECT_STORE_USER
from lokeys.ports import KeyIntent, Reading, Sleep, StorePort

APPLIED_WITHIN_S = 3.0
"""Rook applies an edit in 0.05 to 0.2 s; after this time the caller must call again."""
_STEP_S = 0.1
_TRIES = 4
_FAILED = "ReconcileFailed"
_Entries = Sequence[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """The user at one moment: the object itself, and what the source's port reads from it."""

    user: Json
    reading: Reading[SourceState]

    @property
    def entries(self) -> list[Json]:
        """Return `spec.keys`."""
        return [dict(entry) for entry in mappings_at(self.user, "spec", "keys")]

    @property
    def rook(self) -> RookUser:
        """Return what Rook says about the user."""
        state = self.reading.state
        if state is None or state.rook is None:
            raise NotReadable("the user cannot be read")
        return state.rook


@dataclass(frozen=True, slots=True, kw_only=True)
class RookIssuer:
    """An `IssuerPort` on a CephObjectStoreUser. `cluster` is read live; `store` tests the keys.

    Refuses, with NeedsHuman: if Flux or Argo CD keeps the user's spec (it says what to commit, once
    the Secrets for it exist); if anything reads the generated Secret, which the first edit blanks;
    if RGW lists a key that Rook would delete; if both Secrets are in use.
    """

    cluster: Cluster
    ref: Ref
    reader: SourceReader
    source: RookSourcePort
    store: StorePort
    endpoint: str
    sleep: Sleep

    @property
    def _secrets(self) -> SlotSecrets:
        return SlotSecrets(cluster=self.cluster, ref=self.ref)

    async def list(self) -> tuple[Slot, ...]:
        """Return the user's keys from `spec.keys` and, if it may be asked, from RGW."""
        now = await self._look()
        state, pair = now.reading.state, now.reading.pair
        if state is not None and state.slots is not None:
            return state.slots
        if state is None or state.pair is None or pair is None:
            raise NotReadable(f"{self.ref}: its keys cannot be read")
        slot = Slot(
            key_id=state.pair.key_id,
            facts=state.pair,
            hint=hint_of(pair),
            order=0,
            offered=True,
            listed=None,
        )
        return (slot,)

    def draft(self) -> KeyPair | None:
        """Return a new pair."""
        return new_pair()

    async def create(self, pair: KeyPair | None, *, intent: KeyIntent) -> KeyPair:
        """Declare the pair beside the current ones; adopt the current one first."""
        del intent  # the pair itself identifies a leftover: same id, same secret
        if pair is None or self.cluster.fingerprinter.describe(pair).flaws:
            raise BadInput("a key of a CephObjectStoreUser is chosen by the caller, and whole")
        now = await self._look()
        if pair in self._declared(now):
            return await self._in_force(await self._applied(), pair)
        await self._insist_on_room(now, pair)
        adopted = now.entries or [await self._adoption(now)]
        wanted = [*adopted, await self._secrets.keep(now.user, pair, besides=adopted)]
        self._insist_on_no_keeper(now.user, wanted)
        if not now.entries:
            now = await self._edit(now.user, adopted)
        return await self._in_force(await self._edit(now.user, wanted), pair)

    async def offer(self, key_id: Fingerprint) -> None:
        """Put this key's entry first in `spec.keys`."""
        now = await self._look()
        place = self._place_of(now, key_id)
        if place is None:
            held = now.reading.state.pair if now.reading.state else None
            if not now.entries and held is not None and held.key_id == key_id:
                return
            raise NeedsHuman(f"spec.keys of {self.ref} does not name this key")
        if place == 0:
            return
        self._insist_on_applied(now)
        entries = now.entries
        wanted = [entries.pop(place), *entries]
        self._insist_on_no_keeper(now.user, wanted)
        await self._edit(now.user, wanted)

    async def retire(self, key_id: Fingerprint) -> None:
        """Remove this key's entry from `spec.keys`; then delete its Secret, if it is ours."""
        now = await self._look()
        place = self._place_of(now, key_id)
        if place is None:
            self._insist_on_gone(now, key_id)
            await self._secrets.sweep(now.user, key_id)
            return
        if len(now.entries) == 1:
            raise NeedsHuman(f"it is the only key of {self.ref}")
        if now.rook.phase != _FAILED:  # what Rook cannot apply may be undone
            self._insist_on_applied(now)
        wanted = now.entries
        del wanted[place]
        self._insist_on_no_keeper(now.user, wanted)
        now = await self._edit(now.user, wanted)
        await self._secrets.sweep(now.user, key_id)

    # --- looking --------------------------------------------------------------------------------

    async def _look(self) -> _Now:
        user = await self.cluster.objects.get(self.ref)
        if not self.reader.may_read(user):
            raise Forbidden(f"{self.ref} does not allow namespace {self.reader.namespace}")
        if at(user, "metadata", "deletionTimestamp") is not None:
            raise NeedsHuman(f"{self.ref} is being deleted")
        reading = await self.source.read()
        for gap in reading.gaps:
            if gap.ref.kind == "Secret":
                raise NotReadable(f"{gap.ref}: {gap.why}")
        return _Now(user=user, reading=reading)

    def _declared(self, now: _Now) -> tuple[KeyPair, ...]:
        return tuple(now.reading.pairs.values())

    def _place_of(self, now: _Now, key_id: Fingerprint) -> int | None:
        """Return which entry of `spec.keys` names a key."""
        names = [
            slot.declared_by
            for slot in (now.reading.state.slots if now.reading.state else None) or ()
            if slot.key_id == key_id and slot.declared_by is not None
        ]
        places = (
            place
            for place, entry in enumerate(now.entries)
            if text_at(entry, "accessKeyRef", "name") in names
        )
        return next(places, None)

    # --- insisting ------------------------------------------------------------------------------

    def _insist_on_applied(self, now: _Now) -> None:
        if now.rook.reads_generated_secret:
            raise NeedsHuman(f"spec.keys of {self.ref} names the Secret that Rook blanks")
        if not now.rook.applied:
            raise Waiting(f"Rook has not applied {self.ref} yet: {now.rook.message or 'no word'}")

    def _insist_on_no_keeper(self, user: Json, wanted: _Entries) -> None:
        keeper = keeper_of_spec(user)
        if keeper is not None:
            text = json.dumps({"spec": {"keys": list(wanted)}})
            what = f"{keeper} keeps {self.ref} and would undo the edit"
            raise NeedsHuman(f"{what}; commit in its manifest: {text}")

    async def _insist_on_room(self, now: _Now, pair: KeyPair) -> None:
        """Raise if the new key cannot be declared without harm to it or to another one."""
        self._insist_on_applied(now)
        if any(pair.access_key_id == held.access_key_id for held in self._declared(now)):
            raise NeedsHuman(f"{self.ref} has the key's id with another secret: it is not changed")
        wanted = self.cluster.fingerprinter.describe(pair)
        own = now.reading.state.pair if now.reading.state else None
        for slot in (now.reading.state.live if now.reading.state else None) or ():
            known = slot.declared_by or slot.pair in (wanted.pair, own.pair if own else None)
            if not known:
                raise NeedsHuman(
                    f"RGW lists a key of {self.ref.name} that begins with {slot.hint} and that "
                    "nothing declares: Rook would delete it at the edit"
                )
        if await self._answer(now, pair) is Answer.WRONG_SECRET:
            raise NeedsHuman("the key's id is at RGW already, with another secret")

    def _insist_on_gone(self, now: _Now, key_id: Fingerprint) -> None:
        state = now.reading.state
        own = state.pair if state is not None and not now.entries else None
        if own is not None and own.key_id == key_id:
            raise NeedsHuman(f"it is the only key of {self.ref} that Rook knows")
        if any(slot.key_id == key_id for slot in (state.live if state else None) or ()):
            raise NeedsHuman(f"nothing declares this key: Rook deletes it when it reads {self.ref}")

    # --- writing --------------------------------------------------------------------------------

    async def _adoption(self, now: _Now) -> Json:
        """Copy the generated Secret's pair into one of ours; return the entry that names it."""
        generated, pair = rook.key_secrets(now.user).generated, now.reading.pair
        facts = self.cluster.fingerprinter.describe(pair) if pair is not None else None
        if pair is None or facts is None or facts.flaws:
            raise NeedsHuman(f"{generated} holds no whole key that could be kept")
        readers = await readers_of(generated, self.cluster.objects)
        if readers:
            named = ", ".join(map(str, readers[:5])) + (" and others" if readers[5:] else "")
            raise NeedsHuman(
                f"`spec.keys` makes Rook blank {generated}, which is read by {named}: let them "
                "read another Secret first"
            )
        if await self._answer(now, pair) not in WORKS:
            raise NeedsHuman(f"the store does not take the key in {generated}: it is not adopted")
        return await self._secrets.keep(now.user, pair, besides=())

    async def _edit(self, user: Json, entries: _Entries) -> _Now:
        """Write `spec.keys`, if the user is still as it was read, and wait until it is applied.

        Rook may still write the result of its last pass to the status: that alone is not a change
        of the user, and the edit is retried.
        """
        for _ in range(_TRIES):
            try:
                await self._patch(user, entries)
                return await self._applied()
            except Conflict:
                now = await self._look()
                if not _same_spec(user, now.user):
                    raise
                self._insist_on_applied(now)
                user = now.user
        raise Conflict(f"{self.ref} changes faster than it can be edited")

    async def _patch(self, user: Json, entries: _Entries) -> None:
        version = text_at(user, "metadata", "resourceVersion")
        patch: dict[str, Any] = {
            "metadata": {"resourceVersion": version},
            "spec": {"keys": list(entries)},
        }
        await self.cluster.api.merge_patch(
            CEPH_OBJECT_STORE_USER, self.ref.name, patch, namespace=self.ref.namespace
        )

    async def _applied(self) -> _Now:
        """Return the user once Rook has applied it."""
        for _ in range(round(APPLIED_WITHIN_S / _STEP_S)):
            now = await self._look()
            if now.rook.applied:
                break
            await self.sleep(_STEP_S)
        self._insist_on_applied(now)
        return now

    async def _in_force(self, now: _Now, pair: KeyPair) -> KeyPair:
        """Return the pair once the store accepts it."""
        answer = await self._answer(now, pair)
        if answer not in WORKS:
            raise Waiting(f"Rook has applied {self.ref}; the store says of the new key: {answer}")
        return pair

    async def _answer(self, now: _Now, pair: KeyPair) -> Answer:
        """Return what the store says about a pair, if the user's owner allows it to go there."""
        consent = now.reading.state.consent if now.reading.state else None
        if not self.reader.callers_rights and not (consent and consent.covers(self.endpoint)):
            raise NotAllowed(f"{self.ref} does not allow its keys to go to {self.endpoint}")
        return (await self.store.try_list(pair)).answer


def _same_spec(one: Json, other: Json) -> bool:
    """Tell whether it is the same user with the same spec, whatever its status says."""
    return all(
        at(one, "metadata", part) == at(other, "metadata", part) for part in ("uid", "generation")
    )
