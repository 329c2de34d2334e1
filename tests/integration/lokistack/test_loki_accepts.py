# SPDX-License-Identifier: Apache-2.0
"""The real Loki takes every configuration that is rendered, for every component's arguments.

In CI every two of store, size, tenancy, schemas, extras, what a store may be told beside the least,
and component meet. `LOKEYS_ALL_STACKS=1` takes all combinations instead. No tenancy changes what
Loki reads, and what it has been asked once it is not asked again.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokeys.core.stack.render.expansion import expandable
from lokeys.core.stack.render.render import RenderOptions, render
from manifests.lokistack import COMPONENTS, NOW, Choice, every, pairwise_components

ALL = os.environ.get("LOKEYS_ALL_STACKS") == "1"
# What Loki would fail on, were it written between plain quotes.
NASTY = "p'a\"ss: #\\ {x}$y & *z"
# Of all combinations a component with credentials and one without are taken: others differ in
# their target alone.
BOTH = ("ingester", "distributor")
CHOICES = (
    [(choice, BOTH) for choice in every()]
    if ALL
    else [(choice, (part,)) for choice, part in pairwise_components()]
)


def rendered(choice: Choice) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the ConfigMap's data, and the containers that run Loki by their components."""
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
    loki = [each for each in containers if each["name"].startswith("loki-")]
    return data, {each["name"].removeprefix("loki-"): each for each in loki}


def environment(container: dict[str, Any]) -> dict[str, str]:
    """Return the container's environment; what a Secret or a field gives is made up."""
    made = {"HASH_RING_INSTANCE_ADDR": "10.1.2.3", "AWS_SSE_KMS_ENCRYPTION_CONTEXT": '{"a": "b"}'}
    return {
        entry["name"]: entry.get("value") or made.get(entry["name"], NASTY)
        for entry in container.get("env", ())
    }


class Verifier:
    """The real Loki, asked once of each configuration with its arguments and environment."""

    def __init__(self, loki: Path, folder: Path) -> None:
        self._loki = loki
        self._folder = folder
        self._said: dict[str, str] = {}

    def complaints(self, data: dict[str, str], container: dict[str, Any]) -> str:
        """Return what Loki complains of; empty where it takes the configuration."""
        around = environment(container)
        key = json.dumps((data, container["args"], around), sort_keys=True)
        if key not in self._said:
            self._said[key] = self._asked(data, container["args"], around)
        return self._said[key]

    def _asked(self, data: dict[str, str], args: list[str], around: dict[str, str]) -> str:
        for name, text in data.items():
            (self._folder / name).write_text(text)
        arguments = [each.replace("/etc/loki/config", str(self._folder)) for each in args]
        done = subprocess.run(
            [str(self._loki), *arguments, "-verify-config"],
            env=around,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def verifier(loki_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    """Return one for all tests, so that none asks what another has asked."""
    return Verifier(loki_binary, tmp_path_factory.mktemp("config"))


@pytest.mark.timeout(0 if ALL else 600)
@pytest.mark.parametrize(
    ("choice", "components"),
    CHOICES,
    ids=[f"{choice}, {' and '.join(components)}" for choice, components in CHOICES],
)
def test_loki_takes_the_configuration(
    verifier: Verifier, choice: Choice, components: tuple[str, ...]
) -> None:
    """Loki verifies what components' pods would read, with their arguments and environments.

    The tenants' overrides, which Loki reads only later, are verified as if they held for all.
    """
    data, containers = rendered(choice)
    for component in components:
        assert not verifier.complaints(data, containers[component])
    overrides = yaml.safe_load(data["runtime-config.yaml"])["overrides"] or {}
    for limits in overrides.values():
        config = yaml.safe_load(data["config.yaml"])
        config["limits_config"] |= expandable(limits)
        held = {**data, "config.yaml": yaml.dump(config)}
        assert not verifier.complaints(held, {**containers[components[0]], "env": []})


def test_loki_takes_every_components_arguments(verifier: Verifier) -> None:
    """No component has a flag or a target that Loki does not know."""
    data, containers = rendered(Choice(extra="everything"))
    assert set(containers) == set(COMPONENTS)
    said = {name: verifier.complaints(data, each) for name, each in containers.items()}
    assert said == dict.fromkeys(containers, "")


def test_a_configuration_that_is_none_is_refused(verifier: Verifier) -> None:
    """A field that Loki does not know, so that its silence on the others means something."""
    data, containers = rendered(Choice())
    broken = data["config.yaml"].replace("auth_enabled:", "auth_enabeld:")
    assert "auth_enabeld" in verifier.complaints(
        {**data, "config.yaml": broken}, containers["ingester"]
    )
