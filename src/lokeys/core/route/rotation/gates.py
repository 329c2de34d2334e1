# SPDX-License-Identifier: Apache-2.0
"""The gates between the phases: what must have been seen before a rotation continues."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lokeys.core.place import Hop
from lokeys.core.route.checks.pods import behind
from lokeys.core.route.key_state import Seen, evidence, seen
from lokeys.core.route.model import RotationSpec
from lokeys.core.route.rotation.model import PASSES, Phase, Rotation, under_way
from lokeys.core.route.snapshot import Snapshot, Why
from lokeys.core.route.standing import has_key
from lokeys.core.sensitive import Fingerprint

DEFAULTS = RotationSpec()


def asked_of(snapshot: Snapshot) -> RotationSpec:
    """Return how the route wants its key replaced."""
    return snapshot.spec.rotation or DEFAULTS


def advanced(snapshot: Snapshot) -> Rotation | None:
    """Return the rotation after this look: through as many gates as are open.

    It never goes back a phase, and nothing is concluded from what this look could not see.
    """
    rotation = under_way(snapshot.memory.rotation)
    if rotation is None:
        return snapshot.memory.rotation
    look = seen(snapshot)
    if rotation.back:
        over = _is_back(look, rotation)
        return replace(rotation, ended_at=look.at) if over else rotation
    return _through_gates(look, rotation)


def _through_gates(look: Seen, rotation: Rotation) -> Rotation:
    if rotation.phase is Phase.CREATE and _is_tested(look, rotation):
        rotation = rotation.at_phase(Phase.PUBLISH, look.at)
    if rotation.phase is Phase.PUBLISH and _is_published(look, rotation):
        rotation = rotation.at_phase(Phase.SWITCH, look.at)
    if rotation.phase is Phase.SWITCH and _is_delivered(look, rotation):
        rotation = rotation.at_phase(Phase.ROLL, look.at)
    if rotation.phase is Phase.ROLL and all_hold(look, rotation.new):
        rotation = rotation.at_phase(Phase.GRACE, look.at)
    if rotation.phase is Phase.GRACE and may_retire(look, rotation):
        rotation = rotation.at_phase(Phase.RETIRE, look.at)
    if rotation.phase is Phase.RETIRE and _is_retired(look, rotation):
        rotation = replace(rotation, ended_at=look.at)
    return rotation


def _is_tested(look: Seen, rotation: Rotation) -> bool:
    if rotation.new is None or rotation.new_id is None or rotation.passed < PASSES:
        return False
    return has_key(look, rotation.new_id, rotation.new) is True


def _is_published(look: Seen, rotation: Rotation) -> bool:
    if look.spec.vault is None:
        return True
    held = look.vault.pair if look.vault is not None else None
    return held is not None and held.pair == rotation.new


def _is_delivered(look: Seen, rotation: Rotation) -> bool:
    return look.secret is not None and look.secret.pair.pair == rotation.new


def all_hold(look: Seen, pair: Fingerprint | None) -> bool:
    """Tell whether Secret and pods hold this pair, and every pod is proved with it."""
    if look.secret is None or look.secret.pair.pair != pair or pair is None:
        return False
    vault = look.vault.pair if look.vault is not None else None
    if vault is not None and vault.pair != pair:
        return False
    stopping = any(pod.deleting_since is not None for pod in look.pods)
    return not stopping and not behind(look) and evidence(look) is not None


def nobody_left(look: Seen) -> bool:
    """Tell whether a route that is being deleted has no Secret and no pods any more.

    Then no hop needs a key; the whole namespace may be terminating.
    """
    gaps = (gap for gap in look.unreadable if gap.hop in {Hop.SECRET, Hop.PODS})
    empty = look.secret is None and not look.pods
    return look.going and empty and all(gap.why is Why.NOT_FOUND for gap in gaps)


def carries_both(look: Seen) -> bool:
    """Tell whether hops differ on purpose: each has one of two keys that the store accepts."""
    rotation = under_way(look.memory.rotation)
    if rotation is None:
        return False
    pairs = [pair for pair in (rotation.old, rotation.new) if pair is not None]
    verdicts = [look.verdicts.get(pair) for pair in pairs]
    held = (hop.pair for hop in (look.vault, look.secret) if hop is not None)
    return all(verdict is not None and verdict.accepted for verdict in verdicts) and all(
        rotation.owns(pair.pair) for pair in held if pair is not None
    )


def grace_over_at(look: Snapshot, rotation: Rotation) -> datetime:
    """Return until when the old key stays in any case."""
    return rotation.phase_since + asked_of(look).overlap


def may_retire(look: Seen, rotation: Rotation) -> bool:
    """Tell whether the old key may be retired: time, all proved with the new one, no other holder.

    If a holder was found the key stays, whatever was asked for.
    """
    if look.at < grace_over_at(look, rotation) or not all_hold(look, rotation.new):
        return False
    if look.holders is not None and look.holders.found:
        return False
    if rotation.let_go or not asked_of(look).retire_on_evidence:
        return True
    return look.holders is not None and look.holders.none_is_proved


def _is_retired(look: Seen, rotation: Rotation) -> bool:
    """Tell whether the source's user no longer has the old key, and the new one is accepted.

    A copy of the old pair is dropped last, once the store has refused it.
    """
    new = look.verdicts.get(rotation.new) if rotation.new else None
    if new is None or not new.accepted or look.kept is not None or look.kept_gap is not None:
        return False
    return has_key(look, rotation.old_id, rotation.old) is False


def _is_back(look: Seen, rotation: Rotation) -> bool:
    """Tell whether all is as before: the old pair everywhere, and no trace of the new one."""
    everywhere = all_hold(look, rotation.old) or nobody_left(look)
    if not everywhere or look.kept is not None or look.kept_gap is not None:
        return False
    if rotation.new is None or rotation.new_id is None:
        return True
    return has_key(look, rotation.new_id, rotation.new) is False
