# SPDX-License-Identifier: Apache-2.0
"""What a look adds to what lokeys remembers about a route."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from lokeys.core.findings.verdict import Answer
from lokeys.core.place import Hop
from lokeys.core.route.key_state import (
    CLOCKS_AGREE_WITHIN,
    Currency,
    currency,
    has_read,
    known_to_hold,
)
from lokeys.core.route.memory import Bridge, Content, Held, Memory, Offered, Stopping
from lokeys.core.route.rotation.gates import advanced
from lokeys.core.route.rotation.model import Phase, Rotation, under_way
from lokeys.core.route.shutdown import first_seen
from lokeys.core.route.snapshot import KeptPair, Snapshot
from lokeys.core.route.standing import is_ours, is_there, source_name
from lokeys.core.sensitive import Fingerprint

REMEMBERED_PAIRS = 10
"""More than a route meets between two looks at its status; old ones are dropped."""
BARRED_PAIRS = 32
"""More than are remembered as offered: a pair that is dropped here cannot be bridged anyway."""


def remember(snapshot: Snapshot) -> Memory:
    """Return the memory after this look; equal to the previous one if nothing new was seen."""
    memory = _forget_arrived(snapshot)
    memory = replace(
        memory,
        source_held=_with(memory.source_held, _source_pairs(snapshot)),
        refused=_still_refused(snapshot),
        offered=_offered(snapshot),
        barred=_barred(snapshot),
    )
    bridge = _bridge(replace(snapshot, memory=memory))
    if bridge is not None:
        memory = bridge_begun(memory, bridge)
    content = _content(replace(snapshot, memory=memory))
    memory = replace(
        memory,
        content=content,
        held=_held(snapshot, content),
        runs=_runs(snapshot),
        stopping=_stopping(snapshot),
        replaced={k: v for k, v in memory.replaced.items() if content and v == content.pair},
    )
    memory = _forget_pods(replace(snapshot, memory=memory))
    rotation = advanced(replace(snapshot, memory=memory))
    barred = _with(memory.barred, _retired(rotation), at_most=BARRED_PAIRS)
    return replace(memory, rotation=rotation, barred=barred)


def _offered(snapshot: Snapshot) -> Offered | None:
    """Return what the route's current source has offered; offers of another one are forgotten.

    An editor of the resource can name their own source, at a store of their own that accepts any
    key: that must not make the key one of the next source's.
    """
    name, known = source_name(snapshot.spec), snapshot.memory.offered
    pairs = known.pairs if known is not None and known.source == name else ()
    more = _with(pairs, _source_pairs(snapshot))
    return Offered(source=name, pairs=more) if more else None


def _barred(snapshot: Snapshot) -> tuple[Fingerprint, ...]:
    """Return the pairs that no bridge may make valid again, with those of a suspended user."""
    suspended = {
        pair for pair, verdict in snapshot.verdicts.items() if verdict.answer is Answer.SUSPENDED
    }
    return _with(snapshot.memory.barred, suspended, at_most=BARRED_PAIRS)


def _retired(rotation: Rotation | None) -> Iterator[Fingerprint]:
    """Yield the pair that a rotation retires: whoever restores it gets no bridge for it."""
    if rotation is None:
        return
    if rotation.phase is Phase.RETIRE:
        yield rotation.old
    if rotation.back and not rotation.active and rotation.new is not None:
        yield rotation.new


def _bridge(snapshot: Snapshot) -> Bridge | None:
    """Return the bridge as the source shows it, also if the status has lost it."""
    bridge, kept = snapshot.memory.bridge, snapshot.kept
    if bridge is None and kept is not None and kept.sealed and kept.until and kept.since:
        barred = kept.pair.pair in snapshot.memory.barred
        bridge = None if barred else _found_again(kept, since=kept.since, until=kept.until)
    if bridge is None or bridge.added_at is not None:
        return bridge
    there = is_ours(bridge, snapshot.spec) and is_there(snapshot, bridge) is True
    return replace(bridge, added_at=snapshot.at) if there else bridge


def _found_again(kept: KeptPair, *, since: datetime, until: datetime) -> Bridge:
    return Bridge(
        pair=kept.pair.pair,
        key_id=kept.pair.key_id,
        source=kept.source,
        since=since,
        until=until,
    )


def bridge_begun(memory: Memory, bridge: Bridge) -> Memory:
    """Return the memory with the plan of a bridge; its pair is the source's from now on."""
    held = _with(memory.source_held, [bridge.pair])
    return replace(memory, bridge=bridge, source_held=held)


