# SPDX-License-Identifier: Apache-2.0
"""Few rows in which every two values of two dimensions meet that can meet."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = tuple[Any, ...]
Fits = Callable[[Mapping[int, Any]], bool]
"""Tells whether these values of these dimensions can stand in one row."""

TRIED = 30
"""Rows that are made before the best of them is taken."""

_Pair = tuple[int, Any, int, Any]


def meeting(dimensions: Sequence[Sequence[Any]], fits: Fits) -> set[_Pair]:
    """Return all pairs of values that can stand in one row."""
    return {
        (one, first, other, second)
        for one, other in itertools.combinations(range(len(dimensions)), 2)
        for first in dimensions[one]
        for second in dimensions[other]
        if fits({one: first, other: second})
    }


def pairs_of(row: Sequence[Any]) -> set[_Pair]:
    """Return the pairs of values that stand in a row."""
    return {
        (one, row[one], other, row[other])
        for one, other in itertools.combinations(range(len(row)), 2)
    }


def cover(dimensions: Sequence[Sequence[Any]], fits: Fits) -> list[Row]:
    """Return rows in which every pair stands that can. The same rows at each run.

    What `fits` refuses, it must refuse by two values alone, and each value must have a partner.
    """
    missing = dict.fromkeys(sorted(meeting(dimensions, fits), key=repr))
    rows: list[Row] = []
    while missing:
        starts = list(missing)[:: 1 + len(missing) // TRIED]
        tried = [_row(pair, dimensions, fits, missing) for pair in starts]
        rows.append(max(tried, key=lambda row: len(pairs_of(row) & missing.keys())))
        for pair in pairs_of(rows[-1]):
            missing.pop(pair, None)
    return rows


def _row(
    pair: _Pair, dimensions: Sequence[Sequence[Any]], fits: Fits, missing: dict[_Pair, None]
) -> Row:
    """Return a row with this pair in it, and with as many missing ones as come easily."""
    one, first, other, second = pair
    chosen = {one: first, other: second}
    # The longest dimensions first: they have most pairs to come, and so the fewest to waste.
    for at in sorted(range(len(dimensions)), key=lambda each: -len(dimensions[each])):
        if at not in chosen:
            able = [each for each in dimensions[at] if fits({**chosen, at: each})]
            chosen[at] = max(able, key=lambda each: _gained(chosen, at, each, missing))
    return tuple(chosen[at] for at in range(len(dimensions)))


def _gained(chosen: dict[int, Any], at: int, value: Any, missing: dict[_Pair, None]) -> int:
    return sum(
        ((at, value, other, chosen[other]) if at < other else (other, chosen[other], at, value))
        in missing
        for other in chosen
    )
