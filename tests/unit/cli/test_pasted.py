# SPDX-License-Identifier: Apache-2.0
"""What commands print is harmless where it is pasted, whatever stands in the manifests."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lokeys.cli.main import lokeys
from lokeys.errors import LokeysError
from manifests.lokistack import Choice
from pasting import PAYLOADS, paste, spoilt

STORES = {"aws": ("s3", "s3-token"), "azure": ("azure", "azure-token"), "gcp": ("gcs", "gcs-token")}
ISSUER = ("--issuer", "https://issuer.example")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster and no cloud: nothing of whoever runs this is looked at."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def objects_of(store: str) -> list[dict[str, Any]]:
    """Return a stack and its Secret."""
    choice = Choice(store=store)
    return [choice.manifest, choice.secret]


def printed(folder: Path, objects: Any, *args: str) -> str:
    """Return what a command prints of manifests; a refusal is printable and prints nothing."""
    file = folder / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    done = CliRunner().invoke(lokeys, [*args, "-f", str(file)], standalone_mode=False)
    if done.exception:
        assert isinstance(done.exception, LokeysError), done.exception
        assert done.stdout == ""
    assert all(line.isprintable() for line in done.output.split("\n")), done.output
    return done.stdout


@pytest.mark.parametrize("cloud", STORES)
def test_what_iam_prints_runs_nothing_foreign(cloud: str, tmp_path: Path) -> None:
    """Each line is a comment or a command of quoted words; so is the end of what Terraform gets."""
    scripts, terraform = [], set()
    for store in STORES[cloud]:
        for objects in spoilt(objects_of(store)):
            scripts.append(printed(tmp_path, objects, "iam", cloud, *ISSUER, "-o", "commands"))
            text = printed(tmp_path, objects, "iam", cloud, *ISSUER, "-o", "terraform")
            terraform |= {line for line in text.split("\n") if line.startswith("#")}
    assert len(set(scripts)) > 2
    assert paste([*dict.fromkeys(scripts), *terraform], tmp_path) == ""


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if "\n" in p])
def test_iam_says_where_a_secrets_name_is_none(payload: str, tmp_path: Path) -> None:
    """The name of a Secret stood in a comment, whose next line was run."""
    stack, _ = objects_of("s3")
    stack["spec"]["storage"]["secret"]["name"] = f"old{payload}"
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(stack))
    done = CliRunner().invoke(
        lokeys, ["iam", "aws", *ISSUER, "-f", str(file)], standalone_mode=False
    )
    assert done.stdout == ""
    assert done.return_value == 3 or "spec.storage.secret.name" in str(done.exception)
    assert "stack.json" in done.stderr + str(done.exception)


def test_what_rbac_prints_is_what_was_meant(tmp_path: Path) -> None:
    """Refused, or YAML in which no name has become anything but a name."""
    read = {printed(tmp_path, objects, "rbac", "stack") for objects in spoilt(objects_of("s3"))}
    assert len(read) > 1
    for text in read:
        kinds = {each["kind"] for each in yaml.safe_load_all(text)}
        assert kinds <= {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