def newest_bridge(memory: Memory, recorded: Memory) -> Memory:
    """Return the memory with a bridge that somebody else has recorded since it was read.

    Whoever acts next must end it. One that has ended here is barred: older records are ignored.
    """
    barred = _with(memory.barred, recorded.barred, at_most=BARRED_PAIRS)
    bridge = memory.bridge
    if bridge is None and recorded.bridge is not None and recorded.bridge.pair not in barred:
        memory = bridge_begun(memory, recorded.bridge)
    return replace(memory, barred=barred)


def bridge_ended(memory: Memory) -> Memory:
    """Return the memory after a bridge: its key is never added again."""
    if memory.bridge is None:
        return memory
    barred = _with(memory.barred, [memory.bridge.pair], at_most=BARRED_PAIRS)
    return replace(memory, bridge=None, barred=barred)


def _forget_pods(snapshot: Snapshot) -> Memory:
    """Forget what is remembered of pods that are gone, and of budgets that no longer matter.

    A pod that was replaced is kept by name, gone or not: a StatefulSet reuses the name.
    """
    memory = snapshot.memory
    if snapshot.missing(Hop.PODS) is not None:
        return memory
    there = {pod.ref.name for pod in snapshot.pods}
    late = {p.ref.name for p in snapshot.pods if currency(p, snapshot) is Currency.BEHIND}
    return replace(
        memory,
        blocked_since={k: v for k, v in memory.blocked_since.items() if k in late},
        flushed={k: v for k, v in memory.flushed.items() if k in there},
    )


def _content(snapshot: Snapshot) -> Content | None:
    """Return which pair the Secret holds and since when; a missing Secret is still awaited."""
    known, secret = snapshot.memory.content, snapshot.secret
    if secret is None:
        return known
    if known is not None and known.pair == secret.pair.pair:
        return known
    if known is None:
        since = secret.written_at or snapshot.at
        return Content(pair=secret.pair.pair, since=since, exact=False)
    blind = snapshot.unseen is not None
    return Content(
        pair=secret.pair.pair,
        since=(blind and secret.written_at) or snapshot.at,
        exact=True,
        old_pods=_pods_from_before(snapshot, secret.written_at),
        before=_what_pods_hold(snapshot, known),
        unseen=blind,
    )


def _held(snapshot: Snapshot, content: Content | None) -> Mapping[str, Held]:
    """Return which pair each container is known to hold; a run that ended is forgotten.

    A run counts if an earlier look has seen it and the Secret still holds the pair now: within one
    look the Secret may have been read just before new content arrived, and the pods after.
    """
    memory = snapshot.memory
    if snapshot.missing(Hop.PODS) is not None or content is None:
        return memory.held
    same = memory.content is not None and memory.content.pair == content.pair
    held = {}
    for pod in snapshot.pods:
        if pod.started_at is None:
            continue
        pair = known_to_hold(pod, memory)
        seen_before = memory.runs.get(pod.uid) == pod.started_at
        if same and seen_before and has_read(pod, content, memory):
            pair = content.pair
        if pair is not None:
            held[pod.uid] = Held(pair=pair, started_at=pod.started_at)
    return held


