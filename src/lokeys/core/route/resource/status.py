# SPDX-License-Identifier: Apache-2.0
"""lokeys' memory in a resource's status, and what keeps a status within its schema.

A status can be edited by hand. Invalid parts are forgotten and are never an error: lokeys then
looks again and is more careful.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

from lokeys.core.route.memory import Bridge, Content, Held, Memory, Offered
from lokeys.core.route.resource.status_schema import STATUS
from lokeys.core.route.rotation.model import Phase, Rotation
from lokeys.core.schema.language import Fields, ListOf, MapOf, Shape, Text
from lokeys.core.sensitive import Fingerprint

Value = TypeVar("Value")
_FINGERPRINT = re.compile("[kr]:[0-9a-f]{64}")


def memory_to_status(memory: Memory, *, key: str) -> dict[str, Any]:
    """Return what goes under `status.memory`; `key` names the key of its fingerprints."""
    written = {
        "key": key,
        "content": _content_to_status(memory.content) if memory.content else None,
        "sourceHeld": list(memory.source_held),
        "refused": list(memory.refused),
        "forcedFor": memory.forced_for,
        "forcedCount": memory.forced_count,
        "forcedAt": _time_text(memory.forced_at),
        "askedFor": memory.asked_for,
        "askedCount": memory.asked_count,
        "askedAt": _time_text(memory.asked_at),
        "replaced": dict(memory.replaced),
        "blockedSince": {pod: _time_text(at) for pod, at in memory.blocked_since.items()},
        "flushed": {pod: _time_text(at) for pod, at in memory.flushed.items()},
        "refreshedSourceAt": _time_text(memory.refreshed_source_at),
        "revalidatedAt": _time_text(memory.revalidated_at),
        "held": _held_to_status(memory),
        "bridge": _bridge_to_status(memory.bridge) if memory.bridge else None,
        "rotation": _rotation_to_status(memory.rotation) if memory.rotation else None,
        "offered": {"source": memory.offered.source, "pairs": list(memory.offered.pairs)}
        if memory.offered
        else None,
        "barred": list(memory.barred),
    }
    return {name: value for name, value in written.items() if value}


def memory_from_status(status: object, *, key: str) -> Memory:
    """Return what a status remembers; never raises.

    What was written with fingerprints of another key cannot be compared, and is forgotten.
    """
    kept = status.get("memory") if isinstance(status, Mapping) else None
    if not isinstance(kept, Mapping) or kept.get("key") != key:
        return Memory()
    return Memory(
        content=_content(kept.get("content")),
        source_held=_list(kept.get("sourceHeld"), _fingerprint),
        refused=_list(kept.get("refused"), _fingerprint),
        forced_for=_fingerprint(kept.get("forcedFor")),
        forced_count=_count(kept.get("forcedCount")),
        forced_at=_time(kept.get("forcedAt")),
        asked_for=_fingerprint(kept.get("askedFor")),
        asked_count=_count(kept.get("askedCount")),
        asked_at=_time(kept.get("askedAt")),
        replaced=_table(kept.get("replaced"), _fingerprint),
        blocked_since=_table(kept.get("blockedSince"), _time),
        flushed=_table(kept.get("flushed"), _time),
        refreshed_source_at=_time(kept.get("refreshedSourceAt")),
        revalidated_at=_time(kept.get("revalidatedAt")),
        held=_table(kept.get("held"), _held),
        bridge=_bridge(kept.get("bridge")),
        rotation=_rotation(kept.get("rotation")),
        offered=_offered(kept.get("offered")),
        barred=_list(kept.get("barred"), _fingerprint),
    )


def fitted(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return `status` cut to the lengths that the schema allows, so that it is never refused.

    Lists and tables lose their end, texts end in `…`; nulls and unknown fields are left out.
    """
    cut = _fit(status, STATUS)
    assert isinstance(cut, dict)  # noqa: S101 - a mapping in, a dictionary out
    return cut


def _fit(value: Any, shape: Shape) -> Any:
    match shape:
        case MapOf() if isinstance(value, Mapping):
            first = list(value.items())[: shape.at_most]
            return {name: _fit(item, shape.item) for name, item in first}
        case Fields() if isinstance(value, Mapping):
            return {
                name: _fit(item, shape.fields[name])
                for name, item in value.items()
                if name in shape.fields and item is not None
            }
        case ListOf() if isinstance(value, list | tuple):
            return [_fit(item, shape.item) for item in value[: shape.at_most]]
        case Text(at_most=int(most)) if isinstance(value, str) and len(value) > most:
            return value[: most - 1] + "…"
    return value


def _content_to_status(content: Content) -> dict[str, Any]:
    written = {
        "pair": content.pair,
        "since": _time_text(content.since),
        "exact": content.exact,
        "oldPods": list(content.old_pods) or None,
        "before": content.before,
        "unseen": content.unseen or None,
    }
    return {name: value for name, value in written.items() if value is not None}


