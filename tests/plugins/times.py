# SPDX-License-Identifier: Apache-2.0
"""`--times` says in the summary where a run's time went, by folder, the tests of chaos apart.

`--times-page FILE` writes the table of that file anew, between its two remarks.

The seconds are those of the tests with all that they set up, in however many processes: two
processes take half of the sum.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import pytest

from plugins.chaos import MARKER

OPTION, PAGE = "--times", "--times-page"
BEGIN, END = "<!-- times -->\n", "<!-- end of times -->\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the wish."""
    parser.addoption(OPTION, action="store_true", help="say where the time went, by folder")
    parser.addoption(PAGE, metavar="FILE", type=Path, help="write it into a page's table, too")


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


def written(text: str, rows: Sequence[tuple[float, int, str]]) -> str:
    """Return a text with the table of these times. Raises ValueError where it has no place."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no place between {BEGIN.strip()} and {END.strip()}")
    lines = [f"| {seconds:.0f} | {tests} | {folder} |\n" for seconds, tests, folder in rows]
    head = "| seconds | tests | folder |\n| ---: | ---: | --- |\n"
    return f"{before}{begin}{head}{''.join(lines)}{end}{after}"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say it."""
    page = config.getoption(PAGE)
    if not (config.getoption(OPTION) or page):
        return
    told = (each for kind in terminalreporter.stats.values() for each in kind)
    rows = by_folder(each for each in told if isinstance(each, pytest.TestReport))
    terminalreporter.section("where the time went: seconds, tests, folder")
    for seconds, tests, folder in rows:
        terminalreporter.line(f"{seconds:7.0f} {tests:6} {folder}")
    if page:
        page.write_text(written(page.read_text(), rows))
