# SPDX-License-Identifier: Apache-2.0
"""How a rotation is shown to people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokeys.cli.output import Line
from lokeys.cli.routes import NamedRoute
from lokeys.cli.screens import age_of
from lokeys.core.findings.finding import ref_to_json, time_to_json
from lokeys.core.findings.report import report
from lokeys.core.route.key_state import Currency
from lokeys.core.route.plan import Plan
from lokeys.core.route.rotation.gates import grace_over_at
from lokeys.core.route.rotation.model import Phase, Rotation, under_way
from lokeys.core.sensitive import short
from lokeys.core.text.shell import command
from lokeys.engine.route.look import Look

GATES = {
    Phase.CREATE: "the new key passes all four calls three times in a row at each address",
    Phase.PUBLISH: "the vault is read back with both halves of the new key",
    Phase.SWITCH: "the Secret holds the new key as one pair",
    Phase.ROLL: "each pod has started with the new key, is Ready and proved",
    Phase.GRACE: "the time is over, and nobody else holds the old key",
    Phase.RETIRE: "the store refuses the old key and takes the new one",
}


def lines(look: Look, chosen: NamedRoute) -> Iterator[Line]:
    """Yield a rotation that is under way as a tree, with the command that goes back."""
    rotation = under_way(look.memory.rotation)
    if rotation is None:
        return
    now = look.snapshot.at
    new = short(rotation.new) if rotation.new else "a new key"
    way = (
        f"{new} back to {short(rotation.old)}"
        if rotation.back
        else f"{short(rotation.old)} → {new}"
    )
    said = "goes back" if rotation.back else "rotates"
    yield (
        (f"{chosen.spec.route} {said}: {way}", "strong"),
        (f"  for {age_of(rotation.begun_at, now)}, {rotation.why}", "faint"),
    )
    for phase in Phase:
        yield from _phase_lines(phase, rotation, look)
    yield from _after(rotation, look, chosen)


def _phase_lines(phase: Phase, rotation: Rotation, look: Look) -> Iterator[Line]:
    order = tuple(Phase)
    if phase is not rotation.phase:
        over = order.index(phase) < order.index(rotation.phase)
        mark = ("  ✓ ", "good") if over else ("  · ", "faint")
        yield (mark, (f"{phase.value:<8}", "" if over else "faint"))
        return
    since = age_of(rotation.phase_since, look.snapshot.at)
    yield (("  ▸ ", "strong"), (f"{phase.value:<8}", "strong"), (f"for {since}", "faint"))
    yield ((f"      until {GATES[phase]}", "faint"),)
    step = look.plan.next_step
    if step is not None:
        yield ((f"      next: {step.action.value} {step.target.path}: {step.why}", ""),)
    if phase in (Phase.ROLL, Phase.GRACE) or rotation.back:
        yield from _pod_lines(look)


def _pod_lines(look: Look) -> Iterator[Line]:
    words = {Currency.CURRENT: "as the Secret", Currency.BEHIND: "the other key"}
    for pod in look.snapshot.pods:
        key = look.snapshot.key(pod)
        held = words.get(key.currency, "not known")
        proved = "proved" if key.proof is not None else "not proved yet"
        yield ((f"      {pod.ref.name}: {held}, {proved}", ""),)


def _after(rotation: Rotation, look: Look, chosen: NamedRoute) -> Iterator[Line]:
    holders = look.snapshot.holders
    if holders is not None:
        for ref in holders.found:
            yield ((f"  still holds it: {ref}", "warning"),)
        for gap in holders.unread:
            yield ((f"  not looked into: {gap}", "warning"),)
    if rotation.phase is Phase.GRACE and not rotation.back:
        goes = time_to_json(grace_over_at(look.snapshot, rotation))
        yield ((f"  the old key goes at {goes} at the earliest", ""),)
    if rotation.phase is Phase.RETIRE:
        yield (("  nothing goes back any more", "faint"),)
    elif not rotation.back:
        undo = command("lokeys rotate -n", chosen.spec.namespace, chosen.spec.name, "--abort")
        yield (("  to go back: ", "faint"), (str(undo), "command"))


def last_line(chosen: NamedRoute, look: Look) -> Line:
    """Return the line about a route without a rotation under way."""
    rotation = look.memory.rotation
    if rotation is None:
        return ((f"{chosen.spec.route}: its key was never rotated by lokeys", ""),)
    at = time_to_json(rotation.ended_at)
    if rotation.back:
        return ((f"{chosen.spec.route} went back to {short(rotation.old)} at {at}", "warning"),)
    new = short(rotation.new) if rotation.new else ""
    said = f"{chosen.spec.route} is rotated since {at}: {short(rotation.old)} → {new}"
    return ((said, "good"),)


def stuck_line(plan: Plan) -> Line:
    """Return why a rotation does not continue."""
    return ((plan.reason or "the time is up", "error"),)


def rotation_report(route: str, look: Look) -> dict[str, Any]:
    """Return the report of `rotate`: its phase, what is awaited, who holds which key."""
    rotation, snapshot, step = look.memory.rotation, look.snapshot, look.plan.next_step
    holders = snapshot.holders
    return report(
        "RotationReport",
        route=route,
        rotation=_rotation_json(rotation) if rotation is not None else None,
        nextStep=f"{step.action.value} {step.target.path}: {step.why}" if step else "",
        stalled={"cause": look.plan.stalled, "reason": look.plan.reason}
        if look.plan.stalled
        else None,
        pods=[
            {
                "name": pod.ref.name,
                "current": snapshot.key(pod).currency is Currency.CURRENT,
                "proved": snapshot.key(pod).proof is not None,
            }
            for pod in snapshot.pods
        ],
        holders=[ref_to_json(ref) for ref in holders.found] if holders is not None else None,
        notLookedInto=list(holders.unread) if holders is not None else [],
    )


def _rotation_json(rotation: Rotation) -> dict[str, Any]:
    return {
        "phase": rotation.phase.value if rotation.active else "Idle",
        "goesBack": rotation.back,
        "why": rotation.why,
        "startedAt": time_to_json(rotation.begun_at),
        "phaseStartedAt": time_to_json(rotation.phase_since),
        "finishedAt": time_to_json(rotation.ended_at),
        "old": short(rotation.old),
        "new": short(rotation.new) if rotation.new else None,
    }
