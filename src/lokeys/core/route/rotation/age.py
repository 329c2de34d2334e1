# SPDX-License-Identifier: Apache-2.0
"""How old the key in use is."""

from __future__ import annotations

from datetime import datetime

from lokeys.core.route.memory import Memory
from lokeys.core.route.rotation.model import under_way


def key_since(memory: Memory) -> datetime | None:
    """Return since when the key in use is known to exist; None if no Secret was seen yet.

    While a rotation is under way that is the old one: the store accepts it until the end. A key
    that a rotation went back to keeps its age.
    """
    rotation, content = memory.rotation, memory.content
    if under_way(rotation) is not None and rotation is not None:
        return rotation.old_since
    pair = content.pair if content is not None else None
    if rotation is not None and pair == (rotation.old if rotation.back else rotation.new):
        return rotation.old_since if rotation.back else rotation.begun_at
    return content.since if content is not None else None
