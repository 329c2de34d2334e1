# SPDX-License-Identifier: Apache-2.0
"""Rook's CephObjectStoreUser as a source, and any plain Secret as one.

Without `spec.keys` Rook keeps one key that it chooses in the generated Secret. With `spec.keys` the
referenced Secrets count and the generated one is blank: it is never read then.

Which pair is the source's when `spec.keys` lists several? The order of the list has no meaning for
Rook. If lokeys made the Secret of the first entry, lokeys put it there, and it is the one. If a
person wrote the list, nothing decides: all are slots, and the route names its current one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx2

from lokeys.adapters.ceph.rgw import AdminApi, hint_of, not_allowed_url, slots_of, why_unreadable
from lokeys.adapters.kubernetes.cluster import (
    Cluster,
    events_of,
    quotable,
    unreadable,
)
from lokeys.adapters.kubernetes.consents import named_by, secret_consent
from lokeys.adapters.kubernetes.pairs import pair_of, value_of
from lokeys.adapters.kubernetes.secret_source import SourceReader, not_allowed
from lokeys.core.kubernetes import rook
from lokeys.core.kubernetes.consent import (
    NO_CONSENT,
    Consent,
    Origin,
    allowed_urls,
    origins,
)
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, number_at, text_at
from lokeys.core.kubernetes.ways import MOST_OBJECTS, leading_to
from lokeys.core.place import Hop, Ref
from lokeys.core.route import model
from lokeys.core.route.bridging import allowed_bridge
from lokeys.core.route.model import PairKeys, RookSource
from lokeys.core.route.slots import Slot, merged
from lokeys.core.route.snapshot import RookUser, SourceState, Unreadable, Why
from lokeys.core.sensitive import KeyPair
from lokeys.errors import Conflict, Forbidden, LokeysError, NeedsHuman, NotFound
from lokeys.kube.client import Object
from lokeys.kube.resources import CEPH_OBJECT_STORE_USER, SECRET
from lokeys.ports import Reading

GENERATED_KEYS = PairKeys(access_key_id="AccessKey", secret_access_key="SecretKey")
REFRESH_KEY = "lokeys-refresh"
MAX_PAIRS = 16
"""Limit for `spec.keys`: each names two Secrets, and all of them are read at each look."""
_READY_STORE = frozenset({"Ready", "Connected"})

AdminLook = Callable[[], Awaitable[AdminApi]]
"""Returns RGW's admin API with the current admin pair."""


def admin_look(
    cluster: Cluster, admin: model.RgwAdmin, *, namespace: str, client: httpx2.AsyncClient
) -> AdminLook:
    """Return a way to RGW's admin API that reads its pair from the Secret each time."""

    async def look() -> AdminApi:
        secret = await cluster.objects.get(Ref("Secret", admin.secret.name, namespace))
        consent = secret_consent(secret, at_home=True)
        pair = pair_of(secret, admin.secret.keys)
        return AdminApi(admin.endpoint, pair, client, cluster.clock, consent=consent)

    return look


