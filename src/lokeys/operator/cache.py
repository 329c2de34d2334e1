# SPDX-License-Identifier: Apache-2.0
"""What a look reads is watched from then on.

One `RouteObjects` per route serves its adapters' reads from informers, and starts an informer for
everything that is read for the first time. So no list of a route's dependencies is needed: a change
of anything that the last looks read by name or by labels puts the route back into the queue, and
what no look reads any more is no longer watched. A kind that is listed completely (all
ExternalSecrets, all disruption budgets) is background: its thousand objects change all the time,
and if each change woke a thousand routes they would never rest. The next look sees the change.

Secrets are watched by name and metadata-only; their data is read if the version has changed.
ConfigMaps are also watched by name, as they may be large; other kinds by namespace, so that many
routes share few watches.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lokeys.adapters.kubernetes.objects import LiveObjects, resources_of
from lokeys.core.kubernetes.size import MAX_READ_BYTES, in_kib, is_within
from lokeys.core.place import Ref
from lokeys.errors import NotFound, NotReadable
from lokeys.kube.client import Object
from lokeys.kube.informer import Informer, InformerSet, Scope, Subscription
from lokeys.kube.selectors import matches

FIRST_LIST_TAKES_S = 5.0
"""How long a read waits for a new informer before it asks the API server itself."""
_FOLLOWED_ALONE = frozenset({"Secret", "ConfigMap"})
KEPT_LOOKS = 3
"""What this many consecutive looks did not read is no longer watched."""


class RouteObjects:
    """An `Objects` for one route, served from shared informers."""

    def __init__(
        self, informers: InformerSet, live: LiveObjects, *, on_change: Callable[[], None]
    ) -> None:
        self.bypass = False
        """While True every read asks the API server: a heal needs current data."""
        self._informers = informers
        self._live = live
        self._on_change = on_change
        self._followed: dict[Scope, _Followed] = {}
        self._secrets: dict[Ref, Mapping[str, Any]] = {}
        self._looks = 0

    async def get(self, ref: Ref) -> Mapping[str, Any]:
        """Return the object; raises NotFound, Forbidden, Unreachable, NotReadable if too large."""
        informer = await self._informer(_scope_of_one(ref), name=ref.name)
        if informer is None or self.bypass:
            found = await self._live.get(ref)
        else:
            seen = informer.get(ref.namespace, ref.name)
            if seen is None:
                raise NotFound(f"{ref} does not exist")
            found = await self._with_data(ref, seen) if ref.kind == "Secret" else seen
        if ref.kind == "Secret":
            self._secrets[ref] = found
        if ref.kind not in _FOLLOWED_ALONE and not is_within(found, MAX_READ_BYTES):
            raise NotReadable(f"{ref} is larger than {in_kib(MAX_READ_BYTES)}")
        return found

    async def list(
        self, kind: str, *, namespace: str | None, labels: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the objects of a kind; `namespace` None means all."""
        scope = Scope(resource=resources_of(kind)[0], namespace=namespace)
        informer = await self._informer(scope, labels=labels)
        if informer is None or self.bypass:
            return await self._live.list(kind, namespace=namespace, labels=labels)
        return [obj for obj in informer.items() if matches(obj, labels)]

    async def events(self, about: Ref, *, reason: str) -> Sequence[Mapping[str, Any]]:
        """Return the events with this reason about an object; events are not watched."""
        return await self._live.events(about, reason=reason)

    async def log(self, pod: Ref, *, container: str, lines: int, max_bytes: int) -> str:
        """Return the end of a container's log; raises BadInput if it has not started."""
        return await self._live.log(pod, container=container, lines=lines, max_bytes=max_bytes)

    def end_of_look(self) -> None:
        """Stop watching what the last looks have not read."""
        self._looks += 1
        for scope, followed in tuple(self._followed.items()):
            if self._looks - followed.read_at > KEPT_LOOKS:
                followed.close()
                del self._followed[scope]
        for ref in self.kept_secrets:
            if _scope_of_one(ref) not in self._followed:
                del self._secrets[ref]

    @property
    def blind(self) -> bool:
        """Tell whether the last looks had to read without a watch: a later change wakes nobody."""
        return any(each.passed_by for each in self._followed.values())

    @property
    def kept_secrets(self) -> set[Ref]:
        """Return the Secrets whose values are kept for the next look."""
        return set(self._secrets)

    def close(self) -> None:
        """Stop watching everything, and forget every Secret."""
        for followed in self._followed.values():
            followed.close()
        self._followed.clear()
        self._secrets.clear()

    async def _informer(
        self, scope: Scope, *, name: str | None = None, labels: str | None = None
    ) -> Informer | None:
        """Return the informer of `scope` if it can be trusted now."""
        followed = self._followed.get(scope)
        if followed is None:
            followed = self._followed[scope] = _Followed(self._on_change)
            followed.subscription = self._informers.subscribe(scope, followed.changed, replay=False)
        followed.read_at = self._looks
        if name is not None:
            followed.names.add(name)
        elif labels is not None:
            followed.selectors.add(labels)
        informer = followed.subscription.informer
        if not informer.settled.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LIST_TAKES_S):
                    await informer.settled.wait()
        followed.passed_by = not informer.settled.is_set() or informer.trouble is not None
        return None if followed.passed_by else informer

    async def _with_data(self, ref: Ref, seen: Object) -> Mapping[str, Any]:
        known = self._secrets.get(ref)
        version = seen["metadata"]["resourceVersion"]
        if known is not None and known["metadata"]["resourceVersion"] == version:
            return known
        return await self._live.get(ref)


class _Followed:
    """One scope that a route reads, and which of its objects matter for the route."""

    __slots__ = ("_on_change", "names", "passed_by", "read_at", "selectors", "subscription")

    subscription: Subscription

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.read_at = 0
        self.passed_by = False
        """Whether the API server was asked instead, the last time."""
        self.names: set[str] = set()
        self.selectors: set[str] = set()
        self._on_change = on_change

    def changed(self, old: Object | None, new: Object | None) -> None:
        """Requeue the route if it reads the object; a first list is not a change."""
        obj = new or old
        if obj is None or not self.subscription.informer.synced.is_set():
            return
        if obj["metadata"]["name"] in self.names or self._is_chosen(old, new, obj):
            self._on_change()

    def _is_chosen(self, old: Object | None, new: Object | None, obj: Object) -> bool:
        """Tell whether a list that the route reads has changed in a way that may matter for it.

        In a list of everything (all ExternalSecrets, all budgets) only specs matter: a thousand
        neighbours that report their hourly refresh do not.
        """
        if None in self.selectors and (old is None or new is None or _spec_moved(old, new)):
            return True
        return any(matches(obj, selector) for selector in self.selectors if selector is not None)

    def close(self) -> None:
        """Receive no more changes."""
        self.subscription.close()


def _spec_moved(old: Object, new: Object) -> bool:
    before, after = old["metadata"].get("generation"), new["metadata"].get("generation")
    return before is None or before != after


def _scope_of_one(ref: Ref) -> Scope:
    resource = resources_of(ref.kind)[0]
    if ref.kind in _FOLLOWED_ALONE:
        secret = ref.kind == "Secret"
        return Scope.one(resource, ref.name, namespace=ref.namespace or "", metadata_only=secret)
    return Scope(resource=resource, namespace=ref.namespace if resource.namespaced else None)
