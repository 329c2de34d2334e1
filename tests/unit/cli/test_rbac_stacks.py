# SPDX-License-Identifier: Apache-2.0
"""`lokeys rbac stack`: the Roles of a stack in a file, or of all, without a cluster."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from lokeys.cli.main import lokeys
from lokeys.core.rbac import Account, StackWish, all_stacks_roles, stack_roles
from lokeys.core.stack.resource.parse import parse
from lokeys.errors import BadInput
from manifests.lokistack import Choice


def run(*args: str) -> Result:
    return CliRunner().invoke(lokeys, ["rbac", *args], standalone_mode=False)


def written(folder: Path, *objects: dict[str, Any]) -> str:
    file = folder / "stacks.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(file)


def named(name: str) -> dict[str, Any]:
    manifest = Choice().manifest
    manifest["metadata"]["name"] = name
    return manifest


def test_a_stack_in_a_file_gets_its_roles(tmp_path: Path) -> None:
    """As YAML to apply, or as one List; with what was asked for, for whom it was asked."""
    file = written(tmp_path, named("one"), Choice().secret, named("two"))
    words = ("stack", "two", "-f", file, "--tokens", "--openshift", "--service-account", "a/b")
    done, listed = run(*words), run(*words, "-o", "json")
    assert (done.return_value, done.stderr) == (0, "")
    stack, _ = parse(named("two"))
    assert stack
    wish, account = StackWish(tokens=True, openshift=True), Account(name="b", namespace="a")
    expected = stack_roles(stack, wish=wish, account=account)
    assert list(yaml.safe_load_all(done.stdout)) == expected
    assert json.loads(listed.stdout)["items"] == expected


def test_the_only_stack_of_a_file_needs_no_name(tmp_path: Path) -> None:
    """`lokeys rbac stack -f FILE`."""
    done = run("stack", "-f", written(tmp_path, named("one"), Choice().secret))
    assert "lokeys-stack:logging.one" in done.stdout


def test_all_stacks_get_a_role_of_the_cluster() -> None:
    """The same as deploy/rbac/all-stacks; with any Secret where that is asked for."""
    assert list(yaml.safe_load_all(run("stack", "--all").stdout)) == all_stacks_roles()
    more = run("stack", "--all", "--secrets").stdout
    assert list(yaml.safe_load_all(more)) == all_stacks_roles(wish=StackWish(secrets=True))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("stack", "--all", "--tokens"), "never to all"),
        (("stack", "x", "--all"), "name none"),
        (("stack", "x", "--secrets"), "--secrets goes with --all"),
        (("loki", "--tokens"), "for `lokeys rbac stack`"),
        (("loki", "--all"), "for `lokeys rbac stack`"),
        (("loki", "other"), "one name at a time"),
        (("stack", "a", "b"), "one name at a time"),
        (("stack", "a", "--service-account", "lokeys"), "NAMESPACE/NAME"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(words: tuple[str, ...], says: str) -> None:
    """Above all, no word grants the tokens of every account."""
    error = run(*words).exception
    assert isinstance(error, click.UsageError)
    assert says in error.message


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (None, "more than one LokiStack"),
        ("three", "no LokiStack named three"),
        ("two", "no LokiStack named two"),
        ("one", "size"),
    ],
)
def test_a_file_that_does_not_say_which_stack_is_refused(
    tmp_path: Path, name: str | None, says: str
) -> None:
    """None, several, or one with faults: what there is, and what is wrong."""
    unsound = named("one")
    unsound["spec"]["size"] = "huge"
    file = written(tmp_path, unsound, named("a-two"))
    error = run("stack", *([name] if name else []), "-f", file).exception
    assert isinstance(error, BadInput)
    assert says in str(error)


def test_a_file_without_a_stack_is_refused(tmp_path: Path) -> None:
    """A Secret alone has no rights."""
    error = run("stack", "-f", written(tmp_path, Choice().secret)).exception
    assert isinstance(error, BadInput)
    assert "no LokiStack in here" in str(error)
