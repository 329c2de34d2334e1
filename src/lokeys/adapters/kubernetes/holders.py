# SPDX-License-Identifier: Apache-2.0
"""Who else holds a key, as far as the caller's permissions allow: Secrets, ConfigMaps and pods.

Every value that contains the key's id counts. A pod that reads the delivered Secret and has run
since before its content changed counts, too: it started with the old key.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lokeys.adapters.kubernetes.cluster import Cluster
from lokeys.adapters.kubernetes.pods import containers_of, is_over, reads, ref_of
from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, moment_at, text_at
from lokeys.core.place import Ref
from lokeys.core.route.model import RouteSpec, staging_name
from lokeys.core.route.rotation.holders import Holders
from lokeys.core.sensitive import KeyPair
from lokeys.errors import LokeysError

_KINDS = ("Secret", "ConfigMap", "Pod")
_SHORTEST_ID = 8
"""A shorter id could be a part of any text."""


@dataclass(frozen=True, slots=True)
class KeyHolders:
    """A `HoldersPort` of one route. `everywhere`: the caller's permissions say what may be read."""

    cluster: Cluster
    spec: RouteSpec
    everywhere: bool

    async def find(
        self, pair: KeyPair, *, changed_at: datetime | None, own: frozenset[Ref]
    ) -> Holders:
        """Return who holds the pair's id besides the route's own hops, and the source's `own`."""
        needle = pair.access_key_id.reveal()
        if len(needle) < _SHORTEST_ID:
            return Holders(unread=("the key's id is too short to be looked for",))
        if not self.everywhere:
            others = "Secrets, ConfigMaps and pods that no Role of this route names"
            return Holders(unread=(others,))
        found: list[Ref] = []
        unread: list[str] = []
        for kind in _KINDS:
            objects, gap = await self._all(kind)
            unread += gap
            found += [
                place
                for each in objects
                if (place := _ref(kind, each)) not in self._own | own
                and (_has(kind, each, needle) or self._runs_with_it(kind, each, changed_at))
            ]
        return Holders(found=tuple(sorted(found)), unread=tuple(unread))

    @property
    def _own(self) -> frozenset[Ref]:
        """Return the route's own objects with the key: its gates check these."""
        home = self.spec.namespace
        return frozenset({self.spec.secret_ref, Ref("Secret", staging_name(self.spec.name), home)})

    async def _all(self, kind: str) -> tuple[list[Mapping[str, Any]], list[str]]:
        """Return all objects of a kind that may be read, and what could not be read."""
        try:
            return await self.cluster.objects.list(kind, namespace=None), []
        except LokeysError as everywhere:
            gap = f"{kind}s of all namespaces: {everywhere}"
        try:
            return await self.cluster.objects.list(kind, namespace=self.spec.namespace), [gap]
        except LokeysError as error:
            return [], [f"{kind}s: {error}"]

    def _runs_with_it(self, kind: str, pod: Json, changed_at: datetime | None) -> bool:
        """Tell whether another owner's pod started with the Secret's previous content."""
        if kind != "Pod" or is_over(pod) or changed_at is None:
            return False
        if text_at(pod, "metadata", "namespace") != self.spec.namespace:
            return False
        if not reads(at(pod, "spec") or {}, self.spec.secret_ref):
            return False
        started = [
            moment_at(status, "state", "running", "startedAt")
            for status in mappings_at(pod, "status", "containerStatuses")
        ]
        return any(moment is not None and moment < changed_at for moment in started)


def _ref(kind: str, found: Json) -> Ref:
    if kind == "Pod":
        return ref_of(found)
    return Ref(kind, text_at(found, "metadata", "name"), text_at(found, "metadata", "namespace"))


def _has(kind: str, found: Json, needle: bytes) -> bool:
    if kind == "Pod" and is_over(found):
        return False
    return any(needle in value for value in _values(kind, found))


def _values(kind: str, found: Json) -> Iterator[bytes]:
    if kind == "Pod":
        for container in containers_of(at(found, "spec") or {}):
            for variable in mappings_at(container, "env"):
                yield text_at(variable, "value").encode(errors="surrogatepass")
            for word in (*(at(container, "command") or ()), *(at(container, "args") or ())):
                yield str(word).encode(errors="surrogatepass")
        return
    for part, coded in (("data", kind == "Secret"), ("binaryData", True)):
        data = at(found, part)
        for value in data.values() if isinstance(data, Mapping) else ():
            if isinstance(value, str):
                yield _decoded(value) if coded else value.encode(errors="surrogatepass")


def _decoded(value: str) -> bytes:
    try:
        return b64decode(value)
    except (Base64Error, ValueError):
        return b""
