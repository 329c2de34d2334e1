# SPDX-License-Identifier: Apache-2.0
"""One Event in its two spellings: core v1, which is kept, and events.k8s.io/v1."""

from __future__ import annotations

from lokeys.demo.parts.kube_kinds import Json, ServedKind

_NAMES = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
}
_BACK = {core: name for name, core in _NAMES.items()}


def is_events_v1(kind: ServedKind) -> bool:
    """Tell whether a kind is the newer spelling."""
    return kind.group == "events.k8s.io"


def as_core(event: Json) -> Json:
    """Return an event (or a patch of one) in core spelling."""
    renamed = {_NAMES.get(name, name): value for name, value in event.items()}
    return renamed | ({"apiVersion": "v1"} if "apiVersion" in event else {})


def as_events_v1(event: Json) -> Json:
    """Return a kept event in the newer spelling."""
    renamed = {_BACK.get(name, name): value for name, value in event.items()}
    return renamed | {"apiVersion": "events.k8s.io/v1"}
