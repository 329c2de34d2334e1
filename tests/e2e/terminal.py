# SPDX-License-Identifier: Apache-2.0
"""lokeys as a person meets it: on a terminal, interrupted, and never with a secret in sight."""

import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Self

import pytest

from e2e.world import Homelab, Said
from parts.process import wait_for


def run(home: Homelab, *words: str, shown: bool = False, timeout_s: float = 120) -> Said:
    """Run lokeys to its end; no secret may show, unless one was asked to be `shown`."""
    said = home.lokeys(*words, timeout_s=timeout_s)
    if not shown:
        assert_silent(home, said.out + said.err)
    assert "Traceback" not in said.err, said.err
    return said


def assert_silent(home: Homelab, text: str) -> None:
    """Fail where a secret of the homelab is in a text, without showing it once more."""
    home.source_pair()  # whatever the source holds now is a canary, too
    if any(secret in text for secret in home.secrets if secret):
        pytest.fail("a secret shows in what lokeys printed", pytrace=False)


def on_terminal(home: Homelab, *words: str, timeout_s: float = 60) -> tuple[int, str]:
    """Run lokeys with its output on a terminal; return its exit code and what is seen there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        home.command("-n", home.monitoring, *words),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=os.environ | {"TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(follower)
    seen = bytearray()
    try:
        while block := _read(leader):
            seen += block
        return process.wait(timeout_s), seen.decode()
    finally:
        os.close(leader)
        process.kill()


def _read(descriptor: int) -> bytes:
    """Return what a terminal shows next; nothing once the last program has left it."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


class Running:
    """A lokeys that is under way, as a context manager; what it says goes to files."""

    def __init__(self, home: Homelab, folder: Path, *words: str) -> None:
        self._home = home
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            argv = home.command("-n", home.monitoring, *words)
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait_said(self, words: str, *, timeout_s: float = 30) -> None:
        """Wait until it has said these words, on whichever stream."""
        wait_for(lambda: words in self.said, f"lokeys says {words}", timeout_s=timeout_s)

    @property
    def said(self) -> str:
        """What it has said so far, on both streams."""
        return self._out.read_text() + self._err.read_text()

    def seen_by_others(self) -> str:
        """Return what any user of the machine sees of it: its command line."""
        return Path(f"/proc/{self.process.pid}/cmdline").read_text()

    def interrupt(self) -> Said:
        """Press Ctrl-C, and wait for the end."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self, timeout_s: float = 60) -> Said:
        """Wait for its end; no secret may show."""
        code = self.process.wait(timeout_s)
        said = Said(code, self._out.read_text(), self._err.read_text())
        assert_silent(self._home, said.out + said.err)
        return said
