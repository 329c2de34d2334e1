# SPDX-License-Identifier: Apache-2.0
"""From a snapshot to the steps that would fix the route. Pure: nothing is done here.

The stages follow the key. Each adds the steps that its hop needs, projects what they will change
for the stages behind it, or stops the plan. Only the first step is ever carried out; then the
route is looked at again and planned afresh, so a plan is never older than its evidence.

    source ─▶ bridge ─▶ vault ─▶ secret ─▶ pods ─▶ proof
    tested    where     one      forced,   one at   by Loki's own
    first     allowed   write    by pair   a time   requests

A rotation that is under way chooses the pair, and has steps of its own at its two ends.
Before all of them comes the end of a bridge whose time is over, or that nobody needs any more: no
wish for a rotation waits for it, or stands in its way.
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
    """Return the steps that lead from what was seen to a proved route, or to where it stops."""
    look = seen(snapshot)
    ending = plan_end(look, policy) if under_way(look.memory.rotation) is None else ()
    if ending:
        return Plan(steps=ending)
    if look.going and under_way(look.memory.rotation) is None:
        return Plan(steps=plan_leaving(look))
    return plan_rotation(look, policy, _healing) or _healing(look, policy)


def _healing(look: Seen, policy: Policy) -> Plan:
    """Return the steps that bring the source's pair everywhere, or where they stop."""
    made = _staged(look, policy)
    made = replace(made, caution=caution(made.steps))
    gap = look.unseen
    begins = any(not step.passive for step in made.steps)
    if gap is None or gap.why not in HOPELESS or not begins or made.hopeless is not None:
        return made
    # The plan ends before the pods; nothing of it is begun all the same.
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
