# SPDX-License-Identifier: Apache-2.0
"""The workflow files run what anybody can run: make's targets, with few rights."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
NO_TARGET = re.compile(r"apt-get update && apt-get install .*|git config .*|gh release create .*")


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(request.param.read_text())
    return read


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_a_step_calls_what_make_knows(workflow: dict[str, Any]) -> None:
    """Nothing is built by a workflow alone."""
    for step in steps(workflow):
        run = step.get("run", ".ci/run")
        target = re.fullmatch(r"make ([a-z]+)", run)
        known = target[1] in TARGETS if target else run == ".ci/run" or NO_TARGET.fullmatch(run)
        assert known, run


def test_a_workflow_may_read_and_no_more(workflow: dict[str, Any]) -> None:
    """What a job may do beside is said at that job; nobody else's actions run."""
    assert workflow["permissions"] == {"contents": "read"}
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", name)] == []


def test_nothing_that_strangers_write_reaches_a_shell(workflow: dict[str, Any]) -> None:
    """No expression stands in a command; a title could otherwise be run."""
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []
