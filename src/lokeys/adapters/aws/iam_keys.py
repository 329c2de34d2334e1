# SPDX-License-Identifier: Apache-2.0
"""An IAM user's access keys: as a source, and as an issuer.

IAM shows an access key's secret half once, in the answer that creates it, and never shows who
created a key. So a source of IAM has slots without secrets: a hop of the route holds the pair
itself. The key of a create call whose answer was lost is identified by three facts: it did not
exist when the caller recorded its intent, it was created since, and it was never used, because
nobody has ever seen its secret. Such a leftover is removed; any other key that the caller did not
know belongs to somebody else and stops the run.

Import this module late: it loads botocore's session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lokeys.adapters.aws.iam import Iam, elements_at
from lokeys.adapters.ceph.rgw import not_allowed_url, why_unreadable
from lokeys.core.findings.verdict import WORKS, Answer
from lokeys.core.kubernetes.consent import Consent
from lokeys.core.place import Hop, Ref
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import SourceState, Unreadable
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, Sensitive
from lokeys.errors import LokeysError, NeedsHuman, NotAllowed, NotReadable, Waiting
from lokeys.ports import Clock, KeyIntent, Reading, StorePort

MOST_KEYS = 2
"""IAM's quota of access keys for one user; it cannot be raised."""

SPREADS_WITHIN = timedelta(seconds=60)
"""How long S3 may not know a new key: IAM is eventually consistent."""

CLOCKS_AGREE_WITHIN = timedelta(seconds=5)
_HINT_LENGTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class IamKey:
    """A key as IAM lists it."""

    key_id: Sensitive
    since: datetime | None
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IamUser:
    """One user's keys, as seen by one caller of IAM; `consent`: of the caller's credentials."""

    iam: Iam
    name: str
    consent: Consent

    async def keys(self) -> tuple[IamKey, ...]:
        """Return the user's keys, the smallest id first. Raises NotFound if there is no user."""
        said = await self.iam.call("ListAccessKeys", UserName=self.name)
        rows = [
            elements_at(said, f"AccessKeyMetadata/member/{part}")
            for part in ("AccessKeyId", "Status", "CreateDate")
        ]
        if len({len(row) for row in rows}) != 1 or len(rows[0]) > MOST_KEYS:
            raise NotReadable("IAM's list of access keys is not as it should be")
        found = (
            IamKey(key_id=Sensitive(key_id), since=_moment(since), active=status == "Active")
            for key_id, status, since in zip(*rows, strict=True)
        )
        return tuple(sorted(found, key=lambda key: key.key_id.reveal()))

    async def was_used(self, key: IamKey) -> bool:
        """Tell whether IAM has recorded any use of a key."""
        words = {"AccessKeyId": key.key_id.reveal_text()}
        said = await self.iam.call("GetAccessKeyLastUsed", about=self.name, **words)
        return bool(elements_at(said, "AccessKeyLastUsed/LastUsedDate"))

    async def create(self) -> KeyPair:
        """Return a new key of the user; IAM shows it only this once."""
        said = await self.iam.call("CreateAccessKey", UserName=self.name)
        halves = [elements_at(said, f"AccessKey/{part}") for part in ("AccessKeyId", _SECRET)]
        if any(len(half) != 1 for half in halves):
            raise NotReadable("IAM's answer holds no whole key")
        return KeyPair(
            access_key_id=Sensitive(halves[0][0]), secret_access_key=Sensitive(halves[1][0])
        )

    async def delete(self, key: IamKey) -> None:
        """Delete one of the user's keys."""
        words = {"UserName": self.name, "AccessKeyId": key.key_id.reveal_text()}
        await self.iam.call("DeleteAccessKey", **words)


IamLogin = Callable[[], Awaitable[IamUser]]
"""Returns the user, with the current credentials. Raises NotAllowed."""


