# SPDX-License-Identifier: Apache-2.0
"""External Secrets: the state of an ExternalSecret, and how to make it read its vault again.

Its Ready condition says that the operator has no error, not that the data is current; only an event
says why a refresh failed. Versions v1 and v1beta1 are read alike.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from lokeys.adapters.kubernetes.cluster import Cluster, events_of, quotable, unreadable
from lokeys.adapters.kubernetes.objects import as_served
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.conditions import condition_of, truth_of
from lokeys.core.kubernetes.external_secrets.reading import interval_of, read, target_of
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, moment_at, text_at
from lokeys.core.kubernetes.size import MAX_LOKI_CONFIG_VALUES
from lokeys.core.place import Hop, Ref
from lokeys.core.route.discovery.stores import place_of, provider_name
from lokeys.core.route.discovery.vault import fields_in
from lokeys.core.route.model import ExternalSecretRef, SecretRef
from lokeys.core.route.snapshot import DeliveryState, RefreshPolicy, StoreState, Unreadable
from lokeys.core.text.durations import go_duration
from lokeys.errors import LokeysError, NeedsHuman, NotFound
from lokeys.kube.client import Object
from lokeys.kube.replies import NoSuchKind
from lokeys.kube.resources import Resource
from lokeys.ports import Reading

_PARSE = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)
FORCE_SYNC = "lokeys.dev/force-sync"


def store_state(ref: Ref, store: Json) -> StoreState:
    """Return a store's own status."""
    ready = condition_of(store)
    return StoreState(
        ref=ref,
        ready=truth_of(ready),
        reason=text_at(ready, "reason"),
        message=quotable(text_at(ready, "message")),
        connect_host=text_at(store, "spec", "provider", "onepassword", "connectHost") or None,
        provider=provider_name(store),
    )


def delivery_state(external_secret: Json, pair: SecretRef | None = None) -> DeliveryState:
    """Return an ExternalSecret's own status, without its surroundings.

    `pair` is where in its Secret the pair is.
    """
    ready = condition_of(external_secret)
    said = read(external_secret)
    policy = said.refresh_policy
    return DeliveryState(
        ref=said.ref,
        target=said.target,
        refresh_policy=RefreshPolicy(policy) if policy in _POLICIES else RefreshPolicy.PERIODIC,
        refresh_interval=go_duration(said.interval),
        refresh_interval_text=said.interval,
        creation_policy=said.creation_policy,
        immutable=said.immutable,
        ready=truth_of(ready),
        reason=text_at(ready, "reason"),
        message=quotable(text_at(ready, "message")),
        synced_version=text_at(external_secret, "status", "syncedResourceVersion"),
        refreshed_at=moment_at(external_secret, "status", "refreshTime"),
        reads_whole_item=said.reads_whole_item,
        place=place_of(fields_in(said, pair, _PARSE)) if pair else "",
    )


_POLICIES = frozenset(policy.value for policy in RefreshPolicy)


class ExternalSecretPort:
    """A `DeliveryPort` on one ExternalSecret."""

    def __init__(
        self,
        cluster: Cluster,
        external_secret: ExternalSecretRef,
        *,
        namespace: str,
        pair: SecretRef | None = None,
    ) -> None:
        self._cluster = cluster
        self._pair = pair
        self._ref = Ref("ExternalSecret", external_secret.name, namespace)

    async def read(self) -> Reading[DeliveryState]:
        """Return its state, its store's, and who else claims its target."""
        try:
            found = await self._cluster.objects.get(self._ref)
        except LokeysError as error:
            return Reading(gaps=(unreadable(error, hop=Hop.DELIVERY, ref=self._ref),))
        gaps: list[Unreadable] = []
        state = delivery_state(found, self._pair)
        words: dict[str, Any] = {
            "store": await self._store(found, gaps),
            "stopped_by": await self._stopped_by(),
        }
        if state.ready is False:
            words["last_event"] = await self._last_failure()
            if "owned by another" in state.message:
                words["target_owner"] = await self._target_owner(state.target)
        return Reading(state=replace(state, **words), gaps=tuple(gaps))

    async def force_sync(self) -> None:
        """Annotate it with a new value, so that the operator reads the vault again."""
        await self._annotate(self._ref)

    async def revalidate_store(self) -> None:
        """Annotate its store with a new value, so that the operator checks it again."""
        store = _store_ref(await self._cluster.objects.get(self._ref))
        if store is None:
            raise NeedsHuman(f"{self._ref} names no store")
        await self._annotate(store)

    async def _annotate(self, ref: Ref) -> None:
        annotations = {FORCE_SYNC: self._cluster.clock().isoformat()}
        patch: Object = {"metadata": {"annotations": annotations}}

        async def call(resource: Resource) -> None:
            await self._cluster.api.merge_patch(resource, ref.name, patch, namespace=ref.namespace)

        await as_served(ref.kind, call)

    async def _store(self, external_secret: Json, gaps: list[Unreadable]) -> StoreState | None:
        ref = _store_ref(external_secret)
        if ref is None:
            return None
        try:
            return store_state(ref, await self._cluster.objects.get(ref))
        except NoSuchKind as error:
            gaps.append(unreadable(error, hop=Hop.DELIVERY, ref=ref))
        except NotFound:
            return StoreState(ref=ref, exists=False)
        except LokeysError as error:
            gaps.append(unreadable(error, hop=Hop.DELIVERY, ref=ref))
        return None

    async def _stopped_by(self) -> tuple[Ref, ...]:
        """Return ExternalSecrets whose interval stops all of them, as far as we may read them.

        A missing permission is not reported here: the route's own state is enough.
        """
        for namespace in (None, self._ref.namespace):
            try:
                found = await self._cluster.objects.list("ExternalSecret", namespace=namespace)
            except LokeysError:
                continue
            refs = (_ref_of(each) for each in found if go_duration(interval_of(each)) is None)
            return tuple(sorted(ref for ref in refs if ref != self._ref))
        return ()

    async def _last_failure(self) -> str:
        events = await events_of(self._cluster.objects, self._ref, reason="UpdateFailed")
        return quotable(text_at(events[0], "message")) if events else ""

    async def _target_owner(self, target: str) -> Ref | None:
        """Return the ExternalSecret that owns our target: its ownerReference, otherwise by name."""
        namespace = self._ref.namespace
        owners: list[Json] = []
        claims: list[Json] = []
        try:
            secret = await self._cluster.objects.get(Ref("Secret", target, namespace))
            owners = mappings_at(secret, "metadata", "ownerReferences")
            claims = await self._cluster.objects.list("ExternalSecret", namespace=namespace)
        except LokeysError:
            pass  # the condition's own message is reported anyway
        named = [
            text_at(owner, "name") for owner in owners if text_at(owner, "kind") == "ExternalSecret"
        ]
        named += sorted(_ref_of(each).name for each in claims if target_of(each) == target)
        others = (name for name in named if name != self._ref.name)
        name = next(others, None)
        return Ref("ExternalSecret", name, namespace) if name else None


def _ref_of(external_secret: Json) -> Ref:
    metadata = at(external_secret, "metadata")
    return Ref("ExternalSecret", text_at(metadata, "name"), text_at(metadata, "namespace"))


def _store_ref(external_secret: Json) -> Ref | None:
    return next(iter(read(external_secret).stores), None)
