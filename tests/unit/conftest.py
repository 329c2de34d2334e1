# SPDX-License-Identifier: Apache-2.0
"""What makes a test a unit test: no socket, no environment, no more than five seconds."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TIMEOUT_S = 30
KEPT = ("PATH", "TMPDIR", "LANG", "LC_ALL", "PYTEST_CURRENT_TEST")
FORBIDDEN = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo")


class _Network:
    """Whether sockets may be used; an audit hook cannot be taken off again, only told."""

    closed = False


def _refuse_sockets(event: str, _: object) -> None:
    if _Network.closed and event in FORBIDDEN:
        raise RuntimeError(f"{event} in a unit test: it belongs into tests/integration")


sys.addaudithook(_refuse_sockets)


@pytest.fixture(scope="module", autouse=True)
def _nothing_from_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(KEPT):
            patch.delenv(name)
        patch.setenv("HOME", "/nonexistent")
        _Network.closed = True
        yield
        _Network.closed = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every unit test its few seconds; one that says otherwise keeps its own."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
