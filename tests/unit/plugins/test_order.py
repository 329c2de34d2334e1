# SPDX-License-Identifier: Apache-2.0
"""In which order files of tests are run."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
STORM = "import pytest\n\npytestmark = pytest.mark.chaos\n"
TEST = "\ndef test_it(): pass\n"


def test_what_takes_long_comes_first(tmp_path: Path) -> None:
    """End-to-end tests and chaos, wherever they are; the order of the others stays."""
    files = {"test_a": TEST, "test_b": STORM + TEST, "e2e/test_c": TEST, "test_f": TEST}
    for name, text in files.items():
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = chaos")
    about = ["-p", "plugins.order", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *about],
        cwd=tmp_path,
        env={"PYTHONPATH": str(TESTS)},
        check=True,
        capture_output=True,
        text=True,
    )
    found = [line.partition(".py")[0][-1] for line in done.stdout.splitlines() if "::" in line]
    assert found[:2] in (["b", "c"], ["c", "b"])
    assert found[2:] == ["a", "f"]
