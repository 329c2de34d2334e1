# SPDX-License-Identifier: Apache-2.0
"""RGW's Admin Ops API as an issuer of keys, for a user that only its admin manages.

Traps of the API (measured), each handled by reading before and after a write:

- A PUT with a known id silently rewrites its secret; if the uid does not exist, another user's. So
  the user must exist, and the id must be unused or this user's with this very secret.
- A DELETE with a uid that does not exist removes the key from whoever has it. So the user must list
  it before it is removed.
- A missing key is 403 InvalidAccessKeyId at DELETE, just as a dead admin key is.
- Of parallel changes of one user about four in ten answer 500, and have changed nothing. A missing
  answer proves nothing. What counts is what the user lists afterwards.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lokeys.adapters.ceph.rgw import AdminApi, RgwUser, slots_of
from lokeys.adapters.new_pair import new_pair
from lokeys.core.kubernetes import rook
from lokeys.core.kubernetes.json_fields import text_at
from lokeys.core.place import Ref
from lokeys.core.route.model import RgwSource
from lokeys.core.route.slots import Slot
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, Sensitive
from lokeys.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NeedsHuman,
    NotAllowed,
    Transient,
    Waiting,
)
from lokeys.kube.replies import NoSuchKind
from lokeys.ports import KeyIntent, Objects

_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RgwIssuer:
    """An `IssuerPort` on the user of an `RgwSource`; `admin` needs `users=*`.

    Nothing is sent unless the owner of the admin Secret allows the endpoint, or the caller's own
    permissions decide. A uid of a CephObjectStoreUser is refused: Rook deletes what it did not
    declare. `objects` lists those of all namespaces; if that is not allowed, nothing is changed.
    """

    source: RgwSource
    secret: Ref
    callers_rights: bool
    admin: Callable[[], Awaitable[AdminApi]]
    objects: Objects
    fingerprinter: Fingerprinter

    @property
    def uid(self) -> str:
        """Return whose keys these are."""
        return self.source.uid

    async def list(self) -> tuple[Slot, ...]:
        """Return the user's keys as RGW has them now."""
        return slots_of(await (await self._api()).user(self.uid), self.fingerprinter)

    def draft(self) -> KeyPair | None:
        """Return a new pair."""
        return new_pair()

    async def create(self, pair: KeyPair | None, *, intent: KeyIntent) -> KeyPair:
        """Give the user this key, if its id is unused; RGW lists it at once."""
        del intent  # the pair itself identifies a leftover: same id, same secret
        if pair is None or self.fingerprinter.describe(pair).flaws:
            raise BadInput("a key of an RGW user is chosen by the caller, and whole")
        api = await self._api()
        if await self._has(api, pair):
            return pair
        await self._insist_on_no_rook()
        problem = await _tried(api.add_key(self.uid, pair))
        if await self._has(api, pair):
            return pair
        raise problem or Waiting("RGW does not list the new key yet", retry_after_s=_LOOK_AGAIN_S)

    async def offer(self, key_id: Fingerprint) -> None:
        """Do nothing: RGW does not mark a current key."""

    async def retire(self, key_id: Fingerprint) -> None:
        """Remove the key from the user, if the user lists it and has another one."""
        api = await self._api()
        doomed = self._of(await api.user(self.uid), key_id)
        if doomed is None:
            return
        await self._insist_on_no_rook()
        if await api.owner_of(doomed) != self.uid:
            raise Conflict(f"a key that RGW lists for {self.uid} belongs to somebody else by now")
        problem = await _tried(api.remove_key(self.uid, doomed))
        if self._of(await api.user(self.uid), key_id) is not None:
            raise problem or Waiting("RGW still lists the key", retry_after_s=_LOOK_AGAIN_S)

    async def _api(self) -> AdminApi:
        api = await self.admin()
        if not (self.callers_rights or api.consent.covers(self.source.admin.endpoint)):
            raise NotAllowed(
                f"{self.secret} does not allow requests to {self.source.admin.endpoint}"
            )
        return api

    async def _has(self, api: AdminApi, pair: KeyPair) -> bool:
        """Tell whether the user has this very pair; if not, its id must be unused.

        Raises NeedsHuman if the id is somebody else's, is disabled, or has another secret: a PUT
        would rewrite it.
        """
        user = await api.user(self.uid)
        if pair in user.keys:
            return True
        owner = await api.owner_of(pair.access_key_id)
        if owner is not None:
            of = "with another secret" if owner == self.uid else "and is another user's"
            raise NeedsHuman(f"the key's id is at RGW already, {of}: it is not changed")
        return False

    async def _insist_on_no_rook(self) -> None:
        try:
            users = await self.objects.list(rook.KIND, namespace=None)
        except NoSuchKind:
            return
        except Forbidden as error:
            raise Forbidden(
                f"whether Rook manages {self.uid} cannot be seen: {error} (lokeys rbac prints it)"
            ) from None
        for user in users:
            if text_at(user, "metadata", "name") == self.uid:
                where = text_at(user, "metadata", "namespace")
                raise NeedsHuman(
                    f"{rook.KIND} {where}/{self.uid} may own this user, and Rook deletes "
                    "keys that it did not declare: name it as `spec.source.rook` instead"
                )

    def _of(self, user: RgwUser, key_id: Fingerprint) -> Sensitive | None:
        """Return the id of one of the user's keys. Raises NeedsHuman if there is no other."""
        found = [pair for pair in user.keys if self._is(pair, key_id)]
        if found and len(user.keys) == 1:
            raise NeedsHuman(f"it is the only key of RGW user {self.uid}")
        return found[0].access_key_id if found else None

    def _is(self, pair: KeyPair, key_id: Fingerprint) -> bool:
        return self.fingerprinter.describe(pair).key_id == key_id


async def _tried(change: Awaitable[None]) -> Exception | None:
    """Make a change; return the error, which proves nothing yet."""
    try:
        await change
    except (Transient, Forbidden) as problem:
        return problem
    return None
