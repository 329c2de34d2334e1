# SPDX-License-Identifier: Apache-2.0
"""Which tests run on which kind of node, and what a run says of those it leaves out."""

import subprocess
import sys
import textwrap
from pathlib import Path

TESTS = Path(__file__).parents[2]
FILE = """
    import pytest

    @pytest.mark.stand_in("it plays the node itself")
    @pytest.mark.parametrize("number", range(2))
    def test_played(number): pass

    @pytest.mark.only_real_node
    def test_for_long(): pass

    def test_on_both(): pass
"""


def run(folder: Path, *words: str) -> list[str]:
    """Return what a run of that file says."""
    (folder / "test_it.py").write_text(textwrap.dedent(FILE))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = stand_in\n only_real_node\n")
    plugins = ["-p", "parts.plugin", "-p", "plugins.nodes", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *words],
        cwd=folder,
        env={"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'scripts'}"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def test_a_run_on_a_real_node_names_what_it_leaves_out(tmp_path: Path) -> None:
    """Each test with the reason."""
    said = run(tmp_path, "--real-node")
    reason = said.index("it plays the node itself:")
    names = [f"  test_it.py::test_played[{number}]" for number in range(2)]
    assert said[reason + 1 : reason + 3] == names
    assert said[-1].startswith("2 passed, 2 deselected")


def test_what_only_a_real_node_shows_waits_for_one(tmp_path: Path) -> None:
    """And what plays the node runs."""
    assert run(tmp_path)[-1].startswith("3 passed, 1 deselected")
