# SPDX-License-Identifier: Apache-2.0
"""What makes a test a unit test: no socket and no environment."""

import os
import sys
from collections.abc import Iterator

import pytest

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
