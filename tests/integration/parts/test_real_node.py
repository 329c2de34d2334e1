# SPDX-License-Identifier: Apache-2.0
"""The real node: it comes up, and leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from parts.plugin import need_real_node
from parts.process import wait_for
from parts.real_node.node import GROUPS

TESTS = Path(__file__).parents[2]
USES_IT = """
    import time
    from pathlib import Path

    def test_it(kubernetes, kubelet):
        Path("fresh").write_text(f"{kubernetes.number} {kubelet.folder}")
        Path("fresh").rename("started")
        while not Path("go").exists():
            time.sleep(0.1)
"""


def left_of(number: str, folder: str) -> list[str]:
    """Return what a node of this number has on this machine."""
    links = subprocess.run(["ip", "link"], check=True, capture_output=True, text=True).stdout
    routes = subprocess.run(["ip", "route"], check=True, capture_output=True, text=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    processes = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    found = {
        "its folder": Path(folder).exists(),
        "control groups": any(GROUPS.glob(f"*/lokeys{number}")),
        "network links": any(f"{name}{number}" in links for name in ("lokeys", "lk")),
        "routes": f"10.87.{number}." in routes,
        "a namespace": Path(f"/run/netns/lokeys{number}-node").exists(),
        "mounts": folder in mounts,
        "processes": any(folder.encode() in words for words in processes),
    }
    return [what for what, there in found.items() if there]


@pytest.mark.real_node
@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", ["done", "killed"])
def test_a_real_node_leaves_nothing_behind(
    pytestconfig: pytest.Config, tmp_path: Path, end: str
) -> None:
    """Neither at the end of a run nor after SIGKILL of pytest itself."""
    need_real_node(pytestconfig)
    (tmp_path / "test_it.py").write_text(textwrap.dedent(USES_IT))
    plugin = ["-p", "parts.plugin", "-p", "no:cacheprovider", "-p", "no:randomly", "--rootdir=."]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *plugin, "--real-node", "test_it.py"],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'scripts'}", "PYTEST_ADDOPTS": ""},
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        started = tmp_path / "started"
        wait_for(
            lambda: started.exists() or run.poll() is not None, "the node is up", timeout_s=200
        )
        if not started.exists():
            assert run.stdout is not None
            pytest.fail(run.stdout.read())
        number, folder = started.read_text().split()
        assert left_of(number, folder), "it is there while it runs"
        if end == "killed":
            run.send_signal(signal.SIGKILL)
        else:
            (tmp_path / "go").touch()
            run.wait(60)
    wait_for(lambda: not left_of(number, folder), "nothing is left", timeout_s=30)
