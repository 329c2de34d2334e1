# SPDX-License-Identifier: Apache-2.0
"""The objects and pods of all stacks, found by stack; few watches for all of them.

What we have just written is in here before its watch has shown it: a decision in between would
otherwise write it again. Such an entry waits for confirmation, and is dropped without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from lokeys.adapters.kubernetes.stack_objects import KINDS, LABELS, SEEN, STACK, trimmed
from lokeys.core.operate.live import Live, Pod
from lokeys.core.place import Ref
from lokeys.kube.client import Api, Object
from lokeys.kube.informer import InformerSet, Scope, Subscription, Trouble
from lokeys.kube.resources import POD, Resource

StackKey = tuple[str, str]
"""Namespace and name of a LokiStack."""

CONFIRMED_WITHIN_S = 30.0


class StackObjects:
    """The objects of stacks, as far as they are known.

    `everywhere`: one watch per kind for the whole cluster; otherwise one per kind and namespace
    with stacks, which is all that the Roles of single stacks grant.
    """

    def __init__(
        self,
        api: Api,
        *,
        everywhere: bool,
        on_change: Callable[[StackKey], None],
        on_pods: Callable[[StackKey], None],
    ) -> None:
        self._informers = InformerSet(api, trim=self._trimmed)
        self._everywhere = everywhere
        self._on_change = on_change
        self._on_pods = on_pods
        self._followed: dict[tuple[str, str | None], Subscription] = {}
        self._objects: dict[StackKey, dict[Ref, Live]] = {}
        self._pods: dict[StackKey, dict[str, Pod]] = {}
        self._ahead: dict[StackKey, dict[Ref, float]] = {}
        self._otherwise: dict[Ref, tuple[str | None, str]] = {}
        self._written: dict[Ref, Live] = {}
        """The results of writes, until their watch has shown them."""
        self._unanswered: dict[tuple[StackKey, Ref], Live | None] = {}
        """What watches have shown of objects during a write of theirs."""

    async def __aenter__(self) -> Self:
        await self._informers.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._informers.__aexit__(exc_type, exc, traceback)

    def _trimmed(self, obj: Object) -> Object:
        """Return a reduced object; an echo of our own write has been read already."""
        metadata = obj["metadata"]
        ref = Ref(obj["kind"], metadata["name"], metadata.get("namespace"))
        written = self._written.get(ref)
        echo = written is not None and written.version == metadata["resourceVersion"]
        return trimmed(obj, known=written if echo else None)

    def follow(self, kinds: Iterable[str], namespace: str | None) -> None:
        """Watch objects of some kinds in a namespace from now on."""
        for kind in kinds:
            resource = POD if kind == POD.kind else KINDS[kind]
            scope = self._scope(resource, namespace)
            where = (kind, scope.namespace)
            if where not in self._followed:
                changed = self._pod_changed if resource == POD else self._changed
                self._followed[where] = self._informers.subscribe(scope, changed)

    async def settled(self, kinds: Iterable[str], namespace: str | None) -> tuple[Trouble, ...]:
        """Wait until some kinds are completely listed; return why some cannot be."""
        self.follow(kinds, namespace)
        troubles = []
        for kind in kinds:
            resource = POD if kind == POD.kind else KINDS[kind]
            informer = self._followed[kind, self._scope(resource, namespace).namespace].informer
            await informer.settled.wait()
            if not informer.synced.is_set() and informer.trouble is not None:
                troubles.append(informer.trouble)
        return tuple(troubles)

    def follows(self, kind: str, namespace: str | None) -> bool:
        """Tell whether objects of this kind in this namespace would be seen."""
        return (kind, self._scope(KINDS[kind], namespace).namespace) in self._followed

    def leave(self, namespace: str) -> None:
        """Stop watching a namespace without stacks, if it has watches of its own.

        What its stacks have elsewhere is still watched, and may have to be cleaned up.
        """
        if self._everywhere:
            return
        for where in [each for each in self._followed if each[1] == namespace]:
            self._followed.pop(where).close()
        for kept in (self._pods, self._ahead):
            for key in [each for each in kept if each[0] == namespace]:
                del kept[key]
        for key in [each for each in self._objects if each[0] == namespace]:
            outside = {r: live for r, live in self._objects.pop(key).items() if not r.namespace}
            if outside:
                self._objects[key] = outside

    def _scope(self, resource: Resource, namespace: str | None) -> Scope:
        alone = resource.namespaced and not self._everywhere
        return Scope(resource=resource, namespace=namespace if alone else None, labels=LABELS)

    def of(self, key: StackKey) -> Mapping[Ref, Live]:
        """Return the objects of one stack."""
        return self._objects.get(key, {})

    def named(self, key: StackKey, refs: Iterable[Ref]) -> dict[Ref, Live]:
        """Return the objects of one stack, and other objects with these names.

        The names of a stack's objects start with its name. So whatever stack an object belongs to
        by its label, its name starts with that stack's name.
        """
        namespace, own = key
        found = dict(self.of(key))
        for ref in refs:
            if ref in found or ref.namespace is None:
                continue
            for name in _beginnings(ref.name):
                known = self.of((namespace, name))
                if name != own and ref in known:
                    found[ref] = known[ref]
        return found

    def pods_of(self, key: StackKey) -> tuple[Pod, ...]:
        """Return the pods of one stack, by name."""
        return tuple(pod for _, pod in sorted(self._pods.get(key, {}).items()))

    @contextmanager
    def writing(self, key: StackKey, ref: Ref) -> Iterator[None]:
        """Keep what the watch shows meanwhile from waking anybody, if it is this write."""
        self._unanswered[key, ref] = None
        try:
            yield
        finally:
            if self._unanswered.pop((key, ref)) is not None:
                self._on_change(key)

    def wrote(self, key: StackKey, live: Live, *, intended: str) -> None:
        """Note the result of a write, unless its watch was quicker.

        An object that the API server stores differently than it was applied (without an empty
        value) counts as `intended` until it changes: otherwise it would be written forever.
        """
        if live.content != intended:
            self._otherwise[live.ref] = live.content, intended
        else:
            self._otherwise.pop(live.ref, None)
        self._written[live.ref] = live
        live = self._as_intended(live)
        known = self._objects.setdefault(key, {})
        seen = known.get(live.ref)
        ahead = seen is None or _number(seen) < _number(live)
        if ahead:
            self._ahead.setdefault(key, {})[live.ref] = _now_s()
        else:
            self._written.pop(live.ref, None)
        if ahead or (seen is not None and seen.version == live.version):
            known[live.ref] = live
            if (key, live.ref) in self._unanswered:
                self._unanswered[key, live.ref] = None

    def deleted(self, key: StackKey, live: Live) -> None:
        """Note that the deletion of an object has started."""
        known = self._objects.get(key, {})
        if live.ref in known:
            known[live.ref] = replace(known[live.ref], terminating=True)

    def confirm_s(self, key: StackKey) -> float | None:
        """Forget what no watch has confirmed in time; return when to look again."""
        waiting = self._ahead.get(key, {})
        now, forgotten = _now_s(), False
        for ref, since in tuple(waiting.items()):
            if now - since >= CONFIRMED_WITHIN_S:
                del waiting[ref]
                self._written.pop(ref, None)
                self._objects.get(key, {}).pop(ref, None)
                forgotten = True
        if not waiting:
            self._ahead.pop(key, None)
        if forgotten:  # the caller has decided as if it existed
            return 0.0
        if not waiting:
            return None
        return min(waiting.values()) + CONFIRMED_WITHIN_S - now

    def _changed(self, old: Object | None, new: Object | None) -> None:
        shown = new or old
        if shown is None:
            return
        key, live = shown[STACK], self._as_intended(shown[SEEN])
        if old is not None and old[STACK] != key:
            self._forget(old[STACK], live.ref)
        if new is None:
            self._otherwise.pop(live.ref, None)
            self._forget(key, live.ref)
            return
        known = self._objects.setdefault(key, {})
        before = known.get(live.ref)
        if before is not None and live.ref in self._ahead.get(key, {}):
            if _number(live) < _number(before):
                return
            del self._ahead[key][live.ref]
            self._written.pop(live.ref, None)
        known[live.ref] = live
        if (key, live.ref) in self._unanswered:
            self._unanswered[key, live.ref] = live
        elif before is None or replace(before, version=live.version) != live:
            self._on_change(key)

    def _as_intended(self, live: Live) -> Live:
        kept, intended = self._otherwise.get(live.ref, (None, ""))
        return replace(live, content=intended) if intended and live.content == kept else live

    def _forget(self, key: StackKey, ref: Ref) -> None:
        known = self._objects.get(key, {})
        known.pop(ref, None)
        self._ahead.get(key, {}).pop(ref, None)
        self._written.pop(ref, None)
        if not known:
            self._objects.pop(key, None)
        self._on_change(key)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        shown = new or old
        if shown is None:
            return
        key, pod = shown[STACK], shown[SEEN]
        pods = self._pods.setdefault(key, {})
        before = pods.get(pod.name)
        if new is None:
            pods.pop(pod.name, None)
            if not pods:
                del self._pods[key]
        else:
            pods[pod.name] = pod
        if new is None or before != pod:
            self._on_pods(key)


def _beginnings(name: str) -> Iterator[str]:
    """Yield the parts of a name before each of its dashes, and the whole name."""
    parts = name.split("-")
    return ("-".join(parts[:count]) for count in range(1, len(parts) + 1))


def _number(live: Live) -> int:
    return int(live.version)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
