# SPDX-License-Identifier: Apache-2.0
"""Which key a running pod holds, and what proves that it works.

Loki reads its keys once, when its container starts. So a pod is current if its container started
after the Secret's content changed. An observer of the change knows which pods existed before it.
Anybody else has to compare two clocks (the API server's and the kubelet's), and if the times are
within a minute, the storage decides.

       content changed                container started        it is
    ───────┼──────────────────────────────────┼─────────────▶  current
    ───────┼──[ one minute: ask the storage ]─────────────────
    container started ───────┼ content changed ─────────────▶  behind

What a container was once known to hold it holds until it restarts: a pod that read a pair before a
torn one passed through the Secret is current when the pair is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum

from lokeys.core.findings.catalogue.complaints import causes_that
from lokeys.core.findings.complaint import OfKey
from lokeys.core.place import Ref
from lokeys.core.route.memory import Content, Memory
from lokeys.core.route.snapshot import PodState, Snapshot
from lokeys.core.route.standing import carries
from lokeys.core.sensitive import Fingerprint

CLOCKS_AGREE_WITHIN = timedelta(minutes=1)
"""Two machines' clocks, and timestamps in whole seconds, may differ by this much."""

WHOLE_SECONDS = timedelta(seconds=1)
"""Two times of one clock in whole seconds are in order only if they differ by more than this."""

REFUSED_KEY_CAUSES = causes_that(OfKey.REFUSED, OfKey.MAYBE)
"""Log complaints that a dead key can produce (with token-first RGW also Access Denied)."""


class Currency(StrEnum):
    """What is known about the key in a running pod."""

    CURRENT = "current"
    BEHIND = "behind"
    UNKNOWN = "unknown"


class Proof(StrEnum):
    """What proves that a pod's key works. The names are reasons of the Ready condition."""

    BY_LOKI = "ProvedByLoki"
    BY_STORE_TEST = "ProvedByStoreTest"


def storage_works(pod: PodState) -> bool | None:
    """Return what the pod's own storage requests say about its key; None: nothing yet.

    Counters count since the container started, and its key cannot change meanwhile. 404s are
    harmless (Loki looks for files that need not exist).
    """
    if pod.metrics is not None and pod.metrics.refused:
        return False
    if any(line.cause in REFUSED_KEY_CAUSES for line in pod.log):
        return False
    if pod.metrics is not None and pod.metrics.accepted:
        return True
    return None


def currency(pod: PodState, snapshot: Snapshot) -> Currency:
    """Tell whether the pod's container has read the Secret's current content, and uses it."""
    if snapshot.kept_from_storage(pod):
        return Currency.UNKNOWN  # a variable that is not expanded is not a key
    content = snapshot.memory.content
    if pod.started_at is None:
        return Currency.CURRENT  # it reads the Secret when it starts
    if content is None or snapshot.secret is None:
        return Currency.UNKNOWN
    if has_read(pod, content, snapshot.memory):
        return Currency.CURRENT
    if not content.exact:
        return _by_storage(pod, snapshot)
    if pod.started_at < content.since - CLOCKS_AGREE_WITHIN:
        return Currency.BEHIND
    return _restarted_in_place(pod, content, snapshot)


def has_read(pod: PodState, content: Content, memory: Memory) -> bool:
    """Tell whether the pod's container has certainly read this content."""
    if pod.started_at is None:
        return False
    if known_to_hold(pod, memory) == content.pair:
        return True
    if pod.started_at > content.since + CLOCKS_AGREE_WITHIN:
        return True
    if content.exact and (pod.uid in content.old_pods or not content.unseen):
        return pod.uid not in content.old_pods
    # Both times are from the API server's clock; a container's start is from the kubelet's.
    return pod.created_at > content.since + WHOLE_SECONDS


def known_to_hold(pod: PodState, memory: Memory) -> Fingerprint | None:
    """Return the pair that the container's current run was once known to hold."""
    held = memory.held.get(pod.uid)
    return held.pair if held is not None and held.started_at == pod.started_at else None


def pair_from_before(pod: PodState, snapshot: Snapshot) -> Fingerprint | None:
    """Return the pair that a pod behind the Secret holds, as far as is known."""
    content = snapshot.memory.content
    return known_to_hold(pod, snapshot.memory) or (content.before if content else None)


def _by_storage(pod: PodState, snapshot: Snapshot) -> Currency:
    """Let the storage decide about a pod if nobody saw the content change."""
    works = storage_works(pod)
    if works is None:
        return Currency.UNKNOWN
    if works:
        return Currency.CURRENT
    return Currency.BEHIND if _secret_is_better(snapshot) else Currency.UNKNOWN


