# SPDX-License-Identifier: Apache-2.0
"""LK0615, LK0616: a key that was replaced and is valid again for a while."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.place import Hop
from lokeys.core.text.shell import command

BRIDGE_OVERDUE = Rule(
    code="LK0615",
    cause="bridge_overdue",
    title="a replaced key is still valid after its bridge has ended",
    message="{place} made an old key of {source} valid again; it should have been removed by "
    "{until}{detail}",
    meaning="lokeys made a replaced key valid again, so that running pods could continue. The end "
    "of that time was recorded first, and has passed.",
    why="The key may have been removed because it leaked: anyone who has it can use it.",
    remedy=(
        Remedy(
            text="remove it now; healing the route does that first",
            command=command("lokeys heal -n {namespace} {name}"),
        ),
        Remedy(
            text="if that is refused, remove the key at the store; lokeys does not add it again"
        ),
    ),
    hop=Hop.SOURCE,
    rank=60,
)
BRIDGE_STANDS = Rule(
    code="LK0616",
    severity=Severity.INFO,
    title="a replaced key is valid again for a while",
    message="{place} has the old key again, until {until} at the latest",
    meaning="Pods still used that key when it was replaced. As a second key of the same user it "
    "lets them write, flush and stop while they are replaced.",
    why="The key may have been removed because it leaked. lokeys removes it again as soon as no "
    "pod of the route uses it.",
    remedy=(
        Remedy(text="to end it at once, remove the key at the store: lokeys does not add it again"),
    ),
    hop=Hop.SOURCE,
    rank=85,
)
