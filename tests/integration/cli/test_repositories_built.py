# SPDX-License-Identifier: Apache-2.0
"""The commands that `validate` prints for what is not whole in a folder, run as printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parts.build import program
from parts.plugin import need, not_built
from repositories.told import EXPECTED, repositories

TOOLS = {"kubectl kustomize": ("kubernetes", "kubectl"), "helm template": ("helm", "helm")}
PRINTED = [
    (folder, line.strip(), tool)
    for folder in repositories()
    for line in sorted({*(folder / EXPECTED).read_text().splitlines()})
    for tool in TOOLS
    if line.strip().startswith(tool)
]


@pytest.mark.parametrize(
    ("folder", "printed", "tool"),
    PRINTED,
    ids=[f"{folder.name}: {printed.partition('|')[0].strip()}" for folder, printed, _ in PRINTED],
)
def test_what_is_built_is_judged_whole(
    folder: Path, printed: str, tool: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Nothing is at fault in it: the warnings were of what lay there."""
    part, name = TOOLS[tool]
    need(pytestconfig, part, not_built(part, name))
    binary = program(part, name)
    assert binary is not None
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", printed],
        env={
            "PATH": f"{binary.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "nothing to report: no fault in what was handed in" in done.stdout


def test_each_tool_is_printed_somewhere() -> None:
    """Otherwise this file shows nothing of it."""
    assert {tool for _, _, tool in PRINTED} == set(TOOLS)
