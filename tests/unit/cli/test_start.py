# SPDX-License-Identifier: Apache-2.0
"""What starting lokeys costs, and how the command line is read."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import lokeys.cli.main as lokeys_cli
from lokeys import __version__
from lokeys.cli.main import COMMANDS, code_of, lokeys
from lokeys.cli.options import Command, Options, options_of
from lokeys.errors import (
    BadInput,
    Conflict,
    Forbidden,
    LeaseLost,
    LokeysError,
    NeedsHuman,
    NotFound,
    Throttled,
    Unreachable,
)

HEAVY = {"httpx2", "lightkube", "botocore", "rich", "yaml", "msgspec", "asyncio", "ssl", "json"}
_LIST_MODULES = """
import json, sys
from lokeys.cli.main import run
try:
    run(json.loads(sys.argv[1]))
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_loaded_by(*args: str) -> tuple[int, set[str], str]:
    """Run lokeys in a process of its own; return its exit code, modules and output."""
    command = [sys.executable, "-c", _LIST_MODULES, json.dumps(args)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules), done.stdout


@pytest.mark.parametrize("args", [("--help",), ("--version",), ()], ids=" ".join)
def test_a_question_about_lokeys_loads_nothing_heavy(args: tuple[str, ...]) -> None:
    """--help and --version import no client, no YAML, no terminal library."""
    code, modules, out = modules_loaded_by(*args)
    assert code == 0
    # `json` is this test's own.
    assert not (HEAVY - {"json"}) & modules
    assert not {name for name in modules if name.startswith(("lokeys.adapters", "lokeys.kube"))}
    assert out


def test_help_names_every_command() -> None:
    """The help of the whole is a table of contents."""
    said = CliRunner().invoke(lokeys, ["--help"], standalone_mode=False).output
    assert all(f"  {name} " in said for name in COMMANDS)


def test_every_command_is_there() -> None:
    """Each name in the help has a module, and the module a command with a help of its own."""
    for name in set(COMMANDS) - {"demo"}:
        found = CliRunner().invoke(lokeys, [name, "--help"])
        assert found.exit_code == 0, found.output
        assert "Usage:" in found.output


def test_version_is_the_packages() -> None:
    """--version says the version that was installed."""
    assert __version__ in CliRunner().invoke(lokeys, ["--version"]).output


@pytest.mark.parametrize(
    ("program", "name"), [("/usr/bin/lokeys", "lokeys"), ("/bin/kubectl-lokeys", "kubectl lokeys")]
)
def test_the_plugin_speaks_of_itself_as_kubectl_does(program: str, name: str) -> None:
    """As `kubectl lokeys` the usage line can be typed as it stands."""
    code = "import sys; sys.argv[0] = sys.argv[1]; from lokeys.cli.main import run; run(['-h'])"
    command = [sys.executable, "-c", code, program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.startswith(f"Usage: {name} ")


def read(*args: str) -> Options:
    """Return the options that a command sees."""
    seen: list[Options] = []

    @click.command("look", cls=Command)
    @click.pass_context
    def look(ctx: click.Context) -> int:
        seen.append(options_of(ctx))
        return 0

    group = click.Group("lokeys", params=[*lokeys.params], commands=[look])
    result = CliRunner().invoke(group, args, standalone_mode=False)
    if result.exception:
        raise result.exception
    return seen[0]


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (["look"], {}),
        (["-n", "a", "look"], {"namespace": "a"}),
        (["look", "-n", "a"], {"namespace": "a"}),
        (["-n", "a", "look", "--namespace", "b"], {"namespace": "b"}),
        (["-o", "json", "look"], {"output": "json"}),
        (["-v", "look", "-v"], {"verbose": 2}),
        (["--no-color", "look"], {"no_color": True}),
        (["--ignore", "LK0415", "look", "--ignore", "LK0304"], {"ignore": ("LK0415", "LK0304")}),
        (["look", "--ignore", "LK0401=Pod/ns/a"], {"ignore": ("LK0401=Pod/ns/a",)}),
        (
            ["look", "--reach", "forward", "--fail-on", "info"],
            {"reach": "forward", "fail_on": "info"},
        ),
        (["--context", "c", "look", "--kubeconfig", "f"], {"context": "c", "kubeconfig": "f"}),
    ],
    ids=[
        "nothing said",
        "before the command",
        "after the command",
        "the later one wins",
        "output before",
        "verbosity adds up",
        "a flag before",
        "ignored codes add up",
        "a code at one object",
        "the rest after",
        "both places at once",
    ],
)
def test_common_options_stand_before_or_after(args: list[str], wanted: dict[str, Any]) -> None:
    """Common options mean the same on either side of the command's name."""
    assert read(*args) == Options(**wanted)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["look", "-o", "xml"], "xml"),
        (["look", "-o", "yaml"], "no output `yaml`"),
        (["look", "--ignore", "nonsense"], "CODE"),
        (["look", "--ignore", "LK0401=Pod/a"], "KIND/NAMESPACE/NAME"),
        (["look", "--reach", "magic"], "magic"),
        (["look", "extra"], "extra"),
        (["lok"], "lok"),
    ],
    ids=[
        "an unknown output",
        "an output of other commands",
        "an ignore that is no code",
        "an ignore that is half a place",
        "an unknown reach",
        "one argument too many",
        "an unknown command",
    ],
)
def test_bad_usage_is_named(args: list[str], said: str) -> None:
    """What cannot be read is quoted back, as a usage error."""
    with pytest.raises(click.UsageError) as caught:
        read(*args)
    assert said in caught.value.format_message()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("x"), 2),
        (NotFound("x"), 2),
        (Unreachable("x"), 5),
        (Forbidden("x"), 5),
        (NeedsHuman("x"), 1),
        (Conflict("x"), 1),
        (Throttled("x"), 1),
        (LeaseLost("x"), 1),
    ],
)
def test_each_error_has_its_exit_code(error: LokeysError, code: int) -> None:
    """Input is 2, what cannot be read is 5, all else is a failure of the tool."""
    assert code_of(error) == code


def test_nothing_but_output_prints() -> None:
    """No module of the command line but `output` writes to a stream."""
    folder = Path(lokeys_cli.__file__).parent
    files = [file for file in folder.rglob("*.py") if file.name not in ("output.py", "main.py")]
    assert files
    for file in files:
        assert not re.search(r"\bprint\(|click\.echo", file.read_text()), file
