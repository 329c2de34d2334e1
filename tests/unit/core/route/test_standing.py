# SPDX-License-Identifier: Apache-2.0
"""How many keys the source's user has that nothing needs."""

from dataclasses import replace

import pytest

from builders import NOW, A, B, a_snapshot, a_source, ago, live
from lokeys.core.route.memory import Bridge, Memory
from lokeys.core.route.rotation.model import Rotation
from lokeys.core.route.snapshot import Snapshot
from lokeys.core.route.standing import further_keys

TWO_KEYS = a_snapshot(source=a_source(slots=live(A, B)))
ROTATES = Rotation(
    source="s", why="w", begun_at=NOW, phase_since=NOW, old=A.pair, old_id=A.key_id, new=B.pair
)
BRIDGES = Bridge(pair=B.pair, key_id=B.key_id, source="s", since=ago(hours=1), until=NOW)


@pytest.mark.parametrize(
    ("seen", "keys"),
    [
        pytest.param(a_snapshot(source=None), None, id="the source cannot be read"),
        pytest.param(a_snapshot(source=a_source()), None, id="the user's keys cannot be read"),
        pytest.param(
            a_snapshot(source=a_source(None, slots=live(A, B))), None, id="none is the route's"
        ),
        pytest.param(a_snapshot(source=a_source(slots=live(A))), 0, id="only the route's"),
        pytest.param(TWO_KEYS, 1, id="one more"),
        pytest.param(
            replace(TWO_KEYS, memory=Memory(rotation=ROTATES)), 0, id="a rotation needs both"
        ),
        pytest.param(
            replace(TWO_KEYS, memory=Memory(rotation=replace(ROTATES, ended_at=NOW))),
            1,
            id="a rotation has ended and has left one",
        ),
        pytest.param(replace(TWO_KEYS, memory=Memory(bridge=BRIDGES)), 0, id="a bridge needs it"),
    ],
)
def test_further_keys(seen: Snapshot, keys: int | None) -> None:
    """What a rotation or a bridge has given the user is no leftover while it is under way."""
    assert further_keys(seen) == keys
