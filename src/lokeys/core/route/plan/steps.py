# SPDX-License-Identifier: Apache-2.0
"""What a plan is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from lokeys.core.findings.finding import ref_to_json
from lokeys.core.place import Hop, Ref
from lokeys.core.route.bridging import NO_LEAVE, Leave
from lokeys.core.route.rotation.model import Rotation, RotationWish
from lokeys.core.route.snapshot import PodState, Unreadable, Why
from lokeys.core.sensitive import Fingerprint


class Action(StrEnum):
    """What a step does."""

    REFRESH_SOURCE = "refresh-source"
    CREATE_BUCKET = "create-bucket"
    TEST_KEY = "test-key"
    WRITE_VAULT = "write-vault"
    REVALIDATE_STORE = "revalidate-store"
    FORCE_SYNC = "force-sync"
    ASK_MAKER = "ask-maker"
    SPOIL_DATA_HASH = "spoil-data-hash"
    RECREATE_SECRET = "recreate-secret"
    WRITE_SECRET = "write-secret"
    REPLACE_POD = "replace-pod"
    DELETE_POD = "delete-pod"
    FLUSH = "flush"
    KEEP_PAIR = "keep-pair"
    ADD_KEY = "add-key"
    RETIRE_KEY = "retire-key"
    DROP_PAIR = "drop-pair"
    BEGIN_ROTATION = "begin-rotation"
    DRAFT_KEY = "draft-key"
    CREATE_KEY = "create-key"
    OFFER_KEY = "offer-key"
    GO_BACK = "go-back"
    LET_GO = "let-go"
    PROVE = "prove"
    AWAIT = "await"
    MANUAL = "manual"


PASSIVE = frozenset({Action.AWAIT, Action.MANUAL, Action.PROVE})
"""Steps that change nothing: lokeys only looks again."""


BEGINS_A_BRIDGE = frozenset({Action.KEEP_PAIR, Action.ADD_KEY})

ENDS_A_BRIDGE = frozenset({Action.RETIRE_KEY, Action.DROP_PAIR})


HOPELESS = frozenset({Why.FORBIDDEN, Why.NOT_SUPPORTED})
"""If something cannot be read for one of these reasons, waiting does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What this run may do beyond what the resource itself allows."""

    accept_loss: bool = False
    overwrite_foreign: bool = False
    bridge: Leave = NO_LEAVE
    ends: bool = False
    """Whether a bridge, or a rotation, ends now: the route is being deleted."""
    owes: bool = False
    """Whether the resource says that a bridge may exist: then it is looked for, allowed or not."""
    rotate: RotationWish | None = None
    rotate_later: str = ""
    """Why the rotation that is wanted does not start yet, regardless of the route's state."""
    go_back: bool = False
    """Whether a rotation must go back to the old key."""
    let_go: bool = False
    """A person says that the old key may be removed, although some holders could not be checked."""
    keep: bool = False
    """Whether a pair may be kept before anybody has said that it may be valid again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do or to wait for.

    `pair` is what is delivered or tested, `over` what must still be there when it is done.
    """

    action: Action
    hop: Hop
    target: Ref
    why: str
    changes: str = ""
    destructive: bool = False
    pair: Fingerprint | None = None
    over: Fingerprint | None = None
    pod: PodState | None = None
    grace: timedelta | None = None
    look_again_s: float = 5.0
    watched: bool = False
    """Its end shows in Kubernetes: a caller that watches need not poll so often."""
    gap: Unreadable | None = None
    """What could not be read, if that is waited for."""
    key_id: Fingerprint | None = None
    """Which of the user's keys is added or removed."""
    rotation: Rotation | None = None
    """What is recorded of a rotation, if that is the step."""
    until: datetime | None = None
    """When a bridge ends at the latest; recorded before it starts."""

    @property
    def id(self) -> str:
        """Return a name for the step that is equal whenever the same step is planned."""
        return f"{self.action.value}:{self.target.path}"

    @property
    def passive(self) -> bool:
        """Tell whether the step changes nothing."""
        return self.action in PASSIVE

    @property
    def ends_a_bridge(self) -> bool:
        """Tell whether this end was promised to the source's owner: then it is done in every mode.

        A rotation also removes a key and drops its copy; only a bridge's end is recorded.
        """
        return self.action in ENDS_A_BRIDGE and self.until is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps to a proved route. `stalled`: the cause that only a person can remove.

    `caution`: what a person should know first.
    """

    steps: tuple[Step, ...] = ()
    stalled: str | None = None
    reason: str = ""
    caution: str = ""

    @property
    def next_step(self) -> Step | None:
        """Return the one step that may be done now.

        Nothing is changed if the plan cannot be completed: if a later step would wait in vain, that
        wait comes first.
        """
        return self._in_vain or (self.steps[0] if self.steps else None)

    @property
    def hopeless(self) -> Unreadable | None:
        """Return what some step would wait for in vain: it may not be read from here."""
        return self._in_vain.gap if self._in_vain else None

    @property
    def _in_vain(self) -> Step | None:
        waits = (step for step in self.steps if step.gap is not None)
        return next((step for step in waits if step.gap and step.gap.why in HOPELESS), None)

    @property
    def settled(self) -> bool:
        """Tell whether nothing is left to do and everything is proved."""
        return not self.steps and self.stalled is None

    @property
    def acts(self) -> bool:
        """Tell whether any step would change something."""
        return any(not step.passive and step.action is not Action.TEST_KEY for step in self.steps)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the contract's form of a plan."""
    return {
        "steps": [
            {
                "id": step.id,
                "action": step.action.value,
                "target": ref_to_json(step.target),
                "why": step.why,
                "changes": step.changes,
                "destructive": step.destructive,
            }
            for step in plan.steps
        ],
        "stalled": {"cause": plan.stalled, "reason": plan.reason} if plan.stalled else None,
        "caution": plan.caution or None,
    }
