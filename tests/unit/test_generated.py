# SPDX-License-Identifier: Apache-2.0
"""What is made from code is as the code says."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts/generate.py"


def test_generated_files_are_current() -> None:
    """The CRD, the shipped roles and the reference pages need no `python scripts/generate.py`."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
