# SPDX-License-Identifier: Apache-2.0
"""Which kind of node a test is for.

Tests marked `only_real_node` run with `--real-node` alone. Those marked `stand_in(why)` show
nothing on a real node, or cannot run there: `--real-node` leaves them out, and the summary names
each with the reason.
"""

import pytest

from parts.plugin import OPTION

MARKER, ONLY_REAL = "stand_in", "only_real_node"
LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing left out."""
    config.stash[LEFT_OUT] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other kind of node; after `-m`, which chooses first."""
    marker = MARKER if config.getoption(OPTION) else ONLY_REAL
    left_out = [item for item in items if item.get_closest_marker(marker)]
    for item in left_out if marker == MARKER else ():
        found = item.get_closest_marker(MARKER)
        assert found is not None
        config.stash[LEFT_OUT].setdefault(str(found.args[0]), []).append(item.nodeid)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name what a run on a real node left out, and why."""
    left_out = config.stash[LEFT_OUT]
    if left_out:
        terminalreporter.section("not on a real node, but on its stand-in")
    for why, names in sorted(left_out.items()):
        terminalreporter.line(f"{why}:")
        for name in sorted(names):
            terminalreporter.line(f"  {name}")
