# SPDX-License-Identifier: Apache-2.0
"""The real Loki takes every configuration that is rendered, for every component's arguments.

`LOKEYS_ALL_STACKS=1` takes all combinations instead of every pair: hours.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokeys.core.loki.render import RenderOptions, render
from manifests.lokistack import NOW, Choice, every, pairwise

ALL = os.environ.get("LOKEYS_ALL_STACKS") == "1"
# What Loki would fail on, were it written between plain quotes.
NASTY = "p'a\"ss: #\\ {x}$y & *z"
CHOICES = list(every()) if ALL else pairwise()


def rendered(choice: Choice) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the ConfigMap's data, and the containers that run Loki."""
    stack, storage = choice.read()
    options = RenderOptions(now=NOW, environment=choice.environment)
    objects = render(stack, storage, options=options)
    data = next(
        each["data"] for each in objects if each["metadata"]["name"] == f"{stack.name}-config"
    )
    pods = [
        each["spec"]["template"]["spec"] for each in objects if "template" in each.get("spec", {})
    ]
    containers = [container for pod in pods for container in pod["containers"]]
    return data, [each for each in containers if each["name"].startswith("loki-")]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """Return the container's environment; what a Secret or a field gives is made up."""
    made = {"HASH_RING_INSTANCE_ADDR": "10.1.2.3", "AWS_SSE_KMS_ENCRYPTION_CONTEXT": '{"a": "b"}'}
    return {
        entry["name"]: entry.get("value") or made.get(entry["name"], NASTY)
        for entry in container.get("env", ())
    }


def verify(loki: Path, folder: Path, container: dict[str, Any]) -> str:
    """Return what Loki complains of; empty where it takes the configuration."""
    arguments = [
        argument.replace("/etc/loki/config", str(folder)) for argument in container["args"]
    ]
    done = subprocess.run(
        [str(loki), *arguments, "-verify-config"],
        env=environment(container),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stderr if done.returncode else ""


@pytest.mark.timeout(0 if ALL else 600)
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_loki_takes_the_configuration(loki_binary: Path, tmp_path: Path, choice: Choice) -> None:
    """Loki verifies what its pods would read, with the environment that they would have.

    The tenants' overrides, which Loki reads only later, are verified as if they held for all.
    """
    data, containers = rendered(choice)
    (tmp_path / "runtime-config.yaml").write_text(data["runtime-config.yaml"])
    (tmp_path / "config.yaml").write_text(data["config.yaml"])
    # All components read one file: two of them, with credentials and without, stand for the rest.
    seen = [each for each in containers if each["name"] in ("loki-ingester", "loki-distributor")]
    for container in seen:
        assert not verify(loki_binary, tmp_path, container)
    overrides = yaml.safe_load(data["runtime-config.yaml"])["overrides"] or {}
    for limits in overrides.values():
        config = yaml.safe_load(data["config.yaml"])
        config["limits_config"] |= yaml.safe_load(yaml.dump(limits).replace("$", "$$"))
        (tmp_path / "config.yaml").write_text(yaml.dump(config))
        assert not verify(loki_binary, tmp_path, {**containers[0], "env": []})


def test_loki_takes_every_components_arguments(loki_binary: Path, tmp_path: Path) -> None:
    """No component has a flag or a target that Loki does not know."""
    data, containers = rendered(Choice(extra="everything"))
    for name, text in data.items():
        (tmp_path / name).write_text(text)
    assert len(containers) == 7
    assert {each["name"]: verify(loki_binary, tmp_path, each) for each in containers} == {
        each["name"]: "" for each in containers
    }
