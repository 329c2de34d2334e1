# SPDX-License-Identifier: Apache-2.0
"""Files of tests that take long come first, so that all processes end at about the same time.

Each takes a file at a time: a file of some minutes that comes last keeps one busy and the others
not. Among the long ones, and among the others, the order is as random as before.
"""

import pytest

from plugins.chaos import MARKER

LONG = "e2e"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the end-to-end tests, and those of chaos, before all others."""
    items.sort(key=lambda item: not takes_long(item))


def takes_long(item: pytest.Item) -> bool:
    """Tell whether a test's file is one of those that take minutes."""
    return LONG in item.path.parts or item.get_closest_marker(MARKER) is not None
