# SPDX-License-Identifier: Apache-2.0
"""Which tests of chaos a commit chooses."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from plugins.chaos import sample

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
NAMES = [f"{file}.py::test_{number}" for file in "abc" for number in range(4)]
COMMITS = st.text("0123456789abcdef", min_size=40, max_size=40)


@given(commit=COMMITS, names=st.permutations(NAMES))
def test_a_commit_always_chooses_the_same(commit: str, names: list[str]) -> None:
    """In whatever order the tests are found: one of each file."""
    found = sample(names, commit)
    assert found == sample(NAMES, commit)
    assert sorted(name[0] for name in found) == ["a", "b", "c"]


def test_every_test_has_its_turn() -> None:
    """Some dozen commits choose each of them once at least."""
    assert set().union(*(sample(NAMES, str(number)) for number in range(50))) == set(NAMES)


def test_each_file_of_chaos_gives_one_test() -> None:
    """In this repository, each file that has the marker gives one test."""
    files = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("test_*.py")
        if HERE not in path.parents and re.search(r"pytest\.mark\.chaos\b", path.read_text())
    }
    assert len(files) >= 4
    found = collected(files, "0123abc")
    assert sorted(name.partition("::")[0] for name in found) == sorted(files)


def collected(files: set[str], commit: str) -> list[str]:
    """Return the tests of chaos that a run with this commit would be of."""
    about = ["-m", "chaos", f"--chaos-sample={commit}", "--rootdir=.", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *about, *sorted(files)],
        cwd=TESTS,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted(line for line in done.stdout.splitlines() if "::" in line)


def test_the_summary_names_what_was_chosen(tmp_path: Path) -> None:
    """And pytest counts the rest as deselected, in one process and in two."""
    text = """
        import pytest

        @pytest.mark.chaos
        @pytest.mark.parametrize("number", range(5))
        def test_storm(number): pass

        def test_calm(): pass
    """
    (tmp_path / "test_it.py").write_text(textwrap.dedent(text))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = chaos")
    names = [f"test_it.py::test_storm[{number}]" for number in range(5)]
    about = ["-p", "plugins.chaos", "-p", "no:cacheprovider", "--chaos-sample=abc"]
    for processes in ("0", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *about, "-n", processes],
            cwd=tmp_path,
            env={"PYTHONPATH": str(TESTS)},
            check=True,
            capture_output=True,
            text=True,
        )
        assert "chaos: the tests that commit abc chooses" in done.stdout
        assert [line for line in done.stdout.splitlines() if line in names] == [
            *sample(names, "abc")
        ]
        assert done.stdout.splitlines()[-1].startswith("2 passed")