def _runs(snapshot: Snapshot) -> Mapping[str, datetime]:
    """Return the runs that this look saw together with the Secret's content."""
    if snapshot.secret is None:
        return {}
    return {pod.uid: pod.started_at for pod in snapshot.pods if pod.started_at is not None}


def _stopping(snapshot: Snapshot) -> Mapping[str, Stopping]:
    """Return how pods terminate: a later delete changes what is shown, not what happens."""
    memory = snapshot.memory
    return {
        pod.uid: memory.stopping.get(pod.uid) or first_seen(pod, watched=pod.uid in memory.runs)
        for pod in snapshot.pods
        if pod.deleting_since is not None or pod.uid in memory.stopping
    }


def _what_pods_hold(snapshot: Snapshot, known: Content) -> Fingerprint:
    """Return the pair of the earlier pods: the last content's, or the dead one before it.

    While a torn pair passes through the Secret, pods continue with the pair from before that.
    """
    still_there = any(pod.uid in known.old_pods for pod in snapshot.pods)
    if known.before is not None and still_there and known.before in snapshot.memory.refused:
        return known.before
    return known.pair


def _pods_from_before(snapshot: Snapshot, written_at: datetime | None) -> tuple[str, ...]:
    """Return the pods whose container possibly started before the Secret was written.

    A pod created between the write and this look (lokeys may not have been running) is not one:
    both times are the API server's. A container's start is from another machine's clock.
    """
    tolerance = timedelta(seconds=1)  # the times are whole seconds
    return tuple(
        pod.uid
        for pod in snapshot.pods
        if pod.started_at is not None
        and (
            written_at is None
            or (
                pod.created_at <= written_at + tolerance
                and pod.started_at <= written_at + CLOCKS_AGREE_WITHIN
            )
        )
    )


def _source_pairs(snapshot: Snapshot) -> Iterable[Fingerprint]:
    """Yield the pair that the source offers, once the store has confirmed it as real.

    A rotation's pairs are the source's, too: lokeys has recorded both.
    """
    rotation = under_way(snapshot.memory.rotation)
    if rotation is not None:
        yield from (each for each in (rotation.old, rotation.new) if each is not None)
    pair = snapshot.source.pair if snapshot.source else None
    verdict = snapshot.verdict(pair)
    if pair is not None and verdict is not None and verdict.accepted:
        yield pair.pair


def _still_refused(snapshot: Snapshot) -> tuple[Fingerprint, ...]:
    """Return the refused pairs; one that the store accepts again is removed."""
    refused = {pair for pair, verdict in snapshot.verdicts.items() if verdict.refused}
    accepted = {pair for pair, verdict in snapshot.verdicts.items() if verdict.accepted}
    known = tuple(pair for pair in snapshot.memory.refused if pair not in accepted)
    return _with(known, refused)


def _with(
    known: tuple[Fingerprint, ...],
    more: Iterable[Fingerprint],
    *,
    at_most: int = REMEMBERED_PAIRS,
) -> tuple[Fingerprint, ...]:
    fresh = tuple(sorted(pair for pair in set(more) if pair not in known))
    return (*known, *fresh)[-at_most:]


def _forget_arrived(snapshot: Snapshot) -> Memory:
    """Forget forced syncs if their content has arrived, or is not what the vault has now."""
    memory, wanted = snapshot.memory, snapshot.memory.forced_for
    held = snapshot.secret.pair.pair if snapshot.secret else None
    if held is not None and held == memory.asked_for:
        memory = replace(memory, asked_for=None, asked_count=0, asked_at=None)
    delivered = snapshot.values if snapshot.spec.values else snapshot.secret
    arrived = delivered is not None and delivered.pair.pair == wanted
    vault = snapshot.vault.pair if snapshot.vault else None
    outdated = vault is not None and vault.pair != wanted
    if wanted is None or not (arrived or outdated):
        return memory
    return replace(memory, forced_for=None, forced_count=0, forced_at=None)
