# SPDX-License-Identifier: Apache-2.0
"""Every kubectl command that a finding about manifests prints is one that kubectl takes.

Typed as printed, by a shell, at a real API server that has the case's own objects (as far as it
takes them): it is done, or what it names is not there, which is what the finding says.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from golden.cases import HERE, INPUT
from lokeys.exit_codes import ExitCode
from parts.build import program
from parts.kubernetes import Kubernetes
from parts.process import wait_for
from trust.moving import served
from trust.tools import Shell

DEFINITION = Path(__file__).parents[3] / "deploy/chart/files/lokistack-crd/lokistacks.yaml"
NAMESPACES = ("logging", "staging")
SAID = {"VALUE": "value", "MODE": "static", "TYPE": "s3"}
"""What the words that a finding leaves to a person are typed as."""
ABSENT = re.compile(r"\(NotFound\)|doesn't have a resource type|the server could not find")
"""The Secret that lacks, a CredentialsRequest off OpenShift, an ExternalSecret without its kind."""
MADE = re.compile("already exists$")
"""By the case before, which lacked it, too."""
KEY_PAIR = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a "
    "-keyout tls.key -out tls.crt 2>/dev/null && cp tls.crt ca.crt"
)


def commands(folder: Path) -> list[str]:
    """Return what a case's remedies print for kubectl, with a value for each word."""
    remedies = json.loads((folder / "expected.json").read_text())["remedy"]
    found = [each["command"] for each in remedies if "kubectl" in (each["command"] or "")]
    for word, value in SAID.items():
        found = [re.sub(rf'"{word}"', f'"{value}"', command) for command in found]
    return found


FOLDERS = [
    folder
    for folder in sorted(HERE.glob("LK0[12]*"))
    if (folder / INPUT).exists() and commands(folder)
]


@pytest.fixture(scope="module")
def shell(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Return a shell at an API server that serves LokiStacks, with the files that are named."""
    kubernetes.apply(*yaml.safe_load_all(DEFINITION.read_text()))
    wait_for(lambda: served(kubernetes), "LokiStacks are served")
    kubectl, folder = program("kubernetes", "kubectl"), tmp_path_factory.mktemp("typed")
    assert kubectl is not None
    (folder / "key.json").write_text("{}")
    (folder / "FILE").write_text("typed")
    environment = {
        "PATH": os.pathsep.join(
            (str(kubectl.parent), str(Path(sys.executable).parent), os.environ["PATH"])
        ),
        "KUBECONFIG": str(kubernetes.kubeconfig),
        "HOME": str(folder),
        "KUBE_EDITOR": "true",
    }
    typed = Shell(folder=folder, environment=environment)
    assert typed.run(KEY_PAIR).returncode == 0
    with contextlib.ExitStack() as stack:
        for name in NAMESPACES:
            stack.enter_context(kubernetes.namespace(name))
        yield typed


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kubectl_takes_what_is_printed(shell: Shell, folder: Path) -> None:
    """No flag, patch or name that it does not understand, nor the API server."""
    shell.run(f"kubectl apply -f {folder / INPUT}")
    for command in commands(folder):
        done = shell.run(f"{{ {command}; }} <<< typed")
        told = done.stderr.strip()
        if "| lokeys validate" in command and done.returncode == ExitCode.FINDINGS:
            continue  # kubectl printed the objects, and lokeys judges them
        assert done.returncode == 0 or ABSENT.search(told) or MADE.search(told), told


def test_what_kubectl_does_not_take_is_told(shell: Shell) -> None:
    """The check itself can fail: a flag, a patch and a kind that there are not."""
    shell.run("kubectl -n logging create configmap there --from-literal=a=b")
    for command in (
        "kubectl -n logging patch configmap there --kind merge -p '{}'",
        'kubectl -n logging patch configmap there --type json -p \'[{"op":"move"}]\'',
        "kubectl -n logging patch configmap there --type merge -p '{'",
    ):
        done = shell.run(command)
        assert done.returncode != 0
        assert not ABSENT.search(done.stderr), done.stderr
