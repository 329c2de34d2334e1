# SPDX-License-Identifier: Apache-2.0
"""What a second try is given to, and what it leaves to see."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
ABOUT = ["-p", "plugins.second_try", "-p", "no:cacheprovider", "-p", "no:randomly", "--rootdir=."]
ONCE = """
    import pytest
    from pathlib import Path

    @pytest.fixture(scope="session")
    def world():
        with Path("worlds").open("a") as file:
            file.write("made ")
        yield
        with Path("worlds").open("a") as file:
            file.write("gone ")

    @pytest.mark.parametrize("number", range(MANY))
    def test_it(world, number):
        tries = Path(f"tries-{number}")
        tries.write_text((tries.read_text() if tries.exists() else "") + "x")
        assert number >= BAD or len(tries.read_text()) == GOOD_AT, "not yet"
"""


def run(folder: Path, *options: str, many: int = 1, bad: int = 1, good_at: int = 2) -> "Run":
    """Run `many` tests of which `bad` fail but at that try."""
    counts = f"MANY, BAD, GOOD_AT = {many}, {bad}, {good_at}\n"
    (folder / "test_it.py").write_text(counts + textwrap.dedent(ONCE))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *ABOUT, *options, "test_it.py"],
        cwd=folder,
        env={"PYTHONPATH": str(TESTS)},
        check=False,
        capture_output=True,
        text=True,
    )


Run = subprocess.CompletedProcess[str]


def closing(done: Run) -> str:
    return done.stdout.splitlines()[-1]


def kept(folder: Path) -> list[str]:
    lines = (folder / "kept").read_text().splitlines()
    return [json.loads(line)["test"] for line in lines]


def test_nothing_is_tried_twice_unasked(tmp_path: Path) -> None:
    """Without the option what fails fails."""
    done = run(tmp_path)
    assert done.returncode == 1
    assert closing(done).startswith("1 failed in")


@pytest.mark.parametrize("processes", ["0", "2"], ids=["in one process", "in two"])
def test_who_passes_then_is_named_and_kept(tmp_path: Path, processes: str) -> None:
    """The run is green; summary, closing line and file tell of it; the world was made anew."""
    done = run(tmp_path, "--second-try=kept", "-n", processes, many=2)
    assert done.returncode == 0, done.stdout
    assert "tried twice, as kept remembers" in done.stdout
    assert "test_it.py::test_it[0] (1 in all)" in done.stdout
    assert "AssertionError: not yet" in done.stdout
    assert "2 passed" in closing(done)
    assert "1 tried twice" in closing(done)
    assert kept(tmp_path) == ["test_it.py::test_it[0]"]
    worlds = (tmp_path / "worlds").read_text().split()
    assert (worlds.count("made"), worlds.count("gone")) in [(2, 2), (3, 3)]


def test_who_fails_twice_fails(tmp_path: Path) -> None:
    """There is no third try."""
    done = run(tmp_path, "--second-try=kept", good_at=3)
    assert done.returncode == 1
    assert "1 failed" in closing(done)


@pytest.mark.parametrize("processes", ["0", "2"], ids=["in one process", "in two"])
def test_the_fourth_that_fails_fails(tmp_path: Path, processes: str) -> None:
    """Three second tries a run, however many processes it has; the next run has its own three."""
    done = run(tmp_path, "--second-try=kept", "-n", processes, many=5, bad=4)
    assert done.returncode == 1
    assert "1 failed, 4 passed" in closing(done)
    assert "3 tried twice" in closing(done)
    for file in tmp_path.glob("tries-*"):
        file.unlink()
    done = run(tmp_path, "--second-try=kept", "-n", processes)
    assert done.returncode == 0, done.stdout
    assert len(kept(tmp_path)) == 4