def _content(value: object) -> Content | None:
    """Return the content; None without its two main facts."""
    if not isinstance(value, Mapping):
        return None
    pair, since = _fingerprint(value.get("pair")), _time(value.get("since"))
    if pair is None or since is None:
        return None
    return Content(
        pair=pair,
        since=since,
        exact=value.get("exact") is True,
        old_pods=_list(value.get("oldPods"), _word),
        before=_fingerprint(value.get("before")),
        unseen=value.get("unseen") is True,
    )


def _bridge_to_status(bridge: Bridge) -> dict[str, Any]:
    written = {
        "pair": bridge.pair,
        "keyId": bridge.key_id,
        "source": bridge.source,
        "since": _time_text(bridge.since),
        "until": _time_text(bridge.until),
        "addedAt": _time_text(bridge.added_at),
    }
    return {name: value for name, value in written.items() if value is not None}


def _bridge(value: object) -> Bridge | None:
    """Return the bridge; None if a fact is missing."""
    if not isinstance(value, Mapping):
        return None
    pair, key_id = _fingerprint(value.get("pair")), _fingerprint(value.get("keyId"))
    since, until = _time(value.get("since")), _time(value.get("until"))
    source = _word(value.get("source"))
    if pair is None or key_id is None or since is None or until is None or source is None:
        return None
    added_at = _time(value.get("addedAt"))
    return Bridge(
        pair=pair, key_id=key_id, source=source, since=since, until=until, added_at=added_at
    )


def _rotation_to_status(rotation: Rotation) -> dict[str, Any]:
    written = {
        "source": rotation.source,
        "why": rotation.why,
        "asked": rotation.asked,
        "begunAt": _time_text(rotation.begun_at),
        "phase": rotation.phase.value,
        "phaseSince": _time_text(rotation.phase_since),
        "old": rotation.old,
        "oldId": rotation.old_id,
        "oldSince": _time_text(rotation.old_since),
        "new": rotation.new,
        "newId": rotation.new_id,
        "known": list(rotation.known),
        "passed": rotation.passed,
        "back": rotation.back,
        "letGo": rotation.let_go,
        "endedAt": _time_text(rotation.ended_at),
    }
    return {name: value for name, value in written.items() if value}


def _rotation(value: object) -> Rotation | None:
    """Return the rotation; None if a fact is missing."""
    if not isinstance(value, Mapping):
        return None
    old, old_id = _fingerprint(value.get("old")), _fingerprint(value.get("oldId"))
    begun, since = _time(value.get("begunAt")), _time(value.get("phaseSince"))
    source, phase = _word(value.get("source")), _word(value.get("phase"))
    if old is None or old_id is None or begun is None or since is None or source is None:
        return None
    if phase not in tuple(Phase):
        return None
    return Rotation(
        source=source,
        why=_word(value.get("why")) or "",
        asked=_word(value.get("asked")) or "",
        begun_at=begun,
        phase=Phase(phase),
        phase_since=since,
        old=old,
        old_id=old_id,
        old_since=_time(value.get("oldSince")),
        new=_fingerprint(value.get("new")),
        new_id=_fingerprint(value.get("newId")),
        known=_list(value.get("known"), _fingerprint),
        passed=_count(value.get("passed")),
        back=value.get("back") is True,
        let_go=value.get("letGo") is True,
        ended_at=_time(value.get("endedAt")),
    )


def _offered(value: object) -> Offered | None:
    source = _word(value.get("source")) if isinstance(value, Mapping) else None
    pairs = _list(value.get("pairs"), _fingerprint) if isinstance(value, Mapping) else ()
    return Offered(source=source, pairs=pairs) if source and pairs else None


def _held_to_status(memory: Memory) -> dict[str, Any]:
    """Return what is held and is not the Secret's pair; the others are known after two looks."""
    present = memory.content.pair if memory.content else None
    return {
        uid: {"pair": held.pair, "startedAt": _time_text(held.started_at)}
        for uid, held in memory.held.items()
        if held.pair != present
    }


def _held(value: object) -> Held | None:
    if not isinstance(value, Mapping):
        return None
    pair, started_at = _fingerprint(value.get("pair")), _time(value.get("startedAt"))
    return Held(pair=pair, started_at=started_at) if pair and started_at else None


def _time_text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _fingerprint(value: object) -> Fingerprint | None:
    return Fingerprint(value) if isinstance(value, str) and _FINGERPRINT.fullmatch(value) else None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _list(value: object, read: Callable[[object], Value | None]) -> tuple[Value, ...]:
    items = map(read, value) if isinstance(value, list) else ()
    return tuple(item for item in items if item is not None)


def _table(value: object, read: Callable[[object], Value | None]) -> Mapping[str, Value]:
    if not isinstance(value, Mapping):
        return MappingProxyType({})
    items = ((name, read(item)) for name, item in value.items() if isinstance(name, str))
    return MappingProxyType({name: item for name, item in items if item is not None})