def _restarted_in_place(pod: PodState, content: Content, snapshot: Snapshot) -> Currency:
    """Decide about a container that started around the change, in a pod from before it.

    A successful request proves the new pair only if the old one is dead, and only in a container
    that started after the change: an older one may have used the old pair while it was valid.
    """
    works = storage_works(pod)
    after = pod.started_at is not None and pod.started_at > content.since
    if not after or works is False or content.before not in snapshot.memory.refused:
        return Currency.BEHIND
    if works is True:
        return Currency.CURRENT
    return Currency.UNKNOWN if pod.writes else Currency.BEHIND  # replacing a reader is cheap


def _secret_is_better(snapshot: Snapshot) -> bool:
    """Tell whether the store accepts the Secret's pair, so that the refused one is another."""
    verdict = snapshot.verdict(snapshot.secret.pair) if snapshot.secret else None
    return verdict is not None and verdict.accepted


def held_pair(pod: PodState, snapshot: Snapshot) -> Fingerprint | None:
    """Return the pair that a pod runs with, as far as is known."""
    content = snapshot.memory.content
    if currency(pod, snapshot) is Currency.BEHIND:
        return pair_from_before(pod, snapshot)
    return known_to_hold(pod, snapshot.memory) or (content.pair if content else None)


def key_is_dead(pod: PodState, snapshot: Snapshot) -> bool:
    """Tell whether the store refuses the key that the pod runs with.

    Its own requests say so, or the pair that the Secret held before is known to be refused. While a
    bridge makes its key valid neither counts: earlier requests were refused, new ones are not.
    """
    if carries(snapshot, held_pair(pod, snapshot)):
        return False
    return storage_works(pod) is False or (
        pair_from_before(pod, snapshot) in snapshot.memory.refused
        and currency(pod, snapshot) is Currency.BEHIND
    )


def may_lose_lines(pod: PodState, snapshot: Snapshot) -> bool:
    """Tell whether the pod holds lines on no volume, and nothing shows that it can flush them.

    An earlier answered request shows nothing: its key may have died since.
    """
    if pod.wal_persistent is not False:
        return False
    before = pair_from_before(pod, snapshot)
    verdict = snapshot.verdicts.get(before) if before else None
    alive = (verdict is not None and verdict.accepted) or carries(snapshot, before)
    return not alive or key_is_dead(pod, snapshot)


def proof(pod: PodState, snapshot: Snapshot) -> Proof | None:
    """Return what proves that the pod runs with a key that works; None: nothing yet."""
    if pod.deleting_since is not None or pod.started_at is None:
        return None
    if storage_works(pod) is True and currency(pod, snapshot) is not Currency.BEHIND:
        return Proof.BY_LOKI
    if pod.writes or snapshot.secret is None:
        return None
    verdict = snapshot.verdict(snapshot.secret.pair)
    accepted = verdict is not None and verdict.accepted
    if accepted and currency(pod, snapshot) is Currency.CURRENT and storage_works(pod) is None:
        return Proof.BY_STORE_TEST
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodKey:
    """What is known about the key that a pod runs with."""

    works: bool | None
    currency: Currency
    dead: bool
    may_lose_lines: bool
    proof: Proof | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Snapshot):
    """A sorted snapshot, with what is known about each pod's key: derived once for all callers."""

    keys: Mapping[Ref, PodKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the keys, also if the snapshot was made from another one."""
        object.__setattr__(self, "keys", {pod.ref: _key(pod, self) for pod in self.pods})

    def key(self, pod: PodState) -> PodKey:
        """Return what is known about the key of one of the snapshot's pods."""
        return self.keys[pod.ref]


def _key(pod: PodState, snapshot: Snapshot) -> PodKey:
    return PodKey(
        works=storage_works(pod),
        currency=currency(pod, snapshot),
        dead=key_is_dead(pod, snapshot),
        may_lose_lines=may_lose_lines(pod, snapshot),
        proof=proof(pod, snapshot),
    )


def seen(snapshot: Snapshot) -> Seen:
    """Return a sorted snapshot with its pods' keys; itself if it is one already."""
    if isinstance(snapshot, Seen):
        return snapshot
    ordered = snapshot.in_order()
    return Seen(**{each.name: getattr(ordered, each.name) for each in fields(ordered)})


def evidence(snapshot: Snapshot) -> Proof | None:
    """Return the weakest proof of all pods; None if one has none. Without pods: the store's."""
    proofs = {key.proof for key in seen(snapshot).keys.values()}
    if (
        None in proofs
        or snapshot.unseen is not None
        or any(workload.pods_to_come(snapshot.pods) for workload in snapshot.workloads)
    ):
        return None
    if proofs == {Proof.BY_LOKI}:
        return Proof.BY_LOKI
    verdict = snapshot.verdict(snapshot.secret.pair) if snapshot.secret else None
    return Proof.BY_STORE_TEST if verdict is not None and verdict.accepted else None