class RookSourcePort:
    """A `SourcePort` on a CephObjectStoreUser; `look` shows RGW's own list of keys."""

    def __init__(
        self,
        cluster: Cluster,
        source: RookSource,
        *,
        reader: SourceReader,
        look: AdminLook | None = None,
    ) -> None:
        self._cluster = cluster
        self._source = source
        self._reader = reader
        self._look = look
        self._ref = Ref("CephObjectStoreUser", source.user, source.namespace)

    async def read(self) -> Reading[SourceState]:
        """Return what the user offers now; nothing if its owner has not allowed us."""
        try:
            user = await self._cluster.objects.get(self._ref)
        except LokeysError as error:
            return Reading(gaps=(unreadable(error, hop=Hop.SOURCE, ref=self._ref),))
        if not self._reader.may_read(user):
            return Reading(gaps=(not_allowed(self._ref),))
        keys = rook.key_secrets(user)
        if keys.entries:
            held = await self._from_references(user, keys)
        else:
            held = await self._from_generated(user, keys.generated)
        object_store = await self._object_store(user, keys.store)
        held.consent = await self._consent(
            object_store,
            listed=origins([held.endpoint]) | allowed_urls(user),
            bridge=allowed_bridge(user),
        )
        held.rook = replace(
            await self._rook_user(user, keys.store, object_store),
            uses_spec_keys=bool(keys.entries),
            reads_generated_secret=held.reads_generated,
            key_secrets_applied=held.applied,
        )
        return await self._reading(held)

    async def refresh(self) -> None:
        """Add a data key to the generated Secret: Rook reads RGW and overwrites it at once."""
        user = await self._cluster.objects.get(self._ref)
        if not self._reader.may_read(user):
            raise Forbidden(f"{self._ref} does not allow namespace {self._reader.namespace}")
        keys = rook.key_secrets(user)
        if keys.entries:
            raise NeedsHuman(f"{self._ref} has spec.keys: its generated Secret is blank on purpose")
        secret = await self._cluster.objects.get(keys.generated)
        if not rook.is_generated_for(secret, user):
            raise Forbidden(f"{keys.generated} was not made for {self._ref}")
        moment = b64encode(self._cluster.clock().isoformat().encode()).decode()
        patch: Object = {
            "metadata": {"uid": text_at(secret, "metadata", "uid")},
            "data": {REFRESH_KEY: moment},
        }
        await self._cluster.api.merge_patch(
            SECRET, keys.generated.name, patch, namespace=self._ref.namespace
        )

    async def ensure_user(self) -> bool:
        """Create the CephObjectStoreUser if there is none; return whether this call created it."""
        try:
            user = await self._cluster.objects.get(self._ref)
        except NotFound:
            return await self._create_user()
        store, named = rook.key_secrets(user).store, self._source.store
        if named is not None and named != store:
            raise NeedsHuman(f"{self._ref} is a user of store {store}, not of {named}")
        return False

    async def _create_user(self) -> bool:
        foreign = self._source.namespace != self._reader.namespace
        if foreign and not self._reader.callers_rights:
            raise NeedsHuman(f"{self._ref} does not exist; its namespace must make it itself")
        if self._source.store is None:
            raise NeedsHuman(f"{self._ref} can only be made if `spec.source.rook.store` is given")
        body = {
            "apiVersion": CEPH_OBJECT_STORE_USER.api_version,
            "kind": CEPH_OBJECT_STORE_USER.kind,
            "metadata": {"name": self._ref.name, "namespace": self._ref.namespace},
            "spec": {"store": self._source.store, "displayName": self._ref.name},
        }
        try:
            await self._cluster.api.create(CEPH_OBJECT_STORE_USER, body)
        except Conflict:
            return False
        return True

    async def _from_generated(self, user: Json, ref: Ref) -> _Held:
        held = _Held(ref=ref)
        secret = await self._secret(ref, held)
        if secret is not None and not rook.is_generated_for(secret, user):
            held.gaps.append(Unreadable(hop=Hop.SOURCE, ref=ref, why=Why.ANOTHERS))
        elif secret is not None:
            held.pair = pair_of(secret, GENERATED_KEYS)
            held.resource_version = text_at(secret, "metadata", "resourceVersion")
            held.endpoint = value_of(secret, "Endpoint").reveal_text()
        return held

    async def _from_references(self, user: Json, keys: rook.KeySecrets) -> _Held:
        """Read the Secrets that `spec.keys` names, except for the generated one."""
        if len(keys.entries) > MAX_PAIRS:
            held = _Held(ref=self._ref, applied=False)
            held.gaps.append(self._several(len(keys.entries)))
            return held
        first = next((name for (name, _), _ in keys.entries if name), keys.generated.name)
        held = _Held(ref=Ref("Secret", first, self._ref.namespace))
        held.reads_generated = keys.generated.name in keys.named
        secrets: dict[str, Json] = {}
        for name in keys.named:
            if name == keys.generated.name:
                continue
            found = await self._secret(Ref("Secret", name, self._ref.namespace), held)
            if found is not None:
                secrets[name] = found
        held.applied = _all_applied(user, secrets) and len(secrets) == len(keys.named)
        pairs = [(pair_at(secrets, *entry), entry[0][0]) for entry in keys.entries]
        known = [(pair, name) for pair, name in pairs if pair is not None]
        if len(known) < len(pairs):
            return held  # it is not known which key's Secret is missing
        held.declared = tuple(known)
        ours = rook.is_slot_of(secrets[first], user)
        if ours or all(pair == known[0][0] for pair, _ in known):
            held.pair, held.ours = known[0][0], ours
            held.resource_version = text_at(secrets[first], "metadata", "resourceVersion")
        return held

    def _several(self, count: int) -> Unreadable:
        detail = f"spec.keys lists {count} pairs, and no more than {MAX_PAIRS} are read"
        return Unreadable(hop=Hop.SOURCE, ref=self._ref, why=Why.NOT_SUPPORTED, detail=detail)

    async def _secret(self, ref: Ref, held: _Held) -> Json | None:
        try:
            return await self._cluster.objects.get(ref)
        except LokeysError as error:
            held.gaps.append(unreadable(error, hop=Hop.SOURCE, ref=ref))
        return None

    async def _rook_user(self, user: Json, store: str, object_store: Json | None) -> RookUser:
        phase = text_at(user, "status", "phase")
        generation = number_at(user, "metadata", "generation")
        observed = number_at(user, "status", "observedGeneration")
        deleting = at(user, "metadata", "deletionTimestamp") is not None
        message = ""
        if deleting or phase != "Ready" or observed != generation:
            events = await events_of(self._cluster.objects, self._ref, reason="ReconcileFailed")
            message = quotable(text_at(events[0], "message")) if events else ""
        return RookUser(
            phase=phase,
            generation=generation,
            observed_generation=observed,
            deleting=deleting,
            message=message,
            store=store,
            store_ready=_is_ready(object_store),
        )

    async def _object_store(self, user: Json, store: str) -> Json | None:
        namespace = text_at(user, "spec", "clusterNamespace") or self._ref.namespace
        try:
            return await self._cluster.objects.get(Ref("CephObjectStore", store, namespace))
        except LokeysError:
            return None

    async def _consent(
        self,
        object_store: Json | None,
        *,
        listed: frozenset[Origin],
        bridge: timedelta | None,
    ) -> Consent:
        """Return where keys may go; Services and Ingresses are read only if nothing else decides.

        What cannot be read allows nothing.
        """
        said = Consent(named=named_by(object_store), listed=listed, bridge=bridge)
        if self._reader.callers_rights or said.names(self._reader.endpoint) or not object_store:
            return said
        namespace = text_at(object_store, "metadata", "namespace")
        found: list[list[Json]] = []
        for kind in ("Service", "Ingress"):
            try:
                objects = await self._cluster.objects.list(kind, namespace=namespace)
            except LokeysError:
                objects = []
            found.append(objects[:MOST_OBJECTS])
        leading = leading_to(object_store, *found)
        return replace(said, named=said.named | leading)

    async def _reading(self, held: _Held) -> Reading[SourceState]:
        describe = self._cluster.fingerprinter.describe
        state = SourceState(
            ref=held.ref,
            owner=self._ref,
            pair=describe(held.pair) if held.pair else None,
            resource_version=held.resource_version,
            rook=held.rook,
            slots=self._declared(held),
            consent=held.consent,
        )
        state = await self._with_listed(state, held)
        pairs = {describe(pair).pair: pair for pair, _ in held.declared}
        return Reading(state=state, pair=held.pair, pairs=pairs, gaps=tuple(held.gaps))

    def _declared(self, held: _Held) -> tuple[Slot, ...] | None:
        """Return the keys that `spec.keys` declares, the smallest id first; None without it."""
        names = {pair.access_key_id.reveal(): (pair, name) for pair, name in held.declared}
        described = [
            (self._cluster.fingerprinter.describe(pair), pair, name)
            for _, (pair, name) in sorted(names.items())
        ]
        offered = held.declared[0][0] if held.ours else None
        slots = tuple(
            Slot(
                key_id=facts.key_id,
                facts=facts,
                hint=hint_of(pair),
                order=order,
                offered=pair == offered,
                declared_by=name,
                listed=None,
            )
            for order, (facts, pair, name) in enumerate(described)
        )
        return slots or None

    async def _with_listed(self, state: SourceState, held: _Held) -> SourceState:
        """Return the state with RGW's own list of keys, if two owners allow the request.

        The source's, because a false list could make Rook delete keys. And the admin key's: whoever
        gets a request that it has signed can pass it on to RGW, which answers with a user's keys.
        """
        admin, free = self._source.admin, self._reader.callers_rights
        if admin is None or self._look is None:
            return state
        if not (free or held.consent.covers(admin.endpoint)):
            held.gaps.append(not_allowed_url(self._ref, admin.endpoint))
            return state
        try:
            api = await self._look()
            if not (
                free or held.consent.names(admin.endpoint) or api.consent.covers(admin.endpoint)
            ):
                secret = Ref("Secret", admin.secret.name, self._reader.namespace)
                held.gaps.append(not_allowed_url(secret, admin.endpoint))
                return state
            user = await api.user(self._ref.name)
        except LokeysError as error:
            gap = unreadable(error, hop=Hop.SOURCE, ref=Ref("RGWUser", self._ref.name))
            held.gaps.append(replace(gap, why=why_unreadable(error)))
            return state
        listed = slots_of(user, self._cluster.fingerprinter)
        if state.slots is None:
            offered = state.pair.pair if state.pair else None
            slots = tuple(replace(slot, offered=slot.pair == offered) for slot in listed)
        else:
            slots = merged(state.slots, listed)
        return replace(state, slots=slots, suspended=user.suspended)


