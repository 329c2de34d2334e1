# SPDX-License-Identifier: Apache-2.0
"""Where the time of a run went."""

from typing import Literal

import pytest

from plugins.times import by_folder


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
