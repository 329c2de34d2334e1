# SPDX-License-Identifier: Apache-2.0
"""Helm, on one cluster, with all that it keeps in a folder of its own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from parts.process import PartError

Json = dict[str, Any]
CHART = Path(__file__).parents[2] / "deploy" / "chart"
TAKES_S = 300


class Helm:
    """Runs Helm; without a kubeconfig for what asks no cluster."""

    def __init__(self, program: Path, folder: Path, *, kubeconfig: Path | None = None) -> None:
        self._program = program
        homes = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HOME")
        self._environment = {"PATH": os.defpath} | dict.fromkeys(homes, str(folder))
        if kubeconfig:
            self._environment["KUBECONFIG"] = str(kubeconfig)

    def run(self, *words: str) -> str:
        """Return what Helm prints, or raise what it says."""
        done = subprocess.run(
            [self._program, *words],
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=TAKES_S,
        )
        if done.returncode:
            raise PartError(f"helm {words[0]}: {done.stderr.strip()}\n{done.stdout.strip()}")
        return done.stdout

    def shell(self, text: str, *, folder: Path, path: Sequence[Path]) -> str:
        """Return what a shell prints that is typed commands of Helm and of programs in `path`."""
        places = [self._program.parent, *path, os.defpath]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env=self._environment | {"PATH": os.pathsep.join(map(str, places))},
            check=False,
            capture_output=True,
            text=True,
            timeout=TAKES_S,
        )
        if done.returncode:
            raise PartError(f"{text}: {done.stderr.strip()}\n{done.stdout.strip()}")
        return done.stdout

    def template(
        self,
        values: Json | None = None,
        *,
        namespace: str = "lokeys-system",
        chart: Path = CHART,
    ) -> list[Json]:
        """Return what the chart makes, but for its tests."""
        words = ["lokeys", str(chart), "--namespace", namespace, "--skip-tests"]
        made = self.run("template", *words, *as_options(values))
        return [each for each in yaml.safe_load_all(made) if each]


def as_options(values: Json | None) -> list[str]:
    """Return the options that set values."""
    return [
        word
        for name, value in (values or {}).items()
        for word in ("--set-json", f"{name}={json.dumps(value)}")
    ]
