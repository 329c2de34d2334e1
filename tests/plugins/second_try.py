# SPDX-License-Identifier: Apache-2.0
"""A failed test is tried once more, in a new world: in CI only, and three tests of a run at most.

`--second-try FILE` asks for it. Everything that the tests share is taken down before the second
try. Each test that needed one is named in the summary and kept in the file: one that comes back
there is a defect.
"""

import fcntl
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

AT_MOST = 3
OPTION = "--second-try"
OUTCOME = "tried twice"
_AGAIN = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file that keeps the names."""
    words = f"try up to {AT_MOST} failed tests once more, and add their names to this file"
    parser.addoption(OPTION, metavar="FILE", type=Path, help=words)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test, and once more if it fails and may."""
    kept: Path | None = item.config.getoption(OPTION)
    if kept is None or _AGAIN in item.stash:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    failed = next((report for report in reports if report.failed), None)
    again = failed is not None and _one_more(kept, item)
    if failed and again:
        failed.outcome = OUTCOME  # type: ignore[assignment]
        reports = [failed]
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    if again:
        _take_down(item)
        item.stash[_AGAIN] = True
        item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
    return True


def _one_more(kept: Path, item: pytest.Item) -> bool:
    """Keep the test's name, unless this run, in all its processes, has had its tries."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if sum(json.loads(line)["run"] == run for line in file) >= AT_MOST:
            return False
        file.write(json.dumps({"run": run, "test": item.nodeid}) + "\n")
    return True


def _take_down(item: pytest.Item) -> None:
    """End everything that this process's tests share; a fault in that is an error of the test."""
    call = pytest.CallInfo.from_call(
        lambda: item.session._setupstate.teardown_exact(None), when="teardown"
    )
    report = item.ihook.pytest_runtest_makereport(item=item, call=call)
    if report.failed:
        item.ihook.pytest_runtest_logreport(report=report)


def pytest_report_teststatus(
    report: pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Count the first tries that failed apart from failures."""
    if report.outcome == OUTCOME:
        return OUTCOME, "R", (OUTCOME.upper(), {"yellow": True})
    return None


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the tests that were tried twice, with what failed at first."""
    reports = terminalreporter.stats.get(OUTCOME)
    if not reports:
        return
    kept: Path = config.getoption(OPTION)
    times = Counter(json.loads(line)["test"] for line in kept.read_text().splitlines())
    terminalreporter.section(f"tried twice, as {kept} remembers")
    for report in reports:
        terminalreporter.line(f"{report.nodeid} ({times[report.nodeid]} in all)")
        terminalreporter.line(report.longreprtext)
