# SPDX-License-Identifier: Apache-2.0
"""The command blocks of pages about manifests are run, in order, on the page's own examples."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "docs" / "reference"
EXAMPLE = re.compile(r"(?:`(\w+)/stack\.yaml`:\n\n)?```yaml\n(.*?)```", re.DOTALL)
BLOCK = re.compile(r"(?:<!-- exits (\d+) -->\n)?```sh\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", ["lokistack.md", "render.md"])
def test_a_pages_commands_run(page: str, tmp_path: Path) -> None:
    """Each has the exit code that the page says, and none needs a cluster."""
    text = (PAGES / page).read_text()
    for folder, manifests in EXAMPLE.findall(text):
        (tmp_path / (folder or "manifests")).mkdir()
        (tmp_path / (folder or "manifests") / "stack.yaml").write_text(manifests)
    blocks = BLOCK.findall(text)
    assert blocks
    for code, block in blocks:
        done = subprocess.run(
            ["sh", "-ec", block],
            cwd=tmp_path,
            env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == int(code or 0), (block, done.stderr)
        assert done.stdout or "--diff" in block
