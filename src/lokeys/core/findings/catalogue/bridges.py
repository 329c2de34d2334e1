# SPDX-License-Identifier: Apache-2.0
"""LK0615, LK0616: a key that was replaced and is valid again for a while."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

BRIDGE_OVERDUE = Rule(
    code="LK0615",
    cause="bridge_overdue",
    title="a key that was replaced is still valid after its time",
    message="{place} made an old key of {source} valid again, which was to be retired by {until}"
    "{detail}",
    meaning="lokeys added a key again that had been replaced, so that running pods could go on. "
    "Its end was recorded before that, and has passed.",
    why="The key may have been removed because it leaked: whoever has it can use it.",
    remedy=(
        Remedy(
            text="retire it now: whoever heals the route does that first",
            command=command("lokeys heal -n {namespace} {name}"),
        ),
        Remedy(
            text="where that is refused, remove the key at the store; lokeys does not add it again"
        ),
    ),
    hop=Hop.SOURCE,
    rank=60,
)
BRIDGE_STANDS = Rule(
    code="LK0616",
    severity=Severity.INFO,
    title="a key that was replaced is valid again",
    message="{place} has the old key again, until {until} at the latest",
    meaning="Pods still held that key when it was replaced. As a second key of the same user it "
    "lets them write, flush and stop while they are replaced.",
    why="The key may have been removed because it leaked. lokeys retires it as soon as no pod of "
    "the route holds it.",
    remedy=(
        Remedy(text="to end it at once, remove the key at the store: lokeys does not add it again"),
    ),
    hop=Hop.SOURCE,
    rank=85,
)
