# SPDX-License-Identifier: Apache-2.0
"""The table of supported versions says what the tests really run on."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/versions.md").read_text()
ROWS = {name: cells for name, *cells in (line.split(" | ") for line in PAGE.splitlines())}
PARTS = ROOT / "tests/parts/go"


def pinned(part: str, module: str) -> str:
    text = (PARTS / part / "go.mod").read_text()
    (found,) = re.findall(rf"^(?:require)?\s*{re.escape(module)} v(\S+)", text, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize(
    ("row", "part", "module"),
    [
        ("| Kubernetes", "kubernetes", "k8s.io/kubernetes"),
        ("| Kubernetes", "kubernetes-oldest", "k8s.io/kubernetes"),
        ("| External Secrets", "external-secrets", "github.com/external-secrets/external-secrets"),
        ("| Loki", "loki", "github.com/grafana/loki/v3"),
        ("| Helm", "helm", "helm.sh/helm/v4"),
    ],
)
def test_a_part_of_the_tests_is_in_the_table(row: str, part: str, module: str) -> None:
    """By the version that its module pins."""
    assert re.search(rf"\b{re.escape(pinned(part, module))}\b", ROWS[row][1])


def test_the_oldest_kubernetes_is_the_one_that_is_tested() -> None:
    """What the page claims, what is tested, and what the chart asks for are one."""
    oldest = ROWS["| Kubernetes"][0]
    assert pinned("kubernetes-oldest", "k8s.io/kubernetes").startswith(f"{oldest}.")
    chart = yaml.safe_load((ROOT / "deploy/chart/Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={oldest}.0-0"


def test_the_oldest_python_is_the_packages_own() -> None:
    """As it says itself to whoever installs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={ROWS['| Python'][0]}"
