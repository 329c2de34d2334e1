# SPDX-License-Identifier: Apache-2.0
"""What the unit tests' own fence keeps out."""

import asyncio
import os
import socket

import pytest


def test_no_socket_reaches_anything() -> None:
    """Connecting, binding and looking up a name all fail, with a word on where to go."""
    with socket.socket() as one, pytest.raises(RuntimeError, match="tests/integration"):
        one.connect(("127.0.0.1", 9))
    with socket.socket() as one, pytest.raises(RuntimeError, match="tests/integration"):
        one.bind(("127.0.0.1", 0))
    with pytest.raises(RuntimeError, match="tests/integration"):
        socket.getaddrinfo("localhost", 80)


def test_an_event_loop_works_all_the_same() -> None:
    """The fence leaves asyncio's own pair of sockets alone."""
    asyncio.run(asyncio.sleep(0))


def test_the_callers_environment_is_gone() -> None:
    """Nobody's kubeconfig or cloud account can be found."""
    assert set(os.environ) <= {"HOME", "LANG", "LC_ALL", "PATH", "PYTEST_CURRENT_TEST", "TMPDIR"}
