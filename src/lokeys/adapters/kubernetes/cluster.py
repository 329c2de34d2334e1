# SPDX-License-Identifier: Apache-2.0
"""What all adapters of the Kubernetes API share: access to the cluster, texts for failed reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lokeys.core.kubernetes.json_fields import Json, at, moment_at, text_at
from lokeys.core.place import Hop, Ref
from lokeys.core.route.snapshot import Unreadable, Why
from lokeys.core.sensitive import Fingerprinter
from lokeys.errors import Forbidden, LokeysError, NotFound, Transient, Waiting
from lokeys.kube.client import Api
from lokeys.kube.replies import NoSuchKind
from lokeys.ports import Clock, Objects

ALLOWED_NAMESPACES = "lokeys.dev/allowed-namespaces"
MAX_QUOTE = 400
# Go's HTTP errors quote whole URLs, and Rook puts secret keys into queries.
_QUERY = re.compile(r"\?[^\s\"'<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster: `objects` (a cache, or live) is for reads, `api` for changes."""

    objects: Objects
    api: Api
    fingerprinter: Fingerprinter
    clock: Clock


def allows(obj: Json, namespace: str) -> bool:
    """Tell whether the object's owner lets routes of `namespace` use it."""
    own = text_at(obj, "metadata", "namespace")
    named = at(obj, "metadata", "annotations", ALLOWED_NAMESPACES)
    listed = named.split(",") if isinstance(named, str) else []
    return namespace == own or namespace in {name.strip() for name in listed}


def quotable(text: str) -> str:
    """Return untrusted text without URL queries (they can hold secrets), on one bounded line."""
    words = " ".join(_QUERY.sub("?…", text).split())
    return words if len(words) <= MAX_QUOTE else f"{words[: MAX_QUOTE - 1]}…"


def unreadable(error: LokeysError, *, hop: Hop, ref: Ref) -> Unreadable:
    """Return a failed reading as data."""
    plainly_missing = isinstance(error, NotFound) and not isinstance(error, NoSuchKind)
    detail = "" if plainly_missing else quotable(str(error))
    return Unreadable(hop=hop, ref=ref, why=_why(error), detail=detail)


def _why(error: LokeysError) -> Why:
    match error:
        case NotFound():
            return Why.NOT_FOUND
        case Forbidden():
            return Why.FORBIDDEN
        case Transient() | Waiting():
            return Why.UNREACHABLE
    return Why.GARBLED


async def events_of(objects: Objects, ref: Ref, *, reason: str) -> list[Json]:
    """Return the object's events with this reason, newest first; none if they cannot be read."""
    try:
        found = await objects.events(ref, reason=reason)
    except LokeysError:
        return []
    return sorted(found, key=last_seen, reverse=True)


def last_seen(event: Json) -> datetime:
    """Return when an event was last reported; the earliest possible time if it has none."""
    return max(_times_of(event), default=datetime.min.replace(tzinfo=UTC))


def _times_of(event: Json) -> Iterator[datetime]:
    paths = (
        ("series", "lastObservedTime"),
        ("lastTimestamp",),
        ("eventTime",),
        ("metadata", "creationTimestamp"),
    )
    return (moment for path in paths if (moment := moment_at(event, *path)) is not None)
