# SPDX-License-Identifier: Apache-2.0
"""Clears up after a test process that has ended; started by `parts.process`, speaks JSON lines."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys


def clear(kind: str, what: object) -> None:
    """End a process group, remove a folder, or run a command; what is gone already is fine."""
    with contextlib.suppress(OSError):
        if kind == "process" and isinstance(what, int):
            os.killpg(what, signal.SIGKILL)
        elif kind == "folder":
            shutil.rmtree(str(what), ignore_errors=True)
        elif kind == "run" and isinstance(what, list):
            subprocess.run(what, check=False, capture_output=True)


def main() -> None:
    """Keep book until the pipe ends, then clear up the newest first."""
    left: list[tuple[str, object]] = []
    for line in sys.stdin:
        message = json.loads(line)
        if message[0] == "gone":
            with contextlib.suppress(ValueError):
                left.remove((message[1], message[2]))
        else:
            left.append((message[0], message[1]))
    # Processes first, whatever the order they were named in: they write into the folders.
    for kind in ("process", "run", "folder"):
        for known, what in reversed(left):
            if known == kind:
                clear(kind, what)


if __name__ == "__main__":
    main()
