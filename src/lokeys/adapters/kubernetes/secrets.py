# SPDX-License-Identifier: Apache-2.0
"""The Secret that Loki reads: its content, since when, and the three ways to change it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lokeys.adapters.kubernetes.cluster import Cluster, unreadable
from lokeys.adapters.kubernetes.pairs import data_of, pair_in
from lokeys.core.kubernetes.consent import Consent, allowed_urls
from lokeys.core.kubernetes.json_fields import Json, at, text_at
from lokeys.core.kubernetes.references import controller_of
from lokeys.core.kubernetes.written import data_written_at
from lokeys.core.place import Hop, Ref
from lokeys.core.route.made import known_maker
from lokeys.core.route.model import SecretRef
from lokeys.core.route.snapshot import SecretState
from lokeys.core.sensitive import KeyPair
from lokeys.errors import Conflict, LokeysError, NeedsHuman, NotFound
from lokeys.kube.resources import SECRET
from lokeys.ports import Reading

FIELD_MANAGER = "lokeys"
_ESO = "reconcile.external-secrets.io"
_DATA_HASH = f"{_ESO}/data-hash"


def state_of(secret: Json, place: SecretRef, cluster: Cluster) -> SecretState:
    """Return what may be known about a Secret."""
    metadata = at(secret, "metadata")
    namespace = text_at(metadata, "namespace")
    owner = controller_of(secret)
    return SecretState(
        ref=Ref(place.kind, text_at(metadata, "name"), namespace),
        uid=text_at(metadata, "uid"),
        resource_version=text_at(metadata, "resourceVersion"),
        pair=cluster.fingerprinter.describe(pair_in(secret, place)),
        immutable=at(secret, "immutable") is True,
        written_at=data_written_at(secret),
        managed_by_eso=_managed_by_eso(secret, owner),
        owner=Ref(text_at(owner, "kind"), text_at(owner, "name"), namespace) if owner else None,
        maker=known_maker(secret),
        consent=Consent(listed=allowed_urls(secret)),
    )


def _managed_by_eso(secret: Json, owner: Json | None) -> bool:
    labels = at(secret, "metadata", "labels")
    return (
        text_at(labels, f"{_ESO}/managed") == "true"
        or bool(text_at(labels, f"{_ESO}/created-by"))
        or text_at(owner, "kind") == "ExternalSecret"
    )


class KubernetesSecretPort:
    """A `SecretPort` on one Secret, or on a text in a Secret or ConfigMap, which is only read."""

    def __init__(
        self, cluster: Cluster, secret: SecretRef, *, namespace: str, hop: Hop = Hop.SECRET
    ) -> None:
        self._cluster = cluster
        self._place = secret
        self._keys = secret.keys
        self._ref = secret.ref(namespace)
        self._hop = hop

    async def read(self, *, bare: bool = False) -> Reading[SecretState]:
        """Return what it holds now; `bare`: without blanks at the ends, as YAML drops them."""
        try:
            secret = await self._cluster.objects.get(self._ref)
        except LokeysError as error:
            return Reading(gaps=(unreadable(error, hop=self._hop, ref=self._ref),))
        state, pair = state_of(secret, self._place, self._cluster), pair_in(secret, self._place)
        if bare:
            pair = pair.without_blanks()
            left = self._cluster.fingerprinter.describe(pair)
            state = replace(state, pair=left, dropped=state.pair.flaws - left.flaws)
        return Reading(state=state, pair=pair)

    async def spoil_data_hash(self, *, expected: SecretState) -> None:
        """Write an invalid data-hash; only while the Secret is still `expected`."""
        spoilt = f"spoilt-by-lokeys-at-{self._cluster.clock().isoformat()}"
        metadata = _precondition(expected) | {"annotations": {_DATA_HASH: spoilt}}
        with self._gone_is_conflict():
            await self._cluster.api.merge_patch(
                SECRET, self._ref.name, {"metadata": metadata}, namespace=self._ref.namespace
            )

    async def delete(self, *, expected: SecretState) -> None:
        """Delete it; only while it is still `expected`."""
        with self._gone_is_conflict():
            await self._cluster.api.delete(
                SECRET,
                self._ref.name,
                namespace=self._ref.namespace,
                uid=expected.uid,
                resource_version=expected.resource_version,
            )

    async def write(self, pair: KeyPair, *, expected: SecretState | None) -> None:
        """Write both keys in one apply; Conflict if it is no longer `expected`.

        `expected` None: the Secret must not exist yet.
        """
        self._refuse_what_must_not_travel(pair)
        if self._place.inside is not None:
            raise NeedsHuman(f"{self._ref} is a configuration: whoever renders it writes it")
        data = data_of(pair, self._keys)
        name = {"name": self._ref.name, "namespace": self._ref.namespace}
        if expected is None:
            labels = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
            body = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": name | {"labels": labels},
                "data": data,
            }
            await self._cluster.api.create(SECRET, body)
            return
        if expected.immutable:
            raise NeedsHuman(f"{self._ref} is immutable: delete it, then lokeys makes it anew")
        body = {"metadata": name | _precondition(expected), "data": data}
        with self._gone_is_conflict():
            await self._cluster.api.apply(SECRET, body, field_manager=FIELD_MANAGER)

    @contextmanager
    def _gone_is_conflict(self) -> Iterator[None]:
        """Treat a Secret that was read and is now gone like one that has changed."""
        try:
            yield
        except NotFound as error:
            raise Conflict(f"{self._ref} is gone") from error

    def _refuse_what_must_not_travel(self, pair: KeyPair) -> None:
        flaws = sorted(self._cluster.fingerprinter.describe(pair).flaws)
        if flaws:
            raise NeedsHuman(f"not written into {self._ref}: {', '.join(flaws)}")


def _precondition(expected: SecretState) -> dict[str, Any]:
    return {"uid": expected.uid, "resourceVersion": expected.resource_version}
