# SPDX-License-Identifier: Apache-2.0
"""Where the time of a run went."""

import re
from pathlib import Path
from typing import Literal

import pytest

from plugins.chaos import MARKER
from plugins.times import BEGIN, END, by_folder, written

ROOT = Path(__file__).parents[3]
QUICK = ("unit", "golden", "bench")


def report(
    test: str, when: Literal["setup", "call"], seconds: float, *marks: str
) -> pytest.TestReport:
    keywords: dict[str, Literal[1]] = dict.fromkeys(marks, 1)
    return pytest.TestReport(test, ("", 0, ""), keywords, "passed", None, when, duration=seconds)


def test_the_time_of_each_folder_is_told() -> None:
    """What a test sets up is its folder's; chaos stands apart; the longest first."""
    one, other, storm = (
        "tests/e2e/test_a.py::a",
        "tests/unit/test_b.py::b",
        "tests/e2e/test_a.py::c",
    )
    reports = [
        report(other, "call", 2),
        report(one, "setup", 30),
        report(one, "call", 1),
        report(storm, "call", 7, "chaos"),
    ]
    assert by_folder(reports) == [(31, 1, "tests/e2e"), (7, 1, "chaos"), (2, 1, "tests/unit")]


def test_the_table_of_a_page_is_written_anew() -> None:
    """What stands around it stays."""
    page = f"# A\n{BEGIN}old\n{END}rest\n"
    rows = [(31.4, 12, "tests/e2e")]
    table = "| seconds | tests | folder |\n| ---: | ---: | --- |\n| 31 | 12 | tests/e2e |\n"
    assert written(page, rows) == f"# A\n{BEGIN}{table}{END}rest\n"


@pytest.mark.parametrize("page", ["", BEGIN, END, END + BEGIN])
def test_a_page_without_a_place_is_refused(page: str) -> None:
    """Nothing of it is overwritten."""
    with pytest.raises(ValueError, match="there is no place"):
        written(page, [])


def test_the_contributors_table_has_every_folder_on_real_parts() -> None:
    """A folder that came, or went, since the table was written is missing, or too much."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text.partition(BEGIN)[2].partition(END)[0]
    told = set(re.findall(r"^\| \d+ \| \d+ \| (\S+) \|$", table, re.MULTILINE))
    files = (path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py"))
    there = {str(file.parent) for file in files if file.parts[1] not in QUICK}
    assert told == there | {MARKER}
