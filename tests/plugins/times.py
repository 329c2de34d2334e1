# SPDX-License-Identifier: Apache-2.0
"""`--times` says in the summary where a run's time went, by folder, the tests of chaos apart.

The seconds are those of the tests with all that they set up, in however many processes: two
processes take half of the sum.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath

import pytest

from plugins.chaos import MARKER

OPTION = "--times"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the wish."""
    parser.addoption(OPTION, action="store_true", help="say where the time went, by folder")


def by_folder(reports: Iterable[pytest.TestReport]) -> list[tuple[float, int, str]]:
    """Return seconds and number of tests of each folder, the one that took most first."""
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, set[str]] = defaultdict(set)
    for report in reports:
        folder = str(PurePath(report.nodeid.partition("::")[0]).parent)
        group = MARKER if MARKER in report.keywords else folder
        seconds[group] += report.duration
        tests[group].add(report.nodeid)
    return sorted(((seconds[each], len(tests[each]), each) for each in tests), reverse=True)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say it."""
    if not config.getoption(OPTION):
        return
    told = (each for kind in terminalreporter.stats.values() for each in kind)
    rows = by_folder(each for each in told if isinstance(each, pytest.TestReport))
    terminalreporter.section("where the time went: seconds, tests, folder")
    for seconds, tests, folder in rows:
        terminalreporter.line(f"{seconds:7.0f} {tests:6} {folder}")
