# SPDX-License-Identifier: Apache-2.0
"""The floor plan of the core: few rooms, few arrows, none mutual, and two wings apart."""

import ast
from collections import Counter

import rooms


def test_core_has_few_rooms_and_no_two_that_need_each_other() -> None:
    """What `scripts/rooms.py` prints stays readable: 13 rooms and 40 arrows at most."""
    arrows = rooms.arrows("core")

    assert len(rooms.rooms("core")) <= 13
    assert len(arrows) <= 40
    assert [pair for pair in arrows if pair[::-1] in arrows] == []


def test_a_route_and_a_stack_do_not_know_each_other() -> None:
    """The two wings stand on one ground; nothing leads from one into the other."""
    between = {frozenset(pair) for pair in rooms.arrows("core")}

    assert frozenset({"route", "stack"}) not in between


def test_no_two_classes_share_a_name() -> None:
    """One word names one thing; a class that only its own file knows may be called as it likes."""
    named = Counter(
        node.name
        for path in rooms.SOURCE.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert [name for name, times in named.items() if times > 1] == []
