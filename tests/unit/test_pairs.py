# SPDX-License-Identifier: Apache-2.0
"""Few rows, and no two values that can meet and do not."""

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.lokistack import (
    DIMENSIONS,
    EXTRAS,
    STORES,
    TWISTS,
    every,
    pairwise,
    pairwise_components,
)
from manifests.pairs import cover, meeting, pairs_of

sizes = st.lists(st.integers(1, 6), min_size=2, max_size=5)


@settings(deadline=None)
@given(sizes, st.sets(st.tuples(st.integers(1, 5), st.integers(1, 5))))
def test_every_two_values_meet_that_can(lengths: list[int], apart: set[tuple[int, int]]) -> None:
    """And no row holds two that cannot; there are never more rows than combinations."""
    dimensions = [range(length) for length in lengths]

    def fits(row: Mapping[int, Any]) -> bool:
        return (row.get(0), row.get(1)) not in apart

    rows = cover(dimensions, fits)
    met = set().union(*map(pairs_of, rows)) if rows else set()
    assert met == meeting(dimensions, fits)
    assert len(set(rows)) == len(rows) <= math.prod(lengths)
    assert rows == cover(dimensions, fits)


def test_the_stacks_of_the_tests_are_such_rows() -> None:
    """Each store meets each of its twists, and each value all of the other dimensions."""
    rows = [
        (each.store, each.size, each.tenancy, each.schema, each.extra, each.twist)
        for each in pairwise()
    ]
    met = set().union(*map(pairs_of, rows))
    for one, values in enumerate(DIMENSIONS):
        for other in range(one + 1, len(DIMENSIONS)):
            for first in values:
                for second in DIMENSIONS[other]:
                    able = (one, other) != (0, 5) or first in TWISTS[second].stores
                    assert ((one, first, other, second) in met) is able
    assert {each for twist in TWISTS.values() for each in twist.stores} == set(STORES)
    assert len(rows) < 130


def test_a_ruler_is_asked_only_where_there_is_one() -> None:
    """Every component of every store; the ruler where rules are on."""
    rows = pairwise_components()
    assert {(choice.store, part) for choice, part in rows} >= {
        (store, part) for store in STORES for part in ("distributor", "ruler", "compactor")
    }
    assert all("rules" in EXTRAS[choice.extra] for choice, part in rows if part == "ruler")
    assert len(rows) < 150


def test_all_combinations_are_all() -> None:
    """The product of the five; and each store with each of its twists, all schemas and extras."""
    plain = [choice for choice in every() if choice.twist == "plain"]
    twisted = [choice for choice in every() if choice.twist != "plain"]
    assert len(set(plain)) == len(plain) == math.prod(map(len, DIMENSIONS[:-1]))
    pairs = sum(len(twist.stores) for name, twist in TWISTS.items() if name != "plain")
    assert len(set(twisted)) == len(twisted) == pairs * len(DIMENSIONS[3]) * len(DIMENSIONS[4])
