# SPDX-License-Identifier: Apache-2.0
"""Watches of the API server stand-in: changes since a revision, bookmarks, and how they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from lokeys.demo.parts.kube_kinds import Json, Refusal, ServedKind
from lokeys.demo.parts.kube_store import Store, StoreChange
from lokeys.demo.parts.kube_views import fields_match, labels_match
from lokeys.http_server import Hangup

LONGEST_S = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects of a kind, and how they are shown."""

    kind: ServedKind
    namespace: str
    labels: str
    fields: str
    show: Callable[[Json], Json]

    def takes(self, item: Json | None) -> bool:
        """Tell whether an object is one of these."""
        return (
            item is not None
            and labels_match(self.labels, item["metadata"].get("labels") or {})
            and fields_match(self.fields, item)
        )

    def of(self, store: Store) -> list[Json]:
        """Return these objects as they are now."""
        return [item for item in store.select(self.kind, self.namespace) if self.takes(item)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What a watch asked for, besides the selection."""

    revision: int | None  # None: begin with everything there is
    timeout_s: float = LONGEST_S
    bookmarks: bool = False
    initial_end: bool = False  # a bookmark after the initial events
    bookmark_every_s: float = 10


async def watch(
    store: Store, selection: Selection, options: WatchOptions, *, dropped: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield a watch's events, a line each, until its time is over or `dropped` says so."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + options.timeout_s
    with store.waker() as woken:
        revision = store.revision if options.revision is None else options.revision
        if options.revision is None:
            for item in selection.of(store):
                yield _line("ADDED", selection.show(item))
            if options.initial_end:
                yield _bookmark(selection, revision, initial_end=True)
        while not dropped():
            woken.clear()
            try:
                changes = store.changes(
                    selection.kind, after=revision, namespace=selection.namespace
                )
            except Refusal as refusal:
                yield _line("ERROR", refusal.body)
                return
            revision = store.revision
            for change in changes:
                if event := _event(selection, change):
                    yield event
            left_s = end_s - loop.time()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0, min(left_s, options.bookmark_every_s))):
                    await woken.wait()
            if options.bookmarks and not woken.is_set():
                yield _bookmark(selection, revision)
            if loop.time() >= end_s and not woken.is_set():
                return
    raise Hangup


def _event(selection: Selection, change: StoreChange) -> bytes | None:
    was, now = selection.takes(change.before), selection.takes(change.after)
    if now and change.after is not None:
        return _line("MODIFIED" if was else "ADDED", selection.show(change.after))
    if was and change.before is not None:
        version = {"resourceVersion": str(change.revision)}
        last = change.before | {"metadata": change.before["metadata"] | version}
        return _line("DELETED", selection.show(last))
    return None


def _line(kind: str, item: Json) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def _bookmark(selection: Selection, revision: int, *, initial_end: bool = False) -> bytes:
    meta: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    kind = selection.kind
    item = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
    return _line("BOOKMARK", selection.show(item))