@dataclass(kw_only=True)
class _Held:
    """What one look at the source's Secrets has read so far."""

    ref: Ref
    pair: KeyPair | None = field(default=None, repr=False)
    resource_version: str = ""
    applied: bool = True
    reads_generated: bool = False
    declared: tuple[tuple[KeyPair, str], ...] = ()
    """The pairs of `spec.keys` in order, each with the Secret of its id."""
    ours: bool = False
    """Whether lokeys made the first of those Secrets."""
    rook: RookUser | None = None
    endpoint: str = ""
    consent: Consent = NO_CONSENT
    gaps: list[Unreadable] = field(default_factory=list)


def _is_ready(object_store: Json | None) -> bool | None:
    phase = text_at(object_store, "status", "phase")
    return phase in _READY_STORE if phase else None


def pair_at(
    secrets: dict[str, Json], key_id: tuple[str, str], secret: tuple[str, str]
) -> KeyPair | None:
    """Return the pair of one entry of `spec.keys`, None if a Secret could not be read."""
    if key_id[0] not in secrets or secret[0] not in secrets:
        return None
    return KeyPair(
        access_key_id=value_of(secrets[key_id[0]], key_id[1]),
        secret_access_key=value_of(secrets[secret[0]], secret[1]),
    )


def _all_applied(user: Json, secrets: dict[str, Json]) -> bool:
    """Tell whether status.keys shows each Secret in its current version."""
    applied = {
        (text_at(entry, "name"), text_at(entry, "resourceVersion"))
        for entry in mappings_at(user, "status", "keys")
    }
    present = {
        (name, text_at(secret, "metadata", "resourceVersion")) for name, secret in secrets.items()
    }
    return present <= applied
