# SPDX-License-Identifier: Apache-2.0
"""Whether a replaced key could, and may, be valid again for a limited time.

The pods hold a pair that the store no longer knows, and the source's user has another one. Added
again as a second key, the old pair makes every running pod valid at once. It may have been removed
because it leaked, so:

    possible   the delivered Secret, or a staging Secret of ours, still holds the pair; the source
               accepts a key that lokeys chooses (IAM never accepts a removed one again)
    allowed    by the source's owner (`lokeys.dev/allowed-bridge`), or by a person's permissions
    known      the source is recorded as having offered this very pair, or a person has confirmed it
    not again  never for a suspended user, never a pair that was bridged before or that a rotation
               has retired
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from lokeys.core.findings.verdict import Answer
from lokeys.core.route.key_state import Currency, Seen, held_pair, known_to_hold
from lokeys.core.route.model import AwsIamSource, bridging_ref, source_ref
from lokeys.core.route.snapshot import PodState, SourceState
from lokeys.core.route.standing import has_key, source_name
from lokeys.core.sensitive import PairFacts
from lokeys.core.text.durations import go_duration

ALLOWED_BRIDGE = "lokeys.dev/allowed-bridge"
LONGEST_BRIDGE = timedelta(hours=24)
_LONGEST_DURATION = 32
_IAM_TAKES_NONE_BACK = (
    "IAM never takes a removed key back, and lokeys does not switch on one that was switched off"
)
_GONE = frozenset({Answer.UNKNOWN_KEY, Answer.NOT_VALID})
"""How a store answers for a key that its user no longer has."""


class NoBridge(Enum):
    """Why a pair is not added again."""

    NO_ISSUER = auto()
    NEVER_RETURNS = auto()
    MALFORMED = auto()
    SUSPENDED = auto()
    BARRED = auto()
    NEVER = auto()
    NOT_KEPT = auto()
    NOT_ALLOWED = auto()
    NOT_RECORDED = auto()


A_PERSONS = frozenset({NoBridge.NOT_ALLOWED, NoBridge.NOT_RECORDED})
"""What a person with their own permissions can override: `lokeys heal --bridge`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """What the caller adds: a person's decision, and whether the record will be kept.

    `asked`: a person wants a bridge, with their own permissions. `unrecorded`: they were shown the
    id of a key without a record, and confirmed it. `refused`: why it failed when it was started.
    """

    asked: bool = False
    unrecorded: bool = False
    keeps: bool = True
    refused: str = ""


