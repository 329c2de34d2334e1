# SPDX-License-Identifier: Apache-2.0
"""Tests marked `chaos` wait for outages or kill at every write: all of them, none, or a sample.

`-m chaos` runs them all and `-m "not chaos"` none. `--chaos-sample COMMIT` runs one of each file,
chosen by the commit, so that all of them run in the course of some commits; the summary names them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

import pytest

MARKER = "chaos"
OPTION = "--chaos-sample"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the commit that chooses."""
    words = "of the tests marked chaos run one of each file, chosen by this commit"
    parser.addoption(OPTION, metavar="COMMIT", help=words)


def chosen(names: Iterable[str], commit: str) -> str:
    """Return one of the names: always the same for a commit, whatever their order."""
    return min(names, key=lambda name: hashlib.sha256(f"{commit} {name}".encode()).digest())


def sample(names: Iterable[str], commit: str) -> set[str]:
    """Return one test of each file."""
    files = defaultdict(set)
    for name in names:
        files[name.partition("::")[0]].add(name)
    return {chosen(tests, commit) for tests in files.values()}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that this commit does not choose."""
    commit = config.getoption(OPTION)
    if commit is None:
        return
    marked = {item.nodeid for item in items if item.get_closest_marker(MARKER)}
    left_out = marked - sample(marked, commit)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the tests that the commit has chosen."""
    commit = config.getoption(OPTION)
    told = (each for kind in terminalreporter.stats.values() for each in kind)
    reports = (each for each in told if isinstance(each, pytest.TestReport))
    ran = {report.nodeid for report in reports if MARKER in report.keywords}
    if commit is None or not ran:
        return
    terminalreporter.section(f"chaos: the tests that commit {commit} chooses")
    for name in sorted(ran):
        terminalreporter.line(name)
