# SPDX-License-Identifier: Apache-2.0
"""What the real shells complete with the scripts that `lokeys completion` prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parts import debian
from parts.plugin import need

# Each shows what the shell would offer for the words, the last of which is being typed.
SHELLS = {
    "bash": """
        source <(lokeys completion bash)
        COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _lokeys_completion lokeys
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        compdef() {{ }}
        source <(lokeys completion zsh)
        words=({words}); CURRENT=$#words
        _describe() {{ print -l -- ${{(P)3}}; }}
        compadd() {{ print -l -- ${{(P)@[-1]}}; }}
        _lokeys_completion
    """,
    "fish": """
        lokeys completion fish | source
        complete -C "{words}"
    """,
}
PLAIN = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> str:
    """Name a shell that is installed."""
    need(pytestconfig, "shells", debian.missing("shells"))
    name: str = request.param
    return name


def offered(shell: str, words: str) -> set[str]:
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
    done = subprocess.run(
        [shell, *PLAIN[shell], "-c", SHELLS[shell].format(words=words)],
        env={"PATH": os.pathsep.join(places), "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return {line.replace("\t", ":").split(":")[0] for line in done.stdout.splitlines()}


def test_a_command_is_completed(shell: str) -> None:
    """Its first letters are enough, and no other command is offered."""
    assert offered(shell, "lokeys di") == {"discover"}


def test_an_option_of_a_command_is_completed(shell: str) -> None:
    """Also behind a command, whose module is loaded for it."""
    assert offered(shell, "lokeys doctor --all-n") == {"--all-namespaces"}


def test_a_choice_is_completed(shell: str) -> None:
    """What an argument may be is offered."""
    assert offered(shell, "lokeys completion z") == {"zsh"}