NO_LEAVE = Leave()
"""Only what the source's owner allows, and what is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """A pair that could be valid again, and why it is not made so (`refusal` None: it may be)."""

    pair: PairFacts
    refusal: NoBridge | None = None
    reason: str = ""

    @property
    def for_a_person(self) -> bool:
        """Tell whether only permission is missing, which a person can give."""
        return self.refusal is None or self.refusal in A_PERSONS


def allowed_bridge(manifest: Mapping[str, Any]) -> timedelta | None:
    """Return for how long an object's owner lets a replaced key be valid again; None: not at all.

    An invalid duration, or one not above zero, allows nothing; more than a day counts as a day.
    """
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    text = annotations.get(ALLOWED_BRIDGE) if isinstance(annotations, Mapping) else None
    if not isinstance(text, str) or len(text) > _LONGEST_DURATION:
        return None
    longest = go_duration(text)
    if longest is None or longest <= timedelta(0):
        return None
    return min(longest, LONGEST_BRIDGE)


def longest(snapshot: Seen, leave: Leave) -> timedelta:
    """Return for how long a bridge may last; zero if nobody allows it."""
    allowed = snapshot.source.consent.bridge if snapshot.source is not None else None
    most = snapshot.spec.bridge_longest
    if leave.asked:
        return most
    return min(allowed, most) if allowed is not None else timedelta(0)


def chance(snapshot: Seen, leave: Leave) -> Chance | None:
    """Return the pair that pods hold and the store has lost; None if there is none."""
    source, pair = snapshot.source, gone_pair(snapshot)
    if source is None or pair is None:
        return None
    refusal, reason = _refusal(snapshot, source, pair, leave)
    return Chance(pair=pair, refusal=refusal, reason=reason)


def gone_pair(snapshot: Seen) -> PairFacts | None:
    """Return the pair that running pods hold, the store no longer knows, and some hop still has.

    The delivered Secret has it until it changes; after that only a staging Secret of ours.
    """
    source, secret, kept = snapshot.source, snapshot.secret, snapshot.kept
    if source is None or source.pair is None:
        return None
    for held in (secret.pair if secret else None, kept.pair if kept else None):
        if held is None or held.key_id == source.pair.key_id:
            continue
        if _is_gone(snapshot, held) and holders(snapshot, held):
            return held
    return None


def holders(snapshot: Seen, pair: PairFacts) -> tuple[PodState, ...]:
    """Return the running pods that hold a pair, as far as is known; stopping ones, too."""
    return tuple(pod for pod in snapshot.pods if _may_hold(pod, snapshot, pair))


def why_impossible(snapshot: Seen) -> str:
    """Return why a bridge cannot help pods with a dead key; "" if it could."""
    if isinstance(snapshot.spec.source, AwsIamSource):
        return f"no bridge is possible: {_IAM_TAKES_NONE_BACK}"
    found = chance(snapshot, NO_LEAVE)
    if found is not None:
        return "" if found.for_a_person else f"no bridge is possible: {found.reason}"
    if not snapshot.issues:
        return f"no bridge is possible: lokeys cannot add a key of {source_ref(snapshot.spec)}"
    return (
        f"no bridge is possible: {snapshot.spec.secret_ref} holds another pair already, "
        "and nobody has kept the one that they hold"
    )


def _is_gone(snapshot: Seen, pair: PairFacts) -> bool:
    """Tell whether the source's user no longer has the pair's key; its own list is the freshest."""
    verdict, source = snapshot.verdict(pair), snapshot.source
    listed = source is not None and source.live is not None
    fits = verdict is None or verdict.answer in _GONE or (listed and verdict.accepted)
    return fits and has_key(snapshot, pair.key_id, pair.pair) is False


def _may_hold(pod: PodState, snapshot: Seen, pair: PairFacts) -> bool:
    """Tell whether a running pod may hold the pair: it does, or nothing rules it out."""
    if pod.started_at is None:
        return False
    if snapshot.key(pod).currency is Currency.UNKNOWN:
        known = known_to_hold(pod, snapshot.memory)
        return snapshot.key(pod).works is not True and known in {None, pair.pair}
    return held_pair(pod, snapshot) == pair.pair


def _refusal(
    snapshot: Seen, source: SourceState, pair: PairFacts, leave: Leave
) -> tuple[NoBridge | None, str]:
    owner, memory = source.owner, snapshot.memory
    offered = memory.offered
    recorded = (
        offered is not None
        and offered.source == source_name(snapshot.spec)
        and pair.pair in offered.pairs
    )
    if not snapshot.issues:
        return NoBridge.NO_ISSUER, f"lokeys cannot add a key of {owner}"
    if isinstance(snapshot.spec.source, AwsIamSource):
        return NoBridge.NEVER_RETURNS, _IAM_TAKES_NONE_BACK
    if pair.flaws:
        return NoBridge.MALFORMED, f"the pair that the pods hold is malformed: {min(pair.flaws)}"
    if source.suspended:
        return NoBridge.SUSPENDED, f"{owner} is suspended at the store"
    if pair.pair in memory.barred:
        return NoBridge.BARRED, (
            "this key has been added again once, lokeys has retired it, or its user was suspended"
        )
    if snapshot.spec.bridge_longest <= timedelta(0):
        return NoBridge.NEVER, "`spec.bridge.longest` is 0s"
    if snapshot.kept_gap is not None:
        return NoBridge.NOT_KEPT, f"{snapshot.kept_gap.ref}: {snapshot.kept_gap.why}"
    if leave.refused:
        return NoBridge.NOT_KEPT, leave.refused
    if not leave.keeps:
        return NoBridge.NOT_KEPT, "nothing would keep its end: the status does not take the record"
    if longest(snapshot, leave) <= timedelta(0):
        place = bridging_ref(snapshot.spec) or owner
        return NoBridge.NOT_ALLOWED, f"{place} has no annotation {ALLOWED_BRIDGE}"
    if not (recorded or leave.unrecorded):
        return NoBridge.NOT_RECORDED, f"it is not recorded that {owner} ever had this key"
    return None, ""
