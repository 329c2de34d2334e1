# SPDX-License-Identifier: Apache-2.0
"""Try failed tests once more, alone, and name those that passed only then.

A dozen real daemons share two cores with the tests that watch them. What fails twice fails; what
passes at the second try is named, so that nobody can overlook it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

MANY = 25
"""More failures than this are no accident: they are not tried again."""


def main() -> int:
    """Return what the second try returned; 1 where there is none."""
    kept = Path(".pytest_cache/v/cache/lastfailed")
    failed = sorted(json.loads(kept.read_text())) if kept.exists() else []
    if not failed or len(failed) > MANY:
        return 1
    print(f"\ntrying {len(failed)} failed test(s) once more, alone:", *failed, sep="\n  ")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *failed]
    # The first run's options speak of plug-ins that this one goes without.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