class IamSourcePort:
    """A `SourcePort` on an IAM user; the owner of `place` must allow IAM's address."""

    def __init__(
        self, name: str, *, endpoint: str, place: Ref, login: IamLogin, fingerprinter: Fingerprinter
    ) -> None:
        self._ref = Ref("IAMUser", name)
        self._endpoint = endpoint
        self._place = place
        self._login = login
        self._fingerprinter = fingerprinter

    async def read(self) -> Reading[SourceState]:
        """Return the user's keys; the route says which is current, and its hop has the pair."""
        try:
            user = await self._login()
            keys = await user.keys()
        except NotAllowed:
            return Reading(gaps=(not_allowed_url(self._place, self._endpoint),))
        except LokeysError as error:
            why, detail = why_unreadable(error), str(error)
            gap = Unreadable(hop=Hop.SOURCE, ref=self._ref, why=why, detail=detail)
            return Reading(gaps=(gap,))
        slots = slots_of_iam(keys, self._fingerprinter)
        state = SourceState(ref=self._ref, owner=self._ref, slots=slots, consent=user.consent)
        return Reading(state=state)

    async def refresh(self) -> None:
        """Do nothing: IAM itself is read."""

    async def ensure_user(self) -> bool:
        """Make sure that the user exists: lokeys creates no users at AWS."""
        try:
            await (await self._login()).keys()
        except LokeysError as error:
            raise NeedsHuman(
                f"{self._ref} cannot be read, and lokeys makes none: {error}"
            ) from None
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class IamIssuer:
    """An `IssuerPort` on an IAM user. IAM chooses the pairs; `store` tests them."""

    login: IamLogin
    store: StorePort
    clock: Clock
    fingerprinter: Fingerprinter

    async def list(self) -> tuple[Slot, ...]:
        """Return the user's keys as IAM lists them now."""
        return slots_of_iam(await (await self.login()).keys(), self.fingerprinter)

    def draft(self) -> KeyPair | None:
        """Return None: IAM chooses."""
        return None

    async def create(self, pair: KeyPair | None, *, intent: KeyIntent) -> KeyPair:
        """Return a new key of the user; with a pair, that one, once the store accepts it."""
        user = await self.login()
        if pair is not None:
            return await self._in_force(user, pair)
        for key in await user.keys():
            if self._id(key) not in intent.known:
                await self._remove_leftover(user, key, intent)
        if len(await user.keys()) >= MOST_KEYS:
            raise NeedsHuman(f"IAM user {user.name} has {MOST_KEYS} keys: one must retire first")
        return await user.create()

    async def offer(self, key_id: Fingerprint) -> None:
        """Do nothing: IAM does not mark a current key."""

    async def retire(self, key_id: Fingerprint) -> None:
        """Delete the key, if the user has another one that is active."""
        user = await self.login()
        keys = await user.keys()
        doomed = next((key for key in keys if self._id(key) == key_id), None)
        if doomed is None:
            return
        if not any(key.active for key in keys if key is not doomed):
            raise NeedsHuman(f"it is the only active key of IAM user {user.name}")
        await user.delete(doomed)

    def _id(self, key: IamKey) -> Fingerprint:
        return self.fingerprinter.of(key.key_id, purpose="id")

    async def _remove_leftover(self, user: IamUser, key: IamKey, intent: KeyIntent) -> None:
        """Delete a key that only a lost answer contained; raise NeedsHuman for any other."""
        ours = key.since is not None and key.since >= intent.since - CLOCKS_AGREE_WITHIN
        if not ours or await user.was_used(key):
            raise NeedsHuman(
                f"IAM user {user.name} has a key that begins with {hint_of_id(key)} and was not "
                "made by lokeys: it must go first"
            )
        await user.delete(key)

    async def _in_force(self, user: IamUser, pair: KeyPair) -> KeyPair:
        """Return the pair once the store accepts it."""
        keys = await user.keys()
        found = next((key for key in keys if key.key_id == pair.access_key_id), None)
        if found is None:
            raise NeedsHuman(
                f"IAM user {user.name} has no such key, and a removed one never returns"
            )
        if not found.active:
            raise NeedsHuman(f"the key of IAM user {user.name} is switched off")
        answer = (await self.store.try_list(pair)).answer
        if answer in WORKS:
            return pair
        young = found.since is None or self.clock() - found.since < SPREADS_WITHIN
        if answer is Answer.UNKNOWN_KEY and not young:
            raise NeedsHuman(f"IAM lists the key of user {user.name}, and the store knows it not")
        raise Waiting(f"the store says of the new key of IAM user {user.name}: {answer}")


def slots_of_iam(keys: tuple[IamKey, ...], fingerprinter: Fingerprinter) -> tuple[Slot, ...]:
    """Return what IAM shows of a user's keys: never the secret halves."""
    return tuple(
        Slot(
            key_id=fingerprinter.of(key.key_id, purpose="id"),
            hint=hint_of_id(key),
            order=order,
            since=key.since,
            active=key.active,
        )
        for order, key in enumerate(keys)
    )


def hint_of_id(key: IamKey) -> str:
    """Return the first characters of a key's id."""
    return key.key_id.reveal_text()[:_HINT_LENGTH]


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


_SECRET = "SecretAccessKey"
