# SPDX-License-Identifier: Apache-2.0
"""What the parts' plugin promises about parts that are missing and runs that are cut short."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from parts.process import wait_for

TESTS = Path(__file__).parents[2]
PLUGIN = ["-p", "parts.plugin", "-p", "no:cacheprovider", "-p", "no:randomly", "--rootdir=."]


def run(folder: Path, test: str, *options: str, **environment: str) -> "subprocess.Popen[str]":
    """Start pytest with the plugin alone on one test file, and none of this run's own options."""
    (folder / "test_it.py").write_text(textwrap.dedent(test))
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *PLUGIN, *options, "test_it.py"],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'scripts'}",
            "PYTEST_ADDOPTS": "",
            "CI": "",
            **environment,
        },
        stdout=subprocess.PIPE,
        text=True,
    )


NEEDS_LOKI = """
    def test_it(loki_binary):
        pass
"""


@pytest.mark.parametrize(
    ("ci", "code", "word"),
    [
        pytest.param("", 0, "1 skipped", id="at home the test is skipped"),
        pytest.param("true", 1, "1 error", id="in CI it fails"),
    ],
)
@pytest.mark.parametrize("processes", ["0", "2"], ids=["in one process", "in two"])
def test_a_missing_part_is_named(
    tmp_path: Path, ci: str, code: int, word: str, processes: str
) -> None:
    """The summary says which part is missing, and what to do."""
    cache = {"LOKEYS_PARTS_CACHE": str(tmp_path / "empty"), "LOKI_BINARY": ""}
    with run(tmp_path, NEEDS_LOKI, "-n", processes, CI=ci, **cache) as pytest_run:
        assert pytest_run.stdout is not None
        said = pytest_run.stdout.read()
    assert pytest_run.returncode == code
    assert word in said.splitlines()[-1]
    assert "parts not had here" in said
    assert "loki: loki not built, run `make parts`" in said


@pytest.mark.usefixtures("kubernetes")
def test_a_killed_run_leaves_nothing(tmp_path: Path) -> None:
    """After SIGKILL of pytest itself, its processes and folders go all the same."""
    test = """
        import time
        from pathlib import Path

        def test_it(kubernetes):
            pids = [str(process.pid) for process in kubernetes._processes()]
            Path("fresh").write_text(f"{kubernetes.folder} {' '.join(pids)}")
            Path("fresh").rename("started")
            time.sleep(600)
    """
    with run(tmp_path, test) as pytest_run:
        wait_for((tmp_path / "started").exists, "the control plane runs")
        pytest_run.send_signal(signal.SIGKILL)
    folder, *pids = (tmp_path / "started").read_text().split()
    assert len(pids) == 3
    wait_for(lambda: not Path(folder).exists(), "its folder is gone")
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "its processes too")
