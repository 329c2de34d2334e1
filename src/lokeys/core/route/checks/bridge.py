# SPDX-License-Identifier: Apache-2.0
"""The bridge: is a replaced key valid again, and is its time over?"""

from __future__ import annotations

from collections.abc import Iterator

from lokeys.core.findings.catalogue import bridges as rules
from lokeys.core.findings.finding import Finding, time_to_json
from lokeys.core.route.key_state import Seen
from lokeys.core.route.model import source_ref
from lokeys.core.route.standing import is_ours, is_overdue, is_there


def bridge_is_overdue(snapshot: Seen) -> Iterator[Finding]:
    """A bridge should have ended, and nothing shows that it has."""
    bridge = snapshot.memory.bridge
    if bridge is None:
        return
    foreign = not is_ours(bridge, snapshot.spec)
    if not (foreign or is_overdue(snapshot)):
        return
    detail = "; the route names another source by now, so lokeys cannot retire it" * foreign
    yield rules.BRIDGE_OVERDUE.at(
        snapshot.spec.ref,
        source=bridge.source,
        route=snapshot.spec.route,
        until=time_to_json(bridge.until),
        detail=detail,
        namespace=snapshot.spec.namespace,
        name=snapshot.spec.name,
    )


def bridge_stands(snapshot: Seen) -> Iterator[Finding]:
    """A key that was replaced is valid again."""
    bridge = snapshot.memory.bridge
    if bridge is None or bridge.added_at is None or snapshot.at >= bridge.until:
        return
    if is_there(snapshot, bridge) is not False:
        yield rules.BRIDGE_STANDS.at(
            source_ref(snapshot.spec),
            route=snapshot.spec.route,
            until=time_to_json(bridge.until),
        )


CHECKS = (bridge_is_overdue, bridge_stands)
