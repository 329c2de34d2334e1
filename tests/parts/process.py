# SPDX-License-Identifier: Apache-2.0
"""Child processes, folders and ports of the real parts: all of it gone when the tests are.

Each child leads its own process group. A guard process learns of every child, folder and network
device; when the test process ends, however it ends, the guard reads the end of its pipe and clears
up what is left, newest first.
"""

import contextlib
import functools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Below the range from which the kernel takes the ports of outgoing connections.
PORTS = range(20000, 32000)


class PartError(Exception):
    """A real part did not do what it must for tests to begin."""


class Guard:
    """A process that outlives this one just long enough to clear up after it."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("guard.py")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(script)], stdin=subprocess.PIPE, start_new_session=True
        )

    def tell(self, *message: object) -> None:
        """Say ("process", pid), ("folder", path), ("run", argv), or ("gone", one of these)."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()


@functools.cache
def guard() -> Guard:
    """Return the one guard of this test process, started when it is first needed."""
    return Guard()


class Process:
    """A running child whose whole process group ends with it.

    Its output is added to the file `log`, or goes to the open descriptor `log`.
    """

    def __init__(
        self,
        argv: Sequence[object],
        *,
        log: Path | int,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = [str(word) for word in argv]
        self.log = log
        with contextlib.nullcontext(log) if isinstance(log, int) else log.open("ab") as output:
            self._child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self._child.pid
        self._stopped = False
        guard().tell("process", self.pid)

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._child.poll()

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end; None when it still runs after `timeout_s`."""
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        self._child.send_signal(number)

    def kill(self) -> None:
        """End the whole group now."""
        self.stop(grace_s=0)

    def stop(self, *, grace_s: float = 3) -> None:
        """End the whole group: SIGTERM, and SIGKILL for what is left after `grace_s`."""
        if self._stopped:
            return
        self._stopped = True
        if grace_s:
            self._signal_group(signal.SIGTERM)
            self.wait(grace_s)
        self._signal_group(signal.SIGKILL)
        self._child.wait()
        guard().tell("gone", "process", self.pid)

    def tail(self, lines: int = 15) -> str:
        """Return the end of its output, where that is in a file."""
        if isinstance(self.log, int):
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


class Folder:
    """A temporary folder with a short path, for unix sockets, that goes with the tests."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"lokeys-{name}-"))
        guard().tell("folder", str(self.path))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        guard().tell("gone", "folder", str(self.path))


def reserve(name: str) -> bool:
    """Take a name for as long as this process lives, unless this one or another has it already."""
    place = socket.socket(socket.AF_UNIX)
    try:
        place.bind(f"\0lokeys-{name}")
    except OSError:
        place.close()
        return False
    place.detach()
    return True


def free_ports(count: int, *, host: str = "127.0.0.1") -> list[int]:
    """Return ports that nothing listens on and that no outgoing connection will take.

    Nor will another process of the same run, before the one that asked listens there.
    """
    found: list[int] = []
    while len(found) < count:
        # A chooser of its own: tests that seed the global one must not choose the same ports.
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        if reserve(f"port-{port}"):
            found.append(port)
    return found


def wait_for(
    condition: Callable[[], object],
    what: str,
    *,
    timeout_s: float = 30,
    processes: Sequence[Process] = (),
) -> None:
    """Poll until `condition` holds; fail at once when one of `processes` dies."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        for process in processes:
            if not process.running:
                raise PartError(
                    f"{process.argv[0]} ended with {process.exit_code}:\n{process.tail()}"
                )
        if time.monotonic() > deadline:
            tails = "\n".join(process.tail() for process in processes)
            raise PartError(f"not so after {timeout_s} s: {what}\n{tails}")
        time.sleep(0.05)
