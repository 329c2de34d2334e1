# SPDX-License-Identifier: Apache-2.0
"""From a snapshot to the steps that would fix the route. Pure: nothing is done here.

The stages follow the key. Each adds the steps that its hop needs, projects what they will change
for the later stages, or stops the plan. Only the first step is ever carried out. Then the route is
read and planned again, so a plan is never older than its evidence.

    source ─▶ bridge ─▶ vault ─▶ secret ─▶ pods ─▶ proof
    tested    where     one      forced,   one at   by Loki's own
    first     allowed   write    by pair   a time   requests

A rotation that is under way chooses the pair, and adds its own steps at its start and its end. A
bridge that has expired or is no longer needed is ended before all of these. A wish for a rotation
neither waits for such a bridge nor prevents its end.
"""

from __future__ import annotations

from dataclasses import replace

from lokeys.core.route.key_state import Seen, seen
from lokeys.core.route.plan.bridge import caution, plan_bridge, plan_end, projected_end
from lokeys.core.route.plan.draft import Stop
from lokeys.core.route.plan.pods import plan_pods, plan_proof
from lokeys.core.route.plan.rotation import plan_leaving, plan_rotation
from lokeys.core.route.plan.secret import plan_secret
from lokeys.core.route.plan.source import plan_source, unseen
from lokeys.core.route.plan.steps import HOPELESS, Action, Plan, Policy, Step
from lokeys.core.route.plan.vault import plan_vault
from lokeys.core.route.rotation.model import under_way
from lokeys.core.route.snapshot import Snapshot

STAGES = (plan_bridge, plan_vault, plan_secret, plan_pods, plan_proof, projected_end)

__all__ = ["Action", "Plan", "Policy", "Step", "plan"]


def plan(snapshot: Snapshot, policy: Policy) -> Plan:
    """Return the steps from the snapshot to a proved route, or to where the plan stops."""
    look = seen(snapshot)
    ending = plan_end(look, policy) if under_way(look.memory.rotation) is None else ()
    if ending:
        return Plan(steps=ending)
    if look.going and under_way(look.memory.rotation) is None:
        return Plan(steps=plan_leaving(look))
    return plan_rotation(look, policy, _healing) or _healing(look, policy)


def _healing(look: Seen, policy: Policy) -> Plan:
    """Return the steps that bring the source's pair everywhere, or to where the plan stops."""
    made = _staged(look, policy)
    made = replace(made, caution=caution(made.steps))
    gap = look.unseen
    begins = any(not step.passive for step in made.steps)
    if gap is None or gap.why not in HOPELESS or not begins or made.hopeless is not None:
        return made
    # The plan ends before the pods. Even so, none of its steps is started.
    return replace(made, steps=(*made.steps, unseen(gap)))


def _staged(snapshot: Seen, policy: Policy) -> Plan:
    outcome = plan_source(snapshot, policy)
    for stage in STAGES:
        if isinstance(outcome, Stop):
            break
        course, outcome = outcome, stage(outcome)
        if isinstance(outcome, Stop):
            outcome = replace(outcome, steps=(*course.steps, *outcome.steps))
    if isinstance(outcome, Stop):
        return Plan(steps=outcome.steps, stalled=outcome.cause, reason=outcome.reason)
    return Plan(steps=outcome.steps)
