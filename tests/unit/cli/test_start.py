# SPDX-License-Identifier: Apache-2.0
"""What starting lokeys costs, and how the command line is read."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import lokeys.cli.main as lokeys_cli
from lokeys import __version__
from lokeys.cli.commands.operator import command as operator
from lokeys.cli.main import COMMANDS, code_of, lokeys
from lokeys.cli.options import LokeysCommand, Options, options_of
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

ROOT = Path(__file__).parents[3]
HEAVY = {"httpx2", "botocore", "rich", "yaml", "msgspec", "asyncio", "ssl", "json"}
_LIST_MODULES = """
import json, sys
before = set(sys.modules)  # what counts coverage loads some of its own
from lokeys.cli.main import (run)
try:
    run(json.loads(sys.argv[1]))
except SystemExit as end:
    print(json.dumps([end.code, sorted(set(sys.modules) - before)]), file=sys.stderr)
"""


def modules_loaded_by(*args: str) -> tuple[int, set[str], str]:
    """Run lokeys in a process of its own; return its exit code, modules and output."""
    command = [sys.executable, "-c", _LIST_MODULES, json.dumps(args)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, cwd=ROOT)
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


def test_what_judges_a_stack_loads_nothing_that_renders_or_hashes() -> None:
    """Each takes a tenth of the command's time, and a pipeline that validates needs neither."""
    code, modules, out = modules_loaded_by("validate", "-f", "examples/static-rgw")
    assert (code, "nothing to report" in out) == (0, True)
    heavy = {"hashlib", "hmac", "shutil", "lokeys.core.kubernetes.kustomize"}
    assert not heavy & modules
    assert not {name for name in modules if name.startswith("lokeys.core.stack.render")}


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

    @click.command("look", cls=LokeysCommand)
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
        (["look", "-n", "../x"], "namespace's name"),
        (["look", "extra"], "extra"),
        (["lok"], "lok"),
    ],
    ids=[
        "an unknown output",
        "an output of other commands",
        "an ignore that is no code",
        "an ignore that is half a place",
        "an unknown reach",
        "a namespace that cannot be",
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


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--port", "99999999"], "0<=x<=65535"),
        (["--host", "999.1.1.1"], "neither an IP address nor a host's name"),
        (["--host", "a b"], "neither an IP address nor a host's name"),
        (["--verify-every", "nan"], "not a number of seconds"),
        (["--verify-every", "0"], "not a number of seconds"),
        (["--system-namespace", "a/b"], "not a namespace's name"),
        (["-o", "json"], "no output `json`"),
    ],
    ids=" ".join,
)
def test_what_no_operator_can_run_with_is_refused(args: list[str], said: str) -> None:
    """A port, an address, a time that cannot be: told before the cluster is asked for anything."""
    result = CliRunner().invoke(lokeys, ["operator", *args, "--kubeconfig", "/nowhere"])
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "localhost"])
def test_a_host_that_can_be_is_taken(host: str) -> None:
    """An address of either family, or a name: the next thing that is wrong is told."""
    args = ["operator", "--host", host, "--kubeconfig", "/nowhere"]
    result = CliRunner().invoke(lokeys, args, standalone_mode=False)
    assert isinstance(result.exception, BadInput)


@pytest.mark.parametrize(
    ("variables", "where"),
    [({}, "127.0.0.1"), ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "0.0.0.0")],
    ids=["on a laptop", "in a pod"],
)
def test_pages_are_served_to_others_in_a_pod_only(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], where: str
) -> None:
    """There probes and Prometheus ask; on a laptop nobody but its user should."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    context = operator.make_context("operator", [])
    assert context.params["host"] == where


def ended(redirected: str, *args: str) -> tuple[int, str]:
    """Run lokeys under a shell with a stream redirected; return its exit code and both streams."""
    script = f'exec "$0" -m lokeys "$@" {redirected}'
    command = ["sh", "-c", script, sys.executable, *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("args", [("explain", "LK0401"), ("--help",), ("--version",)], ids=" ".join)
@pytest.mark.parametrize(
    ("redirected", "why"),
    [(">&-", "bad file descriptor"), (">/dev/full", "no space left on device")],
)
def test_data_that_cannot_be_written_is_told(
    args: tuple[str, ...], redirected: str, why: str
) -> None:
    """A closed stdout and a full disk are one sentence and a failure, not a traceback."""
    assert ended(redirected, *args) == (1, f"error: cannot write to stdout: {why}\n")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
def test_talk_that_nobody_hears_changes_nothing(redirected: str) -> None:
    """Without a stderr the data and the exit code are what they are with one."""
    code, said = ended(redirected, "explain", "LK0401")
    assert code == 0
    assert said.startswith("LK0401 ")
    assert ended(redirected, "explain", "LK9999") == (2, "")
    assert ended("<&- >&- " + redirected, "explain", "LK0401") == (1, "")


def test_ctrl_c_while_modules_are_loaded_is_silent(tmp_path: Path) -> None:
    """However early it comes, Ctrl-C is 130 and no traceback."""
    loaded = tmp_path / "loaded"
    os.mkfifo(loaded)
    (tmp_path / "click.py").write_text(
        f"import time\nopen({str(loaded)!r}, 'w').close()\ntime.sleep(30)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "lokeys", "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        loaded.read_text()  # until it is in the midst of its imports
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, b"")
