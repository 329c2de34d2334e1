# SPDX-License-Identifier: Apache-2.0
"""The staging Secret: lokeys' own copy of a pair that pods hold, and until when it may be valid.

It belongs to the StorageCredential and is deleted with it, and that one stays until the bridge, or
the rotation, has ended (`lokeys.dev/bridge`, a finalizer). Its annotations have what a lost status
cannot say any more. They count only with their seal, which needs the fingerprints' key: a writer of
Secrets here must not be able to have a key added or another one retired.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from lokeys.adapters.kubernetes.cluster import Cluster, unreadable
from lokeys.adapters.kubernetes.objects import LiveObjects
from lokeys.adapters.kubernetes.pairs import data_of, pair_of
from lokeys.core.findings.finding import time_to_json
from lokeys.core.kubernetes.json_fields import Json, at, moment_at, text_at
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import PairKeys, RouteSpec, staging_name
from lokeys.core.route.snapshot import KeptPair, Unreadable, Why
from lokeys.core.route.standing import FINALIZER
from lokeys.core.sensitive import KeyPair, Sensitive
from lokeys.errors import Conflict, LokeysError, NeedsHuman, NotFound
from lokeys.kube.resources import SECRET, STORAGE_CREDENTIAL
from lokeys.ports import KeptFor, Reading

_KEYS = PairKeys(access_key_id="accessKeyId", secret_access_key="secretAccessKey")
_LABELS = {"app.kubernetes.io/managed-by": "lokeys", "lokeys.dev/staging": "true"}
_SOURCE, _SINCE, _UNTIL = (f"lokeys.dev/bridge-{word}" for word in ("source", "since", "until"))
_SEAL = "lokeys.dev/bridge-seal"
_LONGEST_SOURCE = 2048


@dataclass(frozen=True, slots=True)
class StagingSecret:
    """A `StagingPort` on one Secret in the route's own namespace."""

    cluster: Cluster
    spec: RouteSpec

    @property
    def ref(self) -> Ref:
        """Return the Secret."""
        return Ref("Secret", staging_name(self.spec.name), self.spec.namespace)

    @property
    def _live(self) -> LiveObjects:
        """Return what is read before a write: never from a cache, and not watched."""
        return LiveObjects(self.cluster.api)

    async def read(self) -> Reading[KeptPair]:
        """Return what is kept; a Secret of that name that is not ours counts as unreadable."""
        try:
            secret = await self.cluster.objects.get(self.ref)
        except NotFound:
            return Reading()
        except LokeysError as error:
            return Reading(gaps=(unreadable(error, hop=Hop.SECRET, ref=self.ref),))
        if not _is_ours(secret):
            return Reading(gaps=(Unreadable(hop=Hop.SECRET, ref=self.ref, why=Why.ANOTHERS),))
        pair = pair_of(secret, _KEYS)
        return Reading(state=self._state(secret, pair), pair=pair)

    async def keep(self, pair: KeyPair, *, purpose: KeptFor) -> None:
        """Keep a pair, instead of any previous one. Raises NeedsHuman, Conflict."""
        labels, annotations = _LABELS, self._annotations(pair, purpose)
        owner = await self._owner()
        if purpose.until is not None:
            await self._hold(owner, held=True)
        try:
            found = await self._live.get(self.ref)
        except NotFound:
            await self._create(pair, annotations, owner)
            return
        if not _is_ours(found):
            raise NeedsHuman(f"{self.ref} is not of lokeys' making: rename it, or delete it")
        body = {
            "metadata": {**_precondition(found), "labels": labels, "annotations": annotations},
            "data": data_of(pair, _KEYS),
        }
        await self.cluster.api.merge_patch(
            SECRET, self.ref.name, body, namespace=self.ref.namespace
        )

    async def hold(self) -> None:
        """Keep the StorageCredential until what is kept is dropped. Raises Conflict if it is gone.

        From here on the store may know the key, which deleting the copy would not remove.
        """
        await self._hold(await self._owner(), held=True)

    async def drop(self) -> None:
        """Release the StorageCredential, and delete what is kept; other Secrets are not touched.

        In this order: the Secret is deleted with its owner, but nothing would remove the finalizer.
        """
        with contextlib.suppress(NotFound):
            await self._hold(await self._live.get(self.spec.ref), held=False)
        with contextlib.suppress(NotFound):
            found = await self._live.get(self.ref)
            if _is_ours(found):
                await self._delete(found)

    async def _delete(self, found: Json) -> None:
        precondition = _precondition(found)
        await self.cluster.api.delete(
            SECRET,
            self.ref.name,
            namespace=self.ref.namespace,
            uid=precondition["uid"],
            resource_version=precondition["resourceVersion"],
        )

    async def _owner(self) -> Json:
        """Return the StorageCredential. Raises Conflict if it no longer exists."""
        try:
            return await self._live.get(self.spec.ref)
        except NotFound as error:
            raise Conflict(f"{self.spec.ref} is gone") from error

    async def _hold(self, owner: Json, *, held: bool) -> None:
        """Write or remove the finalizer, on the very resource that was read."""
        known = at(owner, "metadata", "finalizers")
        others = [each for each in known or () if each != FINALIZER]
        wanted = [*others, FINALIZER] if held else others
        if wanted == (known or []):
            return
        body = {"metadata": {**_precondition(owner), "finalizers": wanted}}
        with contextlib.suppress(NotFound):
            await self.cluster.api.merge_patch(
                STORAGE_CREDENTIAL, self.spec.name, body, namespace=self.ref.namespace
            )

    async def _create(self, pair: KeyPair, annotations: dict[str, str], owner: Json) -> None:
        belongs = {
            "apiVersion": STORAGE_CREDENTIAL.api_version,
            "kind": STORAGE_CREDENTIAL.kind,
            "name": self.spec.name,
            "uid": text_at(owner, "metadata", "uid"),
        }
        metadata: dict[str, Any] = {
            "name": self.ref.name,
            "namespace": self.ref.namespace,
            "labels": _LABELS,
            "annotations": annotations,
            "ownerReferences": [belongs],
        }
        data = data_of(pair, _KEYS)
        await self.cluster.api.create(
            SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        )

    def _annotations(self, pair: KeyPair, purpose: KeptFor) -> dict[str, str]:
        said = {
            _SOURCE: purpose.source,
            _SINCE: time_to_json(purpose.since) or "",
            _UNTIL: time_to_json(purpose.until) or "",
        }
        return {**said, _SEAL: self._seal(pair, said)}

    def _seal(self, pair: KeyPair, said: dict[str, str]) -> str:
        facts = self.cluster.fingerprinter.describe(pair)
        words = (self.spec.route, facts.pair, said[_SOURCE], said[_SINCE], said[_UNTIL])
        return self.cluster.fingerprinter.of(Sensitive("\0".join(words)), purpose="bridge")

    def _state(self, secret: Json, pair: KeyPair) -> KeptPair:
        metadata = ("metadata", "annotations")
        said = {name: text_at(secret, *metadata, name) for name in (_SOURCE, _SINCE, _UNTIL)}
        seal = text_at(secret, *metadata, _SEAL)
        return KeptPair(
            ref=self.ref,
            uid=text_at(secret, "metadata", "uid"),
            resource_version=text_at(secret, "metadata", "resourceVersion"),
            pair=self.cluster.fingerprinter.describe(pair),
            source=said[_SOURCE][:_LONGEST_SOURCE],
            since=moment_at(secret, *metadata, _SINCE),
            until=moment_at(secret, *metadata, _UNTIL),
            sealed=seal == self._seal(pair, said),
        )


def _is_ours(secret: Json) -> bool:
    return all(
        text_at(secret, "metadata", "labels", key) == value for key, value in _LABELS.items()
    )


def _precondition(found: Json) -> dict[str, str]:
    return {
        "uid": text_at(found, "metadata", "uid"),
        "resourceVersion": text_at(found, "metadata", "resourceVersion"),
    }
