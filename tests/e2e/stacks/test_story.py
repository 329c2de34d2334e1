# SPDX-License-Identifier: Apache-2.0
"""`make stack`, as a command of its own with parts of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parts import debian
from parts.kubelet import network
from parts.plugin import need, not_built

TESTS = Path(__file__).parents[2]


@pytest.mark.stand_in("`make stack` brings up a stand-in of its own")
@pytest.mark.timeout(500)
def test_a_stack_without_a_key_comes_up_by_one_command(
    pytestconfig: pytest.Config, loki_binary: Path
) -> None:
    """It ends well only if a line went through Ceph with no key, and shows what everybody sees."""
    assert loki_binary.exists()
    for part in ("kubernetes", "rgw", "kubelet"):
        need(pytestconfig, part, debian.missing(part))
    need(pytestconfig, "kubelet", network.unavailable())
    need(pytestconfig, "kubernetes", not_built("kubernetes", "kube-apiserver", "kubectl"))
    done = subprocess.run(
        [sys.executable, "-m", "e2e.stacks.story"],
        capture_output=True,
        text=True,
        check=False,
        timeout=480,
        env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'scripts'}"},
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    (row,) = (line.split() for line in done.stdout.splitlines() if line.startswith("logs "))
    assert row[:4] == ["logs", "1x.demo", "token", "True"]
    assert "read back: 'a line that travelled through Ceph'" in done.stdout
    assert "no Secret of the cluster and no pod holds a key" in done.stdout
