# SPDX-License-Identifier: Apache-2.0
"""The page of layouts: what is said of each is one of three things, and a test shows it."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reference/layouts.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| layout", "| **"))
]
_TEST = re.compile(r"`(test_\w+)`|`([\w/]+\.py)`")


def test_the_page_has_rows() -> None:
    """A table that was written in another way would be held to nothing."""
    assert len(ROWS) > 20
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_layout_names_a_test_that_is_there(row: list[str]) -> None:
    """`unit/test_named_tests.py` holds that each of them exists; here that there is one."""
    assert _TEST.search(row[2]), row[0]
