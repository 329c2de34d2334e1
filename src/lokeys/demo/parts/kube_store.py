# SPDX-License-Identifier: Apache-2.0
"""The objects of the API server stand-in, their history, and the rules of every write.

Pure bookkeeping without any I/O: who talks HTTP wraps it, who plays a controller in the same
process uses it directly. Objects are never changed in place, so what is handed out is a snapshot.
"""

from __future__ import annotations

import asyncio
import copy
import secrets
import string
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from lokeys.clock import utc_now
from lokeys.demo.parts import kube_fields
from lokeys.demo.parts.kube_admission import admit
from lokeys.demo.parts.kube_fields import Author
from lokeys.demo.parts.kube_kinds import (
    KINDS,
    Json,
    Refusal,
    ServedKind,
    conflict,
    expired,
    not_found,
)

Key = tuple[str, str, str]
"""`plural.group`, namespace ("" for none), name."""

KEPT_EVENTS = 10_000
DEFAULT_GRACE_S = 30
_SUFFIX = string.ascii_lowercase + string.digits


def rfc3339(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it, in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class StoreChange:
    """One write: what the object was before (None: new) and after (None: gone)."""

    revision: int
    kind: ServedKind
    before: Json | None
    after: Json | None

    @property
    def subject(self) -> Json:
        """Return the object as it is now, or was when it went."""
        return self.after or self.before or {}


class Store:
    """All objects of one cluster."""

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self.revision = 1
        self.compacted = 0  # changes up to here are forgotten
        self._objects: dict[Key, Json] = {}
        self._history: list[StoreChange] = []
        self._wakers: set[asyncio.Event] = set()
        self.hooks: list[Callable[[StoreChange], None]] = []  # controllers that act at once

    # --- reading --------------------------------------------------------------------------------

    def find(self, kind: ServedKind | str, name: str, namespace: str = "") -> Json | None:
        """Return the object, or None."""
        return self._objects.get(self._key(self._kind(kind), name, namespace))

    def get(self, kind: ServedKind | str, name: str, namespace: str = "") -> Json:
        """Return the object; Refusal 404 without one."""
        found = self.find(kind, name, namespace)
        if found is None:
            raise not_found(self._kind(kind), name)
        return found

    def select(self, kind: ServedKind | str, namespace: str = "") -> list[Json]:
        """Return the objects of a kind by namespace and name; "" means every namespace."""
        resource = self._kind(kind).resource
        found = [
            (key, item)
            for key, item in self._objects.items()
            if key[0] == resource and namespace in {"", key[1]}
        ]
        return [item for _, item in sorted(found, key=lambda pair: pair[0])]

    def changes(
        self, kind: ServedKind | str, *, after: int, namespace: str = ""
    ) -> list[StoreChange]:
        """Return the changes of a kind since a revision; Refusal 410 when they are forgotten."""
        if after < self.compacted:
            raise expired(f"too old resource version: {after} ({self.revision})")
        resource = self._kind(kind).resource
        start = bisect_right(self._history, after, key=lambda change: change.revision)
        return [
            change
            for change in self._history[start:]
            if change.kind.resource == resource
            and namespace in {"", change.subject["metadata"].get("namespace", "")}
        ]

    @contextmanager
    def waker(self) -> Iterator[asyncio.Event]:
        """Lend an event that every write sets."""
        event = asyncio.Event()
        self._wakers.add(event)
        try:
            yield event
        finally:
            self._wakers.discard(event)

    def wake(self) -> None:
        """Wake everybody who waits for a write."""
        for event in self._wakers:
            event.set()

    def forget_history(self) -> None:
        """Answer 410 to everybody who asks for a change before now, as after a compaction."""
        self._history.clear()
        self.revision += 1
        self.compacted = self.revision
        self.wake()

    # --- writing --------------------------------------------------------------------------------

    def create(self, body: Json, *, author: Author | None = None) -> Json:
        """Add an object; Refusal 409 AlreadyExists where there is one."""
        kind = self._kind(body["kind"], body.get("apiVersion"))
        new = copy.deepcopy(body)
        meta = new.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + "".join(secrets.choice(_SUFFIX) for _ in range(5))
        key = self._key(kind, meta["name"], meta.get("namespace", ""))
        if key in self._objects:
            details = {"name": meta["name"], "group": kind.group, "kind": kind.plural}
            message = f'{kind.resource} "{meta["name"]}" already exists'
            raise Refusal(409, "AlreadyExists", message, details=details)
        if kind.status and kind.group:
            new.pop("status", None)
        admit(kind, None, new)
        for name in ("resourceVersion", "managedFields", "deletionTimestamp"):
            meta.pop(name, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = rfc3339(self.clock())
        if kind.generation:
            meta["generation"] = 1
        kube_fields.record_update({}, new, author=author or Author(), now=rfc3339(self.clock()))
        return self._commit(kind, key, None, new)

    def replace(self, body: Json, *, author: Author | None = None) -> Json:
        """Replace an object (or its status); 409 when `body` carries a stale resourceVersion."""
        meta = body["metadata"]
        kind = self._kind(body["kind"], body.get("apiVersion"))
        old = self.get(kind, meta["name"], meta.get("namespace", ""))
        return self._rewrite(kind, old, copy.deepcopy(body), author or Author())

    def patch(
        self, old: Json, change: Callable[[Json], Json], *, author: Author | None = None
    ) -> Json:
        """Replace `old` by what `change` makes of its present form."""
        meta = old["metadata"]
        kind = self._kind(old["kind"], old.get("apiVersion"))
        present = self.get(kind, meta["name"], meta.get("namespace", ""))
        return self._rewrite(kind, present, change(copy.deepcopy(present)), author or Author())

    def merge(self, old: Json, patch: Json, *, author: Author | None = None) -> Json:
        """Merge `patch` into the present form of `old`."""
        return self.patch(
            old, lambda present: kube_fields.merge_patch(present, patch), author=author
        )

    def set_status(self, old: Json, status: Json, *, manager: str = "stand-in") -> Json:
        """Replace the status; nothing is written where it is equal."""
        author = Author(manager=manager, subresource="status")
        return self.patch(old, lambda present: present | {"status": status}, author=author)

    def apply(self, body: Json, *, author: Author, force: bool) -> Json:
        """Server-side apply; creates what is not there."""
        meta = body["metadata"]
        kind = self._kind(body["kind"], body.get("apiVersion"))
        old = self.find(kind, meta["name"], meta.get("namespace", ""))
        if old is None:
            if author.subresource:
                raise not_found(kind, meta["name"])
            if meta.get("resourceVersion") or meta.get("uid"):
                raise conflict(kind, meta["name"], "the object it is meant for is gone")
            return self.create(body, author=author)
        new = kube_fields.apply(old, body, author=author, force=force)
        if "resourceVersion" in meta:
            new["metadata"]["resourceVersion"] = meta["resourceVersion"]
        return self._rewrite(kind, old, new, author)

    def delete(self, item: Json, *, options: Json | None = None) -> Json:
        """Delete an object, or begin to: finalizers and a pod's grace put the end off."""
        options = options or {}
        meta = item["metadata"]
        kind = self._kind(item["kind"], item.get("apiVersion"))
        old = self.get(kind, meta["name"], meta.get("namespace", ""))
        for field, wanted in (options.get("preconditions") or {}).items():
            present = old["metadata"].get(field)
            if wanted is not None and wanted != present:
                why = f"the {field} in the precondition ({wanted}) does not match the {field} "
                raise conflict(kind, meta["name"], why + f"in record ({present})")
        if options.get("propagationPolicy") == "Orphan":
            self._orphan(old["metadata"]["uid"])
        grace = _grace_s(kind, old, options.get("gracePeriodSeconds"))
        if not grace and not old["metadata"].get("finalizers"):
            self._remove(kind, old)
            return old
        now = self.clock()
        end = now + timedelta(seconds=grace)
        if "deletionTimestamp" in old["metadata"]:
            granted = old["metadata"].get("deletionGracePeriodSeconds", 0)
            if grace >= granted:
                return old  # a longer grace does not extend the wait
            # As the real one: the end moves by as much as the grace is shortened, never before now.
            end = datetime.fromisoformat(old["metadata"]["deletionTimestamp"])
            end -= timedelta(seconds=granted - grace)
            if end < now:
                end, grace = now, min(grace, 1)
        new = copy.deepcopy(old)
        new["metadata"]["deletionTimestamp"] = rfc3339(end)
        new["metadata"]["deletionGracePeriodSeconds"] = grace
        return self._commit(kind, self._key_of(kind, old), old, new)

    def _rewrite(self, kind: ServedKind, old: Json, new: Json, author: Author) -> Json:
        _check_preconditions(kind, old, new.setdefault("metadata", {}))
        new = _allowed_part(kind, old, new, author.subresource)
        admit(kind, old, new)
        for name in ("uid", "creationTimestamp", "generation"):
            if name in old["metadata"]:
                new["metadata"][name] = old["metadata"][name]
        now = rfc3339(self.clock())
        if author.operation == "Apply":
            if _content(new) == _content(old) and _owners(new) == _owners(old):
                return old
            kube_fields.stamp(new, author=author, now=now)
        elif _content(new) == _content(old):
            return old
        else:
            kube_fields.record_update(old, new, author=author, now=now)
        if kind.generation and _spec(new) != _spec(old):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        return self._commit(kind, self._key_of(kind, old), old, new)

    def _commit(self, kind: ServedKind, key: Key, old: Json | None, new: Json) -> Json:
        finished = "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers")
        if old is not None and finished and not new["metadata"].get("deletionGracePeriodSeconds"):
            self._remove(kind, new)
            return new
        self.revision += 1
        new["metadata"]["resourceVersion"] = str(self.revision)
        self._objects[key] = new
        self._record(StoreChange(self.revision, kind, old, new))
        return new

    def _remove(self, kind: ServedKind, old: Json) -> None:
        key = self._key_of(kind, old)
        if self._objects.pop(key, None) is None:
            return
        self.revision += 1
        last = old | {"metadata": old["metadata"] | {"resourceVersion": str(self.revision)}}
        self._record(StoreChange(self.revision, kind, last, None))
        self._collect(old["metadata"]["uid"])

    def _record(self, change: StoreChange) -> None:
        self._history.append(change)
        if len(self._history) > KEPT_EVENTS:
            half = KEPT_EVENTS // 2
            self.compacted = self._history[half - 1].revision
            del self._history[:half]
        for hook in self.hooks:
            hook(change)
        self.wake()

    def _collect(self, uid: str) -> None:
        """Delete what nobody owns any more, as the garbage collector does."""
        for item in list(self._objects.values()):
            owners = item["metadata"].get("ownerReferences", [])
            if not any(owner["uid"] == uid for owner in owners):
                continue
            living = {other["metadata"]["uid"] for other in self._objects.values()}
            if not any(owner["uid"] in living for owner in owners):
                self.delete(item)

    def _orphan(self, uid: str) -> None:
        for item in list(self._objects.values()):
            owners = item["metadata"].get("ownerReferences", [])
            left = [owner for owner in owners if owner["uid"] != uid]
            if left != owners:
                self.merge(item, {"metadata": {"ownerReferences": left}})

    def _kind(self, kind: ServedKind | str, api_version: str | None = None) -> ServedKind:
        if isinstance(kind, ServedKind):
            return kind
        for known in KINDS:
            if known.kind == kind and api_version in {None, known.api_version}:
                return known
        raise Refusal(404, "NotFound", f"no matches for kind {kind} in version {api_version}")

    @staticmethod
    def _key(kind: ServedKind, name: str, namespace: str) -> Key:
        return kind.resource, namespace if kind.namespaced else "", name

    def _key_of(self, kind: ServedKind, item: Json) -> Key:
        return self._key(kind, item["metadata"]["name"], item["metadata"].get("namespace", ""))


def _grace_s(kind: ServedKind, item: Json, asked: int | None) -> int:
    """Return how long a deletion is put off: only for pods that run on a node."""
    if kind.kind != "Pod" or "nodeName" not in item["spec"]:
        return 0
    if asked is not None:
        return asked
    return int(item["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE_S))


def _allowed_part(kind: ServedKind, old: Json, new: Json, subresource: str) -> Json:
    """Return what a write may change: the status alone, or everything but the status."""
    new.setdefault("apiVersion", old["apiVersion"])
    new.setdefault("kind", old["kind"])
    if subresource == "status":
        meta = old["metadata"] | {"managedFields": new["metadata"].get("managedFields", [])}
        return old | {"metadata": meta} | ({"status": new["status"]} if "status" in new else {})
    if kind.status:
        new.pop("status", None)
        new |= {"status": old["status"]} if "status" in old else {}
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        new["metadata"].pop(name, None)
        if name in old["metadata"]:
            new["metadata"][name] = old["metadata"][name]
    return new


def _check_preconditions(kind: ServedKind, old: Json, given: Json) -> None:
    name, present = old["metadata"]["name"], old["metadata"]
    if given.get("resourceVersion", "") not in {"", present["resourceVersion"]}:
        why = "the object has been modified; please apply your changes to the latest version"
        raise conflict(kind, name, f"{why} and try again")
    if given.get("uid", present["uid"]) != present["uid"]:
        raise conflict(kind, name, "the UID in the precondition does not match the UID in record")


def _content(item: Json) -> Json:
    ignored = {"managedFields", "resourceVersion", "generation"}
    meta = {name: value for name, value in item["metadata"].items() if name not in ignored}
    return item | {"metadata": meta}


def _owners(item: Json) -> list[Json]:
    entries = item["metadata"].get("managedFields", [])
    return sorted((entry | {"time": None} for entry in entries), key=str)


def _spec(item: Json) -> Json:
    return {name: value for name, value in item.items() if name not in {"metadata", "status"}}
