# SPDX-License-Identifier: Apache-2.0
"""A shell in which `lokeys`, the real kubectl and `aws` are found, as an administrator has them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parts.build import program
from parts.kubernetes import Kubernetes
from parts.rgw import Rgw

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Runs scripts in `folder`, logged in to a cluster and to an RGW."""

    folder: Path
    environment: dict[str, str] = field(repr=False)

    def run(self, script: str, *, timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )


def shell(folder: Path, kubernetes: Kubernetes, rgw: Rgw) -> Shell:
    """Return a shell of somebody who administers both."""
    made = aws_shell(
        folder,
        {
            "KUBECONFIG": str(kubernetes.kubeconfig),
            "AWS_ACCESS_KEY_ID": rgw.admin_access_key,
            "AWS_SECRET_ACCESS_KEY": rgw.admin_secret_key,
        },
    )
    kubectl = program("kubernetes", "kubectl")
    assert kubectl is not None
    (folder / "programs" / "kubectl").symlink_to(kubectl)
    return made


def aws_shell(folder: Path, variables: Mapping[str, str]) -> Shell:
    """Return a shell with `lokeys` and `aws`, logged in by these variables and no others."""
    programs = folder / "programs"
    programs.mkdir()
    aws = programs / "aws"
    aws.write_text(f'#!/bin/sh\nPYTHONPATH={TESTS} exec {sys.executable} -m trust.aws_tool "$@"\n')
    aws.chmod(0o755)
    path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.defpath))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    about = {"PATH": path, "HOME": str(folder), "NO_COLOR": "1"}
    return Shell(
        folder=folder,
        environment={**kept, **about, "AWS_EC2_METADATA_DISABLED": "true", **variables},
    )
