# SPDX-License-Identifier: Apache-2.0
"""Every command block of the documents is run, in order, on a homelab named as they name it.

The way to short-lived tokens has a world of its own: `test_docs_tokens`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.pages import ROOT, Block, blocks
from e2e.world import Homelab, Loop
from lokeys.core.route.resource.crd import crd
from parts.build import program
from parts.external_secrets import ExternalSecrets
from parts.helm import CHART, Helm
from parts.kubelet.node import Kubelet
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw

GUIDES = ("docs/guides/incident.md", "docs/guides/operator.md")


@pytest.fixture(scope="module")
def guided(
    kubernetes: Kubernetes,
    external_secrets: ExternalSecrets,
    rgw: Rgw,
    kubelet: Kubelet,
    loop: Loop,
) -> Iterator[Homelab]:
    """Build the homelab of the guides, its key replaced at the source."""
    home = Homelab(kubernetes, external_secrets, rgw, kubelet, loop, "")
    kubernetes.apply(crd())
    home.build()
    home.push("before")
    home.wait_written()
    home.replace_key()
    home.push("during")
    home.wait_refused()
    yield home
    home.close()


def notes(helm_binary: Path, folder: Path) -> str:
    """Return the commands that the chart prints when it is installed, with the homelab's names."""
    words = ("install", "lokeys", str(CHART), "--namespace", "lokeys-system", "--dry-run=client")
    _, _, said = Helm(helm_binary, folder).run(*words).partition("\nNOTES:\n")
    commands = "".join(re.findall(r"^  lokeys .*\n", said, re.MULTILINE))
    assert commands.count("\n") == len(("discover", "rbac"))
    return commands.replace("statefulset/NAME", "statefulset/loki").replace(
        "NAMESPACE", "monitoring"
    )


def test_the_guides_and_notes_do_what_they_say(
    guided: Homelab, tmp_path: Path, helm_binary: Path
) -> None:
    """Typed as printed, one after the other, each command ends as its guide says.

    The chart's notes come last, on a Loki whose way is followed already.
    """
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    path = os.pathsep.join((str(Path(sys.executable).parent), str(kubectl.parent), os.defpath))
    environment = os.environ | {
        "PATH": path,
        "KUBECONFIG": str(guided.kubernetes.kubeconfig),
        "NO_COLOR": "1",
    }
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    printed = Block(notes(helm_binary, tmp_path), 0, "")
    for page, found in (*((page, [*blocks(page)]) for page in GUIDES), ("NOTES", [printed])):
        for block in found:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=180,
            )
            said = f"{page}: {block.text}{done.stdout}{done.stderr}"
            assert done.returncode == block.exits, said
    guided.wait_written()
    assert guided.lines() == ["before", "during"]


def _doctor_on_a_log() -> subprocess.CompletedProcess[bytes]:
    log = (ROOT / "tests/logs/made/access_key_unknown--rgw-sdk.log").read_bytes()
    argv = [sys.executable, "-m", "lokeys", "doctor", "-"]
    return subprocess.run(argv, input=log, check=False, capture_output=True)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_make_has_what_the_pages_call(page: str) -> None:
    """Each command of the front pages is a make target, or asks a log.

    CI runs test and check, a test the demo.
    """
    called = [line for block in blocks(page) for line in block.text.splitlines()]
    assert called
    for line in called:
        if line.endswith("| lokeys doctor -"):
            assert _doctor_on_a_log().returncode == 3
            continue
        words = line.split()
        assert words[0] == "make", line
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
