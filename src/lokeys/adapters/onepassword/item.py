# SPDX-License-Identifier: Apache-2.0
"""One item in 1Password as a vault: read with one call, written as a pair or not at all.

Connect has no preconditions, and answers from a copy that is behind its own writes. So a write is:
read, compare with what we expect, one PATCH of both fields by id, then read until the new version
shows both values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lokeys.adapters.http import Reason
from lokeys.adapters.onepassword.connect import (
    Connect,
    ConnectError,
    Item,
    ItemChange,
    VaultField,
    is_id,
)
from lokeys.core.kubernetes.external_secrets.renaming import delivered_names
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import OnePasswordVault
from lokeys.core.route.snapshot import Unreadable, VaultFault, VaultState, Why
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, PairFacts, Sensitive
from lokeys.errors import (
    Conflict,
    Forbidden,
    LokeysError,
    NeedsHuman,
    NotAllowed,
    NotFound,
    NotReadable,
    NotShared,
    Throttled,
    Transient,
    Unreachable,
    Waiting,
)
from lokeys.ports import Reading, Sleep

_READ_BACK_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 1.0)  # ten seconds in total


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the item is, by Connect's ids."""

    vault_id: str
    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What the item holds: the two fields, and their values as a pair."""

    item: Item
    id_field: VaultField
    secret_field: VaultField

    @property
    def pair(self) -> KeyPair:
        return KeyPair(
            access_key_id=Sensitive(self.id_field.value or ""),
            secret_access_key=Sensitive(self.secret_field.value or ""),
        )


NO_WAY = frozenset({Reason.DNS, Reason.NO_ROUTE, Reason.NO_CONNECTION})
"""Not reachable: outside the cluster that says something about this machine, not about Connect."""


LEADS_ELSEWHERE = frozenset({VaultFault.ITEM_AMBIGUOUS, VaultFault.ITEM_NOT_FOUND})
"""The title no longer identifies one item: its remembered id does not count either."""


class OnePasswordPort:
    """A `VaultPort` on one item; `token` is the Secret with Connect's token.

    A fault is part of the state; `Unreadable` is for the token's Secret, and for a Connect that is
    not reachable from `outside` the cluster.
    """

    def __init__(  # noqa: PLR0913 - one argument per part
        self,
        vault: OnePasswordVault,
        connect: Connect,
        *,
        token: Ref,
        fingerprinter: Fingerprinter,
        sleep: Sleep,
        outside: bool = False,
    ) -> None:
        self._outside = outside
        self._vault = vault
        self._connect = connect
        self._token = token
        self._fingerprinter = fingerprinter
        self._sleep = sleep
        self._place: _Place | None = None
        self.ref = Ref("OnePasswordItem", vault.item, vault.vault)

    async def read(self, *, afresh: bool = False) -> Reading[VaultState]:
        """Return what the item holds now; one call once its ids are known. Never raises."""
        try:
            _, item = await self._find(afresh=afresh)
            held = self._held(item)
        except ConnectError as error:
            if self._outside and error.reason in NO_WAY:
                return Reading(gaps=(_gap(self.ref, Why.UNREACHABLE, str(error)),))
            labels = error.labels if isinstance(error, _FieldFault) else ()
            state = VaultState(ref=self.ref, fault=error.fault, detail=str(error), fields=labels)
            return Reading(state=state)
        except LokeysError as error:  # the token's Secret could not be read
            why = _why(error)
            detail = "" if why is Why.NOT_FOUND else str(error)
            return Reading(gaps=(_gap(self._token, why, detail),))
        return Reading(state=self._state(held), pair=held.pair)

    async def write(self, pair: KeyPair, *, over: Fingerprint) -> VaultState:
        """Put `pair` into both fields with one PATCH, and return what a read-back showed."""
        changes_to = _as_text(pair)
        try:
            place, item = await self._find(afresh=True)
            held = self._held(item)
            if held.pair == pair:
                return self._state(held)
            if self._facts(held).pair != over:
                raise Conflict(f"{self.ref}: the item holds another pair than a moment ago")
            patched = await self._connect.patch(
                place.vault_id, place.item_id, _changes(held, changes_to)
            )
            return await self._read_back(pair, place, version=patched.version, old=held)
        except ConnectError as error:
            failure = _as_action(error, self.ref)
        raise failure

    async def _read_back(
        self, pair: KeyPair, place: _Place, *, version: int, old: _Held
    ) -> VaultState:
        """Wait until Connect shows what was written."""
        for pause_s in _READ_BACK_PAUSES_S:
            held = self._held(await self._connect.item(place.vault_id, place.item_id))
            advanced = held.item.version >= version and held.item.version > old.item.version
            if advanced and held.pair == pair:
                return self._state(held)
            if held.item.version > version:
                raise Conflict(f"{self.ref}: somebody else wrote to the item right after us")
            await self._sleep(pause_s)
        raise Waiting(f"{self.ref} is written, but Connect still shows the old values")

    async def _find(self, *, afresh: bool) -> tuple[_Place, Item]:
        """Return the item and its place, by remembered ids if they still identify one.

        `afresh`: only by the vault's id. Others that read the title (External Secrets does each
        time) fail if two items have it, and only a person knows which is meant.
        """
        known, self._place = self._place, None
        if known is not None:
            try:
                item = await (
                    self._find_item(known.vault_id)
                    if afresh
                    else self._connect.item(known.vault_id, known.item_id)
                )
            except ConnectError as error:
                if error.status not in {403, 404}:
                    self._place = None if error.fault in LEADS_ELSEWHERE else known
                    raise
            else:
                self._place = replace(known, item_id=item.id)
                return self._place, item
        vault_id = await self._find_vault()
        item = await self._find_item(vault_id)
        self._place = _Place(vault_id=vault_id, item_id=item.id)
        return self._place, item

    async def _find_vault(self) -> str:
        name = self._vault.vault
        if is_id(name):
            try:
                return (await self._connect.vault(name)).id
            except ConnectError as error:
                # 26 letters and digits can also be a title.
                if error.status != 404:
                    raise
        found = await self._connect.vaults(name)
        if len(found) == 1:
            return found[0].id
        said = f"{len(found)} vaults are called so" if found else "the token sees no such vault"
        raise ConnectError(f"vault `{name}`: {said}", fault=VaultFault.VAULT_NOT_FOUND)

    async def _find_item(self, vault_id: str) -> Item:
        title = self._vault.item
        if is_id(title):
            try:
                return await self._connect.item(vault_id, title)
            except ConnectError as error:
                if error.status != 404:
                    raise
        found = await self._connect.items(vault_id, title)
        if len(found) == 1:
            return await self._connect.item(vault_id, found[0].id)
        if found:
            raise ConnectError(
                f"{len(found)} items are called `{title}`; name the item by its id",
                fault=VaultFault.ITEM_AMBIGUOUS,
            )
        raise ConnectError(
            f"vault `{self._vault.vault}` has no item called `{title}`",
            fault=VaultFault.ITEM_NOT_FOUND,
        )

    def _held(self, item: Item) -> _Held:
        labels = self._vault.fields
        return _Held(
            item=item,
            id_field=_field(item, labels.access_key_id),
            secret_field=_field(item, labels.secret_access_key),
        )

    def _facts(self, held: _Held) -> PairFacts:
        return self._fingerprinter.describe(held.pair)

    def _state(self, held: _Held) -> VaultState:
        return VaultState(
            ref=self.ref,
            pair=self._facts(held),
            version=held.item.version,
            updated_at=_moment(held.item.updated_at),
            fields=_labels(held.item),
        )


def _gap(ref: Ref, why: Why, detail: str) -> Unreadable:
    return Unreadable(hop=Hop.VAULT, ref=ref, why=why, detail=detail)


class _FieldFault(ConnectError):
    """A field is missing, or exists twice; `labels` are those of the item."""

    def __init__(self, message: str, *, fault: VaultFault, labels: tuple[str, ...]) -> None:
        super().__init__(message, fault=fault)
        self.labels = labels


def _field(item: Item, name: str) -> VaultField:
    """Return the field with this label; if there is none, with the label that is delivered so."""
    found = [field for field in item.fields if field.label == name]
    found = found or [field for field in item.fields if name in delivered_names(field.label)]
    if len(found) == 1:
        return found[0]
    raise _FieldFault(
        f"the item has {len(found) or 'no'} field{'s' if found else ''} labelled `{name}`",
        fault=VaultFault.FIELD_AMBIGUOUS if found else VaultFault.FIELD_NOT_FOUND,
        labels=_labels(item),
    )


def _labels(item: Item) -> tuple[str, ...]:
    return tuple(field.label for field in item.fields if field.label)


def _as_text(pair: KeyPair) -> tuple[str, str]:
    """Return both halves as valid JSON text; never half a pair, never an empty one."""
    if not pair.access_key_id or not pair.secret_access_key:
        raise NeedsHuman("a pair with an empty half is not written to the vault")
    try:
        return pair.access_key_id.reveal().decode(), pair.secret_access_key.reveal().decode()
    except UnicodeDecodeError:
        pass
    raise NeedsHuman("the pair is not text, 1Password cannot hold it")


def _changes(held: _Held, values: tuple[str, str]) -> tuple[ItemChange, ...]:
    return tuple(
        # A field that was never filled has no value to replace.
        ItemChange(
            op="add" if field.value is None else "replace",
            path=f"/fields/{field.id}/value",
            value=value,
        )
        for field, value in zip((held.id_field, held.secret_field), values, strict=True)
    )


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_action(error: ConnectError, ref: Ref) -> LokeysError:
    """Return what a writer must do about `error`."""
    message = f"{ref}: {error.fault}: {error}"
    match error.fault:
        case VaultFault.UNREACHABLE:
            return Transient(message) if error.status else Unreachable(message)
        case VaultFault.RATE_LIMITED:
            return Throttled(message, retry_after_s=error.retry_after_s)
        case VaultFault.NOT_CONNECT:
            return Transient(message)
        case VaultFault.ITEM_AMBIGUOUS:
            return Conflict(message)  # the next look finds it, and says what a person can do
        case VaultFault.VAULT_FORBIDDEN:
            return NeedsHuman(f"{ref}: {VaultFault.READ_ONLY}: give the token write access")
    return NeedsHuman(message)


_REASONS = (
    (NotAllowed, Why.URL_NOT_ALLOWED),
    (NotShared, Why.NOT_ALLOWED),
    (NotFound, Why.NOT_FOUND),
    (Forbidden, Why.FORBIDDEN),
    (Transient, Why.UNREACHABLE),
    (NotReadable, Why.GARBLED),
)


def _why(error: LokeysError) -> Why:
    return next((why for kind, why in _REASONS if isinstance(error, kind)), Why.NOT_FOUND)
