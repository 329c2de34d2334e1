# SPDX-License-Identifier: Apache-2.0
"""Removes what a real node leaves once its processes are gone: cleanup.py CGROUP FOLDER."""

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

TRIES, PAUSE_S = 50, 0.1


def remove_groups(top: Path) -> None:
    """Remove a control group and all below it; a group goes some time after its processes."""
    for _ in range(TRIES):
        for path, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)  # noqa: PTH106 - what os.walk yields
        if not top.exists():
            return
        time.sleep(PAUSE_S)


def main() -> None:
    """Remove the group from every hierarchy, and the folder."""
    group, folder = sys.argv[1:]
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        if (hierarchy / group).is_dir():
            remove_groups(hierarchy / group)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
