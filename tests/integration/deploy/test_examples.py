# SPDX-License-Identifier: Apache-2.0
"""The examples: sound in lokeys' eyes, and taken by the real API server."""

import subprocess
import sys
from pathlib import Path

import pytest

from parts.kubernetes import Kubernetes

EXAMPLES = Path(__file__).parents[3] / "examples"
FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
WORDS = {
    # The Cloud Credential Operator makes what the stack waits for.
    "openshift-token-cco": ["--openshift", "--token-cco", "--secrets", "optional"],
}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_an_example_is_sound(folder: Path) -> None:
    """`lokeys validate` finds no error in it, and `lokeys render` renders it."""
    for command in ("validate", "render"):
        words = WORDS.get(folder.name, [])[: None if command == "validate" else 2]
        done = subprocess.run(
            [sys.executable, "-m", "lokeys", command, "-f", str(folder), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_an_example_is_applied(stacks: Kubernetes, namespace: str, folder: Path) -> None:
    """As it stands but for its namespace, strictly, with the definition that deploy/ has."""
    texts = (path.read_text() for path in sorted(folder.glob("*.yaml")))
    manifest = "---\n".join(texts).replace("namespace: logging", f"namespace: {namespace}")
    words = ("--server-side", "--validate=strict", "--dry-run=server", "-f", "-")
    said = stacks.kubectl("apply", *words, stdin=manifest)
    assert "lokistack.loki.grafana.com/logs serverside-applied" in said
    assert "secret/loki-storage serverside-applied" in said
